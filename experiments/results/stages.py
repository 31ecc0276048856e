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
BILSTM_OBJECTIVE = ("--alpha_ce", "0", "--alpha_mse", "1", "--alpha_label", "1")
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

    @property
    def device(self) -> tuple[str, ...]:
        return ("--device_target", self.device_target)


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


# --- base models ------------------------------------------------------------------------------------------------------


def pretrained_of(plan: Plan, base: str) -> Path:
    """Return the checkpoint that teachers are fine-tuned from."""
    return plan.output / base / ("pretrained" if base == "english" else RANDOM)


def base_group(plan: Plan, base: str) -> Group:
    """Return the stages that make a pretrained model, and OUTPUT/BASE/student, which is cut out of it."""
    folder, pretrained = plan.output / base, pretrained_of(plan, base)
    stages = english_stages(folder) if base == "english" else chinese_stages(plan, folder)
    student = Stage("student", "Cut the student out of the base model: every second layer", (
        script("convert_checkpoint.py", "extract", pretrained, folder / "student", "--layers", STUDENT_LAYERS[base],
               "--family", "same", "--head", "drop"),
    ), inputs=(pretrained,), outputs=(folder / "student",))
    return Group(f"{base} model", Path(base) / "stages", (*stages, student))


def english_stages(folder: Path) -> tuple[Stage, ...]:
    """The quick start's encoder: all-MiniLM-L6-v2."""
    minilm, pretrained = DOWNLOAD / "minilm", folder / "pretrained"
    return (
        Stage("fetch", "Fetch the pretrained encoder", (
            tool("quickstart.data", "--download_dir", DOWNLOAD, "--data_dir", folder / "data"),
        ), outputs=(folder / "data",)),
        Stage("convert", "Convert it from Hugging Face to MindSpore", (
            script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", minilm, pretrained),
        ), inputs=(minilm,), outputs=(pretrained,)),
    )


def chinese_stages(plan: Plan, folder: Path) -> tuple[Stage, ...]:
    """A small BERT of random weights, which the teachers' training fills: no pretrained one comes with a package."""
    vocabulary = plan.data_dir / CHINESE_VOCABULARY
    return (
        Stage("random", "Make a small BERT with random weights", (
            tool("results.small_model", "--tokenizer", vocabulary, "--output_dir", folder / RANDOM),
        ), inputs=(vocabulary,), outputs=(folder / RANDOM,)),
    )


# --- a task -----------------------------------------------------------------------------------------------------------


