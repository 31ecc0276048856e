# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Terms of rerankers against their formulas in NumPy (float64); rows that fill lists up count nowhere."""

from __future__ import annotations

from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.config import HeadConfig, load_config
from src.distill.objectives import label_objective, objective_of
from src.distill.terms import TEACHER
from tests.refusals import refused

SIZE, HEAD = 4, HeadConfig("regression")
GENERATOR = np.random.default_rng(0)
STUDENT, TEACHERS = GENERATOR.normal(size=(2, 12, 1)) * 3
LABELS = np.stack([GENERATOR.integers(0, 2, 12), GENERATOR.normal(size=12) * 3], 1)
LABELS[4:8, 0] = (0.25, 0.5, 0.5, 1.0)
TOKENS = np.array([5, 5, 5, 5, 4, 3, 2, 0, 5, 1, 0, 0])
MASK = (np.arange(6) < TOKENS[:, None]).astype(np.int32)
LISTS = (slice(0, 4), slice(4, 7), slice(8, 10))
PHASE = load_config().task_distill.phase2


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max())
    return powers / powers.sum()


def expected(name: str, teacher: np.ndarray, temperature: float) -> float:
    s, t, relevance = STUDENT[:, 0], teacher[:, 0], LABELS[:, 0]
    real = TOKENS > 0
    if name == "score_mse":
        return float(np.mean((s - t)[real] ** 2))
    if name == "cross_entropy":
        p = 1 / (1 + np.exp(-s))
        return float(-np.mean((relevance * np.log(p) + (1 - relevance) * np.log(1 - p))[real]))
    if name == "list_kl":
        both = [(softmax(t[rows] / temperature), softmax(s[rows] / temperature)) for rows in LISTS]
        return float(np.mean([(p * np.log(p / q)).sum() for p, q in both]))
    margins = []
    for rows in LISTS:
        places = range(*rows.indices(12))
        squares = [((s[i] - s[j]) - (t[i] - t[j])) ** 2 for i in places for j in places if relevance[i] > relevance[j]]
        margins.append(np.mean(squares) if squares else 0.0)
    return float(np.mean(margins))


def value(objective: object, teacher: np.ndarray | None = None, scores: np.ndarray = STUDENT) -> float:
    term, = objective.terms
    batch = {"label_ids": Tensor(LABELS, ms.float32), "input_mask": Tensor(MASK)}
    given = {"logits": Tensor(teacher, ms.float32)} if teacher is not None else {}
    return float(term.function({"logits": Tensor(scores, ms.float32)}, given, batch, objective.options))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize(("name", "weights"), [
    ("list_kl", {"alpha_ce": 1.0}), ("score_mse", {"alpha_logits_mse": 1.0}),
    ("margin_mse", {"terms": {"margin_mse": 1.0}}), ("cross_entropy", {"alpha_label": 1.0})])
def test_terms_are_their_formulas(name: str, weights: dict, temperature: float) -> None:
    stage = replace(PHASE, **{"alpha_ce": 0.0, **weights}, temperature=temperature)
    objective = objective_of(stage, HEAD, list_size=SIZE)
    assert objective.names == (name,) and objective.need(TEACHER) == (name != "cross_entropy")
    assert value(objective, TEACHERS) == pytest.approx(expected(name, TEACHERS, temperature), rel=1e-6, abs=1e-6)
    changed = np.where(TOKENS[:, None] > 0, STUDENT, 1e3)
    assert value(objective, TEACHERS, changed) == pytest.approx(value(objective, TEACHERS), rel=1e-6)
    # The scores of the file in place of a teacher's.
    own = objective_of(replace(stage, regression_target="label"), HEAD, list_size=SIZE)
    assert own.names == (name,) and not own.need(TEACHER)
    assert value(own) == pytest.approx(expected(name, LABELS[:, 1:], temperature), rel=1e-6, abs=1e-6)


def test_extreme_scores_stay_finite() -> None:
    objective = label_objective(HEAD, SIZE)
    assert objective.names == ("cross_entropy",)
    assert np.isfinite(value(objective, scores=np.full((12, 1), 1e4)))


def test_parts_of_a_step_add_up() -> None:
    """Two halves with the counts of the whole step have its mean, though they have other numbers of documents."""
    objective = label_objective(HEAD, SIZE)
    term, = objective.terms
    count = Tensor(2 * np.count_nonzero(TOKENS) / 3, ms.float32)
    parts = [float(term.function(
        {"logits": Tensor(STUDENT[rows], ms.float32)}, {}, {
            "label_ids": Tensor(LABELS[rows], ms.float32), "input_mask": Tensor(MASK[rows]), "label_count": count},
        objective.options)) for rows in (slice(0, 4), slice(4, 8), slice(8, 12))]
    assert np.mean(parts) == pytest.approx(expected("cross_entropy", TEACHERS, 1.0), rel=1e-6)


def test_terms_of_lists_are_for_lists() -> None:
    refused("terms names margin_mse, which is no loss term for a student with a regression head", objective_of,
            replace(PHASE, terms={"margin_mse": 1.0}), HEAD)
    refused("terms names soft_cross_entropy.*for a reranker", objective_of,
            replace(PHASE, terms={"soft_cross_entropy": 1.0}), HEAD, list_size=SIZE)
