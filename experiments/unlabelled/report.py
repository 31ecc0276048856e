# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The table of a run of experiments/unlabelled/run.py: results.json and report.md.

    python -m experiments.unlabelled.report --run_dir output/unlabelled

Accuracies are those that eval.py wrote of the test split; rows are counted by the records' manifests.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from experiments.pipeline.report import report_from_command_line, write_report
from src.common.errors import run
from src.common.files import read_json
from src.report.tables import align, markdown

SHARES, SEEDS = (0.1, 0.3, 1.0), (42, 43, 44)
TEACHER, ALONE, WITH_OTHERS = "teacher", "labelled", "labelled_and_unlabelled"
TITLES = {TEACHER: "Teacher", ALONE: "Student, labelled rows alone", WITH_OTHERS: "Student, the rest unlabelled"}


def name_of(share: float, seed: int) -> str:
    """Return the folder of a share's rows; of all rows there is one."""
    return f"{share:g}_{seed}" if share < 1 else f"{share:g}"


def measured(run_dir: Path) -> list[dict[str, Any]]:
    """Return of each share its rows, and the test accuracies of each model, one a seed; [] for one that is not made."""
    found = []
    for share in SHARES:
        rows = {split: read_json(manifest)["rows"] if manifest.is_file() else 0 for split in ("train", "unlabelled")
                if (manifest := run_dir / "records" / name_of(share, SEEDS[0]) / split / "manifest.json")}
        figures = {}
        for model in TITLES:
            files = [run_dir / "evaluation" / f"{model}_{share:g}_{seed}.json" for seed in SEEDS]
            figures[model] = [read_json(file)["metrics"]["accuracy"] for file in files if file.is_file()]
        found.append({"share": share, **rows, **figures})
    return found


def table(found: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return titles and cells, one tuple a share: means and standard deviations over the seeds."""
    return [("Labels", "Rows with", "Without", *TITLES.values()), *(
        (f"{each['share']:.0%}", f"{each['train']:,}", f"{each['unlabelled']:,}",
         *(_spread(each[model]) for model in TITLES)) for each in found)]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def print_summary(run_dir: Path) -> None:
    """Print the table of a finished run, its total, and where the report lies."""
    results = read_json(run_dir / "results.json")
    print(f"\nTest accuracy, mean and standard deviation over the seeds {', '.join(map(str, SEEDS))}\n")
    print(align(table(results["shares"])))
    print(f"\nAll stages: {sum(results['seconds'].values()) / 60:.1f} min. Report: {run_dir / 'report.md'}")


def report(run_dir: Path, seed: int) -> dict[str, Any]:
    """Write results.json and report.md to `run_dir`; returns what is in results.json."""
    found = measured(run_dir)
    titles, *rows = table(found)
    lines = ["# Unlabelled rows: results", "", markdown(titles, rows), "",
             f"Test accuracy, mean and standard deviation over the seeds {', '.join(map(str, SEEDS))}. They choose the "
             "rows that keep their labels, too."]
    return write_report(run_dir, seed, {"seeds": list(SEEDS), "shares": found}, lines)


def main(argv: list[str]) -> None:
    """Command line: write the report of a run."""
    report_from_command_line(argv, "experiments.unlabelled.report", __doc__.splitlines()[0], report)


if __name__ == "__main__":
    run(main)
