# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a stage of a study is: commands of this repository, what they read, and what they write."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stage:
    """One step of a study; it runs again when one of its results is gone or changed."""

    name: str  # of its log and stamp, and its key under `seconds` in results.json
    title: str  # for the console
    commands: tuple[tuple[str, ...], ...]  # run in this order; the first that fails ends the stage
    inputs: tuple[Path, ...] = ()  # results of earlier stages of the same run need not be named
    outputs: tuple[Path, ...] = ()  # removed before it starts from the beginning
    results: tuple[Path, ...] = ()  # those outputs (or parts of them) that later stages read; empty: all
    resumable: bool = False  # whether its commands, called again, continue what an interrupted call left
    at_once: bool = False  # whether its commands may run at the same time: none measures any, or reads another's file
    settings: Any = None  # further values that it depends on

    def key(self, previous: str) -> str:
        """Hash what the stage depends on; `previous` is the key of the stage before it, so that keys chain."""
        described = {"commands": [shown(command) for command in self.commands], "settings": self.settings,
                     "inputs": {str(path): digest(path) for path in self.inputs}, "previous": previous}
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def found(self) -> dict[str, str]:
        """Return the digests of its results, as they are now."""
        return {str(path): digest(path) for path in self.results or self.outputs}


def digest(path: Path) -> str:
    """Return a hash that changes when a file or folder does, without reading large files.

    A folder counts by the names and sizes of its files and the content of each manifest.json (in records and
    checkpoints it holds the sha256 of every file); a file below 16 MB by its content, a larger one by its size. A path
    that does not exist has the hash "missing".
    """
    if path.is_file():
        size = path.stat().st_size
        return hashlib.sha256(path.read_bytes() if size < 1 << 24 else str(size).encode()).hexdigest()
    if not path.is_dir():
        return "missing"
    entries = []
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        entry = [file.relative_to(path).as_posix(), file.stat().st_size]
        entries.append([*entry, digest(file)] if file.name == "manifest.json" else entry)
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def script(name: str, *arguments: object) -> tuple[str, ...]:
    """Return the command line of an entry point."""
    return (sys.executable, name, *map(str, arguments))


def tool(name: str, *arguments: object) -> tuple[str, ...]:
    """Return the command line of a module of experiments, such as quickstart.data."""
    return (sys.executable, "-m", f"experiments.{name}", *map(str, arguments))


def shown(command: Sequence[str]) -> str:
    """Return the command line as a user would type it in the repository's folder."""
    words = list(command)
    if words[0] == sys.executable:
        local = Path(os.path.abspath(sys.executable))
        words[0] = str(local.relative_to(REPOSITORY)) if local.is_relative_to(REPOSITORY) else "python"
    return shlex.join(words)


def remove(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def scaled(steps: int, share: float) -> int:
    """Return a share of a number of steps; at least one."""
    return max(1, round(steps * share))
