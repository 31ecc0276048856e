# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The metrics of the GLUE benchmark, from scikit-learn and SciPy.

Each takes predictions and labels, arrays (N,): class ids, or float scores on a regression task. A value that is not
defined (the correlation with constant predictions, or with NaN) is 0.0, so that a run's best step can always be chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import stats
from sklearn import metrics

from src.common.errors import UserError


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Share of the predictions that equal their label."""
    return float(np.mean(predictions == labels))


def f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """F1 of class 1, as MRPC and QQP are scored."""
    return float(metrics.f1_score(labels, predictions, pos_label=1, average="binary", zero_division=0))


def matthews_correlation(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Matthews' correlation coefficient (CoLA)."""
    if np.ptp(predictions) == 0 or np.ptp(labels) == 0:
        return 0.0
    return float(metrics.matthews_corrcoef(labels, predictions))


def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Pearson's correlation of scores (STS-B)."""
    return _correlation(stats.pearsonr, predictions, labels)


def spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Spearman's rank correlation of scores (STS-B)."""
    return _correlation(stats.spearmanr, predictions, labels)


def _correlation(function: Callable, predictions: np.ndarray, labels: np.ndarray) -> float:
    # In the precision of the logits, the mean of large scores would cost Pearson's correlation its digits.
    predictions, labels = predictions.astype(np.float64), labels.astype(np.float64)
    is_defined = np.isfinite(predictions).all() and np.isfinite(labels).all()
    if not is_defined or np.ptp(predictions) == 0 or np.ptp(labels) == 0:
        return 0.0
    value = float(function(predictions, labels)[0])
    return 0.0 if math.isnan(value) else value


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    function.__name__: function for function in (accuracy, f1, matthews_correlation, pearson, spearman)}


def compute(names: tuple[str, ...], predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the named metrics of predictions and labels, both (N,) with N >= 1."""
    predictions, labels = np.asarray(predictions).reshape(-1), np.asarray(labels).reshape(-1)
    if len(predictions) != len(labels) or not len(labels):
        raise UserError(f"metrics need as many predictions as labels, and at least one: got {len(predictions)} "
                        f"predictions and {len(labels)} labels")
    return {name: METRICS[name](predictions, labels) for name in names}
