# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Stages of a run that is made of commands of this repository, and which of them have to run.

* A finished stage has a stamp with the hash of its commands, settings and inputs; when all of these are as they were,
  and its results are still there, the stage is skipped. A change runs that stage and all stages after it again;
* an interrupted training stage is called again with the same folder and continues from its last checkpoint.

Neither MindSpore nor TensorFlow is imported here, so that a run with nothing to do ends at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.untrusted import parse_json

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes:
        name: name of its log and stamp, and its key under `seconds` in results.json.
        title: what it does, for the console.
        commands: command lines, run one after the other; the first that fails ends the stage.
        inputs: files and folders that it reads (apart from the results of earlier stages, which are covered by these
            stages' own stamps).
        outputs: files and folders that it makes. They are removed before it starts from the beginning.
        results: those outputs (or parts of them) that later stages read; a finished stage runs again when one of them
            is gone or changed. Empty: all outputs.
        resumable: whether its commands, called again, continue what an interrupted call left in `outputs`.
        settings: further values that it depends on.
    """

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    inputs: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()
    resumable: bool = False
    settings: Any = None


def digest(path: Path) -> str:
    """Return a hash that changes when a file or folder does, without reading large files.

    A folder that has a manifest.json (records, checkpoints: it holds the sha256 of every file) is represented by it,
    together with the names and sizes of all files; a folder without one by names and sizes; a file below 16 MB by its
    content, a larger one by its size. A path that does not exist has the hash "missing".
    """
    if path.is_file():
        return _file_digest(path)
    if not path.is_dir():
        return "missing"
    entries = []
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        entry = [file.relative_to(path).as_posix(), file.stat().st_size]
        entries.append([*entry, _file_digest(file)] if file.name == "manifest.json" else entry)
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    size = path.stat().st_size
    content = path.read_bytes() if size < 1 << 24 else str(size).encode()
    return hashlib.sha256(content).hexdigest()


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


class Ledger:
    """The stamps of a run: one JSON file a stage under `directory`.

    {"key", "finished": bool, "started": s since 1970, "seconds": float, "commands": [str], "results": {path: digest}}.
    A stamp with `finished` false is written before the stage starts; it tells the next run what was interrupted.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _path(self, stage: Stage) -> Path:
        return self.directory / f"{stage.name}.json"

    def read(self, stage: Stage) -> dict[str, Any]:
        """Return the stage's stamp, or an empty one; an unreadable stamp (a crash of the machine) counts as none."""
        try:
            stamp = parse_json(self._path(stage).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write(self, stage: Stage, stamp: dict[str, Any]) -> None:
        """Replace the stage's stamp."""
        self.directory.mkdir(parents=True, exist_ok=True)
        aside = self._path(stage).with_suffix(".part")
        aside.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
        os.replace(aside, self._path(stage))

    def forget(self, stage: Stage) -> None:
        """Remove the stage's stamp."""
        self._path(stage).unlink(missing_ok=True)

    @staticmethod
    def results(stage: Stage) -> dict[str, str]:
        """Return the digests of the stage's results."""
        return {str(path): digest(path) for path in stage.results or stage.outputs}

    def finished(self, stage: Stage, key: str) -> bool:
        """Tell whether the stage is done with this key and its results are as it left them."""
        stamp = self.read(stage)
        return bool(stamp.get("finished")) and stamp.get("key") == key and stamp.get("results") == self.results(stage)


def key_of(stage: Stage, previous: str) -> str:
    """Hash what the stage depends on; `previous` is the key of the stage before it, so that keys chain."""
    described = {
        "commands": [shown(command) for command in stage.commands],
        "settings": stage.settings,
        "inputs": {str(path): digest(path) for path in stage.inputs},
        "previous": previous,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def run_stages(stages: Sequence[Stage], output: Path, runner: Callable[[Stage, Path, bool], None]) -> dict[str, float]:
    """Run what is not finished; returns the seconds of each stage, the time of its interrupted calls included.

    Args:
        runner: called as `runner(stage, log, append)`; raises when the stage fails.
    """
    ledger = Ledger(output / "stamps")
    previous, rerun, seconds = "", False, {}
    for number, stage in enumerate(stages, start=1):
        heading = f"[{number}/{len(stages)}] {stage.title}"
        # The key is taken now, after the stages before this one have written its inputs.
        key = key_of(stage, previous)
        previous = key
        stamp = ledger.read(stage)
        if not rerun and ledger.finished(stage, key):
            seconds[stage.name] = stamp["seconds"]
            print(f"{heading}: finished before ({stamp['seconds']:.0f} s), skipped", flush=True)
            continue
        # What comes after this stage is out of date now, even if this call should end before it gets there.
        rerun = True
        for later in stages[number:]:
            ledger.forget(later)
        log = output / "logs" / f"{stage.name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        resumes = stage.resumable and stamp.get("key") == key and stamp.get("finished") is False
        spent = _seconds_before(stamp, log) if resumes else 0.0
        if not resumes:
            for path in stage.outputs:
                remove(path)
        print(f"\n{heading}" + (f": continues after {spent:.0f} s" if resumes else ""), flush=True)
        stamp = {"key": key, "finished": False, "started": time.time(), "seconds": round(spent, 2),
                 "commands": [shown(command) for command in stage.commands], "results": {}}
        ledger.write(stage, stamp)
        runner(stage, log, resumes)
        seconds[stage.name] = round(spent + time.time() - stamp["started"], 2)
        results = ledger.results(stage)
        if missing := [path for path, found in results.items() if found == "missing"]:
            raise UserError(f"stage {stage.name} ended without an error but did not write {missing[0]}; see {log}")
        ledger.write(stage, {**stamp, "finished": True, "seconds": seconds[stage.name], "results": results})
    return seconds


def _seconds_before(stamp: dict[str, Any], log: Path) -> float:
    """Return how long the interrupted calls of a stage ran; one that was killed, up to the last line of its log."""
    last = log.stat().st_mtime if log.exists() else stamp["started"]
    return stamp["seconds"] + max(0.0, last - stamp["started"])


def remove(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
