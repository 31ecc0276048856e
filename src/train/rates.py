# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How fast this machine's CPU is, measured in about a second, at what a training step is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from mindspore import Tensor, nn, ops

from src.models.dropout import keep_mask
from src.models.encoder import Gelu

_NUMBERS = 4 << 20
_SECONDS, _LEAST = 0.2, 4
"""How long each of them is repeated, and how often at least."""


class Rates(NamedTuple):
    """A second's operations of a matrix product; numbers that a sum reads and writes; numbers that go through an
    activation; numbers that dropout draws."""

    products: float
    moved: float
    curved: float
    dropped: float


class _Once(nn.Cell):
    """A cell whose graph computes `cell`, and gives back one number of it."""

    def __init__(self, cell: Callable):
        super().__init__()
        self.cell = cell

    def construct(self, *given: Tensor) -> Tensor:
        return self.cell(*given).reshape((-1,))[:1]


def product_rate(rows: int, inputs: int, outputs: int) -> float:
    """Return the operations a second of (rows, inputs) times the weights of a dense layer of so many outputs."""
    x, weights = (_drawn(*shape) for shape in ((rows, inputs), (outputs, inputs)))
    return 2.0 * rows * inputs * outputs / _seconds(ops.MatMul(transpose_b=True), x, weights)


def other_rates() -> tuple[float, float, float]:
    """Return `moved`, `curved`, `dropped` of Rates."""
    x = _drawn(_NUMBERS // 1024, 1024)
    dropped = _NUMBERS / _best(lambda: keep_mask(0, 0, 0, (_NUMBERS,), 0.1))
    return 3 * _NUMBERS / _seconds(ops.Add(), x, x), _NUMBERS / _seconds(Gelu(approximate=False), x), dropped


def _drawn(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(0).standard_normal(shape, np.float32))


def _seconds(cell: Callable, *given: Tensor) -> float:
    once = _Once(cell)
    once(*given).asnumpy()  # compiles
    return _best(lambda: once(*given).asnumpy())


def _best(call: Callable[[], object]) -> float:
    """The smallest time of a call that is repeated for a while."""
    found: list[float] = []
    while len(found) < _LEAST or sum(found) < _SECONDS:
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)
