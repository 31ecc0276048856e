# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The rows of a task, or of text, one at a time and without padding: what somebody asks a deployed model.

Several artefacts of one model are run on the same rows in turn (a slower moment of the machine meets all), and each is
given the metric of its task, what it answered, and the median time of a row.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.config import Config
from src.config.labels import order_of
from src.config.model import INPUTS
from src.dataset import Batch, language_evaluation_batches
from src.dataset.compatibility import fitted_to
from src.device import Device
from src.evaluate.embeddings import Text, pair_outputs, read_pairs
from src.evaluate.language import LanguageEvaluation, evaluation_of
from src.evaluate.tasks import Rows, batch_of, decode_options, open_rows
from src.records.columns import LABEL
from src.tasks.features import DecodeOptions, Outputs
from src.tasks.metrics import pearson
from src.tasks.text_encoding import encode_texts

Feed = dict[str, np.ndarray]
"""`input_ids`, `input_mask`, `segment_ids`: int64 (1, S), all tokens real."""
Run = Callable[[Feed], Sequence[np.ndarray]]
"""A model, run on the thread that calls it: the first of its outputs are logits (1, C) or (1, S, C)."""

_WARM_UP_CALLS = 3


class Row(NamedTuple):
    """What goes into a model, and what is kept of the logits that come out."""

    feed: Feed
    keep: Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Examined:
    """What a model did on some rows.

    Attributes:
        metrics: the task's; the first is the one that counts.
        answers: what it predicted, for the agreement with another.
        milliseconds: median of a call, of the processor's time; by the clock it takes as long where nothing else runs.
        rows: how many there were.
    """

    metrics: dict[str, float]
    answers: Sequence[Any]
    milliseconds: float
    rows: int


class ByRow(ABC):
    """Rows one by one, and how what a model made of them is scored; `metric` names what counts."""

    metric: str

    @abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Open the rows anew."""

    @abstractmethod
    def check_labelled(self) -> None:
        """Raise `UserError` where there is nothing to score."""

    @abstractmethod
    def score(self, kept: Sequence[Any]) -> tuple[dict[str, float], Sequence[Any]]:
        """Return metrics and answers from what was kept of each row, in order.

        Raises:
            UserError: the rows have no labels.
        """

    def agreement(self, one: Sequence[Any], other: Sequence[Any]) -> float:
        """Return the share of equal answers."""
        return sum(a == b for a, b in zip(one, other, strict=True)) / max(1, len(one))


class TaskByRow(ByRow):
    """Rows of a task. `order` says which of the model's classes each class of the task is."""

    def __init__(self, rows: Rows, options: DecodeOptions, order: Sequence[int] | None, location: str):
        self.rows, self.options, self.location = rows, options, location
        self.order = slice(None) if order is None else list(order)
        self.metric = rows.task.primary_metric

    def __iter__(self) -> Iterator[Row]:
        for chunk in self.rows.chunks():
            for place in range(len(chunk.input_ids)):
                yield Row(_feed(chunk, place), lambda logits: logits[0][..., self.order])

    def check_labelled(self) -> None:
        """Raise `UserError` where there is nothing to score."""
        if not self.rows.is_labelled:
            raise UserError(f"the rows of {self.location} have no labels, and the {self.metric} needs them; give "
                            "labelled ones, such as those of the dev split")

    def score(self, kept: Sequence[np.ndarray]) -> tuple[dict[str, float], Sequence[Any]]:
        """Return the task's metrics, and its predictions: a class, score or answer an example, a tag a word."""
        self.check_labelled()
        length = self.rows.length
        if kept[0].ndim == 2:  # (S, C) of tokens, filled up with zeros to the longest S
            kept = [np.pad(own, ((0, length - len(own)), (0, 0))) for own in kept]
        logits = np.stack(kept).astype(np.float32)
        labels = np.concatenate([chunk.fit(length).label_ids for chunk in self.rows.chunks()])
        outputs = self.rows.complete(Outputs(logits, {LABEL: labels}))
        task = self.rows.task
        answers = [entry["prediction"] for entry in task.predictions(outputs, self.options)]
        if task.kind == "tagging":
            answers = [tag for tags in answers for tag in tags]
        return task.score(outputs, self.options), answers

    def agreement(self, one: Sequence[Any], other: Sequence[Any]) -> float:
        """Return the share of equal answers, rankings among them; of scores Pearson's correlation."""
        if self.rows.task.is_regression and not self.rows.task.keeps_lists:
            return pearson(np.array(one), np.array(other))
        return super().agreement(one, other)


class PairsByRow(ByRow):
    """Pairs of texts with scores, for a model that embeds texts: one text a row, the two of a pair one after the
    other."""

    def __init__(self, loaded: LoadedModel, location: str, setting: str, split: str, config: Config):
        self.task, self.examples = read_pairs(loaded, location, setting, split, config)
        self.tokenizer, self.location, self.metric = loaded.tokenizer(), location, self.task.primary_metric
        self.length, self.options = min(config.data.seq_length, loaded.config.max_length), decode_options(config.task)

    def __iter__(self) -> Iterator[Row]:
        for example in self.examples:
            texts = [Text(example.text_a), Text(example.text_b or "")]
            batch = batch_of(encode_texts(texts, self.tokenizer, self.length).values)
            for place in range(2):
                yield Row(_feed(batch, place), lambda embeddings: embeddings[0])

    def check_labelled(self) -> None:
        """Raise `UserError` where the pairs have no scores."""
        if not self.task.is_labelled(self.examples):
            raise UserError(f"the pairs of {self.location} have no scores, and the {self.metric} needs them; give "
                            "labelled ones, such as those of the dev split")

    def score(self, kept: Sequence[np.ndarray]) -> tuple[dict[str, float], Sequence[Any]]:
        """Return the correlations of the cosines with the scores, and the cosines."""
        self.check_labelled()
        vectors = np.stack(kept)
        outputs = pair_outputs(self.task, self.examples, vectors[0::2], vectors[1::2])
        return self.task.score(outputs, self.options), outputs.logits[:, 0].tolist()

    def agreement(self, one: Sequence[Any], other: Sequence[Any]) -> float:
        """Return Pearson's correlation of the cosines."""
        return pearson(np.array(one), np.array(other))


