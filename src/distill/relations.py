# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Self-attention relations (Wang et al., "MiniLMv2", arXiv:2012.15828): how alike to each other the queries of a row's
tokens are, likewise the keys, likewise the values. Models of any width and any number of heads can be compared.

B batch, S sequence, H width of a model, A relation heads, d = H / A.
"""

from __future__ import annotations

import math
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from src.config import EncoderConfig
from src.models.encoder import PADDING_SCORE
from src.models.kernels import SwapMiddle

_AT_ONCE, _MOST_PARTS = 1 << 22, 16
"""Numbers of a matrix of relations that are computed at once, and the most parts that the matrices are computed in."""


def part_size(heads: int, length: int) -> int:
    """Return how many of the relation heads of all rows are computed at once."""
    return min(heads, max(1, _AT_ONCE // length ** 2, -(-heads // _MOST_PARTS)))


_part_size = constexpr(part_size)


class RelationDivergence(nn.Cell):
    """The divergence of the student's relations from the teacher's, and its gradient.

    Both are computed together, for some relation heads after others, so that of the matrices (B, A, S, S) there is
    never more than a part, and nothing is left of it for the backward pass: their gradient is the difference of two
    softmaxes, and that of the vectors two products with it. Padding joins the vectors as one coordinate more, and the
    weights of the queries the factors of the products: nothing is broadcast to matrices.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dot = ops.BatchMatMul(transpose_b=True)
        self.weigh, self.weigh_back = ops.BatchMatMul(), ops.BatchMatMul(transpose_a=True)
        self.log_softmax = ops.LogSoftmax(axis=-1)
        self.product, self.flat_dot = ops.MatMul(), ops.MatMul(transpose_b=True)

    def construct(self, student: Tensor, teacher: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over heads and queries of the weighted divergences, a scalar, and its gradient with respect to
        `student`.

        Args:
            student, teacher: float32 (B A, S, d), each with its own d.
            weight: float32 (B A, S, 1), of the queries; keys of weight 0 are padding.
        """
        heads, length, _ = student.shape
        size = _part_size(heads, length)
        divergence, gradients = 0.0, ()
        for start in range(0, heads, size):
            end = start + size
            own, its, part = student[start: end], teacher[start: end], weight[start: end]
            if start > 0:  # not before the parts that were begun have left the memory
                own, its = ops.depend(own, gradients[-1]), ops.depend(its, gradients[-1])
            one, gradient = self._part(own, its, part)
            divergence, gradients = divergence + one, (*gradients, gradient)
        gradient = ops.concat(gradients, 0)
        return ops.depend(divergence, gradient), gradient

    def _part(self, student: Tensor, teacher: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        padding = (weight == 0.0).astype(ms.float32) * PADDING_SCORE
        log_teacher, log_student = self._log_relations(teacher, padding), self._log_relations(student, padding)
        relations = ops.exp(log_teacher)
        length, width = student.shape[1:]
        entries = (relations * (log_teacher - log_student)).reshape((-1, length))
        divergences = self.product(entries, ops.ones((length, 1), ms.float32)).reshape((1, -1))

        difference = ops.exp(log_student) - relations
        weights = ops.broadcast_to(weight, student.shape)
        gradient = self.weigh(difference, student) * weights + self.weigh_back(difference, student * weights)
        return self.flat_dot(divergences, weight.reshape((1, -1))).reshape(()), gradient * (1.0 / math.sqrt(width))

    def _log_relations(self, x: Tensor, padding: Tensor) -> Tensor:
        """log softmax(x x^T / sqrt(d) + padding) of x (N, S, d), (N, S, S)."""
        left = ops.concat((x * (1.0 / math.sqrt(x.shape[2])), ops.ones_like(padding)), 2)
        return self.log_softmax(self.dot(left, ops.concat((x, padding), 2)))

    def bprop(self, student: Tensor, teacher: Tensor, weight: Tensor, out: tuple[Tensor, Tensor],
              dout: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        return out[1] * dout[0], ops.zeros_like(teacher), ops.zeros_like(weight)


_DIVERGENCE, _SWAP = RelationDivergence(), SwapMiddle()  # without parameters; a graph can call cells but not make them


def relation_divergence(student: Tensor, teacher: Tensor, mask: Tensor, heads: int, count: Tensor | None = None
                        ) -> Tensor:
    """Divergence of one kind of relations (MiniLMv2, arXiv:2012.15828, eq. 4 to 6).

    KL(R_teacher || R_student), R = softmax(X X^T / sqrt(H / A)) over the real keys; mean over relation heads and real
    queries.

    Args:
        student, teacher: queries, keys or values of one layer, all heads one beside another: (B, S, H), each with its
            own H.
        mask: (B, S), 1 for tokens, 0 for padding.
        heads: A, which divides both widths.
        count: tokens, see COUNTS in src/distill/batch.py; without it the batch's own number.
    """
    mask = mask.astype(ms.float32)
    weight = ops.broadcast_to(mask.expand_dims(1).expand_dims(3), (student.shape[0], heads, student.shape[1], 1))
    queries = mask.sum() if count is None else count
    divergence, _ = _DIVERGENCE(_cut(student, heads), _cut(teacher, heads), weight.reshape((-1, student.shape[1], 1)))
    return divergence / (queries * heads)


def _cut(x: Tensor, heads: int) -> Tensor:
    """(B, S, H) -> (B A, S, d)."""
    rows, length, width = x.shape
    return _SWAP(x.astype(ms.float32).reshape((rows, length, heads, -1))).reshape((rows * heads, length, -1))


def relation_misfit(options: dict[str, Any], teacher: EncoderConfig, student: EncoderConfig) -> str:
    """Return why the relations of two encoders cannot be compared as `options` say; "" where they can."""
    heads, layer, depth = options["relation_heads"], options["relation_layer"], teacher.num_hidden_layers
    if layer > depth:
        return f"relation_layer is {layer}, but the teacher has {depth} layers; set it to one of 1 to {depth}, or last"
    layers = {"teacher": (teacher, (layer or depth) - 1), "student": (student, student.num_hidden_layers - 1)}
    widths = {name: encoder.heads_of(place) * encoder.head_dim for name, (encoder, place) in layers.items()}
    undivided = [f"the {name}'s width {width}" for name, width in widths.items() if width % heads]
    if not undivided:
        return ""
    common = math.gcd(*widths.values())
    fit = ", ".join(str(number) for number in range(1, common + 1) if common % number == 0)
    return (f"relation_heads {heads} does not divide {' and '.join(undivided)}; what divides both widths is {fit}: set "
            "relation_heads to one of these")
