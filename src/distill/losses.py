# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loss terms, as pure functions of tensors. Each computes in float32 and returns a float32 scalar.

Two reductions: `masked`, the mean over what is real (a longer padding changes nothing), and `reference`, what the
authors' code computes. Masks are weights, never selections: shapes stay static.

A `count` is what a masked sum is divided by, where the batch is a part of an optimiser step: see COUNTS in
src/distill/batch.py. Without it the batch's own number is taken.

B batch, S sequence, H width, h heads, C classes. Tagging has a class for each token, a span a token for start and end.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

from src.config.model import IGNORED
from src.models.encoder import PADDING_SCORE
from src.models.kernels import MAXIMUM, SquareSum, spread

_REFERENCE_FLOOR = -100.0
_SQUARE_SUM = SquareSum()  # without parameters; a graph can call cells but not make them


def attention_mse(student: Tensor, teacher: Tensor, mask: Tensor, reduction: str, count: Tensor | None = None
                  ) -> Tensor:
    """Mean squared difference of one layer's attention scores (TinyBERT, arXiv:1909.10351, eq. 7).

    Args:
        student, teacher: scores (B, h, S, S) before mask and softmax, scaled by 1/sqrt(head_dim).
        mask: (B, S), 1 for tokens, 0 for padding.
        reduction: `masked`: mean over heads and pairs of a real query and a real key. `reference`: as the authors'
            code: the -10000 of padded keys is added, every entry <= -100 becomes 0 on both sides, mean over all
            entries (padded keys add 0 but count; padded queries count in full).
        count: pairs of tokens, for `masked`.
    """
    student, teacher, mask = (x.astype(ms.float32) for x in (student, teacher, mask))
    keys = mask.expand_dims(1).expand_dims(2)  # (B, 1, 1, S)
    if reduction == "reference":
        bias = spread((1.0 - keys) * PADDING_SCORE, student.shape)
        return _mean_square(_zero_below_floor(student + bias) - _zero_below_floor(teacher + bias))
    weight = keys * mask.expand_dims(1).expand_dims(3)  # (B, 1, S, S)
    pairs = weight.sum() if count is None else count
    return _square_sum(student - teacher, weight) / (pairs * student.shape[1])


def hidden_mse(student: Tensor, teacher: Tensor, mask: Tensor, reduction: str, count: Tensor | None = None) -> Tensor:
    """Mean squared difference of one layer's hidden states (TinyBERT, eq. 8 and 9).

    Args:
        student: hidden states (B, S, H), already projected to the teacher's width.
        teacher: hidden states (B, S, H).
        mask: (B, S), 1 for tokens, 0 for padding.
        reduction: `masked`: mean over width and real tokens. `reference`: mean over all entries, padding too.
        count: tokens, for `masked`.
    """
    difference = student.astype(ms.float32) - teacher.astype(ms.float32)
    if reduction == "reference":
        return _mean_square(difference)
    weight = mask.astype(ms.float32).expand_dims(2)  # (B, S, 1)
    tokens = weight.sum() if count is None else count
    return _square_sum(difference, weight) / (tokens * difference.shape[2])


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float, reduction: str) -> Tensor:
    """Cross-entropy of the student's to the teacher's softened distribution (TinyBERT, eq. 10).

    Args:
        student, teacher: logits (B, C).
        temperature: T, divides both logits.
        reduction: `masked`: mean over rows, sum over classes, times T^2 (Hinton et al., arXiv:1503.02531, so that
            gradients keep their size over temperatures). `reference`: mean over rows and classes, without T^2.
    """
    log_student = ops.log_softmax(student.astype(ms.float32) / temperature, -1)
    soft_teacher = ops.softmax(teacher.astype(ms.float32) / temperature, -1)
    rows = -(soft_teacher * log_student).sum(-1)  # (B,)
    if reduction == "reference":
        return rows.mean() / student.shape[1]
    return rows.mean() * (temperature * temperature)


def logits_mse(student: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of outputs (B, C)."""
    return _mean_square(student.astype(ms.float32) - target.astype(ms.float32))


def label_mse(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared difference of scores (B, 1) and labels (B, 1); with `weights` (B,) the sum of each times its own."""
    if weights is None:
        return logits_mse(scores, labels)
    difference = scores.astype(ms.float32) - labels.astype(ms.float32)
    return ((difference * difference).sum(-1) * weights).sum()


def cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of logits (B, C) and class ids (B, 1); with `weights` (B,) the sum of each times its own."""
    log_probabilities = ops.log_softmax(logits.astype(ms.float32), -1)
    chosen = ops.one_hot(labels.reshape((-1,)), logits.shape[1], 1.0, 0.0)
    rows = -(chosen * log_probabilities).sum(-1)
    return rows.mean() if weights is None else (rows * weights).sum()


def tag_cross_entropy(logits: Tensor, labels: Tensor, count: Tensor | None = None, weights: Tensor | None = None
                      ) -> Tensor:
    """Cross-entropy of logits (B, S, C) and classes (B, S), mean over the tokens that have one (not IGNORED); with
    `weights` (B,) the sum over these of each times that of its row."""
    is_read = _labelled(labels)
    chosen = ops.one_hot(MAXIMUM(labels, 0), logits.shape[2], 1.0, 0.0)  # (B, S, C)
    tokens = -(chosen * ops.log_softmax(logits.astype(ms.float32), -1)).sum(-1)  # (B, S)
    if weights is not None:
        return ((tokens * is_read).sum(-1) * weights).sum()
    return _mean(tokens, is_read, count)


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


def span_cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of start and end logits (B, S, 2) and their tokens (B, 2), mean over both and the rows; with
    `weights` (B,) the sum over both of each times that of its row.

    Padding takes no part; BERT's code leaves it in the softmax.
    """
    chosen = ops.one_hot(labels, logits.shape[1], 1.0, 0.0)  # (B, 2, S)
    both = -(chosen * _log_softmax(logits, mask, 1.0)).sum(-1)  # (B, 2)
    return both.mean() if weights is None else (both.sum(-1) * weights).sum()


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
        count = MAXIMUM(weights.sum(), 1.0)
    return (rows * weights).sum() / count


def _zero_below_floor(x: Tensor) -> Tensor:
    return x * (x > _REFERENCE_FLOOR).astype(ms.float32)


def _square_sum(x: Tensor, weight: Tensor) -> Tensor:
    """The sum of the squares of x that count: the weight, broadcast, is 0 or 1 and thus its own square."""
    return _SQUARE_SUM(x * spread(weight, x.shape))


def _mean_square(x: Tensor) -> Tensor:
    return _SQUARE_SUM(x) / x.size
