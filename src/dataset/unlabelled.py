# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labelled rows and unlabelled ones as one set of training rows: an epoch is one pass over all of them, in an order in
which each is as likely as any other.

A row's place is that among the labelled rows, or the number of these plus that among the unlabelled ones.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import mindspore.dataset as ds
import numpy as np

from src.config.model import IGNORED
from src.dataset.reading import read_rows
from src.dataset.rows import Batch, concatenate
from src.records.columns import LABEL
from src.records.reading import RecordSource

WORDS = "word_ids"
"""The column of tagged records that says which tokens have a tag: -1 elsewhere."""
_ROWS = 1024


@dataclass(frozen=True)
class PartlyLabelled(RecordSource):
    """The rows of two sets of records of one task, vocabulary and length (src/dataset/compatibility.py). What is known
    of it beside its files and rows is what is known of the labelled ones."""

    labelled: RecordSource
    unlabelled: RecordSource


def with_unlabelled(labelled: RecordSource, unlabelled: RecordSource | None = None) -> RecordSource:
    """Return both as one; the labelled rows themselves where there are no others."""
    if unlabelled is None:
        return labelled
    return PartlyLabelled(labelled.files + unlabelled.files, labelled.dataset_type, labelled.columns,
                          labelled.rows + unlabelled.rows, labelled.manifest, labelled.tokenizer_path, labelled,
                          unlabelled)


def read_training_rows(source: RecordSource, shuffle_seed: int | None = None, shuffle_buffer_size: int = 1,
                       limit: int = 0, with_index: bool = False) -> Iterator[Batch]:
    """Read all rows once, as `read_rows` does. Of a PartlyLabelled source each row has its place, and zeros stand for
    labels that are not there; without `shuffle_seed` the labelled rows come first. `limit` is one for each part."""
    if not isinstance(source, PartlyLabelled):
        yield from read_rows(source, shuffle_seed, shuffle_buffer_size, limit, with_index)
        return
    # Each part's reader sets MindSpore's seed, and sets it back to what it was before its own beginning.
    seed = ds.config.get_seed()
    others = None if shuffle_seed is None else _seed_beside(shuffle_seed)
    try:
        with (closing(read_rows(source.labelled, shuffle_seed, shuffle_buffer_size, limit, True)) as labelled,
              closing(_without_labels(source, others, shuffle_buffer_size, limit)) as unlabelled):
            yield from labelled if shuffle_seed is None else _shuffled(source, shuffle_seed, labelled, unlabelled)
            yield from unlabelled
    finally:
        ds.config.set_seed(seed)


def label_weights(batch: Batch, source: PartlyLabelled, parts: int) -> np.ndarray:
    """Return the column ROW_WEIGHTS of src/distill/batch.py for the rows of an optimiser step that is cut into so many
    parts: float32 (rows,)."""
    assert batch.index is not None, "these rows know their places"
    is_labelled = batch.index < source.labelled.rows
    labels = np.count_nonzero(is_labelled)
    if batch.label_ids.dtype != np.float32:  # of each row as many, but of tags
        labels = np.count_nonzero(batch.label_ids[is_labelled] != IGNORED)
    return is_labelled.astype(np.float32) * np.float32(parts / max(1, labels))


def _seed_beside(seed: int) -> int:
    """Another seed below 2^31."""
    return int(np.random.SeedSequence((seed, 1)).generate_state(1)[0] >> 1)


def _shuffled(source: PartlyLabelled, seed: int, labelled: Iterator[Batch], unlabelled: Iterator[Batch]
              ) -> Iterator[Batch]:
    """Draw from two streams of shuffled rows so that all rows are shuffled together."""
    from_unlabelled = np.zeros(source.rows, bool)
    from_unlabelled[source.labelled.rows:] = True
    np.random.default_rng((seed, 2)).shuffle(from_unlabelled)
    streams = _Stream(labelled), _Stream(unlabelled)
    for first in range(0, source.rows, _ROWS):
        chosen = from_unlabelled[first: first + _ROWS]
        parts = [stream.take(np.count_nonzero(chosen == place)) for place, stream in enumerate(streams)]
        joined = concatenate([part for held in parts for part in held])
        # The labelled ones stand first: the sort is undone.
        yield joined.rows(np.argsort(np.argsort(chosen, kind="stable"), kind="stable"))


class _Stream:
    """Chunks of rows, of which any number is taken at a time."""

    def __init__(self, chunks: Iterator[Batch]):
        self.chunks = chunks
        self.held: Batch | None = None

    def take(self, count: int) -> list[Batch]:
        """Return the next `count` rows, in pieces."""
        pieces = []
        while count:
            chunk = self.held or next(self.chunks)
            pieces.append(chunk.rows(slice(0, count)))
            left = chunk.rows(slice(count, None))
            self.held = left if len(left.input_ids) else None
            count -= len(pieces[-1].input_ids)
        return pieces


def _without_labels(source: PartlyLabelled, seed: int | None, buffer: int, limit: int
                    ) -> Generator[Batch, None, None]:
    """The rows that count as unlabelled; of tags 0 stands where one would be."""
    column, others = source.labelled.columns[LABEL], source.unlabelled
    of_tokens = column.shape == others.columns["input_ids"].shape
    has_labels = LABEL in others.columns
    for batch in read_rows(others, seed, buffer, limit, True, labels=LABEL if has_labels or not of_tokens else WORDS):
        if of_tokens:
            has_tag = batch.label_ids != IGNORED if has_labels else batch.label_ids >= 0
            labels = np.where(has_tag, 0, IGNORED).astype(np.int32)
        else:
            kind = np.float32 if column.dtype == "float32" else np.int32
            labels = np.zeros((len(batch.input_ids), *column.shape), kind)
        assert batch.index is not None
        yield batch._replace(label_ids=labels, index=batch.index + source.labelled.rows)
