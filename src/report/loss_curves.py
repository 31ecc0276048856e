# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draw the curves of one or several runs into one PNG.

    python -m src.report.loss_curves RUN [NAME=RUN ...] --output curves.png [--metric perplexity] [--stage distil]

RUN is the folder of a run (its metrics.jsonl is read) or such a file; NAME is its label, otherwise the folder's name.
Training losses are drawn as a running mean over a tenth of the logged steps, evaluations on held-out data as points.
--metric names a loss (`loss`, or a term such as `ce`, `mlm`) or a metric of the evaluations (`perplexity`,
`accuracy`), and may be repeated: one panel each. Without it: the loss, and the perplexity where it was evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, nearest, run
from src.common.files import write_text
from src.common.paths import path_of
from src.report.curves import SCORES, Curves, plot_runs, plot_stage, read_curves
from src.report.runs import METRICS_FILE, logs_of


def curves_of(place: Path | str, stage: str = "") -> tuple[str, Curves]:
    """Return what a run (its folder, its model's, or a metrics.jsonl) logged: the name of a stage, and its curves.

    `stage` chooses one of several; of task distillation `phase1` is enough.

    Raises:
        UserError: no log, an empty one, or a stage that is not, or not clearly, named.
    """
    paths = logs_of(place)
    if not paths:
        raise UserError(f"{place} is not a run: there is no {METRICS_FILE} in it, nor in a phase of it; give the "
                        "folder of a training (--save_ckpt_path)")
    stages, _ = read_curves(paths)
    if not stages:
        raise UserError(f"{paths[0]} has no step yet; run the training first")
    if stage:
        found = next((name for name in stages if name == stage or name.endswith(f"_{stage}")), "")
        if not found:
            raise UserError(f"{place} has no stage {stage!r}, only {', '.join(stages)}{nearest(stage, stages)}")
        return found, stages[found]
    if len(stages) > 1:
        raise UserError(f"{place} has the stages {', '.join(stages)}; choose one with --stage")
    return next(iter(stages.items()))


def write_loss_curve(run_folder: Path | str) -> Path:
    """Draw RUN/loss.png: the loss, its terms, and the evaluations of a run of one stage; return its path."""
    path = Path(run_folder) / "loss.png"
    stage, curves = curves_of(run_folder)
    plot_stage(stage, curves, path)
    return path


def write_loss_log(run_folder: Path | str) -> Path:
    """Write RUN/loss.txt, a line `step loss` (or `step nan`) for each logged step of a run of one stage; return its
    path."""
    path = Path(run_folder) / "loss.txt"
    _, curves = curves_of(run_folder)
    losses = curves.series.get("loss", [])
    write_text(path, "".join(f"{step} {loss!r}\n" for step, loss in zip(curves.steps, losses, strict=True)))
    return path


def labelled(arguments: Sequence[str], stage: str = "") -> dict[str, Curves]:
    """Return label -> curves of arguments RUN or NAME=RUN, each with a label of its own."""
    runs: dict[str, Curves] = {}
    for argument in arguments:
        name, separator, place = argument.partition("=")
        if not separator:
            name, place = _folder_name(Path(argument)), argument
        if name in runs:
            raise UserError(f"two runs are called {name!r}; name them: NAME={place}")
        _, runs[name] = curves_of(path_of(place), stage)
    return runs


def _folder_name(place: Path) -> str:
    place = place.resolve()
    return place.parent.name if place.name == METRICS_FILE else place.name


def panels_of(runs: dict[str, Curves], asked: Sequence[str]) -> list[str]:
    """Return the names of the panels: those asked for, which a run must have logged, or loss and perplexity."""
    known = dict.fromkeys(name for curves in runs.values() for name in (*curves.series, *curves.evaluations))
    for name in asked:
        if name not in known:
            raise UserError(f"--metric {name} is not in these runs, which have {', '.join(known)}"
                            f"{nearest(name, known)}")
    return list(asked) or [name for name in ("loss", SCORES[0]) if name in known] or list(known)[:1]


def main(argv: list[str]) -> None:
    """Command line: draw the figure."""
    parser = OneLineParser("src.report.loss_curves", __doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run, or NAME=FOLDER")
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    parser.add_argument("--metric", action="append", default=[],
                        help="loss, a term or a metric of the evaluations; may be repeated")
    parser.add_argument("--stage", default="", help="stage of runs that have several")
    parser.add_argument("--title", default="", help="title above the panels")
    arguments = parser.parse_args(argv)
    runs = labelled(arguments.runs, arguments.stage)
    names = panels_of(runs, arguments.metric)
    plot_runs(runs, names, arguments.output, title=arguments.title)
    for label, curves in runs.items():
        for name in names:
            print(f"{label}: {_last(curves, name)}")
    print(arguments.output)


def _last(curves: Curves, name: str) -> str:
    """Describe the last known value of a series or an evaluation."""
    points = curves.evaluations.get(name) or [
        (step, value) for step, value in zip(curves.steps, curves.series.get(name, []), strict=False)
        if math.isfinite(value)]
    if not points:
        return f"no {name}"
    step, value = points[-1]
    return f"{name} {value:.6g} at step {step}"


if __name__ == "__main__":
    run(main)
