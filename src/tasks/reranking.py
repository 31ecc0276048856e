# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reranking: a cross-encoder scores each document of a query, and the documents are sorted by their scores.

A row is a pair of query and document; the rows of a query stay together. See `candidate_lists` for the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from src.task_files.problems import Problems
from src.tasks.candidate_lists import Candidates, read_lists
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs
from src.tasks.ranking_metrics import NAMES, means, of_ranking, order_of
from src.tasks.task import Kind, Task
from src.tasks.text_encoding import encode_texts
from src.text.tokenization import Tokenizer

_NO_QUERY = -1


@dataclass(frozen=True, slots=True)
class _Pair:
    text_a: str
    text_b: str


@dataclass(frozen=True)
class RerankingTask(Task):
    """Lists of documents.

    Attributes:
        list_size: rows of each list in the records that are trained on: those of the longest list. Shorter ones are
            filled up with rows without tokens, so that a batch is whole lists. 0: lists stay as they are.
    """

    kind: Kind = "regression"
    metric_names: tuple[str, ...] = NAMES
    suffixes: tuple[str, ...] = (".jsonl", ".json")
    list_size: int = 0

    extra_columns: ClassVar[dict[str, int]] = {"example_ids": 1}
    label_field: ClassVar[str] = "labels"
    examples_a_piece: ClassVar[int] = 64
    keeps_lists: ClassVar[bool] = True

    @property
    def takes(self) -> str:
        return "pair"

    def label_width(self, seq_length: int) -> int:
        """What is learnt, and what stands for a teacher's score."""
        return 2

    def size_of(self, example: Candidates) -> int:
        return len(example.documents)

    def of_split(self, split: str, largest: int) -> Task:
        """Fill the lists of a training split up to the longest."""
        return replace(self, list_size=largest) if split.startswith("train") else self

    def how_read(self, split: str) -> dict[str, Any]:
        return {"list_size": self.list_size} if self.list_size else {}

    def read(self, directory_or_file: str | Path, split: str, problems: Problems | None = None
             ) -> Iterator[Candidates]:
        """Yield a split's lists; see `read_lists`."""
        return read_lists(self.file(directory_or_file, split), split, problems or Problems())

    def encode(self, examples: Sequence[Candidates], tokenizer: Tokenizer, options: EncodeOptions,
               first_index: int = 0) -> Features:
        """[CLS] query [SEP] document [SEP], cut to `seq_length`, the longer side first: a row a document.

        label_ids float32 (rows, 2): `Candidates.labels` and `Candidates.targets`. example_ids int32 (rows, 1): the
        number of the query. Rows that fill a list up to `list_size` have no token, labels 0, and the number -1.
        """
        pairs = [_Pair(example.query, document) for example in examples for document in example.documents]
        features = encode_texts(pairs, tokenizer, options.seq_length)
        sizes = np.array([len(example.documents) for example in examples], np.int64)
        values, rows = dict(features.values), np.repeat(np.arange(len(examples)), sizes)
        if self.is_labelled(examples):
            values["label_ids"] = np.array([pair for example in examples for pair in zip(
                example.labels or (), example.targets or (), strict=True)], np.float32).reshape(-1, 2)
        values["example_ids"] = (rows[:, None] + first_index).astype(np.int32)
        if self.list_size:
            # Where each row goes; the places between stay empty.
            places = np.arange(len(rows)) + np.repeat(np.arange(len(sizes)) * self.list_size - np.cumsum(sizes) + sizes,
                                                      sizes)
            filled = {name: np.zeros((len(sizes) * self.list_size, column.shape[1]), column.dtype)
                      for name, column in values.items()}
            filled["input_ids"][:] = tokenizer.pad_id
            filled["example_ids"][:] = _NO_QUERY
            for name, column in values.items():
                filled[name][places] = column
            values = filled
        return replace(features, values=values)

    def predictions(self, outputs: Outputs, options: DecodeOptions) -> list[dict[str, Any]]:
        """An entry a query: index, scores of its documents, prediction (their numbers from 0, the best first), and
        label (their relevance, None where there is none)."""
        labels = outputs.values.get("label_ids")
        return [{"index": index, "scores": [float(x) for x in outputs.logits[rows, 0]],
                 "prediction": order_of(outputs.logits[rows, 0]).tolist(),
                 "label": None if labels is None else labels[rows, 0].tolist()}
                for index, rows in _lists(outputs)]

    def score(self, outputs: Outputs, options: DecodeOptions) -> dict[str, float]:
        """Means over the queries; see `ranking_metrics`."""
        relevance = outputs.values["label_ids"][:, 0]
        return means(of_ranking(relevance[rows][order_of(outputs.logits[rows, 0])], relevance[rows])
                     for _, rows in _lists(outputs))


def _lists(outputs: Outputs) -> Iterator[tuple[int, slice]]:
    """Yield number and rows of each query."""
    begin = 0
    for index, rows in groupby(outputs.values["example_ids"][:, 0].tolist()):
        end = begin + sum(1 for _ in rows)
        if index != _NO_QUERY:
            yield index, slice(begin, end)
        begin = end


RERANKING = (RerankingTask(name="reranking"),)
