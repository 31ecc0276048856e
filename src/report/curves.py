# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Curves of training runs: read from metrics.jsonl, smoothed, drawn.

The plotting library is imported only where plots are drawn.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from src.common.files import atomic_file
from src.common.untrusted import parse_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STAGES = {
    "finetune": "Fine-tuning of the teacher",
    "mlm": "Masked language model",
    "general_distill": "General distillation",
    "distil": "Distillation of a language model",
    "task_distill_phase1": "Task distillation, phase 1 (layers)",
    "task_distill_phase2": "Task distillation, phase 2 (predictions)",
}
SCORES = ("perplexity", "accuracy")
"""What the evaluations of a language model are drawn of; the others of its figures are counts."""
COLOURS = ("#1f4e8c", "#b4520c", "#2f7d3b", "#7b3f99", "#5c5c5c", "#b01e4f")

# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass
class Curves:
    """What one training stage logged, by optimiser step."""

    steps: list[int] = field(default_factory=list)
    series: dict[str, list[float]] = field(default_factory=dict)
    """"loss" and each term, as long as `steps`; NaN where a line has no such term."""
    evaluations: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """metric -> (step, value)."""
    seconds: float = 0.0
    examples: int = 0
    """Of the training up to its last logged step; 0 where the log does not tell it."""

    @property
    def last_step(self) -> int:
        """The last step with a training loss or an evaluation; 0 where there is none."""
        return max([0, *self.steps, *(step for points in self.evaluations.values() for step, _ in points)])


def read_curves(paths: Iterable[Path]) -> tuple[dict[str, Curves], int]:
    """Read metrics.jsonl files into one Curves per stage.

    A run that was killed and continued logs the steps after its last checkpoint twice: the later line counts. The
    kill may also have cut a line short.

    Returns:
        the curves, and how many lines could not be read.
    """
    training: dict[str, dict[int, dict[str, Any]]] = {}
    evaluation: dict[str, dict[int, dict[str, float]]] = {}
    cost: dict[str, dict[int, tuple[float, int]]] = {}
    unreadable = 0
    for path in paths:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = parse_json(line)
                stage, step = str(row["stage"]), int(row["step"])
                if "eval" in row:
                    evaluation.setdefault(stage, {})[step] = _numbers(row["eval"])
                elif "loss" in row:
                    training.setdefault(stage, {})[step] = _numbers({"loss": row["loss"], **row.get("terms", {})})
                    cost.setdefault(stage, {})[step] = float(row.get("seconds", 0.0)), int(row.get("examples", 0))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
                unreadable += bool(line.strip())
    curves = {}
    for stage in {**training, **evaluation}:
        result = Curves(steps=sorted(training.get(stage, {})))
        if result.steps:
            result.seconds, result.examples = cost.get(stage, {}).get(result.steps[-1], (0.0, 0))
        rows = [training[stage][step] for step in result.steps]
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row.get(name) for row in rows]
            result.series[name] = [math.nan if value is None else value for value in values]
        for step, metrics in sorted(evaluation.get(stage, {}).items()):
            for name, value in metrics.items():
                result.evaluations.setdefault(name, []).append((step, value))
        curves[stage] = result
    return curves, unreadable


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in values.items()}


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """Return the mean over the last `window` values, NaN left out, at each place."""
    given = np.asarray(values, float)
    is_known = ~np.isnan(given)
    numbers, sums = (np.convolve(each, np.ones(window))[:len(given)]
                     for each in (is_known.astype(float), np.where(is_known, given, 0.0)))
    return np.where(numbers > 0, sums / np.maximum(numbers, 1.0), np.nan).tolist()


def title_of(name: str) -> str:
    """Return what a term, or a metric, is called: as `--help` and the log of a training call it."""
    from src.distill.terms import TERMS  # brings MindSpore along, which only a figure has to wait for

    titles = {"loss": "Total loss [loss]"} | {term.name: term.described for term in TERMS}
    return titles.get(name, name.replace("_", " ").capitalize())


# --- drawing ----------------------------------------------------------------------------------------------------------


