# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Who teaches the predictions of task distillation: checkpoints, files of outputs, or a weighted mean of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from src.checkpoints.checkpoint import LoadedModel, identity, load_model
from src.common.errors import UserError
from src.common.files import sha256_of
from src.common.patterns import split_paths
from src.config import Config, HeadConfig, ModelConfig, TeacherConfig
from src.dataset import TeacherLogits, identity_of, micro_steps_per_epoch
from src.dataset.compatibility import check_same_examples, check_vocabulary, fitted_to
from src.dataset.mixture import MixedLogits
from src.dataset.teacher_files import outputs_of_file
from src.distill.objectives import Objective
from src.distill.terms import LOGITS, TEACHER
from src.records.reading import RecordSource
from src.runs.records import PhaseSettings, TaskRecords
from src.task_files.columnar import files_of
from src.train.stage import total_micro_steps

SETTING = "load_teacher_ckpt_path"


@dataclass(frozen=True)
class Teachers:
    """Teachers of one set of classes, in one order.

    Attributes:
        models: checkpoints; layers are those of the first.
        files: outputs that were computed elsewhere.
        weights: of each model, then of each file; their sum is 1.
        missing: what takes the place of rows that a file lacks.
        outputs: what the files hold for the rows of phase 2, once `fitted` has read them.
        unlabelled_files, unlabelled_outputs: the same for the unlabelled rows, read by `of_unlabelled`.
    """

    models: tuple[LoadedModel, ...]
    files: tuple[Path, ...]
    weights: tuple[float, ...]
    missing: Literal["refuse", "labels"] = "refuse"
    outputs: tuple[TeacherLogits, ...] = ()
    unlabelled_files: tuple[Path, ...] = ()
    unlabelled_outputs: tuple[TeacherLogits, ...] = ()

    @property
    def first(self) -> LoadedModel | None:
        """The one whose layers are learnt; None: there are files alone."""
        return self.models[0] if self.models else None

    @property
    def one_model(self) -> LoadedModel | None:
        """The only teacher, where it is a checkpoint, which then may run with the student."""
        return self.first if len(self.weights) == 1 else None

    def fitted(self, head: HeadConfig, task_name: str, rows: RecordSource | None, say: Callable[[str], None]
               ) -> Teachers:
        """Return the teachers with their classes in the order of a task's, and the files read for `rows`.

        Raises:
            UserError: one has no such head, or predicts other classes; of several one was trained on another task; or
                a file does not fit the rows.
        """
        for model in self.models if len(self.weights) > 1 else ():
            if model.config.task_name not in ("", task_name):
                raise UserError(f"{SETTING} {model.directory} is a teacher of task {model.config.task_name}, but the "
                                f"rows are of {task_name}; teachers that are mixed are of one task")
        models = tuple(fitted_to(model, head, SETTING, say) for model in self.models)
        outputs = [outputs_of_file(file, rows, head, self.missing, say) for file in self.files] if rows else []
        return replace(self, models=models, outputs=tuple(outputs))

    def of_unlabelled(self, rows: RecordSource | None, head: HeadConfig, say: Callable[[str], None]) -> Teachers:
        """Return the teachers with the files of unlabelled rows read.

        Raises:
            UserError: these are missing, or one does not fit the rows.
        """
        if rows is None or not self.files:
            return self
        if not self.unlabelled_files:
            raise UserError("teacher_outputs holds predictions for the training rows, and nothing predicts those of "
                            "unlabelled_data_dir; give --unlabelled_outputs FILE too, or leave one of the two out")
        outputs = tuple(outputs_of_file(file, rows, head, say=say) for file in self.unlabelled_files)
        return replace(self, unlabelled_outputs=outputs)

    def inputs(self, own: tuple[RecordSource | None, ...]) -> dict[str, str]:
        """Return digests of all that the predictions depend on, by name; `own` are the rows of each checkpoint in its
        vocabulary."""
        found: dict[str, str] = {}
        for number, model in enumerate(self.models):
            name, rows = name_of(number), own[number]
            found |= {name: identity(model.directory), **({f"{name}.train": identity_of(rows)} if rows else {})}
        found |= {f"{name} {number + 1}": "".join(sha256_of(part)[:16] for part in files_of(file))
                  for name, files in (("teacher_outputs", self.files), ("unlabelled_outputs", self.unlabelled_files))
                  for number, file in enumerate(files)}
        if len(self.weights) > 1:
            found["teacher_weights"] = " ".join(f"{weight:.9g}" for weight in self.weights)
        if self.files:
            found["missing_outputs"] = self.missing
        return found

    def logits(self, rows: RecordSource, own: tuple[RecordSource | None, ...], head: HeadConfig, temperature: float,
               store: Callable[[LoadedModel, RecordSource], TeacherLogits], outputs: tuple[TeacherLogits, ...]
               ) -> TeacherLogits:
        """Return the predictions for all rows: of checkpoints those that `store` finds or computes, of files `outputs`;
        several are mixed as they are read. A checkpoint of weight 0 is not run."""
        number = len(self.models)
        heard = [(store(model, its or rows), weight)
                 for model, its, weight in zip(self.models, own, self.weights[:number], strict=True) if weight > 0]
        heard += [pair for pair in zip(outputs, self.weights[number:], strict=True) if pair[1] > 0]
        if len(heard) == 1:
            return heard[0][0]
        parts, weights = zip(*heard, strict=True)
        return MixedLogits(parts[0].path, parts[0].values, parts, weights, temperature, head.kind != "regression")


