# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows in the ids of a smaller vocabulary, where words whose tokens are gone are spelled anew, and records of them.

A text between two special tokens keeps its tokens where all of them stayed; else it is decoded and cut again. Labels,
order, shards and what the manifest says of the files stay, so that row n is the same example in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.dataset import Batch, concatenate, read_rows
from src.records.columns import LABEL, Column, task_columns
from src.records.example import encode_examples
from src.records.folder import make_folder
from src.records.options import TaskOptions
from src.records.preparation import RecordsPlan
from src.records.reading import RecordSource
from src.records.report import Piece
from src.records.writers import deal
from src.tasks import Task
from src.tasks.task import model_inputs
from src.text.tokenization import Tokenizer

_ROWS = 1024


@dataclass(frozen=True)
class Spelling:
    """Rows in the ids of `whole` become rows in those of `smaller`."""

    whole: Tokenizer
    smaller: Tokenizer

    def __post_init__(self) -> None:
        own = {token: place for place, token in enumerate(self.smaller.tokens)}
        places = [own.get(token, -1) for token in self.whole.tokens]
        object.__setattr__(self, "_new", np.array(places, np.int64))

    def __call__(self, rows: Batch) -> tuple[list[list[int]], list[int], int]:
        """Return the new ids of each row, how many of them are of segment 0, and the number of rows that were cut: from
        the end of their longest text, to the length that they had room for."""
        new: np.ndarray = self._new  # type: ignore[attr-defined]
        is_special = np.isin(np.arange(len(new)), self.whole.special_ids)
        found: list[list[tuple[list[int], int]]] = []
        texts: list[tuple[int, int, str]] = []
        for number, (ids, segments, length) in enumerate(zip(rows.input_ids, rows.segment_ids, rows.lengths,
                                                             strict=True)):
            ids, segments = ids[:length], segments[:length]
            apart = is_special[ids]
            edges = np.flatnonzero(apart[1:] | apart[:-1] | (np.diff(segments) != 0)) + 1
            found.append([])
            for run, segment in zip(np.split(ids, edges), np.split(segments, edges), strict=True):
                own = new[run]
                if (own < 0).any():
                    texts.append((number, len(found[-1]), self.whole.decode(run.tolist())))
                found[-1].append((own.tolist(), int(segment[0]) if len(segment) else 0))
        for (number, place, _), spelled in zip(texts, self.smaller.encode_batch([text for _, _, text in texts]),
                                               strict=True):
            found[number][place] = spelled, found[number][place][1]
        room, cut = rows.input_ids.shape[1], 0
        for parts in found:
            excess = sum(len(ids) for ids, _ in parts) - room
            cut += excess > 0
            for _ in range(max(0, excess)):
                max((ids for ids, _ in parts), key=len).pop()
        return ([[each for ids, _ in parts for each in ids] for parts in found],
                [sum(len(ids) for ids, segment in parts if not segment) for parts in found], cut)


@dataclass(frozen=True)
class _Job:
    spelling: Spelling
    columns: tuple[Column, ...]
    num_shards: int

    def __call__(self, rows: Batch) -> Piece:
        """Return the rows, serialised."""
        smaller, length = self.spelling.smaller, rows.input_ids.shape[1]
        ids, first_lengths, cut = self.spelling(rows)
        values = model_inputs(ids, first_lengths, length, smaller.pad_id) | {LABEL: rows.label_ids}
        tokens = values["input_ids"][values["input_mask"] > 0]
        counts = {"sentences": len(ids), "tokens": len(tokens), "unknown": smaller.count_unknown(tokens),
                  "places": values["input_ids"].size, "padding": values["input_ids"].size - len(tokens),
                  "shortened": cut}
        messages = encode_examples({column.name: values[column.name] for column in self.columns})
        return Piece(deal(messages, self.num_shards), len(ids), counts)


def respell_records(source: RecordSource, task: Task, smaller: Tokenizer, folder: Path) -> None:
    """Write records of a task of whole texts anew, in a smaller vocabulary; a folder that is there stays.

    Args:
        source: prepared by this repository.
        task: with its labels settled.
    """
    manifest = source.manifest
    assert manifest is not None, "rows of other programs have no vocabulary to cut"
    columns = task_columns(manifest.seq_length, task.is_regression, LABEL in source.columns)
    options = TaskOptions(seq_length=manifest.seq_length, num_shards=len(source.files),
                          dataset_type=source.dataset_type)

    def chunks() -> Iterator[Batch]:
        rows, order = read_rows(source), source.data_order()
        if order is None:
            yield from rows
            return
        whole = concatenate(list(rows)).rows(order)
        for begin in range(0, len(order), _ROWS):
            yield whole.rows(slice(begin, begin + _ROWS))

    make_folder(RecordsPlan(
        output=folder, kind="task", columns=columns, tokenizer=smaller, options=options,
        settings={**manifest.settings, "respelled_from": manifest.vocab_hash},
        job=_Job(Spelling(source.tokenizer(), smaller), columns, len(source.files)), work=chunks(), total=source.rows,
        unit="rows", task=task, split=manifest.split, understood=manifest.understood), force=False, progress=False)
