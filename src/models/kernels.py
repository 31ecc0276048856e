# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Operators in the form that MindSpore's CPU kernels compute well; on other devices the plain ones.

What costs on CPU, in time at each step and in memory as long as a compiled graph lives:

- +, -, * and / that broadcast keep the places of both operands of each element, 16 bytes an element of the result.
  Operands of equal shapes and numbers keep none: `spread`, `scale_rows`, `add_to_rows`.
- A transpose keeps the place of each element, 8 bytes: `SwapMiddle`.
- The gradient that MindSpore derives of a softmax broadcasts: `Softmax`.
- Sums over a whole tensor or over its rows take several times as long as matrix products: `SquareSum`, `AddBias`.

Where a shape is not known to the compiler, as in a MINDIR file, the plain operators stay.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

_PRODUCT = ops.MatMul()  # `ops.matmul` transposes a (K, V) with dynamic K
_DOT = ops.MatMul(transpose_b=True)
_ADD_TO_ROWS = ops.BiasAdd()
MINIMUM, MAXIMUM = ops.Minimum(), ops.Maximum()
"""The functions ops.minimum and ops.maximum of a number fail in compilation after some other graphs of the process
("Fail to get eval result")."""


@constexpr
def is_on(target: str) -> bool:
    """Whether a graph is compiled for CPU, GPU or Ascend."""
    return ms.get_context("device_target") == target


def spread(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return x with the `shape` that it would be broadcast to, on CPU; elsewhere x as it is."""
    return ops.broadcast_to(x, shape) if is_on("CPU") and ops.isconstant(shape) else x


def scale_rows(x: Tensor, factors: Tensor) -> Tensor:
    """Multiply x (K, V) by factors (K,), one a row; K may be dynamic."""
    factors = factors.expand_dims(1)
    if is_on("CPU"):  # an outer product takes a sixth of a broadcast's time; elsewhere it may round to fewer bits
        return x * _PRODUCT(factors, ops.ones((1, x.shape[1]), ms.float32))
    return x * factors


def add_to_rows(x: Tensor, row: Tensor) -> Tensor:
    """Add row (V,) to each row of x (K, V); K may be dynamic."""
    return _ADD_TO_ROWS(x, row) if is_on("CPU") else x + row


class AddBias(nn.Cell):
    """Add a bias (N,) to each row of x (M, N) on CPU; other devices have a good kernel of its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.add = ops.BiasAdd()

    def construct(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.add(x, bias)

    def bprop(self, x: Tensor, bias: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        # float32 as the parameter is, also where the products are taken in float16.
        return dout, _PRODUCT(ops.ones((1, x.shape[0]), ms.float32), dout.astype(ms.float32)).reshape((-1,))


class SquareSum(nn.Cell):
    """The sum of the squares of x, of any shape, float32."""

    def construct(self, x: Tensor) -> Tensor:
        if is_on("CPU"):
            flat = x.reshape((1, -1))
            return _DOT(flat, flat).reshape(())
        return (x * x).sum()

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (x * (2.0 * dout),)


class SwapMiddle(nn.Cell):
    """(A, B, C, D) -> (A, C, B, D); on CPU rows of D numbers are gathered, two to three times as fast."""

    def construct(self, x: Tensor) -> Tensor:
        return _swap_middle(x)

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (_swap_middle(dout),)


def _swap_middle(x: Tensor) -> Tensor:
    shape = x.shape
    if not (is_on("CPU") and ops.isconstant(shape)):
        return x.transpose(0, 2, 1, 3)
    a, b, c, d = shape
    return ops.gather(x.reshape((a * b * c, d)), _swapped_rows(a, b, c), 0).reshape((a, c, b, d))


@constexpr
def _swapped_rows(a: int, b: int, c: int) -> Tensor:
    return Tensor(np.arange(a * b * c, dtype=np.int32).reshape(a, b, c).transpose(0, 2, 1).reshape(-1))


class _SoftmaxGradient(ops.PrimitiveWithInfer):
    """y * (dy - sum(y * dy)) over the last axis: a CPU kernel that MindSpore's own gradient of a softmax leaves unused
    in a graph."""

    @ops.prim_attr_register
    def __init__(self) -> None:
        self.init_prim_io_names(inputs=["y", "dy"], outputs=["dx"])

    def infer_shape(self, y: list[int], dy: list[int]) -> list[int]:
        return y

    def infer_dtype(self, y: ms.Type, dy: ms.Type) -> ms.Type:
        return y


_SoftmaxGradient.__name__ = "SoftmaxGradFusion"  # a kernel is found by the name of the class


class Softmax(nn.Cell):
    """Softmax over the last axis of float32 (..., S) on CPU; other devices have a good kernel of its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.softmax, self.gradient = ops.Softmax(axis=-1), _SoftmaxGradient()

    def construct(self, x: Tensor) -> Tensor:
        return self.softmax(x)

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (self.gradient(out, dout),)
