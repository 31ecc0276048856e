# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TF-IDF and a logistic regression (scikit-learn): what a model without any pretraining reaches on the same rows.

    python -m experiments.quickstart.tfidf --data_dir TASK --output DIR --predictions_path FILE.jsonl

TASK is a folder with train.tsv, dev.tsv, test.tsv. The regularisation is chosen on dev; test is only predicted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import atomic_file, read_json, write_text
from src.tasks import get_task

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

INVERSE_REGULARISATION = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
VECTORIZER = {"ngram_range": (1, 2), "min_df": 2, "sublinear_tf": True, "token_pattern": r"(?u)\b\w+\b"}
"""Words and word pairs that occur at least twice, with logarithmic counts."""


def read_split(data_dir: Path, split: str) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """Return the texts of a split, their class ids (N,) int64, and the names of the classes."""
    task = get_task("tsv").resolve(data_dir)
    examples = list(task.read(data_dir, split))
    ids = np.asarray([task.label_id(example.label) for example in examples], np.int64)
    return [example.text_a for example in examples], ids, task.labels


def fit_on_dev(features: np.ndarray, targets: np.ndarray, dev_features: np.ndarray, dev_targets: np.ndarray,
               seed: int) -> tuple[LogisticRegression, float]:
    """Fit one logistic regression per strength of L2 regularisation; returns the first of the best on dev, and its
    accuracy there.
    """
    from sklearn.linear_model import LogisticRegression

    models = [LogisticRegression(C=strength, max_iter=2000, random_state=seed).fit(features, targets)
              for strength in INVERSE_REGULARISATION]
    scores = [float(model.score(dev_features, dev_targets)) for model in models]
    best = int(np.argmax(scores))
    return models[best], scores[best]


def fit_tfidf(data_dir: Path, seed: int) -> tuple[Pipeline, tuple[str, ...], float]:
    """Fit on train, choose the regularisation on dev; returns the pipeline, the labels in order, dev accuracy."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    texts, targets, labels = read_split(data_dir, "train")
    dev_texts, dev_targets, _ = read_split(data_dir, "dev")
    vectorizer = TfidfVectorizer(**VECTORIZER)
    model, accuracy = fit_on_dev(vectorizer.fit_transform(texts), targets, vectorizer.transform(dev_texts), dev_targets,
                                 seed)
    return make_pipeline(vectorizer, model), labels, accuracy


def save_tfidf(directory: Path, pipeline: Pipeline, labels: Sequence[str]) -> None:
    """Write model.npz (idf, coefficients, intercept) and vocabulary.json; no pickle, so that loading runs no code."""
    vectorizer, model = pipeline[0], pipeline[-1]
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    write_text(directory / "vocabulary.json", json.dumps({"labels": list(labels), "terms": terms}, ensure_ascii=False))
    with atomic_file(directory / "model.npz") as aside, open(aside, "wb") as file:
        np.savez(file, idf=vectorizer.idf_, coefficients=model.coef_, intercept=model.intercept_)


def load_tfidf(directory: Path) -> Pipeline:
    """Return the scikit-learn pipeline that `save_tfidf` stored; raises UserError for a missing or damaged file."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    stored = read_json(directory / "vocabulary.json")
    try:
        with np.load(directory / "model.npz", allow_pickle=False) as arrays:
            idf, coefficients, intercept = (arrays[name] for name in ("idf", "coefficients", "intercept"))
        vectorizer = TfidfVectorizer(**VECTORIZER, vocabulary=stored["terms"])
        vectorizer.idf_ = idf
        model = LogisticRegression()
        model.classes_ = np.arange(len(stored["labels"]))
    # SyntaxError, TokenError: NumPy reads the header of an array as a Python literal.
    except (OSError, ValueError, TypeError, KeyError, SyntaxError, TokenError, BadZipFile) as error:
        raise UserError(f"{directory} holds no readable TF-IDF model ({error}); fit it again") from error
    model.coef_, model.intercept_ = coefficients, intercept
    return make_pipeline(vectorizer, model)


def tfidf_size(directory: Path) -> tuple[int, int, int]:
    """Return (parameters, 0 of them in transformer layers, bytes of arrays and vocabulary on disk)."""
    with np.load(directory / "model.npz", allow_pickle=False) as arrays:
        parameters = int(arrays["coefficients"].size + arrays["intercept"].size)
    return parameters, 0, sum((directory / name).stat().st_size for name in ("model.npz", "vocabulary.json"))


def main(argv: list[str]) -> None:
    """Command line: fit and store the model, and write its predictions of test in eval.py's form."""
    parser = OneLineParser("experiments.quickstart.tfidf", __doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True, help="folder with train.tsv, dev.tsv, test.tsv")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--predictions_path", type=Path, required=True, help="JSON lines to write")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args(argv)
    pipeline, labels, accuracy = fit_tfidf(arguments.data_dir, arguments.seed)
    save_tfidf(arguments.output, pipeline, labels)
    print(f"TF-IDF + logistic regression (C {pipeline[-1].C:g}): dev accuracy {accuracy:.4f}")
    texts, targets, _ = read_split(arguments.data_dir, "test")
    rows = [{"index": index, "logits": [round(float(value), 6) for value in scores],
             "prediction": labels[int(np.argmax(scores))], "label": labels[target]}
            for index, (scores, target) in enumerate(zip(pipeline.predict_log_proba(texts), targets, strict=True))]
    write_text(arguments.predictions_path, "".join(json.dumps(row) + "\n" for row in rows))
    hits = sum(row["prediction"] == row["label"] for row in rows)
    print(f"TF-IDF + logistic regression: test accuracy {hits / len(rows):.4f} on {len(rows)} rows")


if __name__ == "__main__":
    run(main)
