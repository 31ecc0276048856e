# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the phases of task distillation share: teacher, records, students, and how a phase is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from src.checkpoints.checkpoint import (
    LoadedModel,
    cell_of,
    cell_on_encoder_of,
    identity,
    load_model,
)
from src.checkpoints.run_folder import RunFolder, check_run_folder
from src.common.errors import UserError
from src.config import Config, HeadConfig, ModelConfig, StudentConfig, TaskDistillConfig
from src.convert.families import student_family
from src.dataset import JoinedLogits, TeacherLogits, identity_of, with_unlabelled
from src.dataset.compatibility import check_data, check_relevance, check_same_labels, list_size_of
from src.device import Device
from src.distill.cell import DistillationCell, make_projection
from src.distill.layer_map import Pairs
from src.distill.objectives import Objective, check_models, objective_of
from src.distill.terms import TEACHER
from src.evaluate.tasks import DevEvaluation, decode_options, head_of
from src.export.stored_outputs import stored_outputs
from src.models.fake_quantization import fake_quantize
from src.models.heads import ARCHITECTURES, Model, build_model
from src.records.reading import RecordSource
from src.runs.architectures import STUDENTS, check_architecture, check_sizes, with_head
from src.runs.fit import check_all, check_layers, pairs_of
from src.runs.projection import continue_projection
from src.runs.records import TaskRecords
from src.runs.results import check_metric, forget_result
from src.runs.student import new_student
from src.runs.teachers import (
    SETTING,
    Teachers,
    check_own_rows,
    check_readers,
    check_targets,
    load_teachers,
    own_rows,
    stores_logits,
)
from src.runs.unlabelled import inputs_of, open_unlabelled, own_unlabelled
from src.tasks import Task
from src.train.loop import train
from src.train.stage import Progress, Stage, total_micro_steps

SECTIONS = ("seed", "device", "data", "task", "student")
PHASE_1, PHASE_2 = "phase1", "phase2"
_NEEDS_LAYERS = "phase 1 (not phase 2: --pred_distill)"


@dataclass(frozen=True)
class Setting:
    """What the phases share."""

    config: Config
    path: Path  # folder of the run
    device: Device
    teachers: Teachers  # fine-tuned on the task
    task: Task
    head: HeadConfig
    records: TaskRecords
    rows: dict[str, RecordSource]  # training rows of each phase that is run
    held_out: RecordSource | None  # dev rows; None without evaluation
    start: LoadedModel | None  # what the first phase starts from; None for a new student
    logits_path: Path | None = None  # takes stored logits where the records' folder cannot; None: path
    unlabelled: RecordSource | None = None  # rows without labels, beside those of each phase

    def training_rows(self, phase: str) -> RecordSource:
        """Return all rows that a phase is trained on."""
        return with_unlabelled(self.rows[phase], self.unlabelled)

    @property
    def reader(self) -> LoadedModel | None:
        """Whose tokenizer the student has: that of what it starts from, a new one of phase 1 its teacher's."""
        return self.start or (self.teacher if PHASE_1 in self.rows else None)

    @property
    def teacher(self) -> LoadedModel:
        """The teacher whose layers are learnt."""
        assert self.teachers.first is not None  # `phases_of` has asked for a checkpoint
        return self.teachers.first

    def own_rows(self, name: str) -> tuple[RecordSource | None, ...]:
        """The training rows of a phase in the vocabulary of each checkpoint that teaches it; see `own_rows`."""
        return own_rows(self.records, getattr(self.config.task_distill, name), self.teachers,
                        1 if name == PHASE_1 else None)

    def predictions(self) -> Objective:
        """Return the objective of phase 2.

        Raises:
            UserError: a term is not for this task, or for the labels of its rows.
        """
        rows = self.rows[PHASE_2]
        objective = objective_of(self.config.task_distill.phase2, self.head, list_size=list_size_of(self.task, rows))
        check_relevance(objective, rows)
        return objective

    def evaluation(self, model: ModelConfig, rows: RecordSource, in_int8: bool = False) -> DevEvaluation:
        """Return the evaluation of a model on dev rows."""
        config = self.config
        return DevEvaluation(model, rows, self.task, decode_options(config.task), config.evaluate.batch_size,
                             config.data.buckets, self.device, in_int8)


@dataclass(frozen=True)
class Student:
    """A student before a phase: its first weights come from `start`, or it is new; it reads the vocabulary there."""

    cell: Model
    config: ModelConfig
    start: LoadedModel | None
    tokenizer_path: Path | None