class TaskCommands:
    """The command lines of one task."""

    def __init__(self, plan: Plan, entry: TaskEntry) -> None:
        self.plan, self.entry = plan, entry
        self.folder = plan.output / entry.name
        self.pretrained, self.student = pretrained_of(plan, entry.base), plan.output / entry.base / "student"
        self.data, self.records = self.folder / "data", self.folder / "records"
        self.augmented, self.augmented_records = self.folder / "augmented", self.folder / "augmented_records"
        self.teacher = self.folder / "teacher"
        self.plain: dict[str, Any] = to_plain(load_config(REPOSITORY / entry.config))
        self.task = ("--config_path", entry.config, "--task_name", entry.task_name or entry.name)
        self.length = ("--seq_length", entry.seq_length)
        self.buckets = ("--buckets", ",".join(map(str, entry.buckets)))

    def settings(self, *sections: str) -> dict[str, Any]:
        """Return sections of the recipe: a stage runs again when one that it reads has changed."""
        return {name: self.plain[name] for name in ("seed", "data", "task", *sections)}

    def subset(self) -> tuple[str, ...]:
        """The part of the data that is used."""
        entry, source = self.entry, self.entry.source(self.plan.data_dir, self.plan.output)
        options: list[object] = ["--rows", entry.rows]
        options += ["--dev_rows", entry.dev_rows] if entry.dev_rows else []
        options += ["--dev_articles", entry.dev_articles] if entry.dev_articles else []
        options += [] if entry.header else ["--header", "false"]
        return tool("results.subset", "--train", source / entry.train_file, "--dev", source / entry.dev_file,
                    *options,
                    "--seed", self.plain["seed"], "--output_dir", self.data)

    def prepare(self, data: Path, records: Path) -> tuple[str, ...]:
        """Records in the teacher's vocabulary."""
        return script("prepare_data.py", "task", *self.task, *self.length, "--data_dir", data, "--tokenizer",
                      self.pretrained, "--output_dir", records)

    def augment(self) -> tuple[str, ...]:
        """More training rows of the ones that are there."""
        return script("prepare_data.py", "augment", *self.task, "--method", "rules", "--data_dir", self.data,
                      "--output_dir", self.augmented, *self.plan.device)

    def rows(self, augmented: bool = False) -> tuple[object, ...]:
        """Where a training reads."""
        train = self.augmented_records / "train_aug" if augmented else self.records / "train"
        return (*self.length, *self.buckets, "--train_data_dir", train, "--eval_data_dir", self.records / "dev")

    def finetune(self, steps: int, folder: Path, *options: object, augmented: bool = False) -> tuple[str, ...]:
        """A training on the labels alone."""
        steps = self.plan.steps(steps)
        return script("run_finetune.py", *self.task, *self.rows(augmented), "--train_steps", steps,
                      "--eval_interval", interval(steps), *options, "--save_ckpt_path", folder,
                      *self.plan.device)

    def evaluate(self, checkpoint: Path, path: Path) -> tuple[str, ...]:
        """The metrics of a model on dev."""
        return script("eval.py", *self.task, *self.length, *self.buckets, "--checkpoint", checkpoint, "--data_dir",
                      self.records, "--split", "dev", "--metrics_path", path, *self.plan.device)

    @property
    def seeds(self) -> tuple[str, str]:
        return ("--seeds", ",".join(map(str, self.plan.seeds)))

    def variant(self, name: str) -> tuple[str, ...]:
        """All runs of a variant: one a seed, in OUTPUT/TASK/NAME/seed-N."""
        folder, augmented = self.folder / name, name in AUGMENTED
        if name == BILSTM[0]:
            return self.finetune(self.entry.bilstm_steps, folder, *self.bilstm, "--teacher.load_teacher_ckpt_path",
                                 self.teacher / "model", "--finetune.learning_rate", BILSTM_RATE, *self.seeds)
        if name == BILSTM[1]:
            return self.distil(folder, *self.bilstm, "--phases", "2", *BILSTM_OBJECTIVE,
                               "--task_distill.phase2.learning_rate", BILSTM_RATE,
                               *self.second_phase(self.plan.steps(self.entry.bilstm_steps)))
        if name.startswith("finetuned"):
            return self.finetune(self.entry.student_steps, folder, "--load_ckpt_path", self.student, *self.seeds,
                                 augmented=augmented)
        total = self.plan.steps(self.entry.student_steps)
        first = max(1, total // 2)
        return self.distil(folder, "--load_gd_ckpt_path", self.student, "--task_distill.phase1.train_steps", first,
                           *self.second_phase(max(1, total - first)), augmented=augmented)

    @property
    def bilstm(self) -> tuple[str, ...]:
        return ("--student.architecture", "bilstm", "--bilstm.embeddings", "teacher")

    @staticmethod
    def second_phase(steps: int) -> tuple[object, ...]:
        """How long the predictions are learnt."""
        return ("--task_distill.phase2.train_steps", steps, "--eval_interval", interval(steps))

    def distil(self, folder: Path, *options: object, augmented: bool = False) -> tuple[str, ...]:
        """A training by the teacher: half of the steps on its layers, half on its predictions; a BiLSTM has no layers
        to compare."""
        return script("run_task_distill.py", *self.task, "--load_teacher_ckpt_path", self.teacher / "model",
                      *self.rows(augmented), *options, *self.seeds, "--save_ckpt_path", folder, *self.plan.device)


def manifests(records: Path, *splits: str) -> tuple[Path, ...]:
    """What stands for records: their folders are not, since distillation keeps the teacher's logits in them."""
    return tuple(records / split / "manifest.json" for split in splits)


def task_groups(plan: Plan, entry: TaskEntry, variants: Sequence[str]) -> list[Group]:
    """Return the groups of a task: its data and teacher, then a group a variant."""
    make = TaskCommands(plan, entry)
    ledgers = Path(entry.name) / "stages"
    source, recipe = entry.source(plan.data_dir, plan.output), make.settings
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
