# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of text tasks against counting and NumPy, where predictions are degenerate too."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from src.tasks.metrics import METRICS, compute
from tests.refusals import refused

GENERATOR = np.random.default_rng(5)

CLASSES = {
    "random": (GENERATOR.integers(0, 2, 101), GENERATOR.integers(0, 2, 101)),
    "one": (np.array([1]), np.array([1])),
    "one wrong": (np.array([0]), np.array([1])),
    "all right": (np.array([0, 1, 1, 0]), np.array([0, 1, 1, 0])),
    "all wrong": (np.array([1, 0, 0, 1]), np.array([0, 1, 1, 0])),
    "constant predictions": (np.ones(6, int), np.array([0, 1, 1, 0, 1, 0])),
    "never predicted": (np.zeros(6, int), np.array([0, 1, 1, 0, 1, 0])),
    "constant labels": (np.array([0, 1, 1, 0]), np.ones(4, int)),
    "no positives": (np.zeros(4, int), np.zeros(4, int)),
    "only false positives": (np.ones(4, int), np.zeros(4, int)),
    "rare": (np.eye(1, 200, 7, dtype=int)[0], np.eye(1, 200, 8, dtype=int)[0]),
}


def counted(predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The metrics of two classes from the four counts; 0 where a denominator is 0."""
    tp, tn = (float(np.sum((predictions == c) & (labels == c))) for c in (1, 0))
    fp, fn = float(np.sum((predictions == 1) & (labels == 0))), float(np.sum((predictions == 0) & (labels == 1)))
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {"accuracy": (tp + tn) / len(labels), "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0,
            "matthews_correlation": (tp * tn - fp * fn) / root if root else 0.0}


@pytest.mark.parametrize("case", CLASSES)
def test_classes(case: str) -> None:
    predictions, labels = CLASSES[case]
    names = ("accuracy", "f1", "matthews_correlation")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Column vectors, as records have them, mean the same.
        ours = compute(names, predictions, labels[:, None])
    assert list(ours) == list(names)
    assert ours == pytest.approx(counted(predictions, labels), abs=1e-12)


SCORES = {
    "random": (GENERATOR.normal(size=80), GENERATOR.normal(size=80)),
    "ties in both": (GENERATOR.integers(0, 3, 60) / 2, GENERATOR.integers(0, 6, 60).astype(float)),
    "reversed": (np.arange(9.0)[::-1], np.arange(9.0)),
    "two": (np.array([1.0, 2.0]), np.array([3.0, 3.5])),
    "single precision": (GENERATOR.normal(size=50).astype(np.float32) + np.float32(1e4),
                         GENERATOR.normal(size=50).astype(np.float32)),
    "outlier": (np.append(np.arange(20.0), 1e9), np.append(np.arange(20.0)[::-1], 5.0)),
}


@pytest.mark.parametrize("case", SCORES)
def test_scores(case: str) -> None:
    predictions, labels = SCORES[case]
    ours = compute(("spearman", "pearson"), predictions, labels)
    x, y = predictions.astype(np.float64), labels.astype(np.float64)
    assert ours["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)
    # Spearman's is Pearson's of the ranks, the mean rank on ties.
    ranks = stats.rankdata(x), stats.rankdata(y)
    assert ours["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)


@pytest.mark.parametrize(("predictions", "labels"), [
    (np.full(5, 2.5), np.arange(5.0)), (np.arange(5.0), np.full(5, 2.5)), (np.array([1.0]), np.array([1.0])),
    (np.array([1.0, np.nan, 2.0]), np.arange(3.0)), (np.array([1.0, np.inf, 2.0]), np.arange(3.0)),
])
def test_undefined_correlations_are_zero(predictions: np.ndarray, labels: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compute(("spearman", "pearson"), predictions, labels) == {"spearman": 0.0, "pearson": 0.0}


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_score(name: str) -> None:
    refused("at least one: got 0 predictions and 0 labels", compute, (name,), np.zeros(0), np.zeros(0))
    refused("got 0 predictions and 3 labels", compute, (name,), [], [1, 0, 1])
