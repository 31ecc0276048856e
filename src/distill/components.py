# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Principal components of vectors: the directions in which they differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BLOCK = 8192
"""Vectors that are widened to float64 at once."""


@dataclass(frozen=True, eq=False)
class Components:
    """The first principal components of some vectors.

    Attributes:
        mean: of the vectors, float64 (width,).
        directions: float64 (width, dim), of length 1, one a column.
        share: of the vectors' variance that lies in these directions, from 0 to 1.
    """

    mean: np.ndarray
    directions: np.ndarray
    share: float

    def reduce(self, vectors: np.ndarray, centre: bool = True) -> np.ndarray:
        """Return vectors (rows, width), less the mean where they are to be centred, in these directions: float32
        (rows, dim)."""
        mean = self.mean if centre else 0.0
        blocks = [((vectors[at:at + _BLOCK] - mean) @ self.directions).astype(np.float32)
                  for at in range(0, len(vectors), _BLOCK)]
        return np.concatenate(blocks)


def components_of(vectors: np.ndarray, dim: int) -> Components:
    """Return the first `dim` principal components of float32 (rows, width) vectors; `dim` is at most the width."""
    rows, width = vectors.shape
    starts = range(0, rows, _BLOCK)
    mean = sum((vectors[at:at + _BLOCK].sum(0, dtype=np.float64) for at in starts), np.zeros(width)) / rows
    covariance = np.zeros((width, width))
    for at in starts:
        centred = vectors[at:at + _BLOCK] - mean
        covariance += centred.T @ centred
    variances, directions = np.linalg.eigh(covariance / rows)  # in rising order
    variances, directions = variances[::-1], directions[:, ::-1]
    # The sign of a direction is arbitrary: with the largest coefficient positive the result is the same on any machine,
    # up to rounding.
    directions = directions * np.sign(directions[np.abs(directions).argmax(0), np.arange(width)])
    share = variances[:dim].sum() / max(variances.sum(), np.finfo(float).tiny)
    return Components(mean, directions[:, :dim], float(share))
