# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writing rows to shards of TFRecord, which can be shortened and continued.

Rows are serialised and dealt out to shards where they are made (`deal`, in many processes); one process appends their
bytes to the files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from src.common.errors import UserError, one_line
from src.records.tfrecord import framed

DatasetType = Literal["tfrecord", "mindrecord"]
WRITE_BYTES = 1 << 20


@dataclass(frozen=True)
class Dealt:
    """Rows as bytes of TFRecord files: row i of them stands in parts[i % len(parts)]."""

    rows: int
    parts: tuple[bytes, ...]


def deal(messages: Sequence[bytes], number: int) -> Dealt:
    """Frame messages as TFRecords and deal them out in turn to `number` parts."""
    rows = [framed(message) for message in messages]
    return Dealt(len(rows), tuple(b"".join(rows[part::number]) for part in range(number)))


class RecordWriter:
    """Appends rows to shards in turn: row i of the data is row i // shards of shard i % shards.

    Files are `part-00000-of-00004.tfrecord` and so on. There are never more shards than rows, since an empty file is
    an error to MindSpore's readers.
    """

    def __init__(self, directory: Path, num_shards: int):
        self.directory = directory
        self.num_shards = num_shards
        self.rows = 0
        self._waiting: list[Dealt] = []
        self._shards: dict[str, BinaryIO] = {}

    def write(self, rows: Dealt) -> None:
        """Append rows that are dealt out to `num_shards` parts."""
        if self._shards:
            self._append(rows)
            return
        self._waiting.append(rows)
        if sum(some.rows for some in self._waiting) >= self.num_shards:
            self._open(self.num_shards)

    def finish(self) -> dict[str, int]:
        """Complete the files; return the number of rows of each."""
        waiting = sum(some.rows for some in self._waiting)
        if waiting:
            self._open(waiting)
        self.sync()
        return {name: len(range(index, self.rows, len(self._shards))) for index, name in enumerate(self._shards)}

    def close(self) -> None:
        """Close the files as they are."""
        for shard in self._shards.values():
            with suppress(OSError):
                shard.close()

    def sync(self) -> dict[str, Any]:
        """Bring what is written to the disk and say how far it is good: rows in all, and files, name -> bytes."""
        for name, shard in self._shards.items():
            with named_errors(self.directory / name):
                shard.flush()
                os.fsync(shard.fileno())
        return {"rows": self.rows, "files": {name: shard.tell() for name, shard in self._shards.items()}}

    def resume(self, rows: int, files: dict[str, int]) -> None:
        """Continue files from where `sync` found them; what is behind that is cut off."""
        for name, size in files.items():
            self._add(name, size)
        self.rows = rows

    def _open(self, number: int) -> None:
        self.directory.mkdir(exist_ok=True)
        for index in range(number):
            self._add(f"part-{index:05d}-of-{number:05d}.tfrecord", 0)
        for rows in self._waiting:
            self._append(rows)
        self._waiting = []

    def _add(self, name: str, size: int) -> None:
        with named_errors(self.directory / name):
            shard = open(self.directory / name, "r+b" if size else "wb", buffering=WRITE_BYTES)  # noqa: SIM115 - `close`
            self._shards[name] = shard
            shard.truncate(size)
            shard.seek(size)

    def _append(self, rows: Dealt) -> None:
        # Where there are fewer rows in all than parts, the first parts are one row each, the others empty.
        number = len(self._shards)
        for index, (name, shard) in enumerate(self._shards.items()):
            if part := rows.parts[(index - self.rows) % number]:
                with named_errors(self.directory / name):
                    shard.write(part)
        self.rows += rows.rows


@contextmanager
def named_errors(file: Path) -> Iterator[None]:
    """Turn a library's failure to write into an OSError (full disk) or a UserError that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno and not error.filename:
            raise OSError(error.errno, error.strerror, str(file)) from error
        raise
    except Exception as error:
        if not isinstance(error, RuntimeError) and not type(error).__module__.startswith("mindspore"):
            raise
        message = one_line(error)
        if "no space left" in message.lower() or "no free disk" in message.lower():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from error
        raise UserError(f"cannot write {file}: {message}") from error
