# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The only reader of records, for training and evaluation alike: rows -> global batches -> this rank's share.

The order of the rows is a function of (seed, epoch), whatever the number of devices: batches are formed for all
ranks together and each takes its slice, so that more devices train on the same batches as one with the same total
batch size, and a resumed run goes on where it stopped.

Length buckets: `bucket_window` batches of shuffled rows are sorted by length together and cut into batches, each
padded to the smallest bucket that holds it; then the batches are shuffled. Few lengths occur, one compilation each,
every batch has the same number of rows, and what does not fill the last batch of an epoch waits for another epoch's
shuffling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import mindspore.dataset as ds
import numpy as np
from mindspore import dtype as mstype

from src.config import DataConfig
from src.errors import UserError
from src.records.columns import LABEL, Kind
from src.records.reading import RecordSource, inspect

COLUMNS = ("input_ids", "input_mask", "segment_ids", "label_ids", "step")
_READ_ROWS = 1024


class Batch(NamedTuple):
    """int32 (B, S) three times, and labels (B, 1), int32 or float32 (zeros where the records have none)."""

    input_ids: np.ndarray
    input_mask: np.ndarray
    segment_ids: np.ndarray
    label_ids: np.ndarray

    def rows(self, choice: slice | np.ndarray) -> Batch:
        """Return some of the rows."""
        return Batch(*(column[choice] for column in self))

    def cut(self, length: int) -> Batch:
        """Return the first `length` tokens of each row."""
        return Batch(self.input_ids[:, :length], self.input_mask[:, :length], self.segment_ids[:, :length],
                     self.label_ids)

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each row, int64 (B,): one past the last unmasked position."""
        width = self.input_mask.shape[1]
        return np.where(self.input_mask.any(1), width - np.argmax(self.input_mask[:, ::-1] != 0, axis=1), 0)


def concatenate(parts: list[Batch]) -> Batch:
    """Join the rows of several batches of the same length."""
    return Batch(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def resolve_buckets(buckets: tuple[int, ...], seq_length: int) -> tuple[int, ...]:
    """Return the lengths that batches are padded to: the buckets below seq_length, then seq_length itself."""
    return (*(b for b in buckets if b < seq_length), seq_length)


def pad_length(longest: int, buckets: tuple[int, ...]) -> int:
    """Return the smallest bucket that holds `longest` tokens."""
    return next(b for b in buckets if b >= longest)


# ---------------------------------------------------------------------------------------------------------------
# Rows, in MindSpore's own readers


def open_records(location: str, data: DataConfig, setting: str, kind: Kind, split: str = "",
                 is_labelled: bool = True) -> RecordSource:
    """Find and check the records of a setting (`data_dir`, `train_data_dir`, `eval_data_dir`).

    Raises:
        UserError: the setting is empty, or what it names cannot be read (see src/records/reading.py).
    """
    if not location:
        raise UserError(f"{setting} is empty; give a folder of records, --{setting} DIR (prepare_data.py {kind} "
                        "makes it)")
    return inspect(location, data.dataset_type, data.schema_dir, kind, split, data.verify_records, is_labelled)


def identity_of(source: RecordSource) -> str:
    """Return a digest that changes with the records: of their checksums, or of names and sizes without a manifest."""
    if source.manifest is not None:
        parts = sorted(entry.sha256 for entry in source.manifest.files.values())
    else:
        parts = [f"{file.name}:{file.stat().st_size}" for file in source.files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def read_rows(source: RecordSource, shuffle_seed: int | None = None, shuffle_buffer_size: int = 1) -> Iterator[Batch]:
    """Read all rows once, in the order of the files or shuffled, as chunks of up to 1024 rows.

    Args:
        source: what `src.records.reading.inspect` found.
        shuffle_seed: the order is a function of it; None keeps the order of the files.
        shuffle_buffer_size: rows that are shuffled together; the whole set where it is at least as large.

    Raises:
        UserError: a record cannot be read.
    """
    names = [name for name in COLUMNS[:4] if name in source.columns]
    previous = ds.config.get_seed()
    if shuffle_seed is not None:
        ds.config.set_seed(shuffle_seed)
    try:
        pipeline = _open(source, names).take(source.rows)
        if shuffle_seed is not None:
            pipeline = pipeline.shuffle(max(2, min(shuffle_buffer_size, source.rows)))
        pipeline = pipeline.batch(_READ_ROWS, drop_remainder=False, num_parallel_workers=1)
        for values in pipeline.create_tuple_iterator(num_epochs=1, output_numpy=True):
            yield _chunk(dict(zip(names, values, strict=True)))
    except (RuntimeError, ValueError) as error:
        files = ", ".join(str(f) for f in source.files[:2])
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"records cannot be read ({files}): {reason}; check dataset_type and schema_dir, or prepare "
                        "them again") from error
    finally:
        ds.config.set_seed(previous)


def _open(source: RecordSource, names: list[str]) -> ds.Dataset:
    """Chain the files one after another; the readers' own interleaving differs between the two formats."""
    if source.dataset_type == "mindrecord":
        return reduce(lambda a, b: a + b,
                      [ds.MindDataset(str(f), names, shuffle=False, num_parallel_workers=1) for f in source.files])
    schema = ds.Schema()
    for name in names:
        # Casting inside the reader costs nothing; a map operation afterwards does.
        kind = mstype.float32 if source.columns[name].dtype == "float32" else mstype.int32
        schema.add_column(name, kind, list(source.columns[name].shape))
    return reduce(lambda a, b: a + b,
                  [ds.TFRecordDataset(str(f), schema, names, shuffle=False, num_parallel_workers=1)
                   for f in source.files])


