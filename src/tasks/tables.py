# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of a task's file: tab-separated cells, or JSON lines; which of the two is seen from the file.

A faulty row goes to the function `faulty`, as a message that begins with file and line. When it returns, the row is
left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.untrusted import parse_json

Row = tuple[int, list[Any]]
"""Line number, from 1, and cells: text, or None where an object of JSON lines has no value."""

Faulty = Callable[[str], None]


def fail(message: str) -> None:
    """The `faulty` that leaves nothing out."""
    raise UserError(message)


def read_lines(file: Path, faulty: Faulty = fail) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of a UTF-8 file; empty lines are skipped.

    Lines end at "\\n" or "\\r\\n" only: the other separators that Python knows of (U+2028, form feed) do occur inside
    of fields. A byte order mark at the beginning is dropped.

    Raises:
        UserError: the file cannot be read. Bytes that are not UTF-8 make a line faulty.
    """
    try:
        with open(file, "rb") as stream:
            for number, raw in enumerate(stream, 1):
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    faulty(f"{file}:{number}: not UTF-8 (byte {error.start + 1} of the line is "
                           f"0x{raw[error.start]:02x}); convert the file to UTF-8")
                    continue
                text = text.rstrip("\r\n")
                if text:
                    yield number, text
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error


def read_rows(file: Path, faulty: Faulty = fail) -> Iterator[Row]:
    """Yield the rows of a file; quotes mean nothing.

    JSON lines give the keys of the first object as a header, and then one cell for each of them: text as it is, None
    for what is absent or null, and everything else as JSON.
    """
    if is_json_lines(file):
        yield from _rows_of_objects(file, faulty)
    else:
        for line, text in read_lines(file, faulty):
            yield line, text.split("\t")


def read_objects(file: Path, faulty: Faulty = fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of JSON lines; a line that is no JSON object is faulty."""
    for line, text in read_lines(file, faulty):
        try:
            value = parse_json(text)
        except ValueError as error:
            # `error` counts lines within this one.
            reason = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else error
            faulty(f"{file}:{line}: not a JSON object ({reason})")
            continue
        if not isinstance(value, dict):
            faulty(f"{file}:{line}: a JSON {type(value).__name__}; expected an object, one a line: {{\"name\": ...}}")
        else:
            yield line, value


def is_json_lines(file: Path) -> bool:
    """Whether a file is named .json or .jsonl, or its first line is a JSON object."""
    if file.suffix.lower() in (".json", ".jsonl"):
        return True
    first = next((text for _, text in read_lines(file, lambda message: None)), "")
    if not first.startswith("{"):
        return False
    try:
        return isinstance(parse_json(first), dict)
    except ValueError:
        return False


def _rows_of_objects(file: Path, faulty: Faulty) -> Iterator[Row]:
    keys: list[str] = []
    for line, value in read_objects(file, faulty):
        if not keys:
            keys = list(value)
            yield line, keys
        cells = [value.get(key) for key in keys]
        yield line, [cell if cell is None or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
                     for cell in cells]
