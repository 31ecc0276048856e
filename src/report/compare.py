# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compare runs: metrics, sizes, cost, latency, the settings that differ, and the curves of each loss term.

    python -m src.report.compare RUN [NAME=RUN ...] [--latency] [--output DIR]

RUN is the folder of a training (of fine-tuning, of either distillation, of several seeds, finished or not), or a
checkpoint directory, of which size and latency are told. Two tables are printed: one row a run, and the settings that
differ. --output writes them as compare.md and compare.csv, and compare.png: one panel for each loss term, and one for
the metric on dev that chooses the best model.

--latency measures each model here: one row of --seq_length random tokens, batch 1, all models in turn, the median after
a warm-up (src/report/latency.py). Metrics are those of the model that was kept, with the step they were measured at.
Examples are rows of the training data, counted as often as they were seen.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, run
from src.common.files import write_text
from src.common.places import check_file, check_folder
from src.common.typed import leaves
from src.config import EncoderConfig, load_config
from src.report.curves import COLOURS, Curves, plot_runs
from src.report.latency import latencies
from src.report.runs import Run, read_runs
from src.report.tables import align, markdown

NAME = "compare"
ARCHITECTURE = "student.architecture"
LONGEST = 40
"""Characters of a setting's value on the terminal; the end of a path tells more than its beginning."""
NONE = "-"
MOST_METRICS = 3
"""Of more, the table shows those that choose the best model; compare.csv has all."""


def metrics_of(runs: Sequence[Run]) -> list[str]:
    """Return the metrics of all runs, each once, those that choose the best model before the others."""
    first = [name for each in runs for name in list(each.metrics)[:1]]
    return list(dict.fromkeys([*first, *(name for each in runs for name in each.metrics)]))


def values_of(each: Run, metrics: Sequence[str], latency: Mapping[str, float]) -> dict[str, Any]:
    """Return the figures of a run by the names that compare.csv has; None where there is none."""
    parameters, layers, size = each.sizes or (None, None, None)
    found = {"run": each.label, "kind": each.kind, "finished": each.is_finished, "model": each.shape}
    for name in metrics:
        found[name], found[f"{name}_step"] = each.metrics.get(name, (None, None))
    found |= {"parameters": parameters, "encoder_layer_parameters": layers, "bytes": size}
    if latency:
        found["latency_ms"] = latency.get(each.label)
    return found | {"steps": sum(each.steps.values()) or None, "seconds": each.seconds or None,
                    "examples": each.examples or None}


def table(figures: Sequence[Mapping[str, Any]], metrics: Sequence[str], steps: Sequence[str]) -> list[tuple[str, ...]]:
    """Return headings and a row a run, for people; `steps` are the cells of that column."""
    latency = ("Latency",) if "latency_ms" in figures[0] else ()
    rows = [("Run", "Model", *(f"{name} on dev" for name in metrics), "Parameters", "In layers", "MB", *latency,
             "Steps", "Time", "Examples")]
    for values, done in zip(figures, steps, strict=True):
        scores = [_cell(values[name], lambda value, at=values[f"{name}_step"]: f"{value:.4f} (step {at:,})")
                  for name in metrics]
        timed = [_cell(values[name], "{:.2f} ms".format) for name in ("latency_ms",) if latency]
        counts = [_cell(values[name], _count) for name in ("parameters", "encoder_layer_parameters")]
        rows.append((values["run"], values["model"], *scores, *counts,
                     _cell(values["bytes"], lambda value: f"{value / 1e6:.{1 if value >= 1e6 else 3}f}"), *timed, done,
                     _cell(values["seconds"], _duration), _cell(values["examples"], "{:,}".format)))
    return rows


def _cell(value: Any, shown: Any) -> str:
    return NONE if value is None else shown(value)


def _count(number: int) -> str:
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number:,}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:02.0f} h" if hours else f"{minutes}:{rest:04.1f} min"


def _steps(each: Run) -> str:
    done = " + ".join(f"{steps:,}" for steps in each.steps.values()) or NONE
    return done if each.is_finished else f"{done}, unfinished"