def _chunk(columns: dict[str, np.ndarray]) -> Batch:
    ids, mask, segments = (columns[name].astype(np.int32, copy=False) for name in COLUMNS[:3])
    labels = columns.get(LABEL)
    if labels is None:
        labels = np.zeros((len(ids), 1), np.int32)
    elif labels.dtype != np.float32:
        labels = labels.astype(np.int32, copy=False)
    return Batch(ids, mask, segments, labels.reshape(len(ids), 1))


def _windows(chunks: Iterator[Batch], rows: int) -> Iterator[Batch]:
    """Regroup chunks into windows of `rows` rows; the last one may be smaller."""
    held: list[Batch] = []
    count = 0
    for chunk in chunks:
        held.append(chunk)
        count += len(chunk.input_ids)
        while count >= rows:
            joined = concatenate(held)
            yield joined.rows(slice(0, rows))
            held = [joined.rows(slice(rows, None))]
            count -= rows
    if count:
        yield concatenate(held)


# ---------------------------------------------------------------------------------------------------------------
# Training


@dataclass(frozen=True)
class TrainingBatches:
    """The micro-batches of a run, an iterable that MindSpore's GeneratorDataset takes.

    Attributes:
        source: the records.
        batch_size: rows a rank and micro-step.
        total_micro_steps: micro-steps of the whole run.
        start: micro-steps that are already done.
        seed: order of the rows.
        shuffle: False keeps the order of the records (no sorting by length either).
        shuffle_buffer_size, buckets, bucket_window: see default_config.yaml.
        rank, ranks: this process's share of each global batch.
    """

    source: RecordSource
    batch_size: int
    total_micro_steps: int
    buckets: tuple[int, ...]
    start: int = 0
    seed: int = 0
    shuffle: bool = True
    shuffle_buffer_size: int = 100_000
    bucket_window: int = 50
    rank: int = 0
    ranks: int = 1

    @property
    def global_batch_size(self) -> int:
        """Rows of a micro-step over all ranks."""
        return self.batch_size * self.ranks

    @property
    def steps_per_epoch(self) -> int:
        """Micro-steps an epoch; rows that do not fill the last one are left out of that epoch."""
        return steps_per_epoch(self.source, self.batch_size, self.ranks)

    def __len__(self) -> int:
        return self.total_micro_steps - self.start

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        epoch, skip = divmod(self.start, self.steps_per_epoch)
        step = self.start
        while step < self.total_micro_steps:
            for place, batch in enumerate(self._epoch(epoch)):
                if place < skip:
                    continue
                if step == self.total_micro_steps:
                    return
                own = batch.rows(slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size))
                yield (*(np.ascontiguousarray(column) for column in own), np.array(step, np.int32))
                step += 1
            epoch, skip = epoch + 1, 0

    def _epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the global batches of an epoch, padded."""
        size = self.global_batch_size
        # Two numbers into one seed below 2^31, which is what MindSpore's shuffle takes.
        seed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0] >> 1) if self.shuffle else None
        chunks = read_rows(self.source, seed, self.shuffle_buffer_size)
        for index, window in enumerate(_windows(chunks, size * self.bucket_window)):
            count = len(window.input_ids) // size
            lengths = window.lengths[: count * size]
            order = np.arange(count * size)
            batches = np.arange(count)
            if self.shuffle and len(self.buckets) > 1:
                order = np.argsort(lengths, kind="stable")
                np.random.default_rng((self.seed, epoch, index)).shuffle(batches)
            for place in batches:
                rows = order[place * size: (place + 1) * size]
                yield window.rows(rows).cut(pad_length(max(1, int(lengths[rows].max())), self.buckets))

    def pipeline(self) -> ds.GeneratorDataset:
        """Return the MindSpore dataset, columns COLUMNS, one micro-batch a row."""
        return ds.GeneratorDataset(self, list(COLUMNS), shuffle=False, num_parallel_workers=1,
                                   python_multiprocessing=False)


def steps_per_epoch(source: RecordSource, batch_size: int, ranks: int = 1) -> int:
    """Micro-steps of an epoch.

    Raises:
        UserError: there are fewer rows than one batch over all ranks takes.
    """
    rows = source.rows
    if rows < batch_size * ranks:
        raise UserError(f"{source.files[0]} holds {rows} rows, fewer than one batch of {batch_size} x {ranks} "
                        "device(s); lower --batch_size or add data")
    return rows // (batch_size * ranks)


# ---------------------------------------------------------------------------------------------------------------
# Evaluation


class EvaluationBatch(NamedTuple):
    """A padded batch of always `batch_size` rows, of which the first `len(index)` are real."""

    index: np.ndarray  # int64 (real,): place of each real row in the records
    batch: Batch


def evaluation_batches(chunks: Iterable[Batch], batch_size: int, buckets: tuple[int, ...],
                       window: int = 50) -> Iterator[EvaluationBatch]:
    """Yield every row once, the last partial batch too (filled up with copies of its first row).

    Args:
        chunks: rows of the same length in any portions, such as `read_rows` gives.
        batch_size: rows of every batch.
        buckets: lengths that batches are padded to.
        window: rows are sorted by length within this many batches; `index` tells where each belongs.
    """
    start = 0
    for rows in _windows(iter(chunks), batch_size * window):
        lengths = rows.lengths
        order = np.argsort(lengths, kind="stable")
        for first in range(0, len(order), batch_size):
            chosen = order[first: first + batch_size]
            filled = np.concatenate([chosen, np.repeat(chosen[:1], batch_size - len(chosen))])
            length = pad_length(max(1, int(lengths[filled].max())), buckets)
            yield EvaluationBatch(chosen + start, rows.rows(filled).cut(length))
        start += len(order)