def phases_of(settings: TaskDistillConfig, architecture: str, teachers: Teachers) -> tuple[str, ...]:
    """Return the phases that are run; a student without layers of a transformer learns predictions alone.

    Raises:
        UserError: phase 1 is asked for, and the student or the teachers have no layers to compare.
    """
    if not STUDENTS[architecture].has_layers:
        if settings.phases == "1":
            title = ARCHITECTURES[architecture].config.title
            raise UserError(f"task_distill.phases is 1, but {title} has no layers to compare with the teacher's; leave "
                            "phases out")
        return (PHASE_2,)
    skips_first = settings.phases == "2" or settings.phases == "both" and settings.load_td1_ckpt_path
    if not skips_first and teachers.first is None:
        raise UserError("phase 1 learns a teacher's layers, which teacher_outputs does not hold; run phase 2 alone: "
                        "--pred_distill --student_model DIR, or give --load_teacher_ckpt_path DIR too")
    if settings.phases == "1":
        return (PHASE_1,)
    return (PHASE_2,) if skips_first else (PHASE_1, PHASE_2)


def make_setting(config: Config, path: Path, device: Device) -> Setting:
    """Load the teacher, open the rows of all phases, and check that these fit each other.

    Raises:
        UserError: something is missing, or does not fit; nothing has been trained then.
    """
    teachers = load_teachers(config.teacher, device.say)
    architecture = config.student.architecture
    phases = phases_of(config.task_distill, architecture, teachers)
    start = None if PHASE_1 in phases else start_of_phase2(config.task_distill, config.student, path)
    records = TaskRecords(config, path, teachers.first or start, device, needs_labels=teachers.first is not None)
    held_out = records.held_out() if config.task_distill.do_eval and PHASE_2 in phases else None
    rows = {name: records.training(getattr(config.task_distill, name)) for name in phases}
    heads = [head_of(source, config.task) for source in rows.values()]
    task, head = heads[0]
    if any(other != head for _, other in heads):
        raise UserError("the records of the two phases have other labels; prepare them from the same data")
    if task.kind == "embedding":
        raise UserError(f"task {task.name} is for fine-tuning: run_finetune.py; models that embed texts are distilled "
                        "on text without labels: run_general_distill.py")
    check_metric(task, config.task_distill.phase2.metric)
    teachers = teachers.fitted(head, task.name, rows.get(PHASE_2), device.say)
    if held_out:
        check_same_labels(head, held_out, "eval_data_dir")
    unlabelled = open_unlabelled(records, rows, held_out, teachers, head, task)
    if PHASE_2 in rows:
        teachers = teachers.of_unlabelled(unlabelled, head, device.say)
    setting = Setting(config, path, device, teachers, task, head, records, rows, held_out, start, unlabelled=unlabelled)
    if PHASE_1 in rows and setting.own_rows(PHASE_1)[0] is not None:
        raise UserError("teacher.train_data_dir gives the teacher another vocabulary than the student, but phase 1 "
                        "compares them token by token; run phase 2 alone: --pred_distill, or leave it empty")
    if PHASE_2 in rows:
        check_own_rows(config.task_distill.phase2.cache_teacher_logits, rows[PHASE_2], setting.own_rows(PHASE_2), head)
    general = config.task_distill.load_gd_ckpt_path if PHASE_1 in rows else ""
    if general:
        start = load_model(general, "load_gd_ckpt_path")
    elif PHASE_1 in rows and teachers.first is not None:
        config = replace(config, student=config.student.of_teacher(teachers.first.config.encoder))
    if device.rank == 0:
        reads = {"load_gd_ckpt_path" if general else "the student of phase 1": start,
                 **{SETTING + f" ({number})" * (number > 1): model for number, model in enumerate(teachers.models, 1)}}
        check_run_folder(path, config.checkpoint.resume, reads, (f"{PHASE_1}/run.json", f"{PHASE_2}/run.json"),
                         ("model",), config.checkpoint.extend)
    return replace(setting, config=config, start=start)


def print_teacher_score(setting: Setting) -> None:
    """Print the teachers' own dev metrics, so that nobody distils an untuned one unawares; not in a dry run."""
    models = setting.teachers.models
    for place, teacher in enumerate(models):
        rows = setting.records.teacher_held_out(place, len(models))
        check_data(teacher.config, teacher, rows, SETTING)
        check_same_labels(setting.head, rows, "teacher.eval_data_dir")
        if setting.device.dry_run:
            continue
        metrics = setting.evaluation(teacher.config, rows)(teacher.parameters)
        which = f"teacher {teacher.directory}" if len(models) > 1 else "teacher"
        print(f"{which} on dev: " + ", ".join(f"{name}: {value:.6f}" for name, value in metrics.items()), flush=True)


