# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Each loss term against an independent NumPy computation in float64; of tagging and spans the gradients too."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.config.model import IGNORED
from src.distill import losses

GENERATOR = np.random.default_rng(7)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0]], np.int32)
TAGS = np.array([[IGNORED, 0, 3, IGNORED, 1, IGNORED], [IGNORED, 2, 2, IGNORED, IGNORED, IGNORED], [IGNORED] * 6],
                np.int32)
SPANS = np.array([[1, 3], [0, 0], [2, 2]], np.int32)
T = 2.0


def pair(*shape: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    return tuple((GENERATOR.standard_normal(shape) * scale).astype(np.float32) for _ in range(2))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def relative(ours: Tensor, expected: float) -> float:
    return abs(float(ours) - expected) / abs(expected)


def attention_loops(student: np.ndarray, teacher: np.ndarray, reference: bool) -> float:
    """The definition, entry by entry."""
    total, count = 0.0, 0
    for b, h, q, k in np.ndindex(student.shape):
        s, t = float(student[b, h, q, k]), float(teacher[b, h, q, k])
        if reference:
            bias = 0.0 if MASK[b, k] else -10000.0
            s, t = (0.0 if x + bias <= -100 else x + bias for x in (s, t))
            total, count = total + (s - t) ** 2, count + 1
        elif MASK[b, q] and MASK[b, k]:
            total, count = total + (s - t) ** 2, count + 1
    return total / count


@pytest.mark.parametrize("reduction", ["masked", "reference"])
def test_attention_mse(reduction):
    student, teacher = pair(3, 2, 6, 6, scale=60.0)  # large enough that some real entries lie below -100
    assert (student < -100).any()
    ours = losses.attention_mse(Tensor(student), Tensor(teacher), Tensor(MASK), reduction)
    assert relative(ours, attention_loops(student, teacher, reduction == "reference")) < 1e-5


@pytest.mark.parametrize("reduction", ["masked", "reference"])
def test_hidden_mse(reduction):
    student, teacher = pair(3, 6, 5)
    squares = (student.astype(np.float64) - teacher) ** 2
    expected = squares[MASK.astype(bool)].mean() if reduction == "masked" else squares.mean()
    ours = losses.hidden_mse(Tensor(student), Tensor(teacher), Tensor(MASK), reduction)
    assert relative(ours, expected) < 1e-5


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("reduction", ["masked", "reference"])
def test_soft_cross_entropy(reduction, temperature):
    student, teacher = pair(4, 3, scale=3.0)
    soft_student, soft_teacher = (softmax(x.astype(np.float64) / temperature) for x in (student, teacher))
    entries = -soft_teacher * np.log(soft_student)
    expected = entries.mean() if reduction == "reference" else entries.sum(1).mean() * temperature ** 2
    ours = losses.soft_cross_entropy(Tensor(student), Tensor(teacher), temperature, reduction)
    assert relative(ours, expected) < 1e-5


def test_logits_mse():
    student, teacher = pair(5, 1)
    assert relative(losses.logits_mse(Tensor(student), Tensor(teacher)),
                    ((student.astype(np.float64) - teacher) ** 2).mean()) < 1e-5


def test_cross_entropy():
    logits, _ = pair(4, 3)
    labels = np.array([[0], [2], [1], [1]], np.int32)
    expected = -np.log(softmax(logits.astype(np.float64))[np.arange(4), labels[:, 0]]).mean()
    assert relative(losses.cross_entropy(Tensor(logits), Tensor(labels)), expected) < 1e-5


def test_masked_reductions_do_not_see_padding():
    student, teacher = pair(3, 2, 6, 6)
    hidden_s, hidden_t = pair(3, 6, 5)
    keys = MASK[:, None, None, :] * MASK[:, None, :, None]
    noise = 50.0 * (1 - keys) * GENERATOR.standard_normal(student.shape)
    noise_hidden = 50.0 * (1 - MASK[:, :, None]) * GENERATOR.standard_normal(hidden_s.shape)
    mask = Tensor(MASK)
    attention = [float(losses.attention_mse(Tensor(x.astype(np.float32)), Tensor(teacher), mask, "masked"))
                 for x in (student, student + noise)]
    hidden = [float(losses.hidden_mse(Tensor(x.astype(np.float32)), Tensor(hidden_t), mask, "masked"))
              for x in (hidden_s, hidden_s + noise_hidden)]
    assert attention[0] == pytest.approx(attention[1], rel=1e-6)
    assert hidden[0] == pytest.approx(hidden[1], rel=1e-6)


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return x - x.max(-1, keepdims=True) - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True))


