# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses of embeddings against their formulas in float64; rows of padding count nowhere."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.distill.embedding_losses import TEMPERATURE, embedding_cosine, embedding_mse, similarity_divergence


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def squares(s: np.ndarray, t: np.ndarray) -> float:
    return float(np.mean([(own - its) @ (own - its) / len(own) for own, its in zip(s, t, strict=True)]))


def cosine(s: np.ndarray, t: np.ndarray) -> float:
    return float(np.mean(1 - (unit(s) * unit(t)).sum(1)))


def divergence(s: np.ndarray, t: np.ndarray) -> float:
    total = 0.0
    for place in range(len(s)):
        others = [other for other in range(len(s)) if other != place]
        its, own = (np.exp(unit(x)[others] @ unit(x)[place] / TEMPERATURE) for x in (t, s))
        its, own = its / its.sum(), own / own.sum()
        total += float((its * np.log(its / own)).sum())
    return total / len(s)


LOSSES = [(embedding_mse, squares), (embedding_cosine, cosine), (similarity_divergence, divergence)]


@pytest.mark.parametrize(("loss", "formula"), LOSSES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("padding", [0, 3])
def test_is_its_formula(loss: Callable, formula: Callable, padding: int) -> None:
    generator = np.random.default_rng(padding)
    student = generator.normal(size=(9, 16)).astype(np.float32)
    teacher = (student + 0.5 * generator.normal(size=(9, 16))).astype(np.float32)
    mask = np.ones((9, 4), np.int32)
    mask[9 - padding:] = 0
    mask[0, 2:] = 0
    given = [Tensor(each) for each in (student, teacher, mask)]
    real = [each[: 9 - padding].astype(np.float64) for each in (student, teacher)]
    assert float(loss(*given)) == pytest.approx(formula(*real), abs=1e-6)
    gradient = ms.grad(loss)(*given).asnumpy()
    assert np.isfinite(gradient).all() and not gradient[9 - padding:].any()
    assert (np.abs(gradient[: 9 - padding]).max(axis=1) > 0).all()
    assert float(loss(given[0], given[0], given[2])) == pytest.approx(0, abs=1e-6)


def test_widths_may_differ_where_similarities_are_compared_and_one_text_has_none() -> None:
    student, teacher = np.eye(4, 5, dtype=np.float32), np.eye(4, 7, dtype=np.float32)
    mask = Tensor(np.ones((4, 2), np.int32))
    assert float(similarity_divergence(Tensor(student), Tensor(teacher), mask)) == pytest.approx(0, abs=1e-6)
    assert float(similarity_divergence(Tensor(student[:1]), Tensor(teacher[1:2]), mask[:1])) == 0
