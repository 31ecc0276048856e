# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of different lengths as two arrays: all values one after the other, and how many belong to each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths.

    Attributes:
        values: (tokens,), any type.
        lengths: int64 (rows,); their sum is the number of values.
    """

    values: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ends(self) -> np.ndarray:
        """int64 (rows,): one past the last value of each row."""
        return np.cumsum(self.lengths)

    def keep(self, chosen: np.ndarray) -> Ragged:
        """Return the rows where `chosen`, bool (rows,), is true, in their order."""
        return Ragged(self.values[np.repeat(chosen, self.lengths)], self.lengths[chosen])

    def count(self, value: int) -> np.ndarray:
        """int64 (rows,): how often a value stands in each row."""
        before = np.concatenate(([0], np.cumsum(self.values == value)))
        return before[self.ends] - before[self.ends - self.lengths]
