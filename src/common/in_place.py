# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""New contents for a folder that itself stays: made within it, then exchanged entry by entry.

    FOLDER/.~partial   what is being made
    FOLDER/.~whole     the same once it is complete and on the disk
    FOLDER/.~aside     old entries that are being moved out of the way; while it is there, they come back
    FOLDER/.~old       all of them; while it is there, what is new goes on to its place. Removed when that is checked
    FOLDER/.~gone      new entries that proved to be faulty
    FOLDER/.~back      old entries that come back after these

A process may end between any two of these steps: `restore` brings the folder to the old or to the new contents.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from src.common.places import PREFIX, is_content

PARTIAL, WHOLE, ASIDE, OLD, GONE, BACK = (f"{PREFIX}{name}" for name in (
    "partial", "whole", "aside", "old", "gone", "back"))
NAMES = ".names"
LOCK = ".lock"
# A reader takes a folder for complete when there is a manifest: it goes first and comes last.
_SEAL = "manifest.json"


def exchange(folder: Path, goes: Callable[[str], bool], check: Callable[[Path], None] | None,
             sync: Callable[[Path], None]) -> None:
    """Put what stands in `.~partial`, complete and on the disk, in the place of what is in the folder.

    Args:
        goes: whether an old entry of this name is replaced; others stay where they are.
        check: reads the folder with its new contents; what it raises brings back the old ones.
        sync: brings a folder to the disk.
    """
    whole, aside, old = folder / WHOLE, folder / ASIDE, folder / OLD
    names = sorted(entry.name for entry in (folder / PARTIAL).iterdir() if entry.name != LOCK)
    (folder / PARTIAL).rename(whole)
    aside.mkdir()
    (aside / NAMES).write_text(json.dumps(names), encoding="utf-8")
    sync(aside / NAMES)
    sync(folder)
    leaving = [entry for entry in folder.iterdir() if is_content(entry.name)
               and (entry.name in names or goes(entry.name))]
    for entry in sorted(leaving, key=lambda entry: entry.name != _SEAL):
        entry.rename(aside / entry.name)
    sync(aside)
    aside.rename(old)
    sync(folder)
    _forward(folder, sync)
    if check is not None:
        try:
            check(folder)
        except BaseException:
            _back(folder)
            raise
    shutil.rmtree(old, ignore_errors=True)


def restore(folder: Path, is_whole: Callable[[Path], bool], sync: Callable[[Path], None], is_mine: bool) -> None:
    """Finish, or undo, an exchange that was cut off; one that another process is at is left alone.

    Args:
        is_whole: whether new contents that have not been checked may stay.
        is_mine: this process holds the lock of the exchange.
    """
    if not is_mine and _is_locked(folder / WHOLE / LOCK):
        return
    if (folder / ASIDE).is_dir():
        _move_out(folder / ASIDE, folder)
    if (folder / BACK).is_dir() or (folder / GONE).is_dir():
        _back(folder)
    if (folder / OLD).is_dir():
        _forward(folder, sync)
        if is_whole(folder):
            shutil.rmtree(folder / OLD)
        else:
            _back(folder)
    if (folder / WHOLE).is_dir():  # nothing had been moved yet
        shutil.rmtree(folder / WHOLE)


def _forward(folder: Path, sync: Callable[[Path], None]) -> None:
    if (folder / WHOLE).is_dir():
        _move_out(folder / WHOLE, folder)
        sync(folder)


def _back(folder: Path) -> None:
    """Take new entries away, then let the old ones come back."""
    gone, back = folder / GONE, folder / BACK
    if not back.is_dir() and (folder / OLD).is_dir():
        gone.mkdir(exist_ok=True)
        for name in json.loads((folder / OLD / NAMES).read_text(encoding="utf-8")):
            if (folder / name).exists():
                (folder / name).rename(gone / name)
        (folder / OLD).rename(back)
    if back.is_dir():
        _move_out(back, folder)
    if gone.is_dir():
        shutil.rmtree(gone)


def _move_out(source: Path, folder: Path) -> None:
    """Move the entries of a folder into another one, and remove what is left of it."""
    for entry in sorted(source.iterdir(), key=lambda entry: (entry.name == _SEAL, entry.name)):
        if entry.name not in (NAMES, LOCK):
            entry.rename(folder / entry.name)
    shutil.rmtree(source)


def _is_locked(file: Path) -> bool:
    """Whether a process holds a lock file."""
    try:
        with open(file) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
