# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of records in MindSpore's own readers: from files to chunks of bounded size."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Generator, Iterable
from functools import reduce

import mindspore.dataset as ds
import numpy as np
from mindspore import dtype as mstype

from src.common.errors import UserError
from src.config import DataConfig
from src.config.model import INPUTS
from src.dataset.rows import Batch
from src.records.columns import COMMANDS, LABEL, VARIABLE, Kind
from src.records.reading import RecordSource, inspect

_READ_ROWS = 1024
_INDEX = "index"
# Fills rows of variable length up inside the reader: no token has this number.
_NO_TOKEN = -1


def open_records(location: str, data: DataConfig, setting: str, kind: Kind, split: str = "",
                 is_labelled: bool = True) -> RecordSource:
    """Find and check the records of a setting (`data_dir`, `train_data_dir`, `eval_data_dir`).

    Raises:
        UserError: the setting is empty, or what it names cannot be read (see src/records/reading.py); the rows are
            longer than the seq_length that was asked for.
    """
    if not location:
        raise UserError(f"{setting} is empty; give a folder of records, --{setting} DIR ({COMMANDS[kind]} makes it)")
    source = inspect(location, data.dataset_type, data.schema_dir, kind, split, data.verify_records, is_labelled)
    # A teacher's own rows may be longer than the student's.
    if "seq_length" in data.given and not setting.startswith("teacher."):
        _check_length(source, data.seq_length, setting)
    return source


def _check_length(source: RecordSource, seq_length: int, setting: str) -> None:
    longest = longest_row(source, seq_length)
    if longest > seq_length:
        rows = f"rows of up to {longest} tokens" if is_ragged(source) else f"rows of {longest} tokens"
        raise UserError(f"seq_length is {seq_length}, but {source.files[0].parent} ({setting}) holds {rows}, which are "
                        f"not cut here; set seq_length {longest} or leave it out to take them as they are, or prepare "
                        f"the records again with --seq_length {seq_length}")


