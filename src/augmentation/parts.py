# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A file that takes hours to make, in parts that a killed run leaves behind for the next one.

    DIR/.NAME.parts/settings.json     what the parts depend on
    DIR/.NAME.parts/000007            a finished part: a line of JSON with its counts, then its lines
    DIR/NAME                          appears whole, when all the parts are there; the folder goes
    DIR/NAME.json                     what NAME was made with, and the counts
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.files import LOCK, alone, put_file, read_json, write_json, write_text
from src.common.places import check_file
from src.common.untrusted import parse_json


class Parts:
    """The parts of the file `final`, whose contents depend on `settings` (text and numbers)."""

    def __init__(self, final: Path, settings: dict[str, Any]):
        self.final, self.settings = check_file(final, "output_dir"), settings
        self.folder = self.final.parent / f".{self.final.name}.parts"
        self.report = self.final.with_name(f"{self.final.name}.json")

    def existing_report(self, force: bool) -> dict[str, Any] | None:
        """The report of the file where it was made with the same settings; None where it is to be made.

        Raises:
            UserError: the file is there and was made with other settings, or by somebody else.
        """
        # Parts that are there belong to a run that was allowed to make the file, and had not come to its end.
        if force or not self.final.exists() or self.folder.exists():
            return None
        advice = "choose another output_dir, or set --force true to replace it"
        if not self.report.is_file():
            raise UserError(f"{self.final} exists and was not made by prepare_data.py augment; {advice}")
        made = read_json(self.report)
        self._compare(f"{self.final} was made", made.get("settings", {}), advice)
        return made["report"]

    @contextmanager
    def opened(self, force: bool) -> Iterator[None]:
        """Let parts be written, those of a killed run included; what fails in the block leaves them there.

        Raises:
            UserError: there are parts that were made with other settings, which only `force` throws away, or another
                process is at work on them.
        """
        with alone(self.folder, self.final, "output_dir"):
            described = self.folder / "settings.json"
            made = read_json(described) if described.is_file() else self.settings
            if not force:
                self._compare(f"{self.folder} holds what a stopped run made", made,
                              "run with its settings to continue it, or set --force true to begin anew")
            elif made != self.settings:
                for path in self.folder.iterdir():
                    if path.name != LOCK:
                        path.unlink()
            write_json(described, self.settings)
            yield

    def counts(self, number: int) -> Counter | None:
        """Counts of a finished part; None where it is not there."""
        try:
            with open(self.folder / f"{number:06d}", encoding="utf-8", newline="") as file:
                return Counter(parse_json(file.readline()))
        except FileNotFoundError:
            return None

    def write(self, number: int, lines: str, counts: Counter) -> None:
        """Write a part, whole or not at all."""
        write_text(self.folder / f"{number:06d}", f"{json.dumps(counts, ensure_ascii=False)}\n{lines}")

    def finish(self, number: int, header: str, report: Mapping[str, int]) -> None:
        """Join the first `number` parts under a header line into the file, and leave the report beside it."""
        aside = self.folder / "whole"
        with open(aside, "wb") as whole:
            whole.write(header.encode())
            for part in range(number):
                with open(self.folder / f"{part:06d}", "rb") as file:
                    file.readline()
                    shutil.copyfileobj(file, whole)
        write_json(self.folder / "report", {"settings": self.settings, "report": report})
        put_file(aside, self.final)
        put_file(self.folder / "report", self.report)
        shutil.rmtree(self.folder)

    def _compare(self, what: str, made: dict[str, Any], advice: str) -> None:
        for name in sorted(self.settings.keys() | made.keys()):
            given = self.settings.get(name)
            if given != made.get(name):
                raise UserError(f"{what} with {name} {made.get(name)!r}, not {given!r}; {advice}")
