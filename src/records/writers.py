# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writing rows to shards of TFRecord, which can be shortened and continued.

Rows are serialised and dealt out to shards where they are made (`serialize`, `deal`, in many processes); one process
appends their bytes to the files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from src.common.errors import UserError, one_line
from src.corpus.ragged import Ragged
from src.records.columns import Column
from src.records.example import encode_examples
from src.records.tfrecord import framed

DatasetType = Literal["tfrecord", "mindrecord"]
WRITE_BYTES = 1 << 20


@dataclass(frozen=True)
class Dealt:
    """Rows as bytes of TFRecord files: row i of them stands in parts[i % len(parts)]."""

    rows: int
    parts: tuple[bytes, ...]

    def __len__(self) -> int:
        return self.rows


Records = list[bytes] | Dealt
"""Rows ready for writing: messages, or bytes of files."""


def deal(messages: Sequence[bytes], number: int) -> Dealt:
    """Frame messages as TFRecords and deal them out in turn to `number` parts."""
    rows = [framed(message) for message in messages]
    return Dealt(len(rows), tuple(b"".join(rows[part::number]) for part in range(number)))


@dataclass(frozen=True)
class Written:
    """How far TFRecord files are good: rows in all, and name -> bytes."""

    rows: int
    files: dict[str, int]


def serialize(values: Mapping[str, np.ndarray | Ragged], columns: Sequence[Column]) -> list[bytes]:
    """Turn columns into rows, one tf.train.Example message each.

    Args:
        values: name -> (rows, length), or rows of different lengths.
        columns: what is written, in this order.
    """
    return encode_examples({column.name: values[column.name] for column in columns})


class RecordWriter:
    """Deals rows out to shards in turn: row i of the data is row i // shards of shard i % shards.

    Files are `part-00000-of-00004.tfrecord` and so on. There are never more shards than rows, since an empty file is
    an error to MindSpore's readers.
    """

    def __init__(self, directory: Path, num_shards: int):
        self.directory = directory
        self.num_shards = num_shards
        self.rows = 0
        self._waiting: list[Records] = []
        self._shards: list[_Shard] = []
        self._names: list[str] = []

    def write(self, rows: Records) -> None:
        """Append rows."""
        if self._shards:
            self._deal(rows)
            return
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= self.num_shards:
            self._open(self.num_shards)

    def finish(self) -> dict[str, int]:
        """Complete the files; return the number of rows of each."""
        if not self._shards and any(map(len, self._waiting)):
            self._open(sum(map(len, self._waiting)))
        counts = {}
        for index, (shard, name) in enumerate(zip(self._shards, self._names, strict=True)):
            with named_errors(self.directory / name):
                shard.sync()
            counts[name] = len(range(index, self.rows, len(self._names)))
        return counts

    def close(self) -> None:
        """Close the files as they are."""
        for shard in self._shards:
            with suppress(OSError):
                shard.close()

    def sync(self) -> Written | None:
        """Bring what is written to the disk and say how far that is; None while there are no files yet."""
        if not self._shards:
            return None
        for shard, name in zip(self._shards, self._names, strict=True):
            with named_errors(self.directory / name):
                shard.sync()
        return Written(self.rows, {name: shard.size for name, shard in zip(self._names, self._shards, strict=True)})

    def resume(self, written: Written) -> None:
        """Continue files from where `sync` found them; what is behind that is cut off."""
        for name, size in written.files.items():
            with named_errors(self.directory / name):
                self._shards.append(_Shard(self.directory / name, size))
            self._names.append(name)
        self.rows = written.rows

    def _open(self, number: int) -> None:
        self.directory.mkdir(exist_ok=True)
        for index in range(number):
            name = f"part-{index:05d}-of-{number:05d}.tfrecord"
            with named_errors(self.directory / name):
                self._shards.append(_Shard(self.directory / name))
            self._names.append(name)
        for rows in self._waiting:
            self._deal(rows)
        self._waiting = []

    def _deal(self, rows: Records) -> None:
        number = len(self._shards)
        if isinstance(rows, list):
            rows = deal(rows, number)
        elif len(rows.parts) != number:
            # Fewer rows in all than parts: the first parts are one row each, the others empty.
            rows = Dealt(len(rows), rows.parts[:len(rows)] + (b"",) * (number - len(rows)))
        for index, shard in enumerate(self._shards):
            turn = (index - self.rows) % number
            if rows.parts[turn]:
                with named_errors(self.directory / self._names[index]):
                    shard.write(rows.parts[turn])
        self.rows += len(rows)


class _Shard:
    """One file; `size` is the number of its bytes, `begin` where it is continued."""

    def __init__(self, path: Path, begin: int = 0):
        self.size = begin
        self._file = open(path, "r+b" if begin else "wb", buffering=WRITE_BYTES)  # noqa: SIM115 - closed by `close`
        self._file.truncate(begin)
        self._file.seek(begin)

    def write(self, rows: bytes) -> None:
        self._file.write(rows)
        self.size += len(rows)

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class named_errors:  # noqa: N801 - reads as a statement
    """Turns a library's failure to write into an OSError (full disk) or a UserError that names the file."""

    def __init__(self, file: Path):
        self.file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, traceback) -> None:
        if isinstance(error, OSError) and error.errno and not error.filename:
            raise OSError(error.errno, error.strerror, str(self.file)) from error
        if error is None or isinstance(error, (UserError, OSError, MemoryError)) or not isinstance(error, Exception):
            return
        message = one_line(error)
        if "no space left" in message.lower() or "no free disk" in message.lower():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.file)) from error
        library = type(error).__module__.split(".")[0]
        if library in ("tensorflow", "mindspore") or isinstance(error, RuntimeError):
            raise UserError(f"cannot write {self.file}: {message}") from error
