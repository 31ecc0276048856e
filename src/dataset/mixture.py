# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several teachers as one: the weighted mean of their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.dataset.training import TeacherLogits


def mixed(logits: Sequence[np.ndarray], weights: Sequence[float], temperature: float, of_classes: bool) -> np.ndarray:
    """Return logits of several teachers (..., C) as those of one, float32 (..., C).

    Of classes, z with softmax(z / T) = sum_i w_i softmax(t_i / T), the mean of the softened distributions; of scores
    sum_i w_i t_i. A constant is free in z: it is chosen so that teachers of equal logits give these,

        z = T log sum_i w_i softmax(t_i / T) + T sum_i w_i log sum_c exp(t_ic / T)

    Args:
        weights: w_i, above 0, which sum to 1.
        temperature: T.
    """
    scaled = [np.asarray(each, np.float64) for each in logits]
    if not of_classes:
        return sum(weight * each for weight, each in zip(weights, scaled, strict=True)).astype(np.float32)
    scaled = [each / temperature for each in scaled]
    totals = [np.logaddexp.reduce(each, -1, keepdims=True) for each in scaled]
    parts = [np.log(weight) + each - total for weight, each, total in zip(weights, scaled, totals, strict=True)]
    constant = sum(weight * total for weight, total in zip(weights, totals, strict=True))
    return (temperature * (np.logaddexp.reduce(parts, 0) + constant)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class MixedLogits(TeacherLogits):
    """Stored logits of several teachers, of the same rows, that are mixed as they are read; `values` and `path` are
    those of the first."""

    parts: tuple[TeacherLogits, ...]
    weights: tuple[float, ...]
    temperature: float
    of_classes: bool

    def of_rows(self, index: np.ndarray, length: int) -> np.ndarray:
        """See `TeacherLogits.of_rows`."""
        return mixed([part.of_rows(index, length) for part in self.parts], self.weights, self.temperature,
                     self.of_classes)