def name_of(place: int) -> str:
    """What the teacher at a place is called among the inputs of a run."""
    return f"teacher {place + 1}" if place else "teacher"


def load_teachers(settings: TeacherConfig, say: Callable[[str], None]) -> Teachers:
    """Load the checkpoints that the settings name, and say who teaches where there are several.

    Raises:
        UserError: there is no teacher, one cannot be loaded, or another number of weights than of teachers.
    """
    places = split_paths(settings.load_teacher_ckpt_path) if settings.load_teacher_ckpt_path else []
    if not places and not settings.teacher_outputs:
        places = [""]  # which `load_model` refuses
    models, files = tuple(load_model(place, SETTING) for place in places), tuple(map(Path, settings.teacher_outputs))
    number, weights = len(models) + len(files), settings.teacher_weights
    if weights and (len(weights) != number or sum(weights) <= 0):
        raise UserError(f"teacher_weights is {', '.join(f'{weight:g}' for weight in weights)}, but there are "
                        f"{len(models)} checkpoints and {len(files)} files of outputs; give a weight for each, in this "
                        "order, not all 0")
    shares = tuple(weight / sum(weights) for weight in weights) if weights else (1 / number,) * number
    if number > 1:
        names = [*(model.directory for model in models), *files]
        say("teachers: " + ", ".join(f"{share:.3g} x {name}" for share, name in zip(shares, names, strict=True)))
    others = tuple(map(Path, settings.unlabelled_outputs))
    if others and len(others) != len(files):
        raise UserError(f"unlabelled_outputs names {len(others)} files and teacher_outputs {len(files)}; give one for "
                        "each, in the same order")
    for file in (*files, *others):
        if not file.exists():
            raise UserError(f"{'teacher' if file in files else 'unlabelled'}_outputs: no such file: {file}")
    return Teachers(models, files, shares, settings.missing_outputs, unlabelled_files=others)


def own_rows(records: TaskRecords, phase: PhaseSettings, teachers: Teachers, heard: int | None = None
             ) -> tuple[RecordSource | None, ...]:
    """Return the training rows of the first `heard` checkpoints, or all, each in its vocabulary; None where it reads
    the student's."""
    number = len(teachers.models)
    return tuple(records.teacher_training(phase, place, number) for place in range(number)[:heard])


def check_own_rows(cache: str, student: RecordSource, own: tuple[RecordSource | None, ...], head: HeadConfig) -> None:
    """Check that a student of another vocabulary than its teacher's can learn the predictions.

    Raises:
        UserError: the teacher is to run on the student's batches, or the rows are not the same examples.
    """
    for rows in filter(None, own):
        if cache == "false":
            raise UserError("teacher.train_data_dir gives the teacher other tokens than the student, so that it cannot "
                            "run on the student's batches; set cache_teacher_logits auto")
        check_same_examples(student, rows, head)


def check_readers(teachers: Teachers, own: tuple[RecordSource | None, ...], student: ModelConfig) -> None:
    """Check that a teacher without rows of its own reads the student's ids."""
    for model, rows in zip(teachers.models, own, strict=True):
        if rows is None:
            check_vocabulary(model.config, student)


def stores_logits(config: Config, teachers: Teachers, own: tuple[RecordSource | None, ...], objective: Objective,
                  rows: RecordSource, ranks: int) -> bool:
    """Whether phase 2 takes the teacher's logits from where they are stored: by default when a row is seen again, or
    when teacher and student read the rows in vocabularies of their own; files and several teachers always.

    Raises:
        UserError: they must be stored, and are not, or a term compares more than logits.
    """
    phase = config.task_distill.phase2
    if not objective.need(TEACHER):
        return False
    is_given = teachers.one_model is None
    if set(objective.teacher_outputs) - {LOGITS}:
        if is_given or phase.cache_teacher_logits == "true" or any(own):
            how = ("take one checkpoint as the only teacher" if is_given else
                   "set cache_teacher_logits auto, with one vocabulary for both models")
            raise UserError(f"the terms read the teacher's {', '.join(objective.teacher_outputs)}, of which only the "
                            f"logits can be stored; {how}, or leave the other terms out")
        return False
    if is_given and phase.cache_teacher_logits == "false":
        raise UserError("cache_teacher_logits is false, but files of outputs and several teachers are read from where "
                        "they are stored; leave it auto")
    if is_given or phase.cache_teacher_logits != "auto":
        return is_given or phase.cache_teacher_logits == "true"
    epoch = micro_steps_per_epoch(rows, phase.batch_size, ranks, phase.gradient_accumulation_steps)
    return total_micro_steps(phase, rows, ranks) > epoch or any(own)


def check_targets(teachers: Teachers, objective: Objective) -> None:
    """Check that what the teachers give can be compared by the terms.

    Raises:
        UserError: labels take the place of logits that are compared one by one, or a head whose outputs are not mixed.
    """
    if teachers.one_model is None and objective.head.kind == "span":
        raise UserError("several teachers, and files of outputs, are for classes, scores, tags and rerankers; for "
                        f"questions give one checkpoint: --{SETTING} DIR")
    is_certain = teachers.files and teachers.missing == "labels" and objective.head.kind != "regression"
    if is_certain and "logits_mse" in objective.names:
        raise UserError("missing_outputs is labels, but logits_mse compares logits, which a label has not; set "
                        "alpha_logits_mse 0, or leave missing_outputs out")
