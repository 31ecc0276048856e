# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves to look at: pareto.json, pareto.png, report.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.common.files import write_json, write_text
from src.compress.budget import Budget
from src.compress.candidates import Candidate, described
from src.compress.search import Facts
from src.report.curves import COLOURS, save_figure
from src.report.tables import align, markdown

COLUMNS = ("Candidate", "Layers", "Heads", "Units", "Tokens", "Type", "ms", "Times faster", "MB", "Rung", "Dev")
RESULTS = ("Model", "Test", "Dev", "ms", "Times faster", "MB", "Times smaller", "Parameters")


def pareto(candidates: Sequence[Candidate], facts: Facts) -> list[dict[str, Any]]:
    """Return what pareto.json holds: each candidate, and the best metric on dev in the last rung that it has done,
    counted from 1; before its first one both are null."""
    found = []
    for candidate in candidates:
        done = [(number, rung.metrics[candidate.name]) for number, rung in enumerate(facts.rungs, 1)
                if candidate.name in rung.metrics]
        number, metric = done[-1] if done else (None, None)
        found.append({**described(candidate), "metric": metric, "rung": number})
    return found


def write_pareto(run: Path, candidates: Sequence[Candidate], facts: Facts) -> None:
    """Write RUN/pareto.json."""
    write_json(run / "pareto.json", pareto(candidates, facts))


def draw(run: Path, entries: Sequence[Mapping[str, Any]], results: Mapping[str, Any], limit: float, before: float
         ) -> None:
    """Draw RUN/pareto.png: metric on dev against latency, of the teacher, every candidate and the winner's file.

    Args:
        limit: most milliseconds that were allowed; infinite without a limit.
        before: the teacher's milliseconds when the candidates were measured. A machine may be faster or slower in the
            end: candidates are drawn as many times as fast as the teacher as they were then.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metric = results["metric"]
    figure = Figure(figsize=(6.4, 4.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    teacher = results["teacher"]
    axis.plot(teacher["onnx_latency_ms"], teacher["dev"][metric], marker="*", markersize=13, color=COLOURS[0],
              linestyle="", label="teacher, float32")
    scale = teacher["onnx_latency_ms"] / before
    for number in sorted({entry["rung"] for entry in entries}):
        its = [entry for entry in entries if entry["rung"] == number]
        places = [(scale * entry["latency_ms"], entry["metric"]) for entry in its]
        axis.plot(*zip(*places, strict=True), marker="o", linestyle="", color=COLOURS[1 + number % (len(COLOURS) - 1)],
                  label=f"candidates that went up to rung {number}")
        for entry, place in zip(its, places, strict=True):
            axis.annotate(entry["name"], place, xytext=(6, -3), textcoords="offset points", fontsize=7, color="#555555")
    chosen = results["winner"]
    axis.plot(chosen["onnx_latency_ms"], chosen["dev"][metric], marker="D", linestyle="", color=COLOURS[5],
              label=f"winner's file, {chosen['name']}")
    if limit < teacher["onnx_latency_ms"]:
        axis.axvline(limit, color=COLOURS[4], linestyle="--", linewidth=1.0, label="budget")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("{x:g}")
    axis.set_xlabel("milliseconds a row (ONNX Runtime, one thread, median; log scale)", fontsize=9)
    axis.set_ylabel(f"{metric} on dev", fontsize=9)
    axis.tick_params(labelsize=8, which="both")
    axis.grid(color="#dddddd", linewidth=0.6, which="both")
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=8)
    save_figure(figure, run / "pareto.png")


def table(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of teacher and winner under RESULTS."""
    metric, teacher = results["metric"], results["teacher"]
    rows = []
    for name in ("teacher", "winner"):
        its = results[name]
        values = [f"{its[split][metric]:.4f}" if split in its else "-" for split in ("test", "dev")]
        rows.append((name, *values, f"{its['onnx_latency_ms']:.3f}",
                     f"{teacher['onnx_latency_ms'] / its['onnx_latency_ms']:.2f}", f"{its['file_mb']:.2f}",
                     f"{teacher['file_mb'] / its['file_mb']:.2f}", f"{its['parameters'] / 1e6:.2f} M"))
    return rows


def text_table(results: Mapping[str, Any]) -> str:
    """Return teacher and winner for a terminal."""
    return align([RESULTS, *table(results)])


def write_report(run: Path, entries: Sequence[Mapping[str, Any]], facts: Facts, results: Mapping[str, Any],
                 budget: Budget, notes: Sequence[str]) -> None:
    """Write RUN/pareto.png and RUN/report.md."""
    limit = budget.most_milliseconds(results["teacher"]["onnx_latency_ms"])
    teacher = facts.teacher.latency_ms
    draw(run, entries, results, limit, teacher)
    rows = [(entry["name"], str(entry["layers"]), _each(entry["heads"]), _each(entry["units"]),
             f"{entry['vocabulary']:,}", "int8" if entry["quantized"] else "float32", f"{entry['latency_ms']:.3f}",
             f"{teacher / entry['latency_ms']:.2f}", f"{entry['file_mb']:.2f}", str(entry["rung"]),
             f"{entry['metric']:.4f}") for entry in entries]
    rungs = [f"- rung {number}: {len(rung.names)} candidate{'s' * (len(rung.names) > 1)}, up to step {rung.steps}"
             for number, rung in enumerate(facts.rungs, 1)]
    metric, chosen = results["metric"], results["winner"]
    write_text(run / "report.md", "\n".join([
        f"# Compression: {results['task']}", "", markdown(RESULTS, table(results)), "",
        f"Test and Dev are the {metric} of the files; ms is the median of a row in ONNX Runtime, one row a "
        "call without padding, one thread, both files in turn in one process.", "",
        f"Budget: {_budget(budget)}. Winner: `{chosen['name']}`, promised {chosen['promised_latency_ms']:.3f} ms. "
        f"{facts.seconds / 60:.1f} minutes in all.", "", *(f"- {note}" for note in notes), "",
        "![Metric on dev against latency](pareto.png)", "", "## Candidates", "", markdown(COLUMNS, rows), "",
        f"ms and MB were measured before training, of files with the same shape; Dev is the best {metric} of the "
        "float32 model in the last rung that a candidate has done.", "", *rungs, ""]))


def _each(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else ", ".join(map(str, numbers))


def _budget(budget: Budget) -> str:
    parts = ((budget.max_latency_ms, f"at most {budget.max_latency_ms:g} ms"),
             (budget.min_speedup, f"at least {budget.min_speedup:g} times as fast as the teacher"),
             (budget.max_size_mb, f"at most {budget.max_size_mb:g} MB"))
    return ", ".join(text for given, text in parts if given)