def check_fit(setting: Setting) -> None:
    """Check, before anything is computed, that teacher, student, objectives and records fit each other.

    Raises:
        UserError: all that does not.
    """
    config, start = setting.config, setting.start
    settings = config.task_distill
    checks: list[Callable[[], object]] = []
    for name, rows in setting.rows.items():
        checks += [partial(check_data, model.config, model, own or rows, SETTING)
                   for model, own in zip(setting.teachers.models, setting.own_rows(name), strict=False)]
        checks.append(partial(total_micro_steps, getattr(settings, name), setting.training_rows(name),
                              setting.device.ranks))
    is_new = start is None and PHASE_1 in setting.rows
    new = config.student.encoder() if is_new else None
    student = ModelConfig(new, family=student_family(setting.teacher.config, new)) if new else (
        start.config if start else None)
    if student is not None:
        name = "student" if is_new else "load_gd_ckpt_path"
        for rows in filter(None, (*setting.rows.values(), setting.held_out)):
            checks.append(partial(check_data, student, setting.reader, rows, name))
    if PHASE_2 in setting.rows:
        checks.append(lambda: _check_predictions(setting, student))
    if student is None or PHASE_1 not in setting.rows:
        check_all(*checks)
        return
    if start is not None:
        checks.append(partial(check_sizes, config.student, start, "load_gd_ckpt_path"))
        student.require_transformer(f"load_gd_ckpt_path {start.directory}", _NEEDS_LAYERS)
    teacher = setting.teacher
    teacher.config.require_transformer(f"{SETTING} {teacher.directory}", _NEEDS_LAYERS)
    check_layers(settings.phase1, config.student, teacher, ModelConfig(student.encoder), *checks, is_new=is_new)


def _check_predictions(setting: Setting, student: ModelConfig | None) -> None:
    """Check phase 2: its terms, and the student that is known before (not a new BiLSTM)."""
    phase = setting.config.task_distill.phase2
    objective = setting.predictions()
    if setting.unlabelled and not objective.need(TEACHER):
        raise UserError("unlabelled_data_dir gives rows without labels, but phase 2 learns labels alone; give a term "
                        "that reads the teacher a weight, such as --alpha_ce 1, or leave unlabelled_data_dir out")
    architecture = setting.config.student.architecture
    if phase.in_int8 and not STUDENTS[architecture].has_layers:
        title = ARCHITECTURES[architecture].config.title
        raise UserError(f"task_distill.phase2.quantize is {phase.quantize}, but {title} is not trained in int8; leave "
                        f"quantize out: export.py --quantize int8 quantizes {title} after its training")
    teachers, own = setting.teachers, setting.own_rows(PHASE_2)
    check_targets(teachers, objective)
    stores_logits(setting.config, teachers, own, objective, setting.training_rows(PHASE_2), setting.device.ranks)
    if student is not None:
        check_readers(teachers, own, student)
        for teacher in teachers.models:
            check_models(objective, teacher.config, with_head(student, setting.head, setting.task.name))


def student_of_phase1(setting: Setting) -> tuple[Student, Pairs]:
    """Return the general student or a new one, without a head, and the layers that are compared."""
    config, device, teacher = setting.config, setting.device, setting.teacher
    start = setting.start
    encoder = start.config.require_transformer(start.directory, _NEEDS_LAYERS) if start else config.student.encoder()
    its = teacher.config.require_transformer(teacher.directory, _NEEDS_LAYERS)
    pairs = pairs_of(config.task_distill.phase1, config.student, encoder, its, is_new=start is None)
    family = start.config.family if start else student_family(teacher.config, encoder)
    student_config = ModelConfig(encoder, family=family).with_dropout(config.task_distill.phase1.student_dropout)
    if start:
        cell = cell_on_encoder_of(start, student_config, device)
    else:
        cell = new_student(student_config, config.student, teacher, pairs, device)
    return Student(cell, student_config, start, teacher.tokenizer_path), pairs


def student_of_phase2(setting: Setting, before: Student | None) -> Student:
    """Return what phase 1, which had the student `before`, left here or in another run, with the head of the task; or a
    new BiLSTM."""
    config, device, rows, first = setting.config, setting.device, setting.rows[PHASE_2], setting.teachers.first
    dropout = config.task_distill.phase2.student_dropout
    is_left = config.checkpoint.resume and (setting.path / PHASE_1 / "model").is_dir()
    if before and device.dry_run and not is_left:  # one of its size
        student_config = with_head(before.config, setting.head, setting.task.name).with_dropout(dropout)
        return Student(build_model(student_config, device.compute_type), student_config, None, before.tokenizer_path)
    start = load_model(setting.path / PHASE_1 / "model") if PHASE_1 in setting.rows else setting.start
    if start is None:
        architecture = config.student.architecture
        new = STUDENTS[architecture].new
        assert new is not None  # of the others `start_of_phase2` has asked for a checkpoint
        cell, student_config = new(getattr(config, architecture), rows, setting.head, setting.task.name,
                                   first, device)
        return Student(cell, student_config, None, rows.tokenizer_path or (first.tokenizer_path if first else None))
    student_config = with_head(start.config, setting.head, setting.task.name).with_dropout(dropout)
    cell = cell_on_encoder_of(start, student_config, device)
    if first is not None and setting.own_rows(PHASE_2)[0] is None:
        return Student(cell, student_config, start, first.tokenizer_path)
    return Student(cell, student_config, start, rows.tokenizer_path or start.tokenizer_path)


