# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Command lines of the tools: a fault in one is a line, not a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from src.common.errors import UserError
from src.common.paths import path_of


class OneLineParser(argparse.ArgumentParser):
    """A parser of a tool that is run with `python -m MODULE`, or `prog`; options cannot be abbreviated.

    A path that is an argument, `type=Path` or as text `type=path_of`, is that of `path_of`.
    """

    def __init__(self, module: str = "", description: str | None = None, prog: str = "", **options: Any):
        super().__init__(prog=prog or f"python -m {module}", description=description, allow_abbrev=False, **options)
        self.register("type", Path, lambda text: Path(path_of(text)))

    def error(self, message: str) -> NoReturn:
        """Raise `UserError` with argparse's message."""
        raise UserError(f"{message} ({self.prog} --help shows all)")


def add_device_target(parser: argparse.ArgumentParser) -> None:
    """Add --device_target, as it stands in default_config.yaml."""
    parser.add_argument("--device_target", choices=("auto", "Ascend", "GPU", "CPU"), default="auto",
                        help="auto takes Ascend, else GPU, else CPU (default: %(default)s)")
