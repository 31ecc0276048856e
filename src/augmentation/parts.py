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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.files import LOCK, alone, read_json, sync, write_json
from src.common.typed import fingerprint, to_plain
from src.common.untrusted import parse_json


class Parts:
    """The parts of one file; used inside `open_parts`."""

    def __init__(self, final: Path, settings: dict[str, Any]):
        self.final, self.settings = final, settings
        self.folder = folder_of(final)

    def counts(self, number: int) -> Counter | None:
        """Counts of a finished part; None where it is not there."""
        try:
            with open(self.folder / f"{number:06d}", encoding="utf-8", newline="") as file:
                return Counter(parse_json(file.readline()))
        except FileNotFoundError:
            return None

    def write(self, number: int, lines: str, counts: Counter) -> None:
        """Write a part, whole or not at all."""
        path = self.folder / f"{number:06d}"
        aside = path.with_name(f"{path.name}.writing")
        aside.write_text(f"{json.dumps(counts, ensure_ascii=False)}\n{lines}", encoding="utf-8", newline="")
        sync(aside)
        aside.replace(path)

    def finish(self, number: int, header: str, report: dict[str, Any]) -> None:
        """Join the first `number` parts under a header line into the file, and leave the report beside it."""
        aside = self.folder / "whole"
        with open(aside, "wb") as whole:
            whole.write(header.encode())
            for part in range(number):
                with open(self.folder / f"{part:06d}", "rb") as file:
                    file.readline()
                    shutil.copyfileobj(file, whole)
        sync(aside)
        write_json(self.folder / "report", {"settings": self.settings, "report": report})
        aside.replace(self.final)
        (self.folder / "report").replace(report_of(self.final))
        sync(self.final.parent)
        shutil.rmtree(self.folder)


def folder_of(final: Path) -> Path:
    """The folder of a file's parts."""
    return final.parent / f".{final.name}.parts"


def report_of(final: Path) -> Path:
    """The file with the settings and the counts."""
    return final.with_name(f"{final.name}.json")


def existing_report(final: Path, settings: dict[str, Any], force: bool) -> dict[str, Any] | None:
    """The report of a file that was made with the same settings; None where it is to be made.

    Raises:
        UserError: the file is there and was made with other settings, or by somebody else.
    """
    # Parts that are there belong to a run that was allowed to make the file, and had not come to its end.
    if force or not final.exists() or folder_of(final).exists():
        return None
    advice = "choose another output_dir, or set --force true to replace it"
    if not report_of(final).is_file():
        raise UserError(f"{final} exists and was not made by prepare_data.py augment; {advice}")
    made = read_json(report_of(final))
    _compare(final, "was made", made.get("settings", {}), settings, advice)
    return made["report"]


@contextmanager
def open_parts(final: Path, settings: dict[str, Any], force: bool) -> Iterator[Parts]:
    """Open the parts of a file, those of a killed run included; what fails in the block leaves them there.

    Args:
        final: the file.
        settings: everything its contents depend on.
        force: parts that were made with other settings are thrown away.

    Raises:
        UserError: there are such parts and no `force`, or another process is at work on them.
    """
    parts = Parts(final, settings)
    folder = parts.folder
    with alone(folder, final, "output_dir"):
        described = folder / "settings.json"
        if described.is_file() and not force:
            _compare(folder, "holds what a stopped run made", read_json(described), settings,
                     "run with its settings to continue it, or set --force true to begin anew")
        elif described.is_file() and fingerprint(read_json(described)) != fingerprint(settings):
            for path in folder.iterdir():
                if path.name != LOCK:
                    path.unlink()
        write_json(described, settings)
        yield parts


def _compare(place: Path, what: str, made: dict[str, Any], given: dict[str, Any], advice: str) -> None:
    given = json.loads(json.dumps(to_plain(given)))
    for name in sorted(given.keys() | made.keys()):
        if given.get(name) != made.get(name):
            raise UserError(f"{place} {what} with {name} {made.get(name)!r}, not {given.get(name)!r}; {advice}")