def span_rows(student: np.ndarray, teacher: np.ndarray, temperature: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Log-probabilities over the real tokens alone, student's and teacher's, of each row and of start and end."""
    return [(log_softmax(student[row, :n, place] / temperature), log_softmax(teacher[row, :n, place] / temperature))
            for row, n in enumerate(MASK.sum(1)) for place in (0, 1)]


def tagged(values: np.ndarray) -> float:
    return float(values[TAGS != IGNORED].mean())


def expected(name: str, student: np.ndarray, teacher: np.ndarray) -> float:
    if name == "tag_cross_entropy":
        return tagged(-np.take_along_axis(log_softmax(student), np.maximum(TAGS, 0)[..., None], 2)[..., 0])
    if name.startswith("tag_soft"):
        rows = -(np.exp(log_softmax(teacher / T)) * log_softmax(student / T)).sum(-1)
        return tagged(rows) * (T * T if name.endswith("masked") else 1 / student.shape[2])
    if name == "tag_logits_mse":
        return tagged(((student.astype(np.float64) - teacher) ** 2).mean(-1))
    if name == "span_cross_entropy":
        places = [place for row in SPANS for place in row]
        return float(np.mean([-own[place] for (own, _), place in zip(span_rows(student, teacher, 1.0), places,
                                                                    strict=True)]))
    if name == "span_divergence":
        rows = [(np.exp(its) * (its - own)).sum() for own, its in span_rows(student, teacher, T)]
        return float(np.mean(rows)) * T * T
    return float((((student.astype(np.float64) - teacher) ** 2).mean(-1))[MASK == 1].mean())


TERMS = {
    "tag_cross_entropy": lambda s, t: losses.tag_cross_entropy(s, Tensor(TAGS)),
    "tag_soft_masked": lambda s, t: losses.tag_soft_cross_entropy(s, t, Tensor(TAGS), T, "masked"),
    "tag_soft_reference": lambda s, t: losses.tag_soft_cross_entropy(s, t, Tensor(TAGS), T, "reference"),
    "tag_logits_mse": lambda s, t: losses.tag_logits_mse(s, t, Tensor(TAGS)),
    "span_cross_entropy": lambda s, t: losses.span_cross_entropy(s, Tensor(SPANS), Tensor(MASK)),
    "span_divergence": lambda s, t: losses.span_divergence(s, t, Tensor(MASK), T),
    "span_logits_mse": lambda s, t: losses.span_logits_mse(s, t, Tensor(MASK)),
}


@pytest.mark.medium
@pytest.mark.parametrize("name", TERMS)
def test_value_and_gradient(name):
    student, teacher = pair(3, 6, 4 if name.startswith("tag") else 2, scale=3.0)
    value, gradient = ms.value_and_grad(TERMS[name])(Tensor(student), Tensor(teacher))
    assert abs(float(value) - expected(name, student, teacher)) < 1e-5 * max(1, abs(float(value)))
    for place in ((0, 1, 0), (0, 2, 1), (1, 2, 1), (1, 5, 0), (2, 2, 0)):
        step = np.zeros(student.shape)
        step[place] = 1e-4
        slope = (expected(name, student + step, teacher) - expected(name, student - step, teacher)) / 2e-4
        assert abs(float(gradient[place]) - slope) < 1e-5 * max(1, abs(slope))


@pytest.mark.parametrize("name", ["span_cross_entropy", "span_divergence", "span_logits_mse"])
def test_padding_changes_nothing(name):
    student, teacher = pair(3, 6, 2, scale=3.0)
    other = np.where(MASK[..., None] == 1, student, 1e3).astype(np.float32)
    assert float(TERMS[name](Tensor(student), Tensor(teacher))) == pytest.approx(
        float(TERMS[name](Tensor(other), Tensor(teacher))), abs=1e-6)


def test_no_labelled_token_is_no_loss():
    nothing = Tensor(np.full((3, 6), IGNORED, np.int32))
    student, teacher = map(Tensor, pair(3, 6, 4, scale=3.0))
    assert float(losses.tag_cross_entropy(student, nothing)) == 0
    assert float(losses.tag_soft_cross_entropy(student, teacher, nothing, T, "masked")) == 0
