# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the stages of a run left in its folder: JSON files, predictions, stamps, checkpoints."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.common.errors import UserError, one_line
from src.common.untrusted import MAX_JSON_BYTES, parse_json


def read_stage_file(path: Path) -> Any:
    """Read a JSON file that a stage has written.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({one_line(error)}); run the stage that writes it again") from error


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


def read_stamps(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the stamps that experiments/pipeline/stages.py left, by stage, in the order in which the stages ran."""
    stamps = {path.stem: read_stage_file(path) for path in (run_dir / "stamps").glob("*.json")}
    return dict(sorted(stamps.items(), key=lambda item: item[1]["started"]))


def stage_seconds(stamps: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return the seconds of each stage; of the one that still runs (the report), those until now."""
    return {name: round(stamp["seconds"] + (0.0 if stamp["finished"] else time.time() - stamp["started"]), 2)
            for name, stamp in stamps.items()}
