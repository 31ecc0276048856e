# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures and curves of a quick-start run: results.json, report.md, PNG files.

    python -m src.tools.report --run_dir output/quickstart

Everything is computed from what the stages left behind: accuracy and agreement from the predictions of each test row,
sizes from the checkpoints' headers, times from benchmark.json and the stages' stamps, curves from metrics.jsonl.

The plotting library is imported only where plots are drawn: the quick start prints the table on every call.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.errors import UserError, one_line, run
from src.files import write_text
from src.tools.arguments import OneLineParser
from src.tools.curves import STAGES, plot_stage, read_curves
from src.untrusted import MAX_JSON_BYTES, parse_json

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
PACKAGES = ("mindspore", "tensorflow-cpu", "tensorflow", "numpy", "tokenizers", "safetensors", "onnx", "onnxruntime",
            "scikit-learn", "matplotlib")


# --- reading what the stages left -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Predictions:
    """Predicted and true class of each test row, in the order of the file."""

    predicted: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Share of rows whose predicted class is the true one, over all rows."""
        return _share(p == t for p, t in zip(self.predicted, self.labels, strict=True))

    def agreement(self, other: Predictions) -> float:
        """Share of rows on which both predict the same class, right or wrong."""
        return _share(a == b for a, b in zip(self.predicted, other.predicted, strict=True))


def _share(hits: Iterable[bool]) -> float:
    counted = [bool(hit) for hit in hits]
    return sum(counted) / len(counted)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({one_line(error)}); run the stage that writes it again") from error


def read_predictions(path: Path) -> Predictions:
    """Read the lines that eval.py writes: {"index", "logits", "prediction", "label"}.

    Raises:
        UserError: no rows, a line of another form, a row without label, or indices out of order.
    """
    predicted, labels = [], []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the predictions {path}: {error.strerror}") from error
    for number, line in enumerate(lines):
        try:
            row = parse_json(line)
            index, prediction, label = row["index"], row["prediction"], row["label"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}:{number + 1} is not a prediction ({one_line(error)})") from error
        if index != number or label is None:
            raise UserError(f"{path}:{number + 1} has index {index} and label {label}; expected index {number} and a "
                            "label")
        predicted.append(str(prediction))
        labels.append(str(label))
    if not labels:
        raise UserError(f"{path} has no rows")
    return Predictions(tuple(predicted), tuple(labels))


def count_parameters(checkpoint: Path) -> tuple[int, int, int]:
    """Return (parameters, parameters of the transformer layers, bytes) of CHECKPOINT/model.safetensors.

    Only the header is read: eight bytes of length, then JSON with the shape of each tensor.
    """
    path = checkpoint / "model.safetensors"
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = parse_json(file.read(min(length, MAX_JSON_BYTES)))
        sizes = {name: math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, struct.error) as error:
        raise UserError(f"cannot read {path} ({one_line(error)})") from error
    layers = sum(size for name, size in sizes.items() if name.startswith("encoder.layers."))
    return sum(sizes.values()), layers, path.stat().st_size


# --- figures ----------------------------------------------------------------------------------------------------------


def model_figures(run_dir: Path) -> list[dict[str, Any]]:
    """Return the list under `models` of results.json: teacher, student, student before task distillation, TF-IDF.

    Raises:
        UserError: a file is missing, or two models were evaluated on different rows.
    """
    from src.tools.tfidf import tfidf_size

    speeds = read_json(run_dir / "benchmark.json")["models"]
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


def read_stamps(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the stamps that src/tools/stages.py left, by stage, in the order in which the stages ran."""
    stamps = {path.stem: read_json(path) for path in (run_dir / "stamps").glob("*.json")}
    return dict(sorted(stamps.items(), key=lambda item: item[1]["started"]))


def stage_seconds(stamps: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return the seconds of each stage; of the one that still runs (the report), those until now."""
    return {name: round(stamp["seconds"] + (0.0 if stamp["finished"] else time.time() - stamp["started"]), 2)
            for name, stamp in stamps.items()}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that take part."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Describe the processor, the usable cores, the memory and the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        processor = ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"processor": processor or platform.processor() or platform.machine(), "cores": cores,
            "memory_gb": round(memory, 1), "system": f"{platform.system()} {platform.machine()}"}


def machine_line(described: dict[str, Any]) -> str:
    """Return what `machine` found as a line of a report."""
    return (f"- Machine: {described['processor']}, {described['cores']} cores, {described['memory_gb']} GB, "
            f"{described['system']}")


def versions_line(found: dict[str, str]) -> str:
    """Return what `versions` found as a line of a report."""
    return "- Versions: " + ", ".join(f"{name} {version}" for name, version in found.items())


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


def align(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows, the first of them headings, for a terminal: first column left, others right aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
             for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown, with the same alignment."""
    header = ["| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 1)]
    return "\n".join(header + ["| " + " | ".join(row) + " |" for row in rows])


def console_table(models: Sequence[dict[str, Any]]) -> str:
    """Return the table for a terminal."""
    return align([HEADINGS, *table_rows(models)])


def markdown_table(models: Sequence[dict[str, Any]]) -> str:
    """Return the table in Markdown."""
    return markdown(COLUMNS, table_rows(models))


def print_summary(run_dir: Path) -> None:
    """Print the table of a finished run, its totals, and where the report lies."""
    results = read_json(run_dir / "results.json")
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
        "benchmark": read_json(run_dir / "benchmark.json"),
        "seed": seed,
        "machine": machine(),
        "versions": versions(),
        "unreadable_log_lines": unreadable,
    }
    commands = {name: stamp["commands"] for name, stamp in stamps.items()}
    write_text(run_dir / "report.md", report_text(results, commands, images))
    write_text(run_dir / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
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
    report_from_command_line(argv, "src.tools.report", __doc__.splitlines()[0], write_report)


if __name__ == "__main__":
    run(main)
