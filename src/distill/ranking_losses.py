# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loss terms of rerankers: scores of the documents of a query. Like those of `losses`, pure functions of tensors.

A batch is whole lists of one size L, one after the other: B = N L rows. Rows without tokens fill lists up, and count
nowhere. The labels of a row are what is learnt (relevance) and what stands for a teacher's score, float32 (B, 2).
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from src.models.encoder import PADDING_SCORE
from src.models.kernels import MAXIMUM


def relevance_cross_entropy(scores: Tensor, labels: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of sigmoid(score) and the relevance, mean over the documents.

    Args:
        scores: (B, 1).
        labels: (B, 2), of which the first is the relevance, from 0 to 1.
        mask: (B, S), 1 for tokens, 0 for padding.
        count: labels of the optimiser step, two a document; see COUNTS in src/distill/batch.py.
    """
    scores, relevance = scores.astype(ms.float32), labels.astype(ms.float32)[:, :1]
    ones = ops.ones_like(scores)
    rows = ops.binary_cross_entropy_with_logits(scores, relevance, ones, ones, reduction="none").reshape((-1,))
    return _mean(rows, mask, count)


def score_mse(student: Tensor, teacher: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
    """Squared difference of the scores (B, 1), mean over the documents; `count` as above."""
    difference = (student.astype(ms.float32) - teacher.astype(ms.float32)).reshape((-1,))
    return _mean(difference * difference, mask, count)


def margin_mse(student: Tensor, teacher: Tensor, labels: Tensor, mask: Tensor, size: int) -> Tensor:
    """((s+ - s-) - (t+ - t-))^2 (Hofstätter et al., arXiv:2010.02666).

    The mean over the pairs of two documents of one query of which the first has the greater label, then over the
    queries; one without such a pair adds 0.

    Args:
        student, teacher: scores (B, 1).
        labels: (B, 2), of which the first says which documents are better.
        size: L, documents of a list.
    """
    difference = _lists(student.astype(ms.float32) - teacher.astype(ms.float32), size)  # s - t, (N, L)
    relevance, real = _lists(labels.astype(ms.float32)[:, :1], size), _lists(_real(mask), size)
    is_better = (relevance.expand_dims(2) > relevance.expand_dims(1)).astype(ms.float32)  # (N, L, L)
    weights = is_better * real.expand_dims(2) * real.expand_dims(1)
    margins = difference.expand_dims(2) - difference.expand_dims(1)
    pairs = MAXIMUM(weights.sum((1, 2)), 1.0)
    return ((margins * margins * weights).sum((1, 2)) / pairs).mean()


def list_divergence(student: Tensor, teacher: Tensor, mask: Tensor, temperature: float, size: int) -> Tensor:
    """KL(softmax(t / T) || softmax(s / T)) over the documents of a query, mean over the queries.

    Args:
        student, teacher: scores (B, 1).
        temperature: T.
        size: L, documents of a list.
    """
    empty = (1.0 - _lists(_real(mask), size)) * PADDING_SCORE  # (N, L)
    log_teacher = _log_softmax(_lists(teacher.astype(ms.float32), size) / temperature + empty)
    log_student = _log_softmax(_lists(student.astype(ms.float32), size) / temperature + empty)
    return (ops.exp(log_teacher) * (log_teacher - log_student)).sum(-1).mean()


def _lists(rows: Tensor, size: int) -> Tensor:
    return rows.reshape((-1, size))


def _log_softmax(scores: Tensor) -> Tensor:
    """Over the last axis; MindSpore's own operator errs by several 1e-6 on CPU."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - ops.log(ops.exp(shifted).sum(-1, keepdims=True))


def _real(mask: Tensor) -> Tensor:
    """1 for rows that have tokens, 0 for others: (B,)."""
    return (mask.astype(ms.float32).sum(1) > 0).astype(ms.float32)


def _mean(rows: Tensor, mask: Tensor, count: Tensor | None) -> Tensor:
    weights = _real(mask)
    total = MAXIMUM(weights.sum(), 1.0) if count is None else count / 2.0
    return (rows * weights).sum() / total
