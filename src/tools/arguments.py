# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Command lines of the tools: a fault in one is a line, not a page."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from src.errors import UserError


class OneLineParser(argparse.ArgumentParser):
    """A parser of a tool that is run with `python -m MODULE`, or `command`; options cannot be abbreviated."""

    def __init__(self, module: str, description: str, command: str = "", **options: Any):
        self.command = command or f"python -m {module}"
        super().__init__(prog=self.command, description=description, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise `UserError` with argparse's message."""
        raise UserError(f"{message} ({self.command} --help shows all)")
