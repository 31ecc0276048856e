# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loss terms of tagging (a class for each token) and of spans (a token for start and end), as pure functions.

Each computes in float32 and returns a float32 scalar. Masks are weights, never selections: shapes stay static. `count`
is as in src/distill/losses.py: the number of tokens that a sum is divided by.

B batch, S sequence, C classes.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from src.config.model import IGNORED
from src.models.encoder import PADDING_SCORE


def tag_cross_entropy(logits: Tensor, labels: Tensor, count: Tensor | None = None) -> Tensor:
    """Cross-entropy of logits (B, S, C) and classes (B, S), mean over the tokens that have one (not IGNORED)."""
    weights = _labelled(labels)
    chosen = ops.one_hot(ops.maximum(labels, 0), logits.shape[2], 1.0, 0.0)  # (B, S, C)
    rows = -(chosen * ops.log_softmax(logits.astype(ms.float32), -1)).sum(-1)  # (B, S)
    return _mean(rows, weights, count)


def tag_soft_cross_entropy(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float,
                           reduction: str, count: Tensor | None = None) -> Tensor:
    """Cross-entropy of the student's to the teacher's softened distribution, at the tokens whose class is read.

    Args:
        student, teacher: logits (B, S, C).
        labels: (B, S), IGNORED where no class is read.
        temperature: T, divides both logits.
        reduction: `masked`: sum over classes, times T^2; `reference`: mean over classes, without T^2, as TinyBERT's
            code does it for whole texts.
        count: tokens whose class is read.
    """
    log_student = ops.log_softmax(student.astype(ms.float32) / temperature, -1)
    rows = -(ops.softmax(teacher.astype(ms.float32) / temperature, -1) * log_student).sum(-1)  # (B, S)
    scale = 1.0 / student.shape[2] if reduction == "reference" else temperature * temperature
    return _mean(rows, _labelled(labels), count) * scale


def tag_logits_mse(student: Tensor, teacher: Tensor, labels: Tensor, count: Tensor | None = None) -> Tensor:
    """Squared difference of logits (B, S, C), mean over classes and the tokens whose class is read."""
    difference = student.astype(ms.float32) - teacher.astype(ms.float32)
    return _mean((difference * difference).mean(-1), _labelled(labels), count)


def span_cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of start and end logits (B, S, 2) and their tokens (B, 2), mean over both and the rows.

    Padding takes no part; BERT's code leaves it in the softmax.
    """
    chosen = ops.one_hot(labels, logits.shape[1], 1.0, 0.0)  # (B, 2, S)
    return -(chosen * _log_softmax(logits, mask, 1.0)).sum(-1).mean()


def span_divergence(student: Tensor, teacher: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """(KL(teacher start || student start) + KL(teacher end || student end)) / 2 * T^2, mean over the rows.

    The second step of distillation on SQuAD (Sanh et al., arXiv:1910.01108, section 3), over real tokens.

    Args:
        student, teacher: logits (B, S, 2).
        mask: (B, S), 1 for tokens, 0 for padding.
        temperature: T, divides both logits.
    """
    log_teacher = _log_softmax(teacher, mask, temperature)  # (B, 2, S)
    difference = log_teacher - _log_softmax(student, mask, temperature)
    return (ops.exp(log_teacher) * difference).sum(-1).mean() * (temperature * temperature)


def span_logits_mse(student: Tensor, teacher: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
    """Squared difference of start and end logits (B, S, 2), mean over both and real tokens."""
    difference = student.astype(ms.float32) - teacher.astype(ms.float32)
    return _mean((difference * difference).mean(-1), mask.astype(ms.float32), count)


def _log_softmax(logits: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Log-probabilities of the tokens as start and as end, (B, S, 2) -> (B, 2, S); padding gets none."""
    padding = (1.0 - mask.astype(ms.float32)).expand_dims(1) * PADDING_SCORE  # (B, 1, S)
    return ops.log_softmax(logits.astype(ms.float32).transpose(0, 2, 1) / temperature + padding, -1)


def _labelled(labels: Tensor) -> Tensor:
    return (labels != IGNORED).astype(ms.float32)


def _mean(rows: Tensor, weights: Tensor, count: Tensor | None) -> Tensor:
    if count is None:  # a batch of sentences without a word has no labelled token
        count = ops.maximum(weights.sum(), 1.0)
    return (rows * weights).sum() / count