def identity_of(source: RecordSource) -> str:
    """Return a digest that changes with the records: of their checksums, or of names and sizes without a manifest."""
    if source.manifest is not None:
        parts = sorted(entry.sha256 for entry in source.manifest.files.values())
    else:
        parts = [f"{file.name}:{file.stat().st_size}" for file in source.files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def is_ragged(source: RecordSource) -> bool:
    """Whether the rows have variable length: one column, input_ids, without padding."""
    return source.columns[INPUTS[0]].shape == VARIABLE


def longest_row(source: RecordSource, seq_length: int) -> int:
    """Return the longest row that may occur: `seq_length` where rows have any length and no manifest tells it."""
    if not is_ragged(source):
        return source.columns[INPUTS[0]].shape[0]
    return source.manifest.seq_length if source.manifest is not None else seq_length


def read_rows(source: RecordSource, shuffle_seed: int | None = None, shuffle_buffer_size: int = 1,
              limit: int = 0, with_index: bool = False, labels: str = LABEL
              ) -> Generator[Batch, None, None]:
    """Read all rows once, in the order of the files or shuffled, as chunks of up to 1024 rows.

    Where the records are lists of documents, whole lists are shuffled, and a chunk is whole lists.

    Rows of variable length are padded to the longest of their chunk; all their tokens are real, of segment 0.

    Args:
        shuffle_seed: the order is a function of it; None keeps the order of the files.
        shuffle_buffer_size: rows that are shuffled together; the whole set where it is at least as large.
        limit: read only so many rows; 0 = all.
        with_index: tell each row's place in the records, in the same order of rows; not for rows of variable length.
        labels: the column that becomes the labels, int or float32; zeros (rows, 1) where the records have none.

    Raises:
        UserError: a record cannot be read.
    """
    names = [INPUTS[0]] if is_ragged(source) else [name for name in (*INPUTS, labels) if name in source.columns]
    rows = min(limit, source.rows) if limit else source.rows
    previous = ds.config.get_seed()
    if shuffle_seed is not None:
        ds.config.set_seed(shuffle_seed)
    try:
        pipeline = _open(source, names)
        if with_index:
            # The shuffling goes by the number of rows alone, so that another column changes nothing.
            places = ds.NumpySlicesDataset(np.arange(rows), [_INDEX], shuffle=False, num_parallel_workers=1)
            pipeline, names = ds.zip((pipeline, places)), [*names, _INDEX]
        pipeline = pipeline.take(rows)
        size = source.list_size
        if size:  # from here on an element is a list
            pipeline = pipeline.batch(size, drop_remainder=True, num_parallel_workers=1)
        if shuffle_seed is not None:
            pipeline = pipeline.shuffle(max(2, min(shuffle_buffer_size, rows) // max(1, size)))
        if is_ragged(source):
            pipeline = pipeline.padded_batch(_READ_ROWS, drop_remainder=False, num_parallel_workers=1,
                                             pad_info={INPUTS[0]: ([None], _NO_TOKEN)})
        else:
            pipeline = pipeline.batch(max(1, _READ_ROWS // max(1, size)), drop_remainder=False, num_parallel_workers=1)
        for values in pipeline.create_tuple_iterator(num_epochs=1, output_numpy=True):
            if size:  # (lists, size, ...) -> (rows, ...)
                values = [value.reshape(-1, *value.shape[2:]) for value in values]
            yield _ragged_chunk(*values) if is_ragged(source) else _chunk(dict(zip(names, values, strict=True)), labels)
    except (RuntimeError, ValueError) as error:
        files = ", ".join(str(f) for f in source.files[:2])
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"records cannot be read ({files}): {reason}; check dataset_type and schema_dir, or prepare "
                        "them again") from error
    finally:
        ds.config.set_seed(previous)


def read_columns(source: RecordSource, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read whole columns, int32 (rows, width) each, or float32, in the order of the files.

    Raises:
        UserError: the records do not have one of them.
    """
    names = list(names)
    if missing := [name for name in names if name not in source.columns]:
        raise UserError(f"{source.files[0].parent} has no column {' or '.join(missing)}, which leads from rows back to "
                        "the text; prepare the records with prepare_data.py task")
    if not names:
        return {}
    chunks = list(_open(source, names).batch(_READ_ROWS, drop_remainder=False, num_parallel_workers=1)
                  .create_tuple_iterator(num_epochs=1, output_numpy=True))
    whole = {name: np.concatenate([chunk[place] for chunk in chunks])[: source.rows]
             for place, name in enumerate(names)}
    return {name: values if values.dtype == np.float32 else values.astype(np.int32) for name, values in whole.items()}


def _open(source: RecordSource, names: list[str]) -> ds.Dataset:
    """Chain the files one after another; the readers' own interleaving differs between the two formats."""
    if source.dataset_type == "mindrecord":
        return reduce(lambda a, b: a + b,
                      [ds.MindDataset(str(f), names, shuffle=False, num_parallel_workers=1) for f in source.files])
    schema = ds.Schema()
    for name in names:
        # Casting inside the reader costs nothing; a map operation afterwards does.
        kind = mstype.float32 if source.columns[name].dtype == "float32" else mstype.int32
        # Without a shape rows keep their own.
        schema.add_column(name, kind, None if is_ragged(source) else list(source.columns[name].shape))
    # The reader takes a path for a pattern.
    return reduce(lambda a, b: a + b,
                  [ds.TFRecordDataset(glob.escape(str(f)), schema, names, shuffle=False, num_parallel_workers=1)
                   for f in source.files])


def _chunk(columns: dict[str, np.ndarray], label: str) -> Batch:
    ids, mask, segments = (columns[name].astype(np.int32, copy=False) for name in INPUTS)
    labels = columns.get(label)
    if labels is None:
        labels = np.zeros((len(ids), 1), np.int32)
    elif labels.dtype != np.float32:
        labels = labels.astype(np.int32, copy=False)
    return Batch(ids, mask, segments, labels.reshape(len(ids), -1), columns.get(_INDEX))


def _ragged_chunk(values: np.ndarray) -> Batch:
    """From int (rows, longest), where _NO_TOKEN fills the rows up."""
    real = values != _NO_TOKEN
    return Batch(np.where(real, values, 0).astype(np.int32), real.astype(np.int32), np.zeros(values.shape, np.int32),
                 np.zeros((len(values), 1), np.int32))
