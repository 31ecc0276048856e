# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures and curves of a quick-start run: results.json, report.md, PNG files.

    python -m experiments.quickstart.report --run_dir output/quickstart

Everything is computed from what the stages left behind: accuracy and agreement from the predictions of each test row,
sizes from the checkpoints' headers, times from benchmark.json and the stages' stamps, curves from metrics.jsonl.

The plotting library is imported only where plots are drawn: the quick start prints the table on every call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.pipeline.conditions import machine, machine_line, versions, versions_line
from experiments.pipeline.run_files import (
    count_parameters,
    read_predictions,
    read_stage_file,
    read_stamps,
    stage_seconds,
)
from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import write_json, write_text
from src.report.curves import STAGES, plot_stage, read_curves
from src.report.tables import align, markdown

MODELS = ("teacher", "student", "student_before_task_distillation", "tfidf_logistic_regression")
TITLES = {
    "teacher": "Teacher",
    "student": "Student",
    "student_before_task_distillation": "Student before task distillation",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
}
CHECKPOINTS = {
    "teacher": "finetune/model",
    "student": "task_distill/model",
    "student_before_task_distillation": "general_distill_probe",
}
TFIDF = "tfidf"


# --- figures ----------------------------------------------------------------------------------------------------------


def model_figures(run_dir: Path) -> list[dict[str, Any]]:
    """Return the list under `models` of results.json: teacher, student, student before task distillation, TF-IDF.

    Raises:
        UserError: a file is missing, or two models were evaluated on different rows.
    """
    from experiments.quickstart.tfidf import tfidf_size

    speeds = read_stage_file(run_dir / "benchmark.json")["models"]
    predictions = {name: read_predictions(run_dir / "evaluation" / f"{name}.jsonl") for name in MODELS}
    teacher = predictions["teacher"]
    models = []
    for name in MODELS:
        if predictions[name].labels != teacher.labels:
            raise UserError(f"{run_dir}/evaluation/{name}.jsonl and teacher.jsonl are of different rows; "
                            "evaluate both on the same split")
        if name in CHECKPOINTS:
            parameters, layers, size = count_parameters(run_dir / CHECKPOINTS[name])
        else:
            (parameters, size), layers = tfidf_size(run_dir / TFIDF), 0
        models.append({
            "name": name,
            "accuracy": predictions[name].accuracy,
            "parameters": parameters,
            "encoder_parameters": layers,
            "checkpoint_mb": round(size / 1e6, 3),
            "latency_ms_batch1": round(speeds[name]["latency_ms_batch1"], 4),
            "sentences_per_second_batch32": round(speeds[name]["sentences_per_second_batch32"], 3),
            "agreement_with_teacher": predictions[name].agreement(teacher),
        })
    return models


# --- tables -----------------------------------------------------------------------------------------------------------


COLUMNS = ("Model", "Test accuracy", "Parameters", "in encoder layers", "Checkpoint MB", "Latency", "Sentences/s",
           "Speed-up", "Agreement")
# The same columns for a terminal.
HEADINGS = ("", "accuracy", "parameters", "in layers", "MB", "latency", "sentences/s", "speed-up", "agreement")


