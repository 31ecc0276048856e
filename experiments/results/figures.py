# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the runs of experiments/results/run.py left, as numbers; everything comes from files below their folder."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.pipeline.report import count_parameters
from experiments.results.stages import RANDOM
from experiments.results.table import PAIRS, TASKS, VARIANTS
from src.common.errors import UserError
from src.common.files import read_json
from src.config import read_yaml

CONDITIONS, LATENCY = "conditions.json", "latency.json"


@dataclass(frozen=True)
class Score:
    """A metric over the seeds: mean, sample deviation (None: one run), number of runs."""

    mean: float
    std: float | None
    runs: int

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.std is None else f" ± {self.std:.4f}")


@dataclass(frozen=True)
class ModelFigures:
    """One row of a task's table.

    Attributes:
        metrics: name -> score, the task's first metric first.
        parameters: number of them.
        shape: such as "3 x 384".
        steps: optimiser steps of its stages.
        seconds: training time of one run.
    """

    metrics: dict[str, Score]
    parameters: int
    shape: str
    steps: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class TaskFigures:
    """One task.

    Attributes:
        name: its name.
        random: shape of the model of random weights that its teacher began as; "" of a pretrained one.
        subset: what subset.json says of the data.
        seq_length, batch_size: tokens of a row, rows of an optimiser step.
        models: "teacher" and the variants that are finished -> figures.
        latency: "teacher", "student", "bilstm" -> figures of pipeline/benchmark_model.py; {} where not measured.
        commands: command lines, in the order in which they were run.
    """

    name: str
    random: str
    subset: dict[str, Any]
    seq_length: int
    batch_size: int
    models: dict[str, ModelFigures]
    latency: dict[str, dict[str, Any]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    @property
    def metric(self) -> str:
        """The metric that chose the models."""
        return next(iter(self.models["teacher"].metrics))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The comparisons to show: the plain one, and those of which something was run."""
        return [pair for pair in PAIRS if pair == PAIRS[0] or any(name in self.models for name in pair)]

    def score(self, name: str) -> Score | None:
        """Return the first metric of a model; None where it is missing."""
        return self.models[name].metrics.get(self.metric) if name in self.models else None


@dataclass(frozen=True)
class Comparison:
    """A student without and with its teacher.

    Attributes:
        difference: mean with the teacher minus mean without.
        error: standard error of the difference over the seeds; None where one arm has one run.
        verdict: "helps", "hurts" or "open": within two standard errors; "single" without an error.
    """

    difference: float
    error: float | None
    verdict: str


def compare(without: Score, with_teacher: Score) -> Comparison:
    """Compare two arms."""
    difference = with_teacher.mean - without.mean
    if without.std is None or with_teacher.std is None:
        return Comparison(difference, None, "single")
    error = math.sqrt(without.std ** 2 / without.runs + with_teacher.std ** 2 / with_teacher.runs)
    if abs(difference) <= 2 * error:
        return Comparison(difference, error, "open")
    return Comparison(difference, error, "helps" if difference > 0 else "hurts")


# --- reading ----------------------------------------------------------------------------------------------------------


def read_tasks(output: Path) -> list[TaskFigures]:
    """Return the tasks whose teacher is finished, in the order of the table.

    Raises:
        UserError: no folder, no finished task, or a damaged file.
    """
    if not output.is_dir():
        raise UserError(f"{output} is not a folder; give the one that experiments.results.run wrote to (--output)")
    found = sorted(path.parent.parent.name for path in output.glob("*/teacher/dev.json"))
    if not found:
        raise UserError(f"{output} holds no finished task (TASK/teacher/dev.json); run "
                        f"python -m experiments.results.run --output {output} first")
    order = {entry.name: place for place, entry in enumerate(TASKS)}
    tasks = []
    for name in sorted(found, key=lambda name: (order.get(name, len(order)), name)):
        try:
            tasks.append(read_task(output, name))
        except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError) as error:
            raise UserError(f"{output / name} is not what runs of this task leave ({type(error).__name__}: {error}); "
                            "run it again") from error
    return tasks


def read_task(output: Path, name: str) -> TaskFigures:
    """Return the figures of one task."""
    folder = output / name
    settings = read_yaml(folder / "teacher/config.yaml")
    scores = {key: Score(float(value), None, 1)
              for key, value in value_at(folder / "teacher/dev.json", "metrics").items()}
    models = {"teacher": model_figures(folder / "teacher", scores,
                                       float(value_at(folder / "teacher/result.json", "seconds")))}
    models |= {variant: read_variant(folder / variant) for variant in VARIANTS
               if (folder / variant / "seeds.json").is_file()}
    base = next((output / entry.base / RANDOM for entry in TASKS if entry.name == name), output)
    return TaskFigures(
        name, shape_of(base) if (base / "config.json").is_file() else "", read_json(folder / "data/subset.json"),
        int(settings["data"]["seq_length"]), int(settings["finetune"]["batch_size"]), models,
        value_at(folder / LATENCY, "models") if (folder / LATENCY).is_file() else {},
        read_commands(folder / "stages", output))


def read_variant(folder: Path) -> ModelFigures:
    """Return the figures of a variant over its seeds; the first one's folder says the sizes and steps."""
    path = folder / "seeds.json"
    seeds, runs = value_at(path, "seeds"), value_at(path, "runs")
    scores = {name: Score(float(score["mean"]), None if score["std"] is None else float(score["std"]),
                          len(score["values"])) for name, score in value_at(path, "metrics").items()}
    seconds = sum(float(run["seconds"]) for run in runs.values()) / len(runs)
    return model_figures(folder / f"seed-{seeds[0]}", scores, seconds)


def model_figures(run: Path, scores: dict[str, Score], seconds: float) -> ModelFigures:
    """Return the figures of a model: its scores and time, and what its run's folder says."""
    phases = [phase for phase in ("phase1", "phase2") if (run / phase / "config.yaml").is_file()]
    steps = [read_yaml(run / phase / "config.yaml")["task_distill"][phase]["train_steps"] for phase in phases]
    steps = steps or [read_yaml(run / "config.yaml")["finetune"]["train_steps"]]
    return ModelFigures(scores, count_parameters(run / "model")[0], shape_of(run / "model"), tuple(map(int, steps)),
                        seconds)


def value_at(path: Path, key: str) -> Any:
    """Return one entry of a JSON object.

    Raises:
        UserError: the file cannot be read or has no such entry.
    """
    values = read_json(path)
    if key not in values:
        raise UserError(f"{path} has no entry {key!r}; run the stage that writes it again")
    return values[key]


def shape_of(checkpoint: Path) -> str:
    """Return `3 x 384`, or `BiLSTM 2 x 150`."""
    encoder = value_at(checkpoint / "config.json", "encoder")
    if "num_hidden_layers" in encoder:
        return f"{encoder['num_hidden_layers']} x {encoder['hidden_size']}"
    return f"BiLSTM 2 x {encoder['hidden_size']}"


def read_commands(ledgers: Path, output: Path) -> list[str]:
    """Return the command lines of all stages in the order of their last start; the folders of data and results are
    written DATA and OUT, so that a page does not depend on where they lay."""
    stamps = [read_json(path) for path in ledgers.glob("*/stamps/*.json")]
    named = {str(output): "OUT"}
    if (output / CONDITIONS).is_file():
        named[str(value_at(output / CONDITIONS, "data_dir"))] = "DATA"
    return [shorten(line, named) for stamp in sorted(stamps, key=lambda stamp: stamp["started"])
            for line in stamp["commands"]]


def shorten(command: str, named: Mapping[str, str]) -> str:
    """Replace folders at the beginning of words by their names."""
    words = shlex.split(command)
    for folder, name in sorted(named.items(), key=lambda item: -len(item[0])):
        words = [name + word[len(folder):] if word == folder or word.startswith(f"{folder}/") else word
                 for word in words]
    return shlex.join(words)
