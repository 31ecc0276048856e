# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ONNX files of one task, run in turn on the same rows: what each is worth, weighs and takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from src.checkpoints.checkpoint import LoadedModel
from src.evaluate.by_row import ByRow, examine
from src.export.artefacts import run_onnx

Name = TypeVar("Name")


class OnnxFile(NamedTuple):
    """A file, the model that it was made of, and the rows in the tokens of this model's vocabulary."""

    path: Path
    loaded: LoadedModel
    rows: ByRow


@dataclass(frozen=True)
class Figures:
    """What a file did.

    Attributes:
        value: the task's first metric.
        agreement: of its answers with those of the first file; of scores Pearson's correlation.
        milliseconds: median of a call: one thread, one row that is not padded.
        megabytes: of the file, in millions of bytes.
        rows: how many there were.
    """

    value: float
    agreement: float
    milliseconds: float
    megabytes: float
    rows: int


def measure_files(files: Mapping[Name, OnnxFile]) -> dict[Name, Figures]:
    """Load all files with ONNX Runtime in this process, call them in turn, and return what each did, by name.

    Raises:
        UserError: there are no rows, they have no labels, or ONNX Runtime cannot run a file.
    """
    found = examine([(each.rows, run_onnx(each.path, each.loaded.config, threads=1)) for each in files.values()])
    return {name: Figures(own.metrics[each.rows.metric], each.rows.agreement(found[0].answers, own.answers),
                          own.milliseconds, each.path.stat().st_size / 1e6, own.rows)
            for (name, each), own in zip(files.items(), found, strict=True)}