def table_rows(models: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the cells of the table, one tuple per model; speed-up is throughput relative to the teacher."""
    teacher = next(model for model in models if model["name"] == "teacher")
    return [(
        TITLES[model["name"]],
        f"{model['accuracy']:.4f}",
        f"{model['parameters'] / 1e6:.2f} M",
        f"{model['encoder_parameters'] / 1e6:.2f} M",
        f"{model['checkpoint_mb']:.1f}",
        f"{model['latency_ms_batch1']:.2f} ms",
        f"{model['sentences_per_second_batch32']:,.0f}",
        f"{model['sentences_per_second_batch32'] / teacher['sentences_per_second_batch32']:.2f}x",
        f"{model['agreement_with_teacher']:.4f}",
    ) for model in models]


def console_table(models: Sequence[dict[str, Any]]) -> str:
    """Return the table for a terminal."""
    return align([HEADINGS, *table_rows(models)])


def markdown_table(models: Sequence[dict[str, Any]]) -> str:
    """Return the table in Markdown."""
    return markdown(COLUMNS, table_rows(models))


def print_summary(run_dir: Path) -> None:
    """Print the table of a finished run, its totals, and where the report lies."""
    results = read_stage_file(run_dir / "results.json")
    models = {model["name"]: model for model in results["models"]}
    teacher, student = models["teacher"], models["student"]
    print(f"\nMovie reviews, {results['test_rows']:,} held-out test sentences; latency at batch 1, throughput at batch "
          f"32,\nsequence {results['benchmark']['seq_length']}; agreement with the teacher\n")
    print(console_table(results["models"]))
    print(f"\nThe student keeps {student['accuracy'] / teacher['accuracy']:.1%} of the teacher's accuracy with "
          f"{teacher['encoder_parameters'] / student['encoder_parameters']:.1f} times fewer parameters in the encoder "
          "layers,\nand is "
          f"{student['sentences_per_second_batch32'] / teacher['sentences_per_second_batch32']:.2f} times as fast.")
    print(f"All stages: {sum(results['seconds'].values()) / 60:.1f} min.\n"
          f"Report with the loss curves: {run_dir / 'report.md'}")


# --- the report -------------------------------------------------------------------------------------------------------


def notes(results: dict[str, Any]) -> list[str]:
    """Return what a reader has to know about the figures."""
    rows, teacher = results["test_rows"], results["models"][0]
    error = math.sqrt(teacher["accuracy"] * (1 - teacher["accuracy"]) / rows)
    return [
        f"**Test accuracy** is counted over every row of the held-out test split ({rows:,} sentences, a tenth of the "
        "data; none of its labels is used to train or to choose anything). The standard error of each figure is about "
        f"{error:.3f}.",
        "**Student before task distillation**: the general-distilled student has no classifier, and a randomly "
        "initialised one would say nothing. A logistic regression (scikit-learn) on its frozen pooled [CLS] output, "
        "fitted on the same training rows with the regularisation chosen on dev, is stored as its classification head; "
        "eval.py then measures it like the others.",
        "**TF-IDF + logistic regression**: words and word pairs, fitted on the same training rows, regularisation "
        "chosen on dev. Its parameters are coefficients and intercept; its size is that of these arrays and the "
        "vocabulary on disk.",
        "**Checkpoint MB**: size of model.safetensors in millions of bytes (float32). Half of the teacher's parameters "
        "are word embeddings, which the student keeps; *in encoder layers* counts the transformer layers alone.",
        f"**Latency** is the median time of one sentence padded to {results['benchmark']['seq_length']} tokens, "
        "**sentences/s** is 32 divided by the median time of a batch of 32 of them: MindSpore in graph mode, all "
        "models called in turn in one process, tokenisation not included. TF-IDF starts from raw text. **Speed-up** "
        "compares sentences/s with the teacher's.",
        "**Agreement**: share of test rows on which a model predicts the class that the teacher predicts, right or "
        "wrong.",
        "General distillation reads every sentence of the archive without its rating, those of the test split among "
        "them.",
    ]


def report_text(results: dict[str, Any], commands: dict[str, list[str]], images: dict[str, str]) -> str:
    """Return report.md."""
    lines = ["# Quick start: results", "", markdown_table(results["models"]), ""]
    lines += [f"- {note}" for note in notes(results)]
    lines += ["", "## Loss curves", ""]
    for stage, image in images.items():
        lines += [f"### {STAGES.get(stage, stage)}", "", f"![{STAGES.get(stage, stage)}]({image})", ""]
    lines += ["## Time", "", "| Stage | Seconds |", "| --- | ---: |"]
    lines += [f"| {name} | {seconds:,.1f} |" for name, seconds in results["seconds"].items()]
    lines += [f"| **all** | **{sum(results['seconds'].values()):,.1f}** |", "", "## Commands", ""]
    for name, stage_lines in commands.items():
        lines += [f"{name}:", "", "```bash", *stage_lines, "```", ""]
    lines += [
        "## Conditions", "",
        machine_line(results["machine"]),
        f"- Seed: {results['seed']}",
        versions_line(results["versions"]),
    ]
    if results["unreadable_log_lines"]:
        lines.append(f"- {results['unreadable_log_lines']} line(s) of metrics.jsonl were cut short by an interruption "
                     "and are left out of the curves.")
    return "\n".join(lines) + "\n"


def write_report(run_dir: Path, seed: int) -> dict[str, Any]:
    """Write results.json, report.md and a PNG per training stage to `run_dir`; returns what is in results.json."""
    models = model_figures(run_dir)
    paths = sorted(path for name in ("finetune", "general_distill", "task_distill")
                   for path in (run_dir / name).rglob("metrics.jsonl"))
    curves, unreadable = read_curves(paths)
    images = {}
    for stage in sorted(curves, key=lambda name: list(STAGES).index(name) if name in STAGES else len(STAGES)):
        images[stage] = f"{stage}.png"
        plot_stage(stage, curves[stage], run_dir / images[stage])
        print(f"{run_dir / images[stage]}: {len(curves[stage].steps)} logged steps", flush=True)
    stamps = read_stamps(run_dir)
    results = {
        "models": models,
        "seconds": stage_seconds(stamps),
        "test_rows": len(read_predictions(run_dir / "evaluation" / "teacher.jsonl").labels),
        "benchmark": read_stage_file(run_dir / "benchmark.json"),
        "seed": seed,
        "machine": machine(),
        "versions": versions(),
        "unreadable_log_lines": unreadable,
    }
    commands = {name: stamp["commands"] for name, stamp in stamps.items()}
    write_text(run_dir / "report.md", report_text(results, commands, images))
    write_json(run_dir / "results.json", results)
    return results


def report_from_command_line(argv: list[str], module: str, about: str,
                             write: Callable[[Path, int], dict[str, Any]]) -> None:
    """Write the report of the run that `--run_dir` names: `write(run_dir, seed)`."""
    parser = OneLineParser(module, about)
    parser.add_argument("--run_dir", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=42, help="seed of the run, for the record")
    arguments = parser.parse_args(argv)
    if not arguments.run_dir.is_dir():
        raise UserError(f"--run_dir {arguments.run_dir} is not a folder")
    write(arguments.run_dir, arguments.seed)
    print(f"{arguments.run_dir / 'results.json'}, {arguments.run_dir / 'report.md'}")


def main(argv: list[str]) -> None:
    """Command line: write the report of a run."""
    report_from_command_line(argv, "experiments.quickstart.report", __doc__.splitlines()[0], write_report)


if __name__ == "__main__":
    run(main)
