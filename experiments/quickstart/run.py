# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The quick start: from a pretrained teacher to an exported, measured student.

    bash scripts/quickstart.sh [--minutes N] [--fresh] [--device_target CPU]

Each stage is one or more commands of this repository, printed before it runs, in a process of its own; what it prints
is shown and kept in output/quickstart/logs/STAGE.txt. experiments/pipeline/driver.py says which stages are skipped,
and which are continued.
"""

from __future__ import annotations

from pathlib import Path

from experiments.pipeline.driver import Study
from experiments.pipeline.stages import Stage, scaled, script, tool
from experiments.quickstart.report import print_summary
from src.common.errors import run
from src.common.typed import to_plain
from src.config import Config

OUTPUT = Path("output/quickstart")
RECIPE = Path("configs/quickstart.yaml")
KEEP = 10_000
"""Tokens that the smallest student keeps: those that the training rows hold most."""


def quickstart_stages(config: Config, share: float, device_target: str) -> list[Stage]:
    """Return the stages in order, with a share of the recipe's training steps."""
    output = OUTPUT
    data, records = output / "data", output / "records"
    minilm, pretrained = output / "download" / "minilm", output / "pretrained"
    finetune, general, task = output / "finetune", output / "general_distill", output / "task_distill"
    teacher, student, before = finetune / "model", task / "model", output / "general_distill_probe"
    tfidf, evaluation, export = output / "tfidf", output / "evaluation", output / "export"
    smaller, student_int8 = output / "int8/model", output / "int8/student_int8.onnx"
    recipe = ("--config_path", str(RECIPE))
    device = ("--device_target", device_target)

    def evaluate(checkpoint: Path, name: str) -> tuple[str, ...]:
        return script("eval.py", *recipe, "--checkpoint", checkpoint, "--data_dir", records / "task", "--split", "test",
                      "--predictions_path", evaluation / f"{name}.jsonl", "--metrics_path", evaluation / f"{name}.json",
                      *device)

    def export_to(file_format: str, path: Path, checkpoint: Path = student, *options: object) -> tuple[str, ...]:
        return script("export.py", *recipe, "--checkpoint", checkpoint, "--file_format", file_format,
                      "--output", path, *options, *device)

    phase1, phase2 = config.task_distill.phase1, config.task_distill.phase2
    models = {"teacher": teacher, "student": student, "student_before_task_distillation": before}
    tfidf_predictions = evaluation / "tfidf_logistic_regression.jsonl"
    # The recipe and the defaults, without their comments.
    settings = to_plain(config)
    return [
        Stage("fetch", "Fetch the teacher and the text, make the task", (
            tool("quickstart.data", "--download_dir", output / "download", "--data_dir", data, "--seed", config.seed),
        ), outputs=(data,)),
        Stage("convert", "Convert the teacher from Hugging Face to MindSpore", (
            script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", minilm, pretrained),
        ), inputs=(minilm,), outputs=(pretrained,)),
        Stage("records", "Prepare records of the corpus and of the task", (
            script("prepare_data.py", "corpus", *recipe, "--input", data / "corpus.txt", "--tokenizer", pretrained,
                   "--output_dir", records / "corpus"),
            script("prepare_data.py", "task", *recipe, "--data_dir", data / "task", "--tokenizer", pretrained,
                   "--output_dir", records / "task"),
        ), inputs=(data,), outputs=(records,), at_once=True, settings=settings),
        Stage("finetune", "Fine-tune the teacher on the task", (
            script("run_finetune.py", *recipe, "--load_ckpt_path", pretrained,
                   "--train_data_dir", records / "task/train", "--eval_data_dir", records / "task/dev",
                   "--train_steps", scaled(config.finetune.train_steps, share),
                   "--save_ckpt_path", finetune, *device),
        ), outputs=(finetune,), results=(teacher,), resumable=True, settings=settings),
        Stage("general_distill", "General distillation: pretrained teacher -> student, on unlabelled text", (
            script("run_general_distill.py", *recipe, "--load_teacher_ckpt_path", pretrained,
                   "--data_dir", records / "corpus", "--schema_dir", records / "corpus/schema.json",
                   "--train_steps", scaled(config.general_distill.train_steps, share),
                   "--save_ckpt_path", general, *device),
        ), outputs=(general,), results=(general / "model",), resumable=True, settings=settings),
        Stage("task_distill", "Task distillation: fine-tuned teacher -> student, layers, then predictions", (
            script("run_task_distill.py", *recipe, "--load_teacher_ckpt_path", teacher,
                   "--load_gd_ckpt_path", general / "model", "--train_data_dir", records / "task/train",
                   "--eval_data_dir", records / "task/dev",
                   "--task_distill.phase1.train_steps", scaled(phase1.train_steps, share),
                   "--task_distill.phase2.train_steps", scaled(phase2.train_steps, share),
                   "--save_ckpt_path", task, *device),
        ), outputs=(task,), results=(student,), resumable=True, settings=settings),
        Stage("baselines", "Fit a classifier on the student before task distillation, and a TF-IDF model", (
            tool("quickstart.probe", "--checkpoint", general / "model", "--data_dir", data / "task",
                 "--seq_length", config.data.seq_length, "--output", before, *device),
            tool("quickstart.tfidf", "--data_dir", data / "task", "--output", tfidf, "--seed", config.seed,
                 "--predictions_path", tfidf_predictions),
        ), outputs=(before, tfidf, tfidf_predictions), at_once=True),
        Stage("evaluate", "Evaluate on the test split", tuple(
            evaluate(checkpoint, name) for name, checkpoint in models.items()
        ), outputs=tuple(evaluation / f"{name}.jsonl" for name in models), at_once=True),
        Stage("benchmark", "Measure latency and throughput", (
            tool("pipeline.benchmark_model", *(f"--model={name}={checkpoint}" for name, checkpoint in models.items()),
                 "--tfidf", tfidf, "--text", data / "task/test.tsv", "--seq_length", 64,
                 "--output", output / "benchmark.json", *device),
        ), outputs=(output / "benchmark.json",)),
        Stage("export", f"Export and run every artefact again; cut the student's vocabulary to {KEEP:,} tokens", (
            export_to("ONNX", export / "teacher.onnx", teacher),
            script("convert_checkpoint.py", "prune-vocabulary", student, smaller,
                   "--records", records / "task", "--keep", KEEP, "--characters", "used"),
            export_to("HF", export / "huggingface"), export_to("MINDIR", export / "student.mindir"),
            export_to("ONNX", export / "student.onnx"),
        ), outputs=(export, smaller), at_once=True),
        Stage("int8", "Export the student of fewer tokens in int8, verified on dev", (
            export_to("ONNX", student_int8, smaller, "--quantize", "int8", "--eval_data_dir", data / "task",
                      "--max_drop", 0.02),
        ), outputs=(student_int8,)),
        Stage("onnx", "Measure the ONNX files on the test split", (
            tool("pipeline.measure_onnx", "--file", "teacher_onnx", teacher, export / "teacher.onnx",
                 "--file", "student_onnx", student, export / "student.onnx",
                 "--file", "student_int8", smaller, student_int8, "--data_dir", data / "task",
                 "--seq_length", config.data.seq_length, "--output", output / "onnx.json"),
        ), outputs=(output / "onnx.json",)),
        Stage("report", "Write the report", (
            tool("quickstart.report", "--run_dir", output, "--seed", config.seed),
        ), outputs=(output / "results.json", output / "report.md")),
    ]


QUICKSTART = Study("quickstart", "Distil a 6-layer teacher into a 3-layer student on movie reviews and measure both.",
                   RECIPE, OUTPUT, 7.0, quickstart_stages, print_summary)
main = QUICKSTART.run


if __name__ == "__main__":
    run(main)
