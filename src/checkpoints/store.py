# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The checkpoints of one run: the newest good one is found, whatever a killed process or a failing disk has left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from src.checkpoints.checkpoint import LoadedModel, TrainingState, is_whole, load_model, load_training_state
from src.common.errors import UserError, one_line
from src.common.files import clear_leftovers, discard, write_text

LATEST = "latest"


class CheckpointStore:
    """`RUN/checkpoints/step-00000100/` and `latest`, a text file that names one of them.

    `keep` of them are kept; while one is written, and until it has been read again, one more.
    """

    def __init__(self, run: Path, keep: int):
        self.folder = Path(run) / "checkpoints"
        self.keep = keep

    def clear(self) -> None:
        """Remove what killed processes have left aside."""
        clear_leftovers(self.folder, is_whole=is_whole)

    def save(self, step: int, write: Callable[[Path], object]) -> Path:
        """Write the checkpoint of a step through `write(directory)`, point `latest` at it, then drop the oldest.

        Checkpoints of later steps, which only a return to an earlier one leaves, are dropped too. `write` makes the
        directory all at once and reads it again, as `save_model` does.

        Raises:
            OSError, UserError: as `write` does; the checkpoints are as they were.
        """
        directory = self.folder / f"step-{step:08d}"
        write(directory)
        write_text(self.folder / LATEST, directory.name + "\n")
        older = [path for path in self._all() if path.name < directory.name]
        for path in self._all():
            if path != directory and path not in older[:self.keep - 1]:
                discard(path)
        return directory

    def load(self) -> tuple[LoadedModel, TrainingState] | None:
        """Read the newest checkpoint that is whole, that which `latest` names before all others; None without any.

        Raises:
            UserError: there are some, and none is whole.
        """
        problems = []
        for directory in self._candidates():
            try:
                saved = load_model(directory), load_training_state(directory)
            except UserError as error:
                problems.append(one_line(error))
                continue
            for problem in problems:
                print(f"note: {problem}; going back to {directory.name}", flush=True)
            return saved
        if problems:
            more = f" (and {len(problems) - 1} more are damaged)" if len(problems) > 1 else ""
            raise UserError(f"{self.folder} holds no checkpoint that can be read: {problems[0]}{more}; start over with "
                            "--resume false")
        return None

    def newest(self) -> Path | None:
        """The checkpoint that `load` tries first, for messages."""
        return next(self._candidates(), None)

    def _all(self) -> list[Path]:
        """The checkpoints, newest first."""
        return sorted((path for path in self.folder.glob("step-*") if path.is_dir()), reverse=True)

    def _candidates(self) -> Iterator[Path]:
        pointer, named = self.folder / LATEST, None
        try:
            name = pointer.read_text(encoding="utf-8").strip()
            if not re.fullmatch(r"step-\d{8,20}", name):
                raise ValueError("it names no checkpoint")
            named = self.folder / name
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            print(f"note: {pointer} cannot be read ({error})", flush=True)
        if named is not None:
            yield named
        yield from (path for path in self._all() if path != named)
