# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Command lines of the tools: a fault in one is a line, not a page."""

from __future__ import annotations

import argparse
from typing import NoReturn

from src.errors import UserError


class OneLineParser(argparse.ArgumentParser):
    """A parser of a tool that is run with `python -m MODULE`; options cannot be abbreviated."""

    def __init__(self, module: str, description: str):
        self.module = module
        super().__init__(prog=f"python -m {module}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise `UserError` with argparse's message."""
        raise UserError(f"{message} (python -m {self.module} --help shows all)")
