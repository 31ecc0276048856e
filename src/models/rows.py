# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A vector and each row, or column, of a matrix over the vocabulary, where broadcasting costs as much as the rest.

On CPU an outer product and an operator on equal shapes take half as long as broadcasting, a sixth when the number of
rows is dynamic, and keep fewer matrices for the gradient. Elsewhere matrix products may round to fewer bits.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops
from mindspore.ops import constexpr


@constexpr
def is_on(target: str) -> bool:
    """Whether a graph is compiled for CPU, GPU or Ascend."""
    return ms.get_context("device_target") == target


def scale_rows(x: Tensor, factors: Tensor) -> Tensor:
    """Multiply x (K, V) by factors (K,), one a row."""
    factors = factors.expand_dims(1)
    if is_on("CPU"):
        return x * ops.matmul(factors, ops.ones((1, x.shape[1]), ms.float32))
    return x * factors


def add_to_rows(x: Tensor, row: Tensor) -> Tensor:
    """Add row (V,) to each row of x (K, V)."""
    if is_on("CPU"):
        return x + ops.matmul(ops.ones((x.shape[0], 1), ms.float32), row.expand_dims(0))
    return x + row
