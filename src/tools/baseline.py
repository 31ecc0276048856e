# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two logistic regressions (scikit-learn) that a distilled student is compared with.

    python -m src.tools.baseline tfidf   --data_dir TASK --output DIR
    python -m src.tools.baseline probe   --checkpoint GENERAL_STUDENT --data_dir TASK --output DIR
    python -m src.tools.baseline predict --model DIR --data_dir TASK --split test --predictions_path FILE.jsonl

`tfidf` works on words and word pairs: what a model without any pretraining reaches on the same rows.

`probe` measures the student before task distillation. A general-distilled student has no classifier, and a randomly
initialised one says nothing; so a logistic regression is fitted on the frozen student's pooled [CLS] output for the
same training rows and stored as the classification head of a checkpoint directory, which eval.py, export.py and the
benchmark treat like any other model. The regularisation of both is chosen on dev; test is not looked at.

TASK is a folder with train.tsv, dev.tsv, test.tsv: a header and `text<TAB>label` rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from src.errors import UserError, run
from src.files import write_text
from src.tools.arguments import OneLineParser, add_device_target
from src.untrusted import parse_json

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

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


# --- TF-IDF -----------------------------------------------------------------------------------------------------------


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


# --- a logistic regression as the head of a frozen encoder ------------------------------------------------------------


def batches_by_length(lengths: Sequence[int], tokens: int) -> Iterable[np.ndarray]:
    """Yield row indices, shortest rows first, so that each batch padded to its longest row has at most `tokens`."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * lengths[order[end]] <= tokens:
            end += 1
        yield order[start:end]
        start = end


def head_weights(model: LogisticRegression, mean: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (weight (classes, H), bias (classes,)) float32 that act on features which are not standardised.

    scikit-learn keeps one row for two classes, the score of the second; it is shared out to ±1/2, which leaves the
    difference of the two logits, and so the probabilities, as they are.
    """
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scale
    return weight.astype(np.float32), (bias - weight @ mean).astype(np.float32)


def encode(texts: Sequence[str], tokenizer_path: Path, seq_length: int) -> tuple[list[list[int]], int]:
    """Return [CLS] tokens [SEP] of each text, cut to `seq_length` tokens, and the padding id."""
    from src.tokenization import load_tokenizer

    tokenizer = load_tokenizer(tokenizer_path)
    rows = [[tokenizer.cls_id, *ids[:seq_length - 2], tokenizer.sep_id] for ids in tokenizer.encode_batch(list(texts))]
    return rows, tokenizer.pad_id


