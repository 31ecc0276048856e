# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures and curves of a quick-start run: results.json, report.md, PNG files.

    python -m experiments.quickstart.report --run_dir output/quickstart

Everything is computed from what the stages left behind: accuracy and agreement from the predictions of each test row,
sizes from the checkpoints' headers, times from benchmark.json and the stages' stamps, curves from metrics.jsonl, and
all that is said of ONNX files from onnx.json.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import eq
from pathlib import Path
from typing import Any

from experiments.pipeline.report import report_from_command_line, write_report
from src.common.errors import UserError, run
from src.common.files import read_json
from src.report.curves import STAGES, plot_stage, read_curves
from src.report.runs import count_parameters
from src.report.tables import align, markdown
from src.task_files.tables import read_objects

MODELS = {
    "teacher": ("Teacher", "finetune/model"),
    "student": ("Student", "task_distill/model"),
    "student_before_task_distillation": ("Student before task distillation", "general_distill_probe"),
    "tfidf_logistic_regression": ("TF-IDF + logistic regression", "tfidf"),
}
"""name -> title, folder."""
ONNX_FILES = {
    "teacher_onnx": ("Teacher, float32", "finetune/model"),
    "student_onnx": ("Student, float32", "task_distill/model"),
    "student_int8": ("Student, int8, {vocabulary:,} tokens", "int8/model"),
}
"""name -> title, folder of the checkpoint."""
COLUMNS = ("Model", "Accuracy", "Parameters", "In layers", "MB", "Latency", "Sentences/s", "Speed-up", "Agreement")
ONNX_COLUMNS = ("ONNX file", "Accuracy", "Of the teacher", "MB", "Times smaller", "Latency", "Speed-up", "Agreement")


def read_predictions(path: Path) -> tuple[list[str], list[str]]:
    """Return the predicted and the true class of each test row in what eval.py wrote, or raise UserError."""
    rows = [row for _, row in read_objects(path)]
    for number, row in enumerate(rows):
        if row.get("index") != number or row.get("label") is None or "prediction" not in row:
            raise UserError(f"{path}: row {number + 1} has index {row.get('index')} and label {row.get('label')}; "
                            f"expected index {number}, a prediction and a label")
    if not rows:
        raise UserError(f"{path} has no rows")
    return [str(row["prediction"]) for row in rows], [str(row["label"]) for row in rows]


