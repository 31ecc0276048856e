# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Paths out of what a user writes: a path that exists is taken as it is, before it is read as a list or a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

LONGEST_LIST = 16
"""Commas that one path may hold."""
_FILE_URL = re.compile(r"file:(?://(?:localhost)?(?=/)|(?=/[^/]))", re.IGNORECASE)


def split_paths(text: str | Path) -> list[str]:
    """The paths and patterns of a list with commas; one that holds commas itself is found by what is there.

    >>> split_paths("a.txt, b.txt")
    ['a.txt', 'b.txt']
    """
    text = local_path(text)
    if os.path.lexists(text):
        return [text]
    return joined_paths([local_path(part) for part in text.split(",")])


def joined_paths(parts: Sequence[str]) -> list[str]:
    """Entries of a list, where those that are a path only together, with the commas between them, are one again."""
    found: list[str] = []
    start = 0
    while start < len(parts):
        ends = range(min(len(parts), start + LONGEST_LIST), start + 1, -1)
        alone_is_there = _matches(parts[start].strip())
        end = next((end for end in ends if _is_path(whole := ",".join(parts[start:end]))
                    or not alone_is_there and _matches(whole)), start + 1)
        whole = ",".join(parts[start:end])
        # Blanks belong to a path where it is there with them, and else to the list.
        if whole.strip():
            found.append(whole if os.path.lexists(whole) else whole.strip())
        start = end
    return found


def matching(pattern: str) -> list[str]:
    """Paths that a pattern matches, sorted; folders that are there under the name as it stands are no pattern."""
    *folders, last = pattern.split("/")
    literal = 0
    while literal < len(folders) and os.path.isdir("/".join(folders[:literal + 1]) or "/"):
        literal += 1
    before, after = "/".join(folders[:literal]), "/".join((*folders[literal:], last))
    return sorted(glob.glob(f"{glob.escape(before)}/{after}" if literal else after, recursive=True))


def local_path(path: str | Path) -> str:
    """A path as the system calls it: of a URL file:///..., the path in it."""
    text = str(path)
    if not (found := _FILE_URL.match(text)):
        return text
    plain = text[found.end():]
    return plain if os.path.lexists(plain) else unquote(plain)


def _is_path(text: str) -> bool:
    """Whether there is a path that holds all the commas of a text, but for a pattern at its end."""
    if os.path.lexists(text):
        return True
    end = text.find("/", text.rfind(","))
    return end > 0 and glob.has_magic(text) and os.path.isdir(text[:end])


def _matches(path: str) -> bool:
    return bool(path) and (os.path.lexists(path) or glob.has_magic(path) and bool(matching(path)))
