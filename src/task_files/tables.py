# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of a task's file, whatever its form (see `src.task_files.forms`).

A faulty row goes to the function `faulty`, as a message that begins with file and line. When it returns, the row is
left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.untrusted import parse_json
from src.task_files.columnar import column_names, read_records
from src.task_files.forms import Faulty, Form, csv_rows, fail, form_of, lines_of
from src.task_files.headers import cut
from src.task_files.json_records import read_values

Row = tuple[int, list[Any]]
"""Line number, from 1 (of Parquet and Arrow the number of the row), and cells: text; of JSON, Parquet and Arrow the
values, and None where there is none."""

_LIST = '; a list is written [{"text": ...}, {"text": ...}]'


def read_lines(file: Path, faulty: Faulty = fail, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of a file; empty lines are skipped. See `lines_of`."""
    return ((number, text) for number, text in lines_of(file, faulty, encoding) if text)


def read_rows(file: Path, faulty: Faulty = fail, form: Form | None = None) -> Iterator[Row]:
    """Yield the rows of a file; without a `form` it is told from the file, and quotes of a .tsv mean nothing.

    JSON gives all keys of the file's objects as a header, and then one cell for each of them; Parquet and Arrow give
    the names of their columns.
    """
    form = form or form_of(file)
    if form.has_names:
        yield from _rows_of_objects(file, faulty, form)
    elif form.kind == "csv":
        yield from csv_rows(file, form)
    else:
        for line, text in read_lines(file, faulty, form.encoding):
            yield line, text.split("\t") if form.kind == "tsv" else [text]


def read_objects(file: Path, faulty: Faulty = fail, form: Form | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of JSON lines, a JSON list, Parquet or Arrow; what is no object is faulty."""
    form = form or form_of(file)
    if form.is_columnar:
        yield from read_records(file)
        return
    for line, value in (_listed if form.kind == "json" else _one_a_line)(file, faulty, form.encoding):
        if isinstance(value, dict):
            yield line, value
        else:
            faulty(f"{file}:{line}: a JSON {type(value).__name__}; expected an object, one a line: {{\"name\": ...}}")


def read_cells(file: Path, faulty: Faulty = fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of a CSV with a header: a cell that is a list or an object in JSON is that, an empty
    cell is None."""
    rows = csv_rows(file, form_of(file))
    _, header = next(rows, (0, []))
    names = [cut(name) for name in header]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{file}: the header has {twice[0]!r} twice; rename one")
    for line, cells in rows:
        if len(cells) == len(names):
            yield line, {name: _value_of(cell) for name, cell in zip(names, cells, strict=True)}
        else:
            faulty(f"{file}:{line}: {len(cells)} columns; expected {len(names)} ({', '.join(names)})")


def _value_of(cell: str) -> Any:
    if cell.lstrip()[:1] in ("[", "{"):
        try:
            return parse_json(cell)
        except ValueError:
            pass  # A text may begin so; where a list is expected, its reader says what stands there.
    return cell or None


def _one_a_line(file: Path, faulty: Faulty, encoding: str) -> Iterator[tuple[int, Any]]:
    for line, text in read_lines(file, faulty, encoding):
        try:
            yield line, parse_json(text, unique=True)
        except ValueError as error:
            # `error` counts lines within this one.
            reason = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else error
            faulty(f"{file}:{line}: not a JSON object ({reason}){_remedy(text)}")


def _remedy(line: str) -> str:
    """What to change about a line of JSON, where that is plain."""
    text = line.strip()
    if text in ("{", "}", "},") or re.fullmatch(r'"[^"]*"\s*:.*', text):
        return "; each object stands on a line of its own, without line breaks within" + _LIST
    try:
        parse_json(text.removesuffix(",") if text.endswith(",") else "?")
    except ValueError:
        return ""
    return f"; JSON lines have no comma between them: take it away (sed -i 's/,$//' FILE){_LIST}"


def _listed(file: Path, faulty: Faulty, encoding: str) -> Iterator[tuple[int, Any]]:
    """Yield the elements of a JSON list, with the lines where they begin; what breaks the list is fatal."""
    return read_values(file, "\n".join(line for _, line in lines_of(file, fail, encoding)), faulty)


def _rows_of_objects(file: Path, faulty: Faulty, form: Form) -> Iterator[Row]:
    keys: dict[str, None] = dict.fromkeys(column_names(file) if form.is_columnar else ())
    begin = int(form.is_columnar)
    for line, value in () if form.is_columnar else read_objects(file, lambda message: None, form):
        begin = begin or line
        keys.update(dict.fromkeys(value))
    if keys or begin:
        yield begin, list(keys)
    for line, value in read_objects(file, faulty, form):
        yield line, [value.get(key) for key in keys]
