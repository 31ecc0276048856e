# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What to do with the faulty rows of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from src.common.errors import UserError
from src.task_files.understood import Understood


@dataclass
class Problems:
    """Faulty rows of a file: fatal, or counted.

    Attributes:
        policy: "fail" raises at the first one; "skip" counts them.
        messages: the first of them, each with file and line.
        understood: how the file was read; empty for a family of tasks that does not tell.
    """

    policy: Literal["fail", "skip"] = "fail"
    number: int = 0
    messages: list[str] = field(default_factory=list)
    understood: Understood = field(default_factory=Understood)

    def report(self, message: str) -> None:
        """Take note of a faulty row; `message` begins with file and line.

        Raises:
            UserError: the policy is "fail".
        """
        if self.policy == "fail":
            raise UserError(f"{message}; correct it, or leave such rows out with --bad_rows skip")
        self.number += 1
        if len(self.messages) < 3:
            self.messages.append(message)

    def tell(self) -> None:
        """Print what was understood, and the faulty rows."""
        print("\n".join(filter(None, (*self.understood.lines(), self.summary()))), flush=True)

    def summary(self) -> str:
        """One line, "" where there was nothing."""
        more = f", and {self.number - len(self.messages)} more" if self.number > len(self.messages) else ""
        return f"{self.number} faulty rows: {'; '.join(self.messages)}{more}" if self.number else ""