def model_figures(run_dir: Path, speeds: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the list under `models` of results.json; raises UserError for models evaluated on different rows."""
    from experiments.quickstart.tfidf import tfidf_size

    teacher, labels = read_predictions(run_dir / "evaluation/teacher.jsonl")
    models = []
    for name, (_, folder) in MODELS.items():
        predicted, own_labels = read_predictions(run_dir / f"evaluation/{name}.jsonl")
        if own_labels != labels:
            raise UserError(f"{run_dir}/evaluation/{name}.jsonl and teacher.jsonl are of different rows; "
                            "evaluate both on the same split")
        measure = tfidf_size if folder == "tfidf" else count_parameters
        parameters, layers, size = measure(run_dir / folder)
        models.append({
            "name": name,
            "accuracy": sum(map(eq, predicted, labels)) / len(labels),
            "parameters": parameters,
            "encoder_parameters": layers,
            "checkpoint_mb": round(size / 1e6, 3),
            "latency_ms_batch1": round(speeds[name]["latency_ms_batch1"], 4),
            "sentences_per_second_batch32": round(speeds[name]["sentences_per_second_batch32"], 3),
            "agreement_with_teacher": sum(map(eq, predicted, teacher)) / len(labels),
        })
    return models


def onnx_figures(run_dir: Path, files: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what results.json says of the ONNX files, under `models` too; `files` is their part of onnx.json."""
    models = []
    for name, (_, folder) in ONNX_FILES.items():
        parameters, layers, _ = count_parameters(run_dir / folder)
        models.append({"name": name, "parameters": parameters, "encoder_parameters": layers, **files[name]})
    return models


def onnx_rows(models: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the cells of the second table, one tuple per file; the first is the teacher's."""
    base = models[0]
    return [(ONNX_FILES[model["name"]][0].format_map(model), f"{model['accuracy']:.4f}",
             f"{model['accuracy'] / base['accuracy']:.3f}", f"{model['file_mb']:.1f}",
             f"{base['file_mb'] / model['file_mb']:.2f}x", f"{model['onnx_latency_ms']:.2f} ms",
             f"{base['onnx_latency_ms'] / model['onnx_latency_ms']:.2f}x", f"{model['agreement_with_teacher']:.4f}")
            for model in models]


def table_rows(models: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the cells of the table, one tuple per model; speed-up is throughput relative to the teacher, the first."""
    base = models[0]["sentences_per_second_batch32"]
    return [(MODELS[model["name"]][0], f"{model['accuracy']:.4f}", f"{model['parameters'] / 1e6:.2f} M",
             f"{model['encoder_parameters'] / 1e6:.2f} M", f"{model['checkpoint_mb']:.1f}",
             f"{model['latency_ms_batch1']:.2f} ms", f"{model['sentences_per_second_batch32']:,.0f}",
             f"{model['sentences_per_second_batch32'] / base:.2f}x", f"{model['agreement_with_teacher']:.4f}")
            for model in models]


def print_summary(run_dir: Path) -> None:
    """Print the table of a finished run, its totals, and where the report lies."""
    results = read_json(run_dir / "results.json")
    models = {model["name"]: model for model in results["models"]}
    teacher, student = models["teacher"], models["student"]
    files = [models[name] for name in ONNX_FILES]
    speeds = [model["sentences_per_second_batch32"] for model in (teacher, student)]
    print(f"\nMovie reviews, {results['test_rows']:,} held-out test sentences; latency at batch 1, throughput at batch "
          f"32,\nsequence {results['benchmark']['seq_length']}; agreement with the teacher\n")
    print(align([COLUMNS, *table_rows([models[name] for name in MODELS])]))
    print(f"\nThe student keeps {student['accuracy'] / teacher['accuracy']:.1%} of the teacher's accuracy with "
          f"{teacher['encoder_parameters'] / student['encoder_parameters']:.1f} times fewer parameters in the encoder "
          f"layers,\nand is {speeds[1] / speeds[0]:.2f} times as fast.\n\n"
          f"In ONNX Runtime: a sentence a call, not padded, one thread; {results['onnx']['processor']}\n")
    print(align([ONNX_COLUMNS, *onnx_rows(files)]))
    print(f"\nThe int8 file keeps {files[2]['accuracy'] / files[0]['accuracy']:.1%} of the teacher's accuracy, is "
          f"{files[0]['file_mb'] / files[2]['file_mb']:.1f} times smaller, and "
          f"{files[0]['onnx_latency_ms'] / files[2]['onnx_latency_ms']:.1f} times as fast.\n"
          f"All stages: {sum(results['seconds'].values()) / 60:.1f} min.\n"
          f"Report with the loss curves: {run_dir / 'report.md'}")


NOTES = """\
- **Accuracy** is counted over every row of the held-out test split ({rows:,} sentences, a tenth of the data;
  none of its labels is used to train or to choose anything). The standard error of each figure is about {error:.3f}.
- **Student before task distillation**: a logistic regression (scikit-learn) on the general-distilled student's frozen
  pooled [CLS] output, fitted on the same training rows with the regularisation chosen on dev, is its classification
  head.
- **TF-IDF + logistic regression**: words and word pairs, fitted and chosen on the same rows. Its parameters are
  coefficients and intercept; its size is that of these arrays and the vocabulary on disk.
- **MB**: size of model.safetensors in millions of bytes (float32). Half of the teacher's parameters are
  word embeddings, which the student keeps; *in layers* counts the transformer layers alone.
- **Latency** is the median time of one sentence padded to {length} tokens, **sentences/s** is 32 divided by the
  median time of a batch of 32 of them: MindSpore in graph mode, all models called in turn in one process,
  tokenisation not included. TF-IDF starts from raw text. **Speed-up** compares sentences/s with the teacher's.
- **ONNX files** run in ONNX Runtime on one thread, a test sentence a call, not padded; latency is the median over the
  sentences, all files called in turn in one process, tokenisation not included. The int8 student has the {vocabulary:,}
  tokens that the training rows hold most (other words are spelled with these), and weights and activations of 8 bits
  in its products; int8 was verified on dev. What it gains depends on the processor: {processor}.
- **Agreement**: share of test rows on which a model predicts the class that the teacher predicts, right or wrong.
- General distillation reads every sentence of the archive without its rating, those of the test split among them."""


def draw_curves(run_dir: Path) -> tuple[list[str], int]:
    """Draw a PNG per training stage; returns the lines of the report that show them, and the number of cut lines."""
    curves, unreadable = read_curves(sorted(run_dir.glob("*/**/metrics.jsonl")))
    lines = []
    for stage in sorted(curves, key=list(STAGES).index):
        plot_stage(stage, curves[stage], run_dir / f"{stage}.png")
        print(f"{run_dir / stage}.png: {len(curves[stage].steps)} logged steps", flush=True)
        lines += [f"### {STAGES[stage]}", "", f"![{STAGES[stage]}]({stage}.png)", ""]
    if unreadable:
        lines += [f"{unreadable} line(s) of metrics.jsonl were cut short by an interruption and are left out.", ""]
    return lines, unreadable


def report(run_dir: Path, seed: int) -> dict[str, Any]:
    """Write results.json, report.md and a PNG per training stage to `run_dir`; returns what is in results.json."""
    benchmark = read_json(run_dir / "benchmark.json")
    models = model_figures(run_dir, benchmark["models"])
    rows = len(read_predictions(run_dir / "evaluation/teacher.jsonl")[1])
    error = math.sqrt(models[0]["accuracy"] * (1 - models[0]["accuracy"]) / rows)
    onnx = read_json(run_dir / "onnx.json")
    files = onnx_figures(run_dir, onnx.pop("models"))
    curves, unreadable = draw_curves(run_dir)
    figures = {"models": [*models, *files], "test_rows": rows, "benchmark": benchmark, "onnx": onnx,
               "unreadable_log_lines": unreadable}
    notes = NOTES.format(rows=rows, error=error, length=benchmark["seq_length"], processor=onnx["processor"],
                         vocabulary=files[-1]["vocabulary"])
    lines = ["# Quick start: results", "", markdown(COLUMNS, table_rows(models)), "",
             markdown(ONNX_COLUMNS, onnx_rows(files)), "", notes, "", "## Loss curves", "", *curves]
    return write_report(run_dir, seed, figures, lines[:-1])


def main(argv: list[str]) -> None:
    """Command line: write the report of a run."""
    report_from_command_line(argv, "experiments.quickstart.report", __doc__.splitlines()[0], report)


if __name__ == "__main__":
    run(main)
