# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Each loss term against an independent NumPy computation in float64."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor

from src.distill import losses

GENERATOR = np.random.default_rng(7)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]], np.int32)


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
