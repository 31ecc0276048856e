# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the folder of a run tells about it: its model, its metrics, what it cost, and the settings that decided.

Nothing is computed again: metrics.jsonl, run.json and result.json are read, and the header of the model's weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from src.checkpoints.places import MANIFEST, MODEL, PHASES, RUN, folder_of, run_of, saved_in
from src.common.errors import UserError, one_line
from src.common.files import read_json
from src.common.paths import path_of
from src.config import ModelConfig
from src.config.entry_points import current
from src.report.curves import SCORES, STAGES, Curves, best_of, read_curves

METRICS_FILE, RESULT, SEEDS = "metrics.jsonl", "result.json", "seeds.json"
_LAYERS = ("encoder.layers.", "encoder.lstm.", "encoder.dense.")


def count_parameters(checkpoint: Path) -> tuple[int, int, int]:
    """Return (parameters, those of the encoder's layers, bytes) of model.safetensors, or raise UserError."""
    path = checkpoint / "model.safetensors"
    try:
        with safe_open(str(path), "numpy") as file:
            sizes = {name: math.prod(file.get_slice(name).get_shape()) for name in file.keys()}
        size = path.stat().st_size
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {path} ({one_line(error)})") from error
    layers = sum(size for name, size in sizes.items() if name.startswith(_LAYERS))
    return sum(sizes.values()), layers, size


def logs_of(location: Path | str) -> list[Path]:
    """Return the metrics.jsonl of a run, of each of its phases, or of the run that made a model; a file is itself."""
    place = run_of(location)
    if not place.is_dir():
        return [place] if place.is_file() else []
    return [path for path in (place / METRICS_FILE, *(place / phase / METRICS_FILE for phase in PHASES))
            if path.is_file()]


@dataclass(frozen=True)
class Run:
    """A training, finished or not; or a model alone, of which no training is known.

    Attributes:
        label: what it is called in tables and figures.
        folder: of the run, or of the model where there is no more.
        model: folder of the model: the result, of an unfinished run its last checkpoint; None where there is none yet.
        stages: name of the stage -> what it logged, in the order in which they ran.
        settings: what decided, by the names of default_config.yaml.
        inputs: digests of what was read, by name.
    """

    label: str
    folder: Path
    model: Path | None
    stages: dict[str, Curves] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)

    @cached_property
    def result(self) -> dict[str, Any]:
        """What result.json holds; {} where there is none."""
        path = self.folder / RESULT
        return read_json(path) if path.is_file() else {}

    @property
    def last(self) -> str:
        """The last stage; "" of a model alone."""
        return list(self.stages)[-1] if self.stages else ""

    @property
    def kind(self) -> str:
        """What kind of training it is, in words."""
        return STAGES.get(self.last, self.last).partition(", phase")[0] or "a model without a training beside it"

    @property
    def is_finished(self) -> bool:
        """Whether the training has ended. A language model and a general student are written at the end alone."""
        if not self.stages or self.result:
            return True
        return not self.last.startswith(("task_distill", "finetune")) and self.model == self.folder / MODEL

    @property
    def metrics(self) -> dict[str, tuple[float, int]]:
        """Metric on dev -> value and step: those of the model that is kept, as result.json has them; without it the
        best ones. A language model is evaluated in full at its end alone: there the last ones count."""
        if found := self.result.get("metrics"):
            return {name: (value, self.result["step"]) for name, value in found.items()}
        evaluations = self.stages[self.last].evaluations if self.stages else {}
        if not evaluations:
            return {}
        first = next(iter(evaluations))
        choose = min if best_of(first) == "min" else max
        known = [point for point in evaluations[first] if not math.isnan(point[1])] or evaluations[first]
        step = known[-1][0] if SCORES[0] in evaluations else choose(known, key=lambda point: point[1])[0]
        return {name: (dict(points)[step], step) for name, points in evaluations.items() if step in dict(points)}

    @property
    def steps(self) -> dict[str, int]:
        """Stage -> optimiser steps done, as far as they are logged."""
        return {name: curves.last_step for name, curves in self.stages.items()}

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        return float(self.result.get("seconds") or sum(curves.seconds for curves in self.stages.values()))

    @property
    def examples(self) -> int:
        """Rows that were trained on, each as often as it was seen; of logs that do not tell it, as one process reads
        them."""
        return sum(curves.examples or curves.last_step * self._batch(name) for name, curves in self.stages.items())

    def _batch(self, stage: str) -> int:
        section = {"distil": "token_distill"}.get(stage, stage.replace("task_distill_", "task_distill."))
        return int(self.settings.get(f"{section}.batch_size", 0)) * int(
            self.settings.get(f"{section}.gradient_accumulation_steps", 1))

    @cached_property
    def sizes(self) -> tuple[int, int, int] | None:
        """Parameters, those of the encoder's layers, bytes; None without a model."""
        return count_parameters(self.model) if self.model else None

    @cached_property
    def config(self) -> ModelConfig | None:
        """The model's configuration; None without a model."""
        if self.model is None:
            return None
        values = read_json(self.model / "config.json")
        values.pop("format", None)
        return ModelConfig.from_dict(values, f"{self.model}/config.json")

    @property
    def shape(self) -> str:
        """The model's architecture and size in words."""
        return self.config.encoder.size if self.config else "-"


def read_runs(arguments: list[str]) -> list[Run]:
    """Return the runs of arguments RUN or NAME=RUN; the run of several seeds stands for one of each.

    Raises:
        UserError: neither a run nor a model, or two of one name.
    """
    found: dict[str, Run] = {}
    for argument in arguments:
        label, separator, place = argument.partition("=")
        if not separator or Path(argument).exists():
            label, place = "", argument
        for run in _runs_in(run_of(path_of(place)), label):
            if run.label in found:
                raise UserError(f"two runs are called {run.label!r}; name them: NAME={run.folder}")
            found[run.label] = run
    return list(found.values())


def _runs_in(folder: Path, label: str) -> list[Run]:
    label = label or folder.resolve().name
    if (folder / SEEDS).is_file():
        seeds = [folder / str(run["folder"]) for run in read_json(folder / SEEDS)["runs"].values()]
        return [_read(seed, f"{label}/{seed.name}") for seed in seeds]
    return [_read(folder, label)]


def _read(folder: Path, label: str) -> Run:
    described = [path for path in (folder / RUN, *(folder / phase / RUN for phase in PHASES)) if path.is_file()]
    result = folder_of(folder)
    if not described and not (result / MANIFEST).is_file():
        raise UserError(f"{folder} is neither a run nor a model; give the folder of a training (--save_ckpt_path), or "
                        "a checkpoint directory")
    saved = saved_in(folder)
    model = result if (result / MANIFEST).is_file() else saved[-1] if saved else None
    settings: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    for path in described:
        values = read_json(path)
        settings |= dict(current(name, value) for name, value in values.get("settings", {}).items())
        inputs |= values.get("inputs", {})
    return Run(label, folder, model, read_curves(logs_of(folder))[0], settings, inputs)
