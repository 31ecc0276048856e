# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The losses of tagging and spans: values and gradients against NumPy in float64."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.config.model import IGNORED
from src.distill import losses

pytestmark = pytest.mark.medium

GENERATOR = np.random.default_rng(11)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0]], np.int32)
TAGS = np.array([[IGNORED, 0, 3, IGNORED, 1, IGNORED], [IGNORED, 2, 2, IGNORED, IGNORED, IGNORED], [IGNORED] * 6],
                np.int32)
SPANS = np.array([[1, 3], [0, 0], [2, 2]], np.int32)
T = 2.0


def logits(width: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple((GENERATOR.standard_normal((3, 6, width)) * 3).astype(np.float32) for _ in range(2))


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


@pytest.mark.parametrize("name", TERMS)
def test_value_and_gradient(name):
    student, teacher = logits(4 if name.startswith("tag") else 2)
    value, gradient = ms.value_and_grad(TERMS[name])(Tensor(student), Tensor(teacher))
    assert abs(float(value) - expected(name, student, teacher)) < 1e-5 * max(1, abs(float(value)))
    for place in ((0, 1, 0), (0, 2, 1), (1, 2, 1), (1, 5, 0), (2, 2, 0)):
        step = np.zeros(student.shape)
        step[place] = 1e-4
        slope = (expected(name, student + step, teacher) - expected(name, student - step, teacher)) / 2e-4
        assert abs(float(gradient[place]) - slope) < 1e-5 * max(1, abs(slope))


@pytest.mark.parametrize("name", ["span_cross_entropy", "span_divergence", "span_logits_mse"])
def test_padding_changes_nothing(name):
    student, teacher = logits(2)
    other = np.where(MASK[..., None] == 1, student, 1e3).astype(np.float32)
    assert float(TERMS[name](Tensor(student), Tensor(teacher))) == pytest.approx(
        float(TERMS[name](Tensor(other), Tensor(teacher))), abs=1e-6)


def test_no_labelled_token_is_no_loss():
    nothing = Tensor(np.full((3, 6), IGNORED, np.int32))
    student, teacher = map(Tensor, logits(4))
    assert float(losses.tag_cross_entropy(student, nothing)) == 0
    assert float(losses.tag_soft_cross_entropy(student, teacher, nothing, T, "masked")) == 0
