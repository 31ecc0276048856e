# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The micro-batches of a run: rows -> optimiser steps -> micro-batches -> this rank's share.

The order of the rows is a function of (seed, epoch). What is formed, shuffled and padded is the optimiser step, over
all ranks and micro-batches: 8 rows at once, twice 4 rows, or 4 rows on each of two devices train on the same rows, and
a resumed run goes on where it stopped.

Length buckets: a window of shuffled rows is sorted by length and cut into optimiser steps, these into micro-batches,
each padded to the smallest bucket that holds it on all ranks; then the steps are shuffled. Few lengths occur, one
compilation each, every batch has the same number of rows, and what does not fill the last step of an epoch waits for
another epoch's shuffling.

Batches also say over how many tokens the losses take their means: those of the whole optimiser step, so that each
token counts the same wherever it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import mindspore.dataset as ds
import numpy as np

from src.common.errors import UserError
from src.config.model import IGNORED
from src.dataset.language_model import LanguageModelTargets
from src.dataset.rows import Batch, pad_length, windows
from src.dataset.unlabelled import PartlyLabelled, label_weights, read_training_rows
from src.distill.batch import columns_of
from src.records.reading import RecordSource

# Bounds the memory of a window: 400 MB at 512 tokens a row.
_WINDOW_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class TeacherLogits:
    """A teacher's logits of a whole set of records, computed before (src/evaluate/teacher_logits.py), rows in the order
    of the files.

    Attributes:
        path: the folder they are kept in.
        values: float32 (rows, C), or (rows, S, C) of a model that says something of each token; mapped into memory.
    """

    path: Path
    values: np.ndarray

    def of_rows(self, index: np.ndarray, length: int) -> np.ndarray:
        """Return the logits of the rows at places `index`, int (B,): (B, C), or (B, length, C), cut off or filled up
        with zeros."""
        if self.values.ndim == 2:
            return self.values[index]
        chosen = self.values[index, :length]
        return np.pad(chosen, ((0, 0), (0, length - chosen.shape[1]), (0, 0)))


@dataclass(frozen=True, eq=False)
class JoinedLogits:
    """Those of the rows of a PartlyLabelled: the labelled ones', then the others'."""

    labelled: TeacherLogits
    unlabelled: TeacherLogits

    def of_rows(self, index: np.ndarray, length: int) -> np.ndarray:
        """See `TeacherLogits.of_rows`."""
        count = len(self.labelled.values)
        logits = np.array(self.labelled.of_rows(np.minimum(index, count - 1), length))
        others = index >= count
        logits[others] = self.unlabelled.of_rows(index[others] - count, length)
        return logits


