# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder of records that a killed preparation leaves behind for the next one, and how far it had come.

    .NAME.partial/part-00000-of-00004.tfrecord   rows; what is behind the length that the journal knows is cut off
    .NAME.partial/rows/                          for MindRecord: these files, of which the MindRecord files are made
    .NAME.partial/progress.json                  the journal: pieces that are done, lengths of the files, counts
    .NAME.partial/documents                      with deduplication: 16 bytes of every document so far
    .NAME.partial/workers/                       temporary files of worker processes

The journal is written about every `INTERVAL` seconds, behind the rows that it speaks of, and only believed by a
preparation of the same inputs with the same settings.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from src.common.errors import Interrupted
from src.common.files import atomic_folder, write_text
from src.common.signals import handled
from src.corpus.duplicates import HASH_BYTES, KnownDocuments

NAME = "progress.json"
DOCUMENTS = "documents"
ROWS = "rows"
SCRATCH = "workers"
# Raised when the same settings no longer give the same rows, or the journal has another form.
FORMAT = 2
INTERVAL = 2.0
# At most this share of the time goes into waiting for the disk.
LARGEST_SHARE = 0.05
# What happens to a preparation rather than in it.
FROM_OUTSIDE = (Interrupted, KeyboardInterrupt, OSError, MemoryError)


class Journal:
    """The journal of one folder; used inside `journaled_folder`.

    Attributes:
        folder: to write into.
        scratch: for temporary files, of this process and its workers; empty at the beginning.
        rows: for TFRecord files that do not stay.
        found: what an earlier preparation had noted; None at a beginning.
    """

    def __init__(self, folder: Path, key: str, found: dict[str, Any] | None):
        self.folder, self.scratch, self.rows = folder, folder / SCRATCH, folder / ROWS
        self.found = found
        self._key = key
        self._last = time.monotonic()
        self._wait = INTERVAL

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._last >= self._wait

    def write(self, began: float, state: dict[str, Any]) -> None:
        """Note a state whose rows are on the disk; `began` is when bringing them there began (time.monotonic)."""
        write_text(self.folder / NAME, json.dumps({"key": self._key, **state}))
        self._last = time.monotonic()
        self._wait = max(INTERVAL, (self._last - began) / LARGEST_SHARE)


@contextmanager
def journaled_folder(final: Path, replace: bool, key: str, goes: Callable[[str], bool] | None = None
                     ) -> Iterator[Journal]:
    """`atomic_folder` for work that is continued after it was interrupted.

    Args:
        final: where the folder is to appear.
        replace: an existing folder is replaced at the end.
        key: of everything the contents depend on; what was left by work with another key is thrown away.
        goes: as in `atomic_folder`.
    """
    found: list[dict[str, Any]] = []

    def keep(folder: Path, error: BaseException | None) -> bool:
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        if error is not None:
            is_worth_it = isinstance(error, FROM_OUTSIDE) or getattr(error, "is_from_outside", False)
            return is_worth_it and (folder / NAME).is_file()
        found.extend(_read(folder / NAME, key))
        return bool(found)

    with atomic_folder(final, replace, keep, goes=goes) as folder:
        yield Journal(folder, key, found[0] if found else None)
        for path in (folder / NAME, folder / f"{NAME}.part", folder / DOCUMENTS):
            path.unlink(missing_ok=True)
        for path in (folder / ROWS, folder / SCRATCH):
            shutil.rmtree(path, ignore_errors=True)


def _read(file: Path, key: str) -> list[dict[str, Any]]:
    """The state in a journal of the same work, or nothing."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [state] if isinstance(state, dict) and state.get("key") == key else []


class Duplicates:
    """Decides which documents are new, and keeps on the disk what it has seen.

    Attributes:
        number: documents of the pieces that are done; see `piece_is_done`.
    """

    def __init__(self, folder: Path, number: int):
        """Continue with the first `number` documents of an earlier preparation."""
        path = folder / DOCUMENTS
        self.number = number
        self._file = open(path, "r+b" if number else "w+b")  # noqa: SIM115 - closed by `close`
        hashes = self._file.read(number * HASH_BYTES)
        self._file.truncate(len(hashes))
        self._known = KnownDocuments(hashes)
        self._decided: deque[int] = deque()

    def __call__(self, hashes: bytes) -> np.ndarray:
        """bool (documents,): which documents of the next piece are new."""
        is_new = self._known.add(hashes)
        self._file.write(np.frombuffer(hashes, f"V{HASH_BYTES}")[is_new].tobytes())
        self._decided.append(self._known.number)
        return is_new

    def piece_is_done(self) -> None:
        """The rows of the earliest piece that was decided about are written."""
        self.number = self._decided.popleft()

    def sync(self) -> None:
        """Bring the file to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Stop:
    """Notes SIGINT or SIGTERM; a second one does what it always does."""

    received = 0

    def note(self, number: int, _: Any) -> None:
        """The handler of these signals."""
        self.received = number
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def check(self, state: str) -> None:
        """Raise `Interrupted` where a signal came, with how far the work is."""
        if self.received:
            name = signal.Signals(self.received).name
            raise Interrupted(f"stopped by {name}; {state}; run the same command again to continue", self.received)


@contextmanager
def stopping() -> Iterator[Stop]:
    """A `Stop` that handles signals until the block ends."""
    stop = Stop()
    with handled(stop.note, signal.SIGINT, signal.SIGTERM):
        yield stop
