# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What was understood of a task's file: printed when it is read, and stored with the records that are made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from src.task_files.labels import described


@dataclass
class Understood:
    """How one file was read.

    Attributes:
        form: tab-separated, CSV, JSON lines, ...
        columns: what a column is for -> its name in the file, or its place where there is no header.
        ignored: the other columns.
        classes: label -> rows, in the order of the classes; {} where there are none.
        left_out: why -> rows.
        notes: what was not plain, and how it was taken.
    """

    file: str = ""
    form: str = ""
    encoding: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value}

    def lines(self) -> list[str]:
        """Some lines for the terminal."""
        if not self.file:
            return []
        columns = ", ".join(f"{role} = {name}" for role, name in self.columns.items())
        ignored = f"; not used: {', '.join(self.ignored)}" if self.ignored else ""
        left_out = ", ".join(f"{number} {reason}" for reason, number in self.left_out.items())
        return [f"read {self.file} ({self.form}, {self.encoding}): {columns}{ignored}",
                *([f"classes: {described(self.classes)}"] if self.classes else []),
                *([f"left out: {left_out}"] if left_out else []), *(f"note: {note}" for note in self.notes)]
