# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder that appears all at once: written aside, synced to the disk, renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src.errors import UserError

LOCK = ".lock"


@contextmanager
def atomic_folder(final: Path, replace: bool = False) -> Iterator[Path]:
    """Give a folder beside `final` to write into; it becomes `final` when the block ends without an error.

    After an error nothing is left. What an earlier, killed process left aside is cleared.

    Args:
        final: where the folder is to appear; absent or empty, unless `replace`.
        replace: an existing folder is replaced at the end.

    Raises:
        UserError: another process is writing the same folder, or the place cannot be written.
    """
    final = Path(os.path.abspath(final))
    partial = final.parent / f".{final.name}.partial"
    try:
        partial.mkdir(parents=True, exist_ok=True)
        lock = open(partial / LOCK, "w")  # noqa: SIM115 - held until the folder is renamed
    except OSError as error:
        raise UserError(f"cannot write {final}: {error.strerror}; choose another output folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process is writing {final}; wait for it, or choose another folder") from None
        try:
            _clear(partial)
            yield partial
            (partial / LOCK).unlink()
            _sync(partial)
            _move(partial, final, replace)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def _sync(folder: Path) -> None:
    for path in (*sorted(folder.rglob("*")), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move(partial: Path, final: Path, replace: bool) -> None:
    old = final.parent / f".{final.name}.old"
    if replace and final.exists():
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
    # Renaming onto an empty folder replaces it; onto any other fails.
    partial.rename(final)
    descriptor = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    shutil.rmtree(old, ignore_errors=True)