class TextByRow(ByRow):
    """Held-out text of a language model: the same tokens to predict as `LanguageEvaluation`."""

    metric = "accuracy"

    def __init__(self, evaluation: LanguageEvaluation):
        self.evaluation = evaluation

    def __iter__(self) -> Iterator[Row]:
        own = self.evaluation
        for _, batch, places in language_evaluation_batches(own.chunks(0), own.targets, 1, own.buckets):
            is_real = places.label_weights > 0
            positions, labels = places.positions[is_real], places.label_ids[is_real]

            def keep(logits: np.ndarray, positions: np.ndarray = positions, labels: np.ndarray = labels) -> Any:
                chosen = logits[0, positions].astype(np.float64)  # (K, V)
                chosen -= chosen.max(-1, keepdims=True)
                likelihoods = chosen[np.arange(len(labels)), labels] - np.log(np.exp(chosen).sum(-1))
                return likelihoods, chosen.argmax(-1), labels

            yield Row(_feed(batch, 0), keep)

    def check_labelled(self) -> None:
        """Text is its own label."""

    def score(self, kept: Sequence[Any]) -> tuple[dict[str, float], Sequence[Any]]:
        """Return accuracy and perplexity of the predicted tokens, and the most likely token of each place."""
        likelihoods, answers, labels = map(np.concatenate, zip(*kept, strict=True))
        if not len(labels):
            raise UserError("the held-out text has no token to predict; give more text")
        return {"accuracy": float(np.mean(answers == labels)),
                "perplexity": math.exp(min(-float(likelihoods.mean()), 700.0))}, answers.tolist()


def _feed(batch: Batch, place: int) -> Feed:
    length = max(1, int(batch.lengths[place]))
    return {name: getattr(batch, name)[place: place + 1, :length].astype(np.int64) for name in INPUTS}


def open_by_row(loaded: LoadedModel, location: str, setting: str, split: str, config: Config, device: Device) -> ByRow:
    """Open rows for a model: records, or the files of its task; text for a language model.

    Args:
        setting: names what gave `location`.
        split: which is read where `location` has several.

    Raises:
        UserError: nothing that this model can read, rows of another task, or a model without a head.
    """
    if not location:
        raise UserError(f"{setting} is empty; give records, or a folder with the task's files: --{setting} DIR")
    own = loaded.config
    if own.head.kind == "none":
        raise UserError(f"{loaded.directory} has no head, so that no metric says what it loses; give a fine-tuned or "
                        "task-distilled checkpoint")
    if own.head.kind == "embedding":
        return PairsByRow(loaded, location, setting, split, config)
    data = replace(config.data, seq_length=min(config.data.seq_length, own.encoder.max_length))  # of text
    if own.head.is_language_model:
        return TextByRow(evaluation_of(loaded, location, config.mlm, data, 1, config.seed, device))
    rows = open_rows(location, split, loaded, data, config.task, config.seed)
    if own.task_name not in ("", rows.task.name):
        raise UserError(f"{setting} {location} holds rows of task {rows.task.name}, but {loaded.directory} is a model "
                        f"of {own.task_name}; give rows of {own.task_name}")
    head = rows.task.head()
    fitted = fitted_to(loaded, head, "checkpoint", device.say)
    order = None if fitted is loaded else order_of(own.head.labels, head.labels)
    return TaskByRow(rows, decode_options(config.task), order, location)


def orders(count: int) -> Iterator[list[int]]:
    """Yield orders to call models in, over and over: each follows any other, and none itself, whose weights the caches
    would still hold."""
    generator, last = np.random.default_rng(0), -1
    while True:
        order = generator.permutation(count).tolist()
        if order[0] == last:
            order.append(order.pop(0))
        last = order[-1]
        yield order


def examine(models: Sequence[tuple[ByRow, Run]]) -> list[Examined]:
    """Run several models in turn, row by row; each has the same rows in the tokens of its own vocabulary.

    Raises:
        UserError: there are no rows, or they have no labels.
    """
    kept: list[list[Any]] = [[] for _ in models]
    seconds: list[list[float]] = [[] for _ in models]
    in_turn = orders(len(models))
    rows_of_all = zip(*(rows for rows, _ in models), strict=True)
    for number, rows in enumerate(tqdm(rows_of_all, desc="verification", unit="rows", disable=None)):
        for place in next(in_turn):
            run, row = models[place][1], rows[place]
            for _ in range(0 if number else _WARM_UP_CALLS):
                run(row.feed)
            # Of the processor: other work on the machine interrupts the long calls more often than the short ones.
            began = time.thread_time()
            logits = run(row.feed)[0]
            seconds[place].append(time.thread_time() - began)
            kept[place].append(row.keep(logits))
    if not kept[0]:
        raise UserError("there are no rows to verify on")
    found = []
    for (rows_of_one, _), its, times in zip(models, kept, seconds, strict=True):
        metrics, answers = rows_of_one.score(its)
        found.append(Examined(metrics, answers, float(np.median(times)) * 1e3, len(its)))
    return found