def start_of_phase2(settings: TaskDistillConfig, student: StudentConfig, path: Path) -> LoadedModel | None:
    """Return the checkpoint that phase 2 starts from when phase 1 is not run; None for a new BiLSTM.

    It is `load_td1_ckpt_path` or else `load_gd_ckpt_path`, where a folder of a run stands for what its phase 1 left, or
    what phase 1 left in this run's own folder.
    """
    for name in ("load_td1_ckpt_path", "load_gd_ckpt_path"):
        if getattr(settings, name):
            start = load_model(getattr(settings, name), name, f"{PHASE_1}/model", "model")
            check_architecture(start, student.architecture, name)
            check_sizes(student, start, name)
            return start
    if STUDENTS[student.architecture].new:
        return None
    if (path / PHASE_1 / "model").is_dir():
        return load_model(path / PHASE_1 / "model")
    raise UserError("task_distill.phases is 2 (--pred_distill), but no student is given; name the run or checkpoint of "
                    "phase 1: --load_td1_ckpt_path DIR or --student_model DIR")


def run_phase(name: str, setting: Setting, student: Student, objective: Objective) -> Progress | None:
    """Run one phase in its folder; the best student on dev of phase 2 is RUN/model."""
    config, teachers, rows, is_last = setting.config, setting.teachers, setting.rows[name], name == PHASE_2
    own = setting.own_rows(name)
    phase = getattr(config.task_distill, name)
    reader = student.start or setting.reader
    for source in filter(None, (rows, setting.held_out)):
        check_data(student.config, reader, source, "load_gd_ckpt_path" if setting.start else "student")
    for model in teachers.models if is_last else teachers.models[:1]:
        check_models(objective, model.config, student.config)
    is_stored = is_last and stores_logits(config, teachers, own, objective, setting.training_rows(name),
                                          setting.device.ranks)
    sections = (*SECTIONS, *STUDENTS[student.config.encoder.kind].sections, f"task_distill.{name}")
    whose = teachers if is_last else Teachers(teachers.models[:1], (), (1.0,))
    unlabelled, own_others = setting.unlabelled, own_unlabelled(setting.records, teachers)
    inputs = {"train": identity_of(rows), "student": identity(student.start.directory) if student.start else "",
              **whose.inputs(own), **inputs_of(unlabelled, own_others)}
    if is_last and setting.held_out:
        inputs["dev"] = identity_of(setting.held_out)  # it chooses the best student
    run_folder = RunFolder(setting.path / name, config, sections, inputs, writer=setting.device.rank == 0,
                           model=setting.path / "model" if is_last else None,
                           depending=() if is_last else (setting.path / PHASE_2,))
    if setting.device.writes:
        forget_result(setting.path)

    def logits() -> TeacherLogits | JoinedLogits:
        store = partial(stored_outputs, device=setting.device, run=setting.logits_path or setting.path, config=config)
        labelled = teachers.logits(rows, own, setting.head, phase.temperature, store, teachers.outputs)
        if unlabelled is None:
            return labelled
        return JoinedLogits(labelled, teachers.logits(unlabelled, own_others, setting.head, phase.temperature, store,
                                                      teachers.unlabelled_outputs))

    teacher_cell = projection = None
    if objective.need(TEACHER) and not is_stored:
        teacher_cell = cell_of(setting.teacher, setting.device.compute_type)
    if teachers.first:
        projection = make_projection(objective, student.config.encoder, teachers.first.config.encoder,
                                     config.task_distill.phase1.projection)
    in_int8 = is_last and config.task_distill.phase2.in_int8
    if in_int8:
        fake_quantize(student.cell)
    network = DistillationCell(student.cell, objective, teacher_cell, projection, cached=is_stored,
                               partly_labelled=unlabelled is not None)
    if network.has_projection and student.start:
        continue_projection(network, student.start, setting.device)
    stage = Stage(name=f"task_distill_{name}", settings=phase, network=network, model=student.config,
                  source=setting.training_rows(name), tokenizer_path=student.tokenizer_path,
                  teacher_logits=logits if is_stored else None,
                  stored_teacher=teachers.first.config if is_stored and teachers.first else None)
    if is_last and setting.held_out:
        stage = replace(stage, evaluate=setting.evaluation(student.config, setting.held_out, in_int8),
                        eval_interval=phase.eval_interval, metric=phase.metric,
                        early_stopping=phase.early_stopping)
    return train(stage, config, setting.device, run_folder)
