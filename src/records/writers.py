# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writing rows to shards: TFRecord by TensorFlow, MindRecord by MindSpore.

Rows are serialised where they are made (`serialize`, in many processes) and written by one process. TensorFlow and
MindSpore take seconds and half a gigabyte to import: only the writing process does, once rows are on their way.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from src.corpus.ragged import Ragged
from src.errors import UserError, one_line
from src.records.columns import Column
from src.records.example import encode_examples

DatasetType = Literal["tfrecord", "mindrecord"]


@dataclass(frozen=True)
class Table:
    """Rows as columns, name -> (rows, length) or `Ragged`, in types that are cheap to send to another process."""

    values: dict[str, np.ndarray | Ragged]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def __getitem__(self, rows: slice) -> Table:
        return Table({name: array[rows] for name, array in self.values.items()})

    def columns_as(self, types: Mapping[str, str]) -> dict[str, np.ndarray | list[np.ndarray]]:
        """Return the rows of each column as arrays of the types that `types` names."""
        return {name: [row.astype(types[name]) for row in array.rows()] if isinstance(array, Ragged)
                else array.astype(types[name]) for name, array in self.values.items()}


Records = list[bytes] | Table
"""Rows ready for writing: both can be counted and sliced."""


def serialize(values: Mapping[str, np.ndarray | Ragged], columns: Sequence[Column], dataset_type: DatasetType
              ) -> Records:
    """Turn columns into rows as the writer of `dataset_type` takes them.

    Args:
        values: name -> (rows, length), or rows of different lengths.
        columns: what is written, in this order.
        dataset_type: "tfrecord" gives tf.train.Example messages, "mindrecord" a table.
    """
    chosen = {column.name: values[column.name] for column in columns}
    return encode_examples(chosen) if dataset_type == "tfrecord" else Table(chosen)


class RecordWriter:
    """Deals rows out to shards in turn: row i of the data is row i // shards of shard i % shards.

    Files are `part-00000-of-00004.tfrecord` and so on. There are never more shards than rows, since an empty file is
    an error to MindSpore's readers.
    """

    def __init__(self, directory: Path, dataset_type: DatasetType, columns: Sequence[Column], num_shards: int):
        self.directory = directory
        self.dataset_type = dataset_type
        self.columns = columns
        self.num_shards = num_shards
        self.rows = 0
        self._waiting: list[Records] = []
        self._shards: list[Any] = []
        self._names: list[str] = []

    def write(self, rows: Records) -> None:
        """Append rows."""
        if self._shards:
            self._deal(rows)
            return
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= self.num_shards:
            self._open(self.num_shards)

    def close(self) -> dict[str, int]:
        """Finish the files; return the number of rows of each, with a MindRecord's index file as 0."""
        if not self._shards and any(map(len, self._waiting)):
            self._open(sum(map(len, self._waiting)))
        for shard, name in zip(self._shards, self._names, strict=True):
            with _named_errors(self.directory / name):
                shard.close()
        counts = {}
        for index, name in enumerate(self._names):
            counts[name] = len(range(index, self.rows, len(self._names)))
            if self.dataset_type == "mindrecord":
                counts[f"{name}.db"] = 0
        return counts

    def _open(self, number: int) -> None:
        make = _TFRecordShard if self.dataset_type == "tfrecord" else _MindRecordShard
        for index in range(number):
            name = f"part-{index:05d}-of-{number:05d}.{self.dataset_type}"
            with _named_errors(self.directory / name):
                self._shards.append(make(self.directory / name, self.columns))
            self._names.append(name)
        for rows in self._waiting:
            self._deal(rows)
        self._waiting = []

    def _deal(self, rows: Records) -> None:
        number = len(self._shards)
        for index, shard in enumerate(self._shards):
            part = rows[(index - self.rows) % number::number]
            if len(part):
                with _named_errors(self.directory / self._names[index]):
                    shard.write(part)
        self.rows += len(rows)


class _TFRecordShard:
    def __init__(self, path: Path, columns: Sequence[Column]):
        del columns
        self.writer = import_tensorflow().io.TFRecordWriter(str(path))

    def write(self, rows: list[bytes]) -> None:
        write = self.writer.write
        for row in rows:
            write(row)

    def close(self) -> None:
        self.writer.close()


class _MindRecordShard:
    def __init__(self, path: Path, columns: Sequence[Column]):
        from mindspore.mindrecord import FileWriter
        # The index beside the file keeps the file's name, so that it is written under its final one.
        self.columns = columns
        self.writer = FileWriter(str(path), shard_num=1)
        self.writer.add_schema({column.name: {"type": column.dtype, "shape": list(column.shape)}
                                for column in columns}, "distillation records")

    def write(self, rows: Table) -> None:
        typed = rows.columns_as({column.name: column.dtype for column in self.columns})
        self.writer.write_raw_data([{name: array[row] for name, array in typed.items()} for row in range(len(rows))])

    def close(self) -> None:
        self.writer.commit()


def import_tensorflow():
    """Import TensorFlow without its greetings on standard error, and without Keras, which is half of the time."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    # Keras 3 is loaded at once, the legacy one (which need not be installed) when it is used.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    try:
        import tensorflow
    finally:
        if before is None:
            del os.environ["TF_USE_LEGACY_KERAS"]
        else:
            os.environ["TF_USE_LEGACY_KERAS"] = before
    return tensorflow


class _named_errors:  # noqa: N801 - reads as a statement
    """Turns a library's failure to write into an OSError (full disk) or a UserError that names the file."""

    def __init__(self, file: Path):
        self.file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, traceback) -> None:
        if error is None or isinstance(error, (UserError, OSError, MemoryError)) or not isinstance(error, Exception):
            return
        message = one_line(error)
        if "no space left" in message.lower() or "no free disk" in message.lower():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.file)) from error
        library = type(error).__module__.split(".")[0]
        if library in ("tensorflow", "mindspore") or isinstance(error, RuntimeError):
            raise UserError(f"cannot write {self.file}: {message}") from error