def differences(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Return the settings in which trainings differ: name, and the value of each run.

    A setting that decides in one kind of training only counts where it is not the default. The sizes in section
    `student` are of transformers alone.
    """
    decides = [{name: value for name, value in each.settings.items() if name == ARCHITECTURE or not (
        name.startswith("student.") and each.settings.get(ARCHITECTURE, EncoderConfig.kind) != EncoderConfig.kind)}
        for each in runs]
    trained = [settings for settings in decides if settings]
    defaults = dict(leaves(load_config()))
    rows = []
    for name in dict.fromkeys(name for settings in trained for name in settings):
        has = [settings[name] for settings in trained if name in settings]
        if any(value != has[0] for value in has) or (
                len(has) < len(trained) and any(value != defaults.get(name) for value in has)):
            rows.append((name, *(_text(settings[name]) if name in settings else NONE for settings in decides)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _end_of(text: str) -> str:
    return text if len(text) <= LONGEST else f"...{text[3 - LONGEST:]}"


def notes(runs: Sequence[Run]) -> list[str]:
    """Return what has to be known before the figures are compared."""
    found = []
    for each in runs:
        if not each.stages:
            found.append(f"{each.label} is a model without a training beside it: size and latency alone are known")
        elif not each.is_finished:
            stage, steps = list(each.steps.items())[-1]
            kept = f"; its figures are those of {each.model}" if each.model else "; it has no model yet"
            found.append(f"{each.label} is unfinished: {stage} is at step {steps:,} or later{kept}")
    for what, key in (("the runs are of different kinds", lambda each: each.kind if each.stages else None),
                      ("the runs were evaluated on different dev records", lambda each: each.inputs.get("dev")),
                      ("the runs had different teachers", lambda each: each.inputs.get("teacher"))):
        groups: dict[str, list[str]] = {}
        for each in runs:
            if (value := key(each)) is not None:
                groups.setdefault(value, []).append(each.label)
        if len(groups) > 1:
            named = "kinds" in what
            found.append(f"{what}: " + "; ".join((f"{value}: " if named else "") + ", ".join(labels)
                                                 for value, labels in groups.items()))
    return found


def draw(runs: Sequence[Run], path: Path) -> bool:
    """Draw each loss term, and the metric that chooses the best model; returns whether a run has logged anything."""
    entries: dict[str, Curves] = {}
    colours: dict[str, str] = {}
    terms: list[str] = []
    for number, each in enumerate(runs):
        for stage, curves in each.stages.items():
            label = each.label if len(each.stages) == 1 else f"{each.label}, {stage.rpartition('_')[2]}"
            entries[label], colours[label] = curves, COLOURS[number % len(COLOURS)]
            terms += [name for name in curves.series if name != "loss"] or list(curves.series)
    scores = [name for each in runs for name in list(each.metrics)[:1]
              if any(name in curves.evaluations for curves in each.stages.values())]
    if names := list(dict.fromkeys([*terms, *scores])):
        plot_runs(entries, names, path, colours=colours)
    return bool(names)


def main(argv: list[str]) -> None:
    """Command line: print, and write where asked."""
    parser = OneLineParser("src.report.compare", __doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run or of a model, or NAME=FOLDER")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for compare.md, compare.csv and compare.png")
    parser.add_argument("--latency", action="store_true", help="measure the latency of each model on this machine")
    parser.add_argument("--seq_length", type=int, default=64, help="tokens of the row measured (default: %(default)s)")
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    if arguments.seq_length < 1:
        raise UserError(f"--seq_length is {arguments.seq_length}; it must be at least 1")
    if arguments.output:
        place = check_folder(arguments.output, "--output")
        for end in ("md", "csv", "png"):
            check_file(place / f"{NAME}.{end}", "--output")
    runs = read_runs(arguments.runs)
    measured = {each.label: each.model for each in runs if each.model}
    latency = latencies(measured, arguments.seq_length, arguments.device_target) if arguments.latency else {}
    metrics, deciding = metrics_of(runs), {name for each in runs for name in list(each.metrics)[:1]}
    figures = [values_of(each, metrics, latency) for each in runs]
    shown = metrics if len(metrics) <= MOST_METRICS else [name for name in metrics if name in deciding]
    first = table(figures, shown, [_steps(each) for each in runs])
    settings = differences(runs)
    second = [("Setting", *(each.label for each in runs)), *settings]
    told = notes(runs)
    if latency:
        told.append(f"latency: batch 1, {arguments.seq_length} tokens, median, this machine")
    shortened = [tuple(_end_of(cell) for cell in row) for row in second]
    parts = [align(first), *([align(shortened)] if settings else []), *(f"note: {note}" for note in told)]
    print("\n\n".join(parts[:2] if settings else parts[:1]), *parts[2 if settings else 1:], sep="\n")
    if arguments.output:
        write(arguments.output, runs, figures, [first, second] if settings else [first], told)


def write(folder: Path, runs: Sequence[Run], figures: Sequence[Mapping[str, Any]],
          tables: Sequence[Sequence[tuple[str, ...]]], told: Sequence[str]) -> None:
    """Write compare.md, compare.csv (figures, then the settings that differ, a row a run) and compare.png."""
    check_folder(folder, "--output").mkdir(parents=True, exist_ok=True)
    lines = [markdown(rows[0], rows[1:]) + "\n" for rows in tables] + [f"- {note}" for note in told]
    if draw(runs, folder / f"{NAME}.png"):
        lines.append(f"\n![Loss terms and metrics]({NAME}.png)")
        print(folder / f"{NAME}.png")
    write_text(folder / f"{NAME}.md", "\n".join(lines) + "\n")
    settings = tables[1][1:] if len(tables) > 1 else []
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*figures[0], *(row[0] for row in settings)])
    for number, values in enumerate(figures, 1):
        writer.writerow([*values.values(), *(row[number] for row in settings)])
    write_text(folder / f"{NAME}.csv", stream.getvalue())
    print(folder / f"{NAME}.md", folder / f"{NAME}.csv", sep="\n")


if __name__ == "__main__":
    run(main)
