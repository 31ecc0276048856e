# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""From an entry of experiments/results/table.py to stages: the command lines of base models, teachers and students.

Stages come in groups, each with a folder of stamps and logs of its own below the output: a change of one stage runs
those after it in its group again, and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.pipeline.stages import REPOSITORY, Stage, scaled, script, tool
from experiments.quickstart.run import OUTPUT as QUICKSTART
from experiments.results.table import AUGMENTED, BILSTM, COMPRESSED, EVALUATIONS, PLAIN, TaskEntry
from src.common.typed import to_plain
from src.config import load_config

CHINESE_VOCABULARY = Path("zh_vocab")
BILSTM_RATE = "1e-3"
BILSTM_STUDENT = ("--student.architecture", "bilstm", "--bilstm.embeddings", "teacher")
BILSTM_OBJECTIVE = ("--alpha_ce", "0", "--alpha_logits_mse", "1", "--alpha_label", "1")
"""Tang et al. (arXiv:1903.12136), equation 6: the teacher's logits and the labels."""
PRETRAINED = {"english": "english/pretrained", "chinese": "chinese/pretraining/model"}
"""Base model -> the checkpoint below the output that teachers are fine-tuned from."""
PRETRAINING = Path("configs/results_mlm.yaml")
CHINESE_SIZE = "4x256x4"
"""Layers x width x heads of the model that is pretrained on Chinese text."""
STUDENT_LAYERS = {"english": "1,3,5", "chinese": "1,3"}
"""Base model -> its layers, from 0, that a student begins as: those that layer map uniform compares it with."""
COMPRESSION = ("--min_speedup", "5", "--candidates", "2", "--max_drop", "1")
"""The budget of the compressed student; whatever it loses goes to the page."""
TITLES = {
    "finetuned": "Fine-tune the student without the teacher",
    "distilled": "Distil the student",
    "finetuned_aug": "Fine-tune the student on augmented rows",
    "distilled_aug": "Distil the student on augmented rows",
    "bilstm": "Train a BiLSTM without the teacher",
    "bilstm_distilled": "Distil a BiLSTM",
    COMPRESSED: "Compress the teacher",
}


@dataclass(frozen=True)
class Plan:
    """What all tasks share: the data sets, the output, the students' seeds, a factor of all steps, the device."""

    data_dir: Path
    output: Path
    seeds: tuple[int, ...]
    scale: float = 1.0
    device_target: str = "auto"

    def source(self, entry: TaskEntry) -> Path:
        """Return the folder of a task's data."""
        if entry.comes_with_base:
            return self.output / entry.base / f"data{entry.folder}"
        return self.data_dir / entry.folder


def base_stages(plan: Plan, base: str) -> list[Stage]:
    """Return the stages that make a base model, and OUTPUT/BASE/student, which is cut out of it.

    The English one is the quick start's encoder, all-MiniLM-L6-v2. The Chinese one is a small BERT that is pretrained
    here, on all Chinese text of the data sets but dev rows: no package brings one.
    """
    folder, pretrained = plan.output / base, plan.output / PRETRAINED[base]
    if base == "english":
        download = QUICKSTART / "download"
        stages = [
            Stage("fetch", "Fetch the pretrained encoder", (
                tool("quickstart.data", "--download_dir", download, "--data_dir", folder / "data"),
            ), outputs=(folder / "data",)),
            Stage("convert", "Convert it from Hugging Face to MindSpore", (
                script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", download / "minilm", pretrained),
            ), inputs=(download / "minilm",), outputs=(pretrained,)),
        ]
    else:
        vocabulary, text, random = plan.data_dir / CHINESE_VOCABULARY, folder / "text.txt", folder / "random"
        recipe = load_config(REPOSITORY / PRETRAINING)
        stages = [
            Stage("text", "Gather the Chinese text", (
                tool("results.chinese_text", "--data_dir", plan.data_dir, "--output", text),
            ), outputs=(text,)),
            Stage("random", "Make a small BERT with random weights", (
                tool("results.small_model", "--tokenizer", vocabulary, "--size", CHINESE_SIZE, "--output_dir", random),
            ), inputs=(vocabulary,), outputs=(random,)),
            Stage("pretraining", "Pretrain it as a masked language model", (
                script("run_finetune.py", "--config_path", PRETRAINING, "--task", "mlm", "--load_ckpt_path", random,
                       "--train_file", text, "--train_steps", scaled(recipe.mlm.train_steps, plan.scale),
                       "--save_ckpt_path", pretrained.parent, "--device_target", plan.device_target),
            ), outputs=(pretrained.parent,), results=(pretrained,), resumable=True, settings=to_plain(recipe)),
        ]
    return [*stages, Stage("student", "Cut the student out of the base model: every second layer", (
        script("convert_checkpoint.py", "extract", pretrained, folder / "student", "--layers", STUDENT_LAYERS[base],
               "--family", "same", "--head", "drop"),
    ), inputs=(pretrained,), outputs=(folder / "student",))]