@dataclass(frozen=True)
class TrainingBatches:
    """The micro-batches of a run, an iterable that MindSpore's GeneratorDataset takes.

    Attributes:
        batch_size: rows a rank and micro-step.
        total_micro_steps: micro-steps of the whole run.
        buckets: lengths that batches are padded to, in rising order (`resolve_buckets`).
        start: micro-steps that are already done.
        shuffle: False keeps the order of the records (no sorting by length either).
        group_by_size: False does not sort by length.
        bucket_window: optimiser steps whose rows are sorted together; fewer where they are large (65536 rows).
        rank, ranks: this process's share of each micro-batch.
        accumulation: micro-steps an optimiser step.
        targets: makes the labels of a language model; None: the labels of the records.
        teacher_logits: of the same rows; they become the last column. None: no such column. Not with `targets`.
    """

    source: RecordSource
    batch_size: int
    total_micro_steps: int
    buckets: tuple[int, ...]
    start: int = 0
    seed: int = 0
    shuffle: bool = True
    group_by_size: bool = True
    shuffle_buffer_size: int = 100_000
    bucket_window: int = 50
    rank: int = 0
    ranks: int = 1
    accumulation: int = 1
    targets: LanguageModelTargets | None = None
    teacher_logits: TeacherLogits | JoinedLogits | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what a micro-batch holds, in order."""
        return columns_of(self.targets is not None, self.teacher_logits is not None,
                          isinstance(self.source, PartlyLabelled))

    @property
    def step_rows(self) -> int:
        """Rows of an optimiser step over all ranks."""
        return self.batch_size * self.ranks * self.accumulation

    @property
    def micro_steps_per_epoch(self) -> int:
        """Micro-steps an epoch; rows that do not fill the last optimiser step are left out of that epoch."""
        return micro_steps_per_epoch(self.source, self.batch_size, self.ranks, self.accumulation)

    def __len__(self) -> int:
        return self.total_micro_steps - self.start

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        for number, rows in self._steps():
            for part, columns in enumerate(self._micro_batches(number, rows)):
                step = number * self.accumulation + part
                if self.start <= step < self.total_micro_steps:
                    yield np.array(step, np.int32), *(np.asarray(column, order="C") for column in columns)

    def _steps(self) -> Iterator[tuple[int, Batch]]:
        """Yield number and rows of each optimiser step that is not done."""
        number = self.start // self.accumulation
        epoch, skip = divmod(number, self.micro_steps_per_epoch // self.accumulation)
        while True:
            for window, chosen in islice(self._epoch(epoch), skip, None):
                if number * self.accumulation >= self.total_micro_steps:
                    return
                yield number, window.rows(chosen)
                number += 1
            epoch, skip = epoch + 1, 0

    def _epoch(self, epoch: int) -> Iterator[tuple[Batch, np.ndarray]]:
        """Yield the optimiser steps of an epoch: a window of rows, and which of them."""
        size = self.step_rows
        window_steps = max(1, min(self.bucket_window, _WINDOW_ROWS // size))
        # Two numbers into one seed below 2^31, which is what MindSpore's shuffle takes.
        seed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0] >> 1) if self.shuffle else None
        chunks = read_training_rows(self.source, seed, self.shuffle_buffer_size,
                                    with_index=self.teacher_logits is not None)
        for index, window in enumerate(windows(chunks, size * window_steps)):
            count = len(window.input_ids) // size
            order = np.arange(count * size)
            steps = np.arange(count)
            if self.shuffle and self.group_by_size and len(self.buckets) > 1:
                order = _by_length(window.lengths[: count * size], self.source.list_size)
                np.random.default_rng((self.seed, epoch, index)).shuffle(steps)
            for place in steps:
                yield window, order[place * size: (place + 1) * size]

    def _micro_batches(self, number: int, rows: Batch) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield this rank's columns, without the step, of each micro-batch of an optimiser step."""
        lengths, parts = rows.lengths, self.ranks * self.accumulation
        targets = self.targets and self.targets.of_step(rows, number, parts)
        counts = counts_of(rows, parts) if targets is None else ()
        weights = label_weights(rows, self.source, parts) if isinstance(self.source, PartlyLabelled) else None
        for first in range(0, self.step_rows, self.batch_size * self.ranks):
            # As long on every rank.
            width = pad_length(max(1, int(lengths[first: first + self.batch_size * self.ranks].max())), self.buckets)
            begin = first + self.rank * self.batch_size
            own = slice(begin, begin + self.batch_size)
            batch = rows.rows(own).fit(width)
            if targets is None:
                logits = self.teacher_logits
                yield (*batch.columns, *counts, *(() if weights is None else (weights[own],)),
                       *(() if logits is None else (logits.of_rows(batch.index, width),)))
            else:
                part = targets.part(own, width)
                places = self.targets.places(part, self.targets.most_places(self.step_rows * width))
                yield part.input_ids, batch.input_mask, batch.segment_ids, *places, part.token_weights

    def pipeline(self, source: Iterable | None = None) -> ds.GeneratorDataset:
        """Return the MindSpore dataset of these batches, or of those that `source` gives, one micro-batch a row; a
        thread of its own makes them."""
        return ds.GeneratorDataset(self if source is None else source, list(self.columns), shuffle=False,
                                   num_parallel_workers=1, python_multiprocessing=False)


def _by_length(lengths: np.ndarray, list_size: int) -> np.ndarray:
    """Return the order of rows, int64 (N,), from the shortest to the longest; lists stay together, sorted by their
    longest row."""
    size = max(1, list_size)
    lists = np.argsort(lengths.reshape(-1, size).max(1), kind="stable")
    return (lists[:, None] * size + np.arange(size)).reshape(-1)


def counts_of(rows: Batch, parts: int) -> np.ndarray:
    """Return the columns COUNTS of src/distill/batch.py for an optimiser step that is cut into so many parts; a row
    without tokens, which fills up a list of documents, has no labels."""
    tokens = np.count_nonzero(rows.input_mask, axis=1)
    counts = np.array([tokens.sum(), (tokens * tokens).sum(),
                       np.count_nonzero((rows.label_ids != IGNORED) & (tokens > 0)[:, None])])
    return (np.maximum(counts, 1) / parts).astype(np.float32)


def micro_steps_per_epoch(source: RecordSource, batch_size: int, ranks: int = 1, accumulation: int = 1) -> int:
    """Micro-steps of an epoch: those of whole optimiser steps.

    Raises:
        UserError: there are fewer rows than one optimiser step over all ranks takes, or a batch is no whole lists of
            documents.
    """
    rows, size = source.rows, batch_size * ranks * accumulation
    if rows < size:
        raise UserError(f"{source.files[0]} holds {rows} rows, fewer than the {size} of an optimiser step, "
                        f"{accumulation} times one batch of {batch_size} x {ranks} device(s); lower batch_size or "
                        "gradient_accumulation_steps, or add data")
    if source.list_size and batch_size % source.list_size:
        near = max(1, round(batch_size / source.list_size)) * source.list_size
        raise UserError(f"batch_size is {batch_size} rows, and those of {source.files[0].parent} belong together by "
                        f"{source.list_size} (documents of a query, texts of a pair), which stay in one batch; set "
                        f"batch_size to a multiple of {source.list_size}, such as {near}")
    return rows // size * accumulation