def pad(rows: Sequence[Sequence[int]], length: int, pad_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return input_ids, input_mask and segment_ids, int32 (len(rows), length)."""
    input_ids = np.full((len(rows), length), pad_id, dtype=np.int32)
    input_mask = np.zeros_like(input_ids)
    for i, row in enumerate(rows):
        input_ids[i, :len(row)] = row
        input_mask[i, :len(row)] = 1
    return input_ids, input_mask, np.zeros_like(input_ids)


def pooled_features(checkpoint: Path, texts: Sequence[str], seq_length: int, device_target: str) -> np.ndarray:
    """Return the frozen encoder's pooled output (tanh of a dense layer on [CLS]), (len(texts), H) float32."""
    import mindspore as ms

    from src.config import load_config
    from src.models.heads import build_model
    from src.train.checkpoint import load_model, load_parameters
    from src.train.device import set_up_device

    loaded = load_model(checkpoint)
    if loaded.tokenizer_path is None:
        raise UserError(f"checkpoint {checkpoint} has no tokenizer.json or vocab.txt; copy the teacher's into it")
    device = set_up_device(load_config(device__device_target=device_target))
    headless = replace(loaded.config, head=type(loaded.config.head)())
    model = build_model(headless, device.compute_type)
    load_parameters(model, {name: value for name, value in loaded.parameters.items() if name.startswith("encoder.")},
                    checkpoint)
    # One compilation for all lengths.
    model.set_inputs(*(ms.Tensor(shape=[None, None], dtype=ms.int32) for _ in range(3)))
    rows, pad_id = encode(texts, loaded.tokenizer_path, seq_length)
    lengths = [len(row) for row in rows]
    features = np.zeros((len(rows), loaded.config.encoder.hidden_size), dtype=np.float32)
    for batch in batches_by_length(lengths, tokens=64 * seq_length):
        arrays = pad([rows[i] for i in batch], lengths[batch[-1]], pad_id)
        _, pooled = model(*(ms.Tensor(array) for array in arrays))
        features[batch] = pooled.asnumpy()
    return features


def probe(checkpoint: Path, data_dir: Path, output: Path, seq_length: int, seed: int, device_target: str) -> float:
    """Fit the head on the frozen encoder of `checkpoint` and write the checkpoint directory `output`.

    Returns:
        accuracy on dev.
    """
    from src.train.checkpoint import load_model, save_model

    train, dev = read_rows(data_dir, "train"), read_rows(data_dir, "dev")
    labels = tuple(sorted(set(train.labels)))
    features = pooled_features(checkpoint, [*train.texts, *dev.texts], seq_length, device_target)
    mean, scale = features[:len(train.texts)].mean(axis=0), features[:len(train.texts)].std(axis=0) + 1e-6
    standardised = (features - mean) / scale
    model, accuracy = fit_on_dev(standardised[:len(train.texts)], class_ids(train, labels),
                                 standardised[len(train.texts):], class_ids(dev, labels), seed)
    loaded = load_model(checkpoint)
    head = replace(loaded.config.head, kind="classification", labels=labels, pooled_activation="none")
    weight, bias = head_weights(model, mean, scale)
    parameters = {name: value for name, value in loaded.parameters.items() if name.startswith("encoder.")}
    parameters |= {"head.classifier.weight": weight, "head.classifier.bias": bias}
    save_model(output, replace(loaded.config, head=head, task_name="tsv"), parameters, loaded.tokenizer_path)
    return accuracy


# --- command line -----------------------------------------------------------------------------------------------------


def main(argv: list[str]) -> None:
    """Command line: tfidf, probe, predict."""
    parser = OneLineParser("src.tools.baseline", __doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    tfidf_parser = commands.add_parser("tfidf", help="fit TF-IDF + logistic regression")
    probe_parser = commands.add_parser("probe", help="fit a classification head on a frozen encoder")
    predict_parser = commands.add_parser("predict", help="write the predictions of a TF-IDF model")
    for each in (tfidf_parser, probe_parser, predict_parser):
        each.add_argument("--data_dir", type=Path, required=True, help="folder with train.tsv, dev.tsv, test.tsv")
    for each in (tfidf_parser, probe_parser):
        each.add_argument("--output", type=Path, required=True, help="folder to write")
        each.add_argument("--seed", type=int, default=42)
    probe_parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint directory of the encoder")
    probe_parser.add_argument("--seq_length", type=int, default=64, help="longest sequence in tokens")
    add_device_target(probe_parser)
    predict_parser.add_argument("--model", type=Path, required=True, help="folder written by `tfidf`")
    predict_parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    predict_parser.add_argument("--predictions_path", type=Path, required=True, help="JSON lines to write")
    arguments = parser.parse_args(argv)
    if arguments.command == "tfidf":
        pipeline, labels, accuracy = fit_tfidf(arguments.data_dir, arguments.seed)
        save_tfidf(arguments.output, pipeline, labels)
        print(f"TF-IDF + logistic regression (C {pipeline[-1].C:g}): dev accuracy {accuracy:.4f}")
    elif arguments.command == "probe":
        accuracy = probe(arguments.checkpoint, arguments.data_dir, arguments.output, arguments.seq_length,
                         arguments.seed, arguments.device_target)
        print(f"logistic regression on the frozen pooled output: dev accuracy {accuracy:.4f}")
    else:
        pipeline, labels = load_tfidf(arguments.model)
        rows = read_rows(arguments.data_dir, arguments.split)
        scores, targets = pipeline.predict_log_proba(rows.texts), class_ids(rows, labels)
        write_predictions(arguments.predictions_path, scores, targets, labels)
        print(f"TF-IDF + logistic regression: {arguments.split} accuracy "
              f"{float(np.mean(np.argmax(scores, axis=1) == targets)):.4f} on {len(targets)} rows")


if __name__ == "__main__":
    run(main)
