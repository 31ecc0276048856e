# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Gates on the layers, heads and feed-forward units of a transformer: factors of 1 that a gradient is taken of, or of 0
that leave a part out.

They are put around the cells of a model that is there: a model that nobody puts gates into has nothing of them in its
graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from src.models.encoder import EncoderLayer
from src.models.heads import TransformerModel
from src.models.kernels import spread


def _gate(count: int, name: str) -> Parameter:
    return Parameter(ops.ones((count,), ms.float32), name=name)


class GatedInput(nn.Cell):
    """A dense layer whose input consists of `count` parts of one width, each times its gate."""

    def __init__(self, dense: nn.Dense, count: int, name: str):
        super().__init__()
        self.dense, self.count = dense, count
        self.part = dense.in_channels // count
        self.gate = _gate(count, name)

    def construct(self, x: Tensor) -> Tensor:
        gates = ops.broadcast_to(self.gate.expand_dims(1), (self.count, self.part)).reshape((-1,))
        return self.dense(x * spread(gates.astype(x.dtype), x.shape))


class GatedLayer(nn.Cell):
    """A layer that is passed by, so that its input is its output, where its gate (1,) is 0."""

    def __init__(self, layer: EncoderLayer, name: str):
        super().__init__()
        self.layer = layer
        self.gate = _gate(1, name)

    def construct(self, x: Tensor, key_bias: Tensor, step: Tensor | None, first_only: bool) -> tuple:
        y, scores, qkv = self.layer(x, key_bias, step, first_only)
        if first_only and not self.layer.pre_norm:
            x = x[:, :1]
        gate = spread(self.gate.astype(x.dtype), y.shape)
        return y * gate + x * (1.0 - gate), scores, qkv


@dataclass(frozen=True)
class Gates:
    """The gates of a model, float32: of each layer (1,), and in each layer of its heads (h,) and its units (F,)."""

    layers: tuple[Parameter, ...]
    heads: tuple[Parameter, ...]
    units: tuple[Parameter, ...]

    @property
    def all(self) -> tuple[Parameter, ...]:
        """Layers, heads, units."""
        return self.layers + self.heads + self.units

    def leave(self, layers: Sequence[int], heads: Sequence[Sequence[int]], units: Sequence[Sequence[int]]) -> None:
        """Set the gates of these layers to 1, in each of them those of these heads and units, and all others to 0; all
        count from 0."""
        for layer, gate in enumerate(self.layers):
            is_kept = layer in layers
            gate.set_data(Tensor([float(is_kept)], ms.float32))
            place = list(layers).index(layer) if is_kept else 0
            for inner, kept in ((self.heads[layer], heads[place]), (self.units[layer], units[place])):
                values = np.zeros(inner.shape, np.float32)
                values[list(kept)] = 1.0
                inner.set_data(Tensor(values))


def add_gates(model: TransformerModel) -> Gates:
    """Put gates of 1 into a model that has not been compiled; the model computes what it did.

    The model's own parameters keep their places in its cells, below the gates' cells, and get no gradient.
    """
    for parameter in model.get_parameters():
        parameter.requires_grad = False
    layers, heads, units = [], [], []
    for index, layer in enumerate(model.encoder.layers):
        layer.attention.output = GatedInput(layer.attention.output, layer.attention.heads, f"gates.heads.{index}")
        layer.output = GatedInput(layer.output, layer.output.in_channels, f"gates.units.{index}")
        model.encoder.layers[index] = GatedLayer(layer, f"gates.layers.{index}")
        layers.append(model.encoder.layers[index].gate)
        heads.append(layer.attention.output.gate)
        units.append(layer.output.gate)
    return Gates(tuple(layers), tuple(heads), tuple(units))
