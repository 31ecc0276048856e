# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TF-IDF and a logistic regression: fitted, stored, loaded, measured, and its predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from experiments.quickstart.regression import class_ids, fit_on_dev, read_rows
from src.common.errors import UserError
from src.common.files import write_text
from src.common.untrusted import parse_json

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def vectorizer_settings() -> dict:
    """Words and word pairs that occur at least twice, with logarithmic counts."""
    return {"ngram_range": (1, 2), "min_df": 2, "sublinear_tf": True, "token_pattern": r"(?u)\b\w+\b"}


def fit_tfidf(data_dir: Path, seed: int) -> tuple[Pipeline, list[str], float]:
    """Fit on train, choose the regularisation on dev; returns the pipeline, the labels in order, dev accuracy."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    train, dev = read_rows(data_dir, "train"), read_rows(data_dir, "dev")
    labels = sorted(set(train.labels))
    vectorizer = TfidfVectorizer(**vectorizer_settings())
    features = vectorizer.fit_transform(train.texts)
    model, accuracy = fit_on_dev(features, class_ids(train, labels), vectorizer.transform(dev.texts),
                                 class_ids(dev, labels), seed)
    return make_pipeline(vectorizer, model), labels, accuracy


def save_tfidf(directory: Path, pipeline: Pipeline, labels: Sequence[str]) -> None:
    """Write model.npz (idf, coefficients, intercept) and vocabulary.json; no pickle, so that loading runs no code."""
    vectorizer, model = pipeline[0], pipeline[-1]
    directory.mkdir(parents=True, exist_ok=True)
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    write_text(directory / "vocabulary.json", json.dumps({"labels": list(labels), "terms": terms}, ensure_ascii=False))
    aside = directory / "model.part.npz"
    np.savez(aside, idf=vectorizer.idf_, coefficients=model.coef_, intercept=model.intercept_)
    os.replace(aside, directory / "model.npz")


def load_tfidf(directory: Path) -> tuple[Pipeline, list[str]]:
    """Return the scikit-learn pipeline that `save_tfidf` stored, and its labels in order.

    Raises:
        UserError: a missing or damaged file.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    try:
        stored = parse_json((directory / "vocabulary.json").read_text(encoding="utf-8"))
        with np.load(directory / "model.npz", allow_pickle=False) as arrays:
            idf, coefficients, intercept = (arrays[name] for name in ("idf", "coefficients", "intercept"))
    # SyntaxError, TokenError: NumPy reads the header of an array as a Python literal.
    except (OSError, ValueError, TypeError, KeyError, SyntaxError, TokenError, BadZipFile) as error:
        raise UserError(f"{directory} holds no readable TF-IDF model ({error}); fit it again") from error
    vectorizer = TfidfVectorizer(**vectorizer_settings(), vocabulary=stored["terms"])
    vectorizer.idf_ = idf
    model = LogisticRegression()
    model.classes_ = np.arange(len(stored["labels"]))
    model.coef_, model.intercept_ = coefficients, intercept
    return make_pipeline(vectorizer, model), stored["labels"]


def tfidf_size(directory: Path) -> tuple[int, int]:
    """Return (parameters, bytes): coefficients and intercept; arrays and vocabulary on disk."""
    with np.load(directory / "model.npz", allow_pickle=False) as arrays:
        parameters = int(arrays["coefficients"].size + arrays["intercept"].size)
    return parameters, sum((directory / name).stat().st_size for name in ("model.npz", "vocabulary.json"))


def write_predictions(path: Path, scores: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> None:
    """Write a line per row in eval.py's form, classes by name.

    Args:
        scores: (N, classes) logits or logarithms of probabilities.
        targets: (N,) class ids.
        labels: names of the classes.
    """
    lines = (json.dumps({"index": index, "logits": [round(float(value), 6) for value in row],
                         "prediction": labels[int(np.argmax(row))], "label": labels[int(target)]})
             for index, (row, target) in enumerate(zip(scores, targets, strict=True)))
    write_text(path, "\n".join(lines) + "\n")
