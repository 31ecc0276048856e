# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""metrics.jsonl and TensorBoard of a run: every logged step once, however often the run was killed and continued."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.common.files import write_text
from src.common.places import resolved
from src.common.untrusted import parse_json

if TYPE_CHECKING:
    from src.train.tensorboard import Board


class MetricsLog:
    """What a stage logs; does nothing on ranks other than the first.

    Raises:
        OSError: the disk is full or fails; so do all methods.
    """

    def __init__(self, path: Path, tensorboard: Path | None, stage: str, writer: bool, step: int = 0, rewinds: int = 0):
        self.path, self.stage, self.writer = path, stage, writer
        self.file: int | None = None
        self.board: Board | None = None
        if writer and tensorboard is not None:
            from src.train.tensorboard import Board

            resolved(tensorboard).mkdir(parents=True, exist_ok=True)
            self.board = Board(tensorboard, stage)
        self.cut(step, rewinds)

    def cut(self, step: int, rewinds: int) -> None:
        """Drop what was logged after the step and the return that the stage continues from, and a line cut off."""
        if not self.writer:
            return
        self._close_file()
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
            write_text(self.path, "".join(f"{line}\n" for line in lines if self._is_kept(line, step, rewinds)))
        self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        if self.board is not None and step:
            self.board.restart(step)

    def _is_kept(self, line: str, step: int, rewinds: int) -> bool:
        try:
            entry = parse_json(line)
        except ValueError:
            return False
        return isinstance(entry, dict) and (entry.get("stage") != self.stage or (
            entry.get("step", 0) <= step and entry.get("rewind", 0) <= rewinds))

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Append one line, and one point of each number to TensorBoard."""
        if self.file is None:
            return
        line = (json.dumps({"stage": self.stage, "step": step, **values}) + "\n").encode()
        while line:  # a disk that is nearly full takes a part, then raises
            line = line[os.write(self.file, line):]
        if self.board is not None:
            for name, value in _numbers(values):
                self.board.write(step, name, value)

    def sync(self) -> None:
        """Have all on the disk, before a checkpoint says that these steps are done."""
        if self.file is not None:
            os.fsync(self.file)
        if self.board is not None:
            self.board.flush()

    def close(self) -> None:
        """Close both."""
        self._close_file()
        if self.board is not None:
            self.board.close()
            self.board = None

    def _close_file(self) -> None:
        if self.file is not None:
            os.close(self.file)
            self.file = None


def _numbers(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, float(value)
