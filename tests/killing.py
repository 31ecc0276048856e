# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Ending a process, as SIGKILL would, before each of the file operations of a piece of work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

OPERATIONS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod")
"""Those that change something; and each `open` for writing."""
_KILLED = 9


def killed_at_each_instant(base: Path, folder: Path, work: Callable[[Path], object]) -> Iterator[tuple[int, Path]]:
    """Do `work` in a process of its own on a copy of `base`, and end that before its 1st, 2nd, ... file operation.

    Args:
        base: what is there before.
        folder: where the copies lie, one after another.
        work: is given the copy.

    Yields:
        number of the operation and the copy, as the killed process has left it; at last as complete work leaves it.
    """
    number = 0
    while True:
        number += 1
        copy = folder / f"{number:04d}"
        shutil.copytree(base, copy, symlinks=True)
        is_complete = _killed_at(number, lambda copy=copy: work(copy)) != _KILLED
        yield number, copy
        shutil.rmtree(copy)
        if is_complete:
            assert number > 5, "hardly any file operation has been seen"
            return


def _killed_at(number: int, work: Callable[[], object]) -> int:
    process = os.fork()
    if process == 0:
        seen = 0

        def count(event: str, values: tuple) -> None:
            nonlocal seen
            if event in OPERATIONS or (event == "open" and values[2] & (os.O_WRONLY | os.O_RDWR)):
                seen += 1
                if seen == number:
                    os._exit(_KILLED)

        status = 1
        try:
            sys.addaudithook(count)
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, _KILLED), f"the work failed when it was not killed (status {code})"
    return code


def names_aside(folder: Path) -> list[str]:
    """What is written aside: hidden entries and *.part, anywhere in a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".part")
