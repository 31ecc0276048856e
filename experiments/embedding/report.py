# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Table and curves of a run of experiments/embedding/run.py: results.json, report.md, curves.png.

    python -m experiments.embedding.report --run_dir output/embedding

Everything is read from what the stages left behind: measured.json, the checkpoints' headers, metrics.jsonl.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.pipeline.report import report_from_command_line, write_report
from src.common.errors import run
from src.common.files import read_json
from src.report.curves import plot_runs
from src.report.loss_curves import curves_of
from src.report.tables import align, markdown

TITLES = {"teacher": "Teacher, 6 layers", "student_3_at_start": "3 of its layers, untrained",
          "student_3": "3 layers, distilled", "student_2_at_start": "2 of its layers, untrained",
          "student_2": "2 layers, distilled", "static": "Static, a vector a token"}
_SPEED = (("MB", "file_mb", ",.1f"), ("ms", "onnx_latency_ms", ",.2f"), ("texts/s", "texts_per_second", ",.0f"))
_CELLS = (("Spearman to the teacher", "spearman_to_teacher", ".4f"), ("Recall@1", "recall_at_1", ".4f"),
          ("STS-B test", "sts_test_spearman", ".4f"), ("STS-B dev", "sts_dev_spearman", ".4f"), *_SPEED,
          ("int8: Spearman", "int8_spearman_to_teacher", ".4f"), *(
              (f"int8: {title}", f"int8_{name}", form) for title, name, form in _SPEED))
"""Title, key in results.json, form of a number."""

NOTES = """\
- **Spearman to the teacher**: rank correlation between a model's cosines and the teacher's of 20,000 random pairs of
  {texts:,} held-out sentences. **Recall@1**: how often the teacher's nearest neighbour of a sentence is the model's.
- **STS-B**: Spearman's correlation of cosines and scores, of the test split where it has scores, else of the dev split.
- **MB, ms, texts/s** are those of ONNX Runtime on one thread of {processor}, times of the processor: the median of a
  call with one sentence, without tokenizer; sentences a second in batches of 32 sorted by length, with it.
- **int8** files are made as `export.py --quantize int8` makes them; Spearman's correlation is with the teacher in
  float32."""


def table(models: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return titles and cells, one tuple a model; what was measured of no model has no column."""
    cells = [each for each in _CELLS if any(model.get(each[1]) is not None for model in models)]
    return [("Model", *(title for title, _, _ in cells)), *(
        (TITLES[model["name"]],
         *("-" if model.get(name) is None else format(model[name], form) for _, name, form in cells))
        for model in models)]


def sts_line(results: dict[str, Any]) -> str:
    """Say which split of STS-B was scored."""
    pairs, split = results["sts_pairs"], results["sts_split"]
    if not split:
        return "STS-B: not measured; give the folder of its files: --sts_dir DIR"
    why = "" if split == "test" else "; its test split has no scores, or is not there"
    return f"STS-B: {split} split, {pairs:,} pairs{why}"


def print_summary(run_dir: Path) -> None:
    """Print the table of a finished run, its total, and where the report lies."""
    results = read_json(run_dir / "results.json")
    print(f"\n{results['texts']:,} held-out sentences, the same for all\n")
    print(align(table(results["models"])))
    print(f"\n{sts_line(results)}.\nAll stages: {sum(results['seconds'].values()) / 60:.1f} min.\n"
          f"Curves: {run_dir / 'curves.png'}, report: {run_dir / 'report.md'}")


def report(run_dir: Path, seed: int) -> dict[str, Any]:
    """Write results.json, report.md and curves.png to `run_dir`; returns what is in results.json."""
    measured = read_json(run_dir / "measured.json")
    runs = {TITLES[name]: curves_of(run_dir / name)[1] for name in ("student_3", "student_2")}
    plot_runs(runs, ("embedding_mse", "similarity_kl"), run_dir / "curves.png", title="Distillation of embeddings")
    titles, *rows = table(measured["models"])
    lines = ["# Distillation of an embedding model: results", "", markdown(titles, rows), "", f"{sts_line(measured)}.",
             "", "![Losses](curves.png)", "", NOTES.format(**measured)]
    return write_report(run_dir, seed, measured, lines)


def main(argv: list[str]) -> None:
    """Command line: write the report of a run."""
    report_from_command_line(argv, "experiments.embedding.report", __doc__.splitlines()[0], report)


if __name__ == "__main__":
    run(main)
