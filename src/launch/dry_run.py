# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks the settings of a command without running it: recipes, names, types and ranges, but no path and no device.

    python -m src.launch.dry_run PYTHON run_general_distill.py --config_path configs/tinybert_gd.yaml

prints the command as a shell takes it. A mistake in the settings is one line on standard error, and status 2.
"""

from __future__ import annotations

import shlex

from src.common.errors import UserError, run
from src.config import parse
from src.config.entry_points import ENTRY_POINTS


def check_settings(script: str, arguments: list[str]) -> None:
    """Read the settings as `script` will read them, which raises `UserError` for those that cannot be read."""
    if script in ENTRY_POINTS:
        parse(script, arguments)


def main(argv: list[str]) -> None:
    """Command line."""
    if len(argv) < 2:
        raise UserError(f"expected a Python, a script and its settings, got {len(argv)} argument(s)")
    check_settings(argv[1], argv[2:])
    print(shlex.join(argv))


if __name__ == "__main__":
    run(main)
