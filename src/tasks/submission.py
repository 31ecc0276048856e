# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the servers of GLUE and CLUE take: one prediction for each row of a test set, in its order."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np


def glue(predictions: Sequence[str] | np.ndarray) -> str:
    """Return GLUE's tab-separated file: a header, then index and label; scores (STS-B) in [0, 5] with 3 decimals."""
    if isinstance(predictions, np.ndarray):
        predictions = [f"{score:.3f}" for score in np.clip(predictions, 0.0, 5.0)]
    lines = [f"{index}\t{prediction}" for index, prediction in enumerate(predictions)]
    return "\n".join(["index\tprediction", *lines]) + "\n"


def clue(labels: Sequence[str]) -> str:
    """Return CLUE's JSON lines: id and label."""
    return "".join(json.dumps({"id": index, "label": label}, ensure_ascii=False) + "\n"
                   for index, label in enumerate(labels))
