# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses of embeddings (B, D): against a teacher's, of the same width, without any label; and of the texts of pairs or
triplets, which are rows one after the other.

Against a teacher, rows of padding alone, which may fill up a batch, count nowhere; the mean is over the others.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from src.models.embedding_head import unit_rows
from src.models.kernels import MAXIMUM, MINIMUM, is_on, spread

TEMPERATURE = 0.05
"""That similarities are divided by, as contrastive losses of embeddings are used to (Gao et al., arXiv:2104.08821)."""
SCALE = 20.0
"""That cosines are multiplied with where the right text is to be told from those of other pairs."""
_LEFT_OUT = -1e9
_LEAST_SUM = 1e-30
"""Of a text without any other in its batch."""


def embedding_mse(student: Tensor, teacher: Tensor, input_mask: Tensor) -> Tensor:
    """Mean over rows and dimensions of (s - t)^2 (Reimers & Gurevych, arXiv:2004.09813, equation 1); float32 scalar.

    Args:
        student, teacher: float32 (B, D).
        input_mask: (B, S), whose rows tell which embeddings are of texts.
    """
    difference = student.astype(ms.float32) - teacher.astype(ms.float32)
    return (_weights(input_mask) * (difference * difference).mean(axis=1)).sum()


def embedding_cosine(student: Tensor, teacher: Tensor, input_mask: Tensor) -> Tensor:
    """Mean over rows of 1 - cos(s, t); float32 scalar. Arguments as those of `embedding_mse`."""
    cosine = (unit_rows(student.astype(ms.float32)) * unit_rows(teacher.astype(ms.float32))).sum(axis=1)
    return (_weights(input_mask) * (1.0 - cosine)).sum()


def similarity_divergence(student: Tensor, teacher: Tensor, input_mask: Tensor) -> Tensor:
    """Mean over the texts i of a batch of KL(P_i || Q_i), float32 scalar: P_i, of the teacher, and Q_i, of the student,
    are softmaxes over the other texts j of cos(e_i, e_j) / TEMPERATURE.

    Arguments as those of `embedding_mse`; the two widths may differ.
    """
    real = _real(input_mask)  # (B,)
    rows = real.shape[0]
    others = spread(real.expand_dims(0), (rows, rows)) * (1.0 - ops.eye(rows, rows, ms.float32))  # (B, B)
    its, own = _log_shares(teacher, others), _log_shares(student, others)
    divergences = (ops.exp(its) * (its - own)).sum(axis=1).astype(ms.float32)
    return (_weights(input_mask) * divergences).sum()


def cosine_mse(embeddings: Tensor, labels: Tensor, size: int) -> Tensor:
    """Mean over pairs of (cos(a, b) - score)^2 (Reimers & Gurevych, arXiv:1908.10084, section 3); float32 scalar.

    Args:
        embeddings: float32 (B, D), the two texts of each pair one after the other.
        labels: float32 (B, 1), the score of a row's pair, from 0 to 1.
        size: rows of a pair: 2.
    """
    unit = unit_rows(embeddings.astype(ms.float32))
    cosine = (unit[0::size] * unit[1::size]).sum(axis=1)
    difference = cosine - labels.astype(ms.float32)[0::size, 0]
    return (difference * difference).mean()


def multiple_negatives(embeddings: Tensor, size: int) -> Tensor:
    """Mean over anchors i of -log softmax_j(SCALE cos(a_i, d_j)) at the anchor's own positive, float32 scalar; the
    documents d_j are the positives of all anchors, then their hard negatives where there are any (Henderson et al.,
    arXiv:1705.00652, section 4; sentence-transformers' MultipleNegativesRankingLoss).

    Args:
        embeddings: float32 (B, D), anchor, positive and maybe a negative one after the other.
        size: rows of one of these groups: 2 or 3.
    """
    # On CPU in float64, as below.
    unit = unit_rows(embeddings.astype(ms.float64 if is_on("CPU") else ms.float32))
    anchors = unit[0::size]
    documents = unit[1::size] if size == 2 else ops.concat((unit[1::size], unit[2::size]))
    x = (_cosines(anchors, documents) - 1.0) * SCALE  # (N, M), at most about 0
    own = ((anchors * unit[1::size]).sum(axis=1) - 1.0) * SCALE
    return (ops.log(ops.exp(x).sum(axis=1)) - own).mean().astype(ms.float32)


def _cosines(units: Tensor, others: Tensor) -> Tensor:
    """The cosine of each unit vector (N, D) with each of the others (M, D): (N, M)."""
    return ops.matmul(units, ops.transpose(others, (1, 0)))  # MindSpore 2.7 has no others.transpose(1, 0) on CPU


def _log_shares(embeddings: Tensor, others: Tensor) -> Tensor:
    """Logarithms of the softmax over each row of similarities (B, B), where `others` is 1.

    On CPU in float64: MindSpore's float32 kernels of exp and log there are off by 1e-5, and B is small.
    """
    unit = unit_rows(embeddings.astype(ms.float64 if is_on("CPU") else ms.float32))
    left_out = _LEFT_OUT * (1.0 - others.astype(unit.dtype))
    x = (_cosines(unit, unit) - 1.0) / TEMPERATURE + left_out  # at most about 0
    total = MAXIMUM(ops.exp(x).sum(axis=1), _LEAST_SUM).expand_dims(1)  # (B, 1)
    return x - spread(ops.log(total), x.shape)


def _real(input_mask: Tensor) -> Tensor:
    """1 for rows with a token, else 0: float32 (B,)."""
    return MINIMUM(input_mask.astype(ms.float32).sum(axis=1), 1.0)


def _weights(input_mask: Tensor) -> Tensor:
    """What the mean over the real rows weighs each with: float32 (B,)."""
    real = _real(input_mask)
    return real / MAXIMUM(real.sum(), 1.0)