def subset_command(plan: Plan, entry: TaskEntry, seed: int) -> tuple[str, ...]:
    """Return the command line that takes the part of the data that is used."""
    options: list[object] = ["--rows", entry.rows]
    options += ["--dev_rows", entry.dev_rows] if entry.dev_rows else []
    options += ["--dev_articles", entry.dev_articles] if entry.dev_articles else []
    options += [] if entry.header else ["--header", "false"]
    source = plan.source(entry)
    return tool("results.subset", "--train", source / entry.train_file, "--dev", source / entry.dev_file, *options,
                "--seed", seed, "--output_dir", plan.output / entry.name / "data")


def task_commands(plan: Plan, entry: TaskEntry) -> dict[str, tuple[str, ...]]:
    """Return the command lines of a task: name of what is made below OUTPUT/TASK -> command.

    A variant is one command for all seeds. Half of the steps of a distilled student are for its layers; a BiLSTM has no
    layers to compare.
    """
    folder, pretrained, student = (plan.output / name for name in (entry.name, PRETRAINED[entry.base],
                                                                   f"{entry.base}/student"))
    teacher = folder / "teacher/model"
    task = ("--config_path", entry.config, "--task_name", entry.task_name or entry.name)
    length = ("--seq_length", entry.seq_length, "--buckets", ",".join(map(str, entry.buckets)))
    seeds = ("--seeds", ",".join(map(str, plan.seeds)))
    device = ("--device_target", plan.device_target)

    def prepare(data: str, records: str) -> tuple[str, ...]:
        return script("prepare_data.py", "task", *task, *length[:2], "--data_dir", folder / data, "--tokenizer",
                      pretrained, "--output_dir", folder / records)

    def rows(name: str) -> tuple[object, ...]:
        train = "augmented_records/train_aug" if name in AUGMENTED else "records/train"
        return (*length, "--train_data_dir", folder / train, "--eval_data_dir", folder / "records/dev")

    def finetune(name: str, steps: int, *options: object) -> tuple[str, ...]:
        return script("run_finetune.py", *task, *rows(name), "--train_steps", steps, "--eval_interval",
                      -(-steps // EVALUATIONS), *options, "--save_ckpt_path", folder / name, *device)

    def distil(name: str, steps: int, *options: object) -> tuple[str, ...]:
        return script("run_task_distill.py", *task, "--load_teacher_ckpt_path", teacher, *rows(name), *options,
                      "--task_distill.phase2.train_steps", steps, "--eval_interval", -(-steps // EVALUATIONS), *seeds,
                      "--save_ckpt_path", folder / name, *device)

    steps, bilstm_steps = scaled(entry.student_steps, plan.scale), scaled(entry.bilstm_steps, plan.scale)
    first = max(1, steps // 2)
    commands = {
        "records": prepare("data", "records"),
        "teacher": finetune("teacher", scaled(entry.teacher_steps, plan.scale), "--load_ckpt_path", pretrained),
        "teacher/dev.json": script("eval.py", *task, *length, "--checkpoint", teacher, "--data_dir", folder / "records",
                                   "--split", "dev", "--metrics_path", folder / "teacher/dev.json", *device),
        "augmented": script("prepare_data.py", "augment", *task, "--method", "rules", "--data_dir", folder / "data",
                            "--output_dir", folder / "augmented", *device),
        "augmented_records": prepare("augmented", "augmented_records"),
        BILSTM[0]: finetune(BILSTM[0], bilstm_steps, *BILSTM_STUDENT, "--teacher.load_teacher_ckpt_path", teacher,
                            "--finetune.learning_rate", BILSTM_RATE, *seeds),
        BILSTM[1]: distil(BILSTM[1], bilstm_steps, *BILSTM_STUDENT, "--phases", "2", *BILSTM_OBJECTIVE,
                          "--task_distill.phase2.learning_rate", BILSTM_RATE),
        COMPRESSED: script("run_compress.py", *task, "--load_teacher_ckpt_path", teacher, *rows(COMPRESSED),
                           *COMPRESSION, "--rung_steps", f"{first},{steps}", "--save_ckpt_path", folder / COMPRESSED,
                           *device),
    }
    for alone, distilled in (PLAIN, AUGMENTED):
        commands[alone] = finetune(alone, steps, "--load_ckpt_path", student, *seeds)
        commands[distilled] = distil(distilled, max(1, steps - first), "--load_gd_ckpt_path", student,
                                     "--task_distill.phase1.train_steps", first)
    return commands


def task_groups(plan: Plan, entry: TaskEntry, variants: Sequence[str]) -> dict[str, list[Stage]]:
    """Return the groups of a task by their folder below the output: data and teacher, augmented rows, each variant."""
    folder, pretrained, source = plan.output / entry.name, plan.output / PRETRAINED[entry.base], plan.source(entry)
    commands = task_commands(plan, entry)
    recipe = to_plain(load_config(REPOSITORY / entry.config))

    def settings(*sections: str) -> dict[str, Any]:
        return {name: recipe[name] for name in ("seed", "data", "task", *sections)}

    def manifests(*records: str) -> tuple[Path, ...]:
        # Not the folders of the records: distillation keeps the teacher's logits in them.
        return tuple(folder / name / "manifest.json" for name in records)

    def records_stage(title: str, name: str, *splits: str) -> Stage:
        return Stage("records", title, (commands[name],), inputs=(pretrained,), outputs=(folder / name,),
                     results=manifests(*(f"{name}/{split}" for split in splits)), settings=settings("prepare_task"))

    def variant_stage(name: str) -> Stage:
        is_distilled, is_bilstm, is_compressed = "distilled" in name, name in BILSTM, name == COMPRESSED
        inputs = manifests("augmented_records/train_aug" if name in AUGMENTED else "records/train", "records/dev")
        inputs += (folder / "teacher/model",) if is_distilled or is_bilstm or is_compressed else ()
        inputs += () if is_bilstm or is_compressed else (plan.output / entry.base / "student",)
        sections = ("task_distill", "student") if is_distilled else ("compress",) if is_compressed else ("finetune",)
        return Stage(name, TITLES[name], (commands[name],), inputs=inputs, outputs=(folder / name,),
                     results=(folder / name / ("results.json" if is_compressed else "seeds.json"),), resumable=True,
                     settings=settings(*sections, "bilstm", "checkpoint", "device"))

    teacher = folder / "teacher"
    groups = {"teacher": [
        Stage("data", "Take the part of the data that is used", (subset_command(plan, entry, recipe["seed"]),),
              inputs=(source / entry.train_file, source / entry.dev_file), outputs=(folder / "data",)),
        records_stage("Prepare records", "records", "train", "dev"),
        Stage("teacher", "Fine-tune the teacher", (commands["teacher"], commands["teacher/dev.json"]),
              outputs=(teacher,), results=(teacher / "model", teacher / "dev.json"), resumable=True,
              settings=settings("finetune", "checkpoint", "device")),
    ]}
    if set(AUGMENTED) & set(variants):
        groups["augment"] = [
            Stage("augment", "Augment the training rows", (commands["augmented"],), inputs=(folder / "data",),
                  outputs=(folder / "augmented",), settings=settings("augment")),
            records_stage("Prepare records of them", "augmented_records", "train_aug"),
        ]
    groups |= {name: [variant_stage(name)] for name in variants}
    return {f"{entry.name}/stages/{name}": stages for name, stages in groups.items()}
