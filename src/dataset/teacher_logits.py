# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a teacher says of each row of a set of records, computed before (src/evaluate/teacher_logits.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class TeacherLogits:
    """Logits of a whole set of records, rows in the order of the files.

    Attributes:
        path: the folder they are kept in.
        values: float32 (rows, C), or (rows, S, C) of a model that says something of each token; mapped into memory.
    """

    path: Path
    values: np.ndarray

    def of_rows(self, index: np.ndarray, length: int) -> np.ndarray:
        """Return the logits of the rows at places `index`, int (B,): (B, C), or (B, length, C), cut off or filled up
        with zeros."""
        if self.values.ndim == 2:
            return self.values[index]
        chosen = self.values[index, :length]
        return np.pad(chosen, ((0, 0), (0, length - chosen.shape[1]), (0, 0)))