def new_figure(panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of `panels` panels, at most three a row, and their axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(panels, 3)
    rows = math.ceil(panels / columns)
    figure = Figure(figsize=(4.6 * columns, 3.4 * rows + 0.5), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axis in axes[panels:]:
        axis.set_visible(False)
    return figure, axes[:panels]


def finish_axis(axis: Axes, title: str, label: str, last_step: int) -> None:
    """Give a panel its title, its labels and its grid."""
    from matplotlib.ticker import MaxNLocator

    axis.set_title(textwrap.fill(title, 56), fontsize=10)  # as many characters as a panel is wide
    axis.set_ylabel(label, fontsize=9)
    axis.set_xlabel("optimiser step", fontsize=9)
    axis.set_xlim(0, max(1, last_step) * 1.04)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.tick_params(labelsize=8)
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure, all at once, in the format that the suffix names."""
    with atomic_file(path) as aside:
        figure.savefig(aside, format=path.suffix[1:].lower() if path.suffix in (".svg", ".pdf") else "png")


def scale_losses(axis: Axes, values: Sequence[float]) -> None:
    """Let the axis of a loss begin at zero, or be logarithmic where the loss falls far."""
    finite = [value for value in values if math.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) / min(finite) > 50:
        axis.set_yscale("log")
    elif finite and min(finite) >= 0:
        axis.set_ylim(bottom=0)


def draw_evaluations(axis: Axes, points: Sequence[tuple[int, float]], colour: str, label: str | None = None,
                     best: str = "max") -> None:
    """Draw evaluations as points on a line, and write the best value, `max` or `min`, beside its point."""
    steps, values = zip(*points, strict=True)
    axis.plot(steps, values, color=colour, marker="o", markersize=4, linewidth=1.6, label=label)
    choose = min if best == "min" else max
    place = choose(range(len(values)), key=values.__getitem__)
    text = f"{values[place]:.4f}" if abs(values[place]) < 10 else f"{values[place]:,.1f}"
    axis.annotate(text, (steps[place], values[place]), textcoords="offset points", xytext=(0, 6), ha="center",
                  fontsize=8)


def best_of(metric: str) -> str:
    """Tell whether a metric's best value is its `min` or its `max`."""
    return "min" if metric == "perplexity" or "loss" in metric else "max"


def plot_stage(stage: str, curves: Curves, path: Path) -> None:
    """Draw a panel for the total loss, one for each of its terms, and one for each metric on held-out data."""
    names = list(curves.series)
    if len(names) == 2:
        # The only term is the loss itself: show it under its own name.
        names = [name for name in names if name != "loss"]
    evaluations = {name: points for name, points in curves.evaluations.items()
                   if name in SCORES or "perplexity" not in curves.evaluations}
    figure, axes = new_figure(max(1, len(names) + len(evaluations)))
    window = max(1, len(curves.steps) // 10)
    for axis, name in zip(axes, names, strict=False):
        values = curves.series[name]
        axis.plot(curves.steps, values, color="#9db8d9", linewidth=1.0, label="logged step")
        if window > 1:
            axis.plot(curves.steps, running_mean(values, window), color=COLOURS[0], linewidth=1.8,
                      label=f"mean of {window}")
            axis.legend(frameon=False, fontsize=8)
        scale_losses(axis, values)
        finish_axis(axis, title_of(name), "loss", curves.last_step)
    for axis, (metric, points) in zip(axes[len(names):], evaluations.items(), strict=False):
        draw_evaluations(axis, points, COLOURS[1], best=best_of(metric))
        axis.margins(y=0.25)
        finish_axis(axis, f"{title_of(metric)} on dev", metric.replace("_", " "), curves.last_step)
    figure.suptitle(STAGES.get(stage, stage), fontsize=12, fontweight="bold")
    save_figure(figure, path)


def plot_runs(runs: Mapping[str, Curves], names: Sequence[str], path: Path, levels: Mapping[str, float] | None = None,
              title: str = "", colours: Mapping[str, str] | None = None) -> None:
    """Draw several runs into the same panels, one for each of `names`.

    Args:
        runs: label -> curves.
        names: "loss", terms, and metrics of evaluations. A training loss is drawn as its running mean over a tenth of
            the logged steps, on top of the logged values; evaluations are drawn as points.
        levels: label -> value of a dashed line in the panels of evaluations, such as the teacher's.
        title: above the panels.
        colours: label -> colour; a colour each where it is not given.
    """
    figure, axes = new_figure(len(names))
    chosen = colours or {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(runs)}
    last = max(curves.last_step for curves in runs.values())
    for axis, name in zip(axes, names, strict=True):
        is_evaluation = any(name in curves.evaluations for curves in runs.values())
        for label, curves in runs.items():
            colour = chosen[label]
            if name in curves.evaluations:
                draw_evaluations(axis, curves.evaluations[name], colour, label, best_of(name))
            elif name in curves.series:
                values = curves.series[name]
                axis.plot(curves.steps, values, color=colour, linewidth=0.8, alpha=0.3)
                axis.plot(curves.steps, running_mean(values, max(1, len(values) // 10)), color=colour, linewidth=1.8,
                          label=label, marker="o" if len(values) == 1 else None, markersize=4)
        for number, (label, value) in enumerate((levels or {}).items() if is_evaluation else ()):
            axis.axhline(value, color=COLOURS[(len(runs) + number) % len(COLOURS)], linewidth=1.2, linestyle="--",
                         label=f"{label} {value:,.1f}")
        axis.margins(y=0.15)
        axis.legend(frameon=False, fontsize=8)
        where = "held-out text" if any(SCORES[0] in curves.evaluations for curves in runs.values()) else "dev"
        heading = f"{title_of(name)} on {where}" if is_evaluation else title_of(name)
        finish_axis(axis, heading, name.replace("_", " ") if is_evaluation else "loss", last)
    figure.suptitle(title, fontsize=12, fontweight="bold")
    save_figure(figure, path)
