# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The options as the user typed them: an error names those, whatever the setting behind them is called."""

from __future__ import annotations

import re
from collections.abc import Mapping

_typed: dict[str, str] = {}


def remember(typed: Mapping[str, str]) -> None:
    """Note what was typed on the command line, such as student_model, by full name of the setting that it set."""
    _typed.clear()
    _typed.update(typed)


def in_typed_names(message: str) -> str:
    """Return a message that names settings with the options that were typed for them in their place, the setting's own
    name in brackets at the first one: `--student_model (load_gd_ckpt_path) X does not exist`."""
    for setting, option in _typed.items():
        short = setting.rpartition(".")[2]
        if option not in (setting, short) and not re.search(rf"--{re.escape(option)}(?![\w.])", message):
            message = _translated(message, setting, short, option)
    return message


def _translated(message: str, setting: str, short: str, option: str) -> str:
    full, end = re.escape(setting), r"(?![\w/-]|\.\w)"
    # A word of plain English, such as `input`, is the setting where it stands as one.
    bare = short if "_" in short else rf"(?:(?<=--){short}|(?:(?<=^)|(?<=: )){short}(?= is ))"
    names = iter([f"--{option} ({{}})"])
    return re.sub(rf"(?<![\w./-])(?:--)?({full}|{bare}){end}",
                  lambda found: next(names, f"--{option}").format(found[1]), message)
