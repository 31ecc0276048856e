# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks that kill runs share: their frame, processes with a log, and what a killed run has to leave."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from common import REPOSITORY


def judge(options: argparse.Namespace, make_inputs: Callable[[Path], None],
          run_all: Callable[[Path, int, random.Random], list[str]], sound: str) -> None:
    """Make the inputs in a temporary folder, run all of it with `options.kills` and `options.seed`, print the faults
    that it returns and the verdict, `sound` without faults; leaves with status 1 where there are some."""
    with tempfile.TemporaryDirectory(prefix="kills.") as name:
        folder = Path(name)
        make_inputs(folder)
        faults = run_all(folder, options.kills, random.Random(options.seed))
    for fault in faults:
        print(f"FAULT: {fault}")
    print(f"verdict: {f'{len(faults)} faults' if faults else sound}")
    sys.exit(bool(faults))


def launch(folder: Path, *command: object) -> subprocess.Popen:
    """Start a command of the repository on one thread; its output goes to FOLDER/log."""
    with open(folder / "log", "w") as log:
        return subprocess.Popen([sys.executable, *map(str, command)], stdout=log, stderr=subprocess.STDOUT,
                                cwd=REPOSITORY, env={**os.environ, "OMP_NUM_THREADS": "1"})


def last_line(folder: Path) -> str:
    """The last line of the last start's output."""
    return ((folder / "log").read_text(errors="replace").strip().splitlines() or ["(no output)"])[-1]


def leftovers(run: Path) -> dict[Path, tuple[int, int]]:
    """What is aside in a run's folder, hidden files and *.part, and what tells it from a later one of that name."""
    found = {}
    for folder, _, names in os.walk(run):  # which may be changing: a running training passes over what is gone
        entries = [Path(folder)] + [Path(folder, name) for name in names]
        for path in entries:
            if path.name.startswith(".") or path.suffix == ".part":
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    found[path] = status.st_ino, status.st_ctime_ns
    return found


def differences(straight: Path, killed: Path, files: Iterable[str]) -> list[str]:
    """Return what the killed run has left aside, which of its files are not the bytes of the undisturbed one's, and
    whether the folders hold other names."""
    faults = [f"left aside at the end: {path}" for path in leftovers(killed)]
    for name in files:
        one, other = straight / name, killed / name
        if not other.is_file() or one.read_bytes() != other.read_bytes():
            faults.append(f"{name} differs")
    if {path.name for path in killed.iterdir()} != {path.name for path in straight.iterdir()}:
        faults.append("the folders hold other files")
    return faults
