# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Paths as users write them, in settings, recipes and arguments."""

from __future__ import annotations

import os
import re

from src.common.errors import UserError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{\w+\})")
_INVISIBLE = "\ufeff\u200b\u200e\u200f"  # what comes along when text is copied
_QUOTES = "'\"`‘’“”"


def path_of(text: str, name: str = "the path") -> str:
    """Return the path that a user means: `~` and `~user` at its beginning are home folders, which a shell leaves as
    they are behind `--name=` and within quotes. What exists as it is written is taken so, and a URL stays a URL.

    Args:
        name: what the message calls it.

    Raises:
        UserError: it is empty, has blanks or quotation marks around it, names a variable ($HOME), which only a shell
            replaces, or the home folder of nobody.
    """
    if not text:
        raise UserError(f"{name} is empty; give a path, or leave it out (is a variable of the shell not set?)")
    if "\0" in text:
        raise UserError(f"{name} is {text!r}, which holds a NUL character; no path does")
    expanded = os.path.expanduser(text)
    if os.path.lexists(expanded):
        return expanded
    bare = text.strip().strip(_INVISIBLE)
    if bare != text:
        raise UserError(f"{name} is {text!r}, which begins or ends with a blank or an invisible character; leave "
                        "that out")
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise UserError(f"{name} is {text!r}, which begins or ends with a quotation mark; leave it out")
    if _URL.match(text):
        return text
    if variable := _VARIABLE.search(text, _end_of_folders(text)):
        raise UserError(f"{name} is {text!r}; variables such as {variable[0]} are replaced by the shell alone, outside "
                        "of 'single quotes' and not in recipes; write the path out (~ is your home folder)")
    if expanded.startswith("~"):
        user = text[1:].partition("/")[0]
        whose = f"there is no user {user!r} here" if user else "your home folder is not known"
        raise UserError(f"{name} is {text!r}, but {whose}; write the path out (./{text} for a file of that name)")
    return expanded


def _end_of_folders(text: str) -> int:
    """Where the part of a path begins that is not there yet; folders that are there are called as they are."""
    end = text.rfind("/")
    while end > 0 and not os.path.isdir(text[:end]):
        end = text.rfind("/", 0, end)
    return max(end, 0)
