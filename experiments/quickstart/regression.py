# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of a task in TSV files, and the logistic regression (scikit-learn) that suits its dev split best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src.common.errors import UserError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

INVERSE_REGULARISATION = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Rows:
    """The rows of one split, in the order of the file."""

    texts: list[str]
    labels: list[str]


def read_rows(directory: Path, split: str) -> Rows:
    """Read DIRECTORY/SPLIT.tsv.

    Raises:
        UserError: no such file, no rows, or a row without exactly two columns (file and line are named).
    """
    path = directory / f"{split}.tsv"
    try:
        header, *lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; expected a folder with train.tsv, dev.tsv and test.tsv") from error
    if header.split("\t") != ["text", "label"] or not lines:
        raise UserError(f"{path} starts with {header[:60]!r} and has {len(lines)} rows; expected the header "
                        "text<TAB>label and at least one row")
    fields = [line.split("\t") for line in lines]
    for number, row in enumerate(fields, start=2):
        if len(row) != 2:
            raise UserError(f"{path}:{number} has {len(row)} columns, expected text and label")
    return Rows([row[0] for row in fields], [row[1] for row in fields])


def class_ids(rows: Rows, labels: Sequence[str]) -> np.ndarray:
    """Return the labels as indices into `labels`, (N,) int64."""
    index = {label: i for i, label in enumerate(labels)}
    if unknown := sorted(set(rows.labels) - set(index)):
        raise UserError(f"label {unknown[0]!r} is not one of {', '.join(labels)}")
    return np.asarray([index[label] for label in rows.labels], dtype=np.int64)


def fit_on_dev(features: np.ndarray, targets: np.ndarray, dev_features: np.ndarray, dev_targets: np.ndarray,
               seed: int) -> tuple[LogisticRegression, float]:
    """Fit one logistic regression per strength of L2 regularisation; returns the best on dev and its dev accuracy.

    Of equally good ones the most strongly regularised is taken.
    """
    from sklearn.linear_model import LogisticRegression

    best, best_accuracy = None, -1.0
    for strength in INVERSE_REGULARISATION:
        model = LogisticRegression(C=strength, max_iter=2000, random_state=seed).fit(features, targets)
        accuracy = float(model.score(dev_features, dev_targets))
        if accuracy > best_accuracy:
            best, best_accuracy = model, accuracy
    assert best is not None
    return best, best_accuracy
