# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Dropout whose masks can be recomputed: a pure function of (seed, step, site) on CPU.

MindSpore's own dropout keeps its random state out of reach, so a resumed run would draw other masks than the
straight one. On CPU the mask is drawn by NumPy from a counter-based seed inside the graph (`ops.Custom`, also a
little faster than the kernel). Ascend and GPU cannot call Python from a graph and keep the kernel: there the
masks of a resumed run differ.
"""

from __future__ import annotations

import zlib
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from src.versions import register_callback

_LEVELS = 65536


def keep_mask(seed: int, step: int, site: int, shape: tuple[int, ...], probability: float) -> np.ndarray:
    """Return a float32 mask of 0 and 1/keep.

    Args:
        seed, step, site: what the mask is a function of; step counts micro-batches, site names the place.
        shape: of the mask.
        probability: share of zeros, rounded to 1/65536.
    """
    threshold = round(probability * _LEVELS)
    size = int(np.prod(shape))
    generator = np.random.SFC64(np.random.SeedSequence((seed, step, site)))
    draws = generator.random_raw((size + 3) // 4).view(np.uint16)[:size]
    scale = np.float32(_LEVELS / (_LEVELS - threshold))
    return np.multiply(draws >= threshold, scale, dtype=np.float32).reshape(shape)


def _mask_operator(probability: float, seed: int, site: int) -> ops.Custom:
    def draw(step: np.ndarray, x: np.ndarray) -> np.ndarray:
        return keep_mask(seed, int(step), site, x.shape, probability)

    def shape_of(_: Any, x: Any) -> Any:
        return x

    def type_of(*_: Any) -> Any:
        return ms.float32

    def bprop(step: ms.Tensor, x: ms.Tensor, out: ms.Tensor, dout: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        return ops.zeros_like(step), ops.zeros_like(x)

    operator = ops.Custom(draw, shape_of, type_of, "pyfunc", bprop=bprop)
    key = zlib.crc32(repr((probability, seed, site)).encode())
    register_callback(key, draw)
    operator.add_prim_attr("fn_id", key)
    return operator


class Dropout(nn.Cell):
    """Inverted dropout (Srivastava et al., 2014), identity in evaluation mode."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability
        self.kernel = nn.Dropout(p=probability)
        self.mask = None

    def construct(self, x: Tensor, step: Tensor | None = None) -> Tensor:
        """Apply dropout to x of any shape; `step` is an int32 scalar, an input of the graph, when stateless."""
        if not self.training or self.probability == 0.0:
            return x
        if self.mask is None or step is None:
            return self.kernel(x)
        return x * ops.stop_gradient(self.mask(step, ops.stop_gradient(x))).astype(x.dtype)


def make_dropout_stateless(model: nn.Cell, seed: int) -> None:
    """Draw the masks of each Dropout of `model` from (seed, step, its place in the model) from now on; CPU only."""
    for name, cell in model.cells_and_names():
        if isinstance(cell, Dropout) and cell.probability > 0:
            cell.mask = _mask_operator(cell.probability, seed, zlib.crc32(name.encode()))
