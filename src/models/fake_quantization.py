# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A transformer that computes in float what its int8 file for ONNX Runtime computes, and is trained through that.

Weights and activations are rounded to the steps of 8 bits (Jacob et al., arXiv:1712.05877), with the scales that
`src.export.quantization` writes, and those that ONNX Runtime takes of the activations of each call:

- weights of dense layers: int8, symmetric, one scale an output channel;
- embedding tables: uint8, asymmetric, one scale a table;
- inputs of dense layers: uint8, asymmetric, one scale a row of the batch, as of a call with this row alone. There is no
  padding in such a call: here, the last real token of a row is repeated in its place.

The zero point of asymmetric values is a whole number of steps: it shifts their codes, and not what they stand for. So
all are round(x / scale) * scale; nothing is cut off, and the gradient passes straight through (Bengio et al.,
arXiv:1308.3432). There is no state: the scales follow from the weights and the rows. Attention's scores and sums, norms
and biases stay float.

The cells take the places of those of a model that is there, under the same names of parameters: a model that is not
quantized has nothing of them in its graph.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from src.models.heads import TransformerModel
from src.models.kernels import MAXIMUM, MINIMUM, spread

_LEAST, _MOST = ops.ReduceMin(keep_dims=True), ops.ReduceMax(keep_dims=True)
_STEPS, _LARGEST = 255.0, 127.0
_SMALLEST = 1e-30
"""Scale of what is all zeros."""


def _scale(low: Tensor, high: Tensor) -> Tensor:
    """The step of uint8 in a range that is given 0 too."""
    return MAXIMUM((MAXIMUM(high, 0.0) - MINIMUM(low, 0.0)) / _STEPS, _SMALLEST)


class RoundRows(nn.Cell):
    """Round the activations of each row to uint8 in their range."""

    def construct(self, x: Tensor) -> Tensor:
        """Round x (B, ...), of any float type; scales are float32."""
        flat = x.astype(ms.float32).reshape((x.shape[0], -1))
        scale = spread(_scale(_LEAST(flat, 1), _MOST(flat, 1)), flat.shape)
        return (ops.round(flat / scale) * scale).reshape(x.shape).astype(x.dtype)

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (dout,)


class RoundChannels(nn.Cell):
    """Round weights to int8 in the range of each output channel."""

    def construct(self, weight: Tensor) -> Tensor:
        """Round weight (outputs, inputs) float32."""
        scale = spread(MAXIMUM(_MOST(ops.abs(weight), 1) / _LARGEST, _SMALLEST), weight.shape)
        return ops.round(weight / scale) * scale

    def bprop(self, weight: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (dout,)


class RoundOfTable(nn.Cell):
    """Round some rows of a table to uint8 in the range of the whole table."""

    def construct(self, rows: Tensor, table: Tensor) -> Tensor:
        """Round rows (..., E) of table (V, E) float32."""
        scale = _scale(_LEAST(table), _MOST(table)).reshape(())
        return ops.round(rows / scale) * scale

    def bprop(self, rows: Tensor, table: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        return dout, ops.zeros_like(table)


class RepeatLast(nn.Cell):
    """Put the last real token of a row in the place of its padding, which so adds nothing to the range of the row.

    Nothing reads what comes of padding, and so its gradient is zero.
    """

    def construct(self, x: Tensor, input_mask: Tensor) -> Tensor:
        """Fill up x (B, S, H); input_mask (B, S) int32."""
        rows, length, width = x.shape
        last = MAXIMUM(input_mask.sum(axis=1, keepdims=True) - 1, 0)  # (B, 1)
        places = MINIMUM(spread(ops.arange(length).astype(ms.int32).expand_dims(0), (rows, length)),
                         spread(last, (rows, length)))
        first = ops.arange(0, rows * length, length).astype(ms.int32).expand_dims(1)
        places = (places + spread(first, (rows, length))).reshape((-1,))
        return ops.gather(x.reshape((-1, width)), places, 0).reshape((rows, length, width))

    def bprop(self, x: Tensor, input_mask: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        return dout, ops.zeros_like(input_mask)


class QuantizedDense(nn.Cell):
    """A dense layer of rounded inputs and weights, whose product is taken in `compute_type`."""

    def __init__(self, dense: nn.Dense, compute_type: ms.Type):
        super().__init__()
        self.weight, self.bias, self.has_bias = dense.weight, dense.bias, dense.has_bias
        self.compute_type = compute_type
        self.round_input, self.round_weight = RoundRows(), RoundChannels()
        self.product = ops.MatMul(transpose_b=True)
        if self.has_bias:
            self.bias_add = dense.bias_add

    def construct(self, x: Tensor) -> Tensor:
        """Map x (B, ..., inputs) to (B, ..., outputs)."""
        shape = x.shape
        rounded = self.round_input(x).astype(self.compute_type).reshape((-1, shape[-1]))
        y = self.product(rounded, self.round_weight(self.weight).astype(self.compute_type))
        if self.has_bias:
            y = self.bias_add(y, self.bias.astype(self.compute_type))
        return y.reshape((*shape[:-1], y.shape[-1]))


def fake_quantize(model: TransformerModel) -> None:
    """Make a model that has not been compiled compute what its int8 file does, for one row a call."""
    parts = [(model.encoder, model.compute_type)] + ([(model.head, ms.float32)] if model.has_head else [])
    for part, compute_type in parts:
        for _, cell in list(part.cells_and_names()):
            for name, child in list(cell.name_cells().items()):
                if isinstance(child, nn.Dense):
                    setattr(cell, name, QuantizedDense(child, compute_type))
    model.encoder.embeddings.round = RoundOfTable()
    model.encoder.repeat_last = RepeatLast()
    model.is_fake_quantized = True
    model.update_parameters_name("")
