# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of Parquet and Arrow, where columns have types: each becomes the object that a line of JSON would hold.

A table is one file, the parts `train-00000-of-00002.parquet`, ... that the Hugging Face hub stores, or a folder that
`datasets.save_to_disk` wrote: state.json beside data-00000-of-00001.arrow, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from src.common.errors import UserError
from src.common.files import check_pointer, read_json
from src.common.untrusted import parse_json

STATE = "state.json"
_PART = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<number>\d{5})")
Kind = Literal["parquet", "arrow", ""]
_MAGIC: dict[bytes, Kind] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}
"""How a file begins; the last is a stream of Arrow, as `datasets` writes it."""


@dataclass(frozen=True)
class Other:
    """What a cell holds where its column's type has no counterpart in JSON: a date, bytes, a picture."""

    type: str

    def __str__(self) -> str:
        return f"a value of type {self.type}"


def is_table(path: Path) -> bool:
    """Whether a path is a file, or a folder that is one table."""
    return path.is_file() or (path / STATE).is_file()


def stored_as(file: Path) -> Path | None:
    """Return where a split's rows are, by the name that its file has: the file itself, for `train.arrow` also the
    folder `train` of `save_to_disk`, for `train.parquet` also the first part of several; None where there is nothing.

    Raises:
        UserError: parts of two divisions stand side by side.
    """
    folder = file.with_suffix("")
    if file.is_file():
        return file
    if file.suffix == ".arrow" and (folder / STATE).is_file():
        return folder
    if file.suffix != ".parquet" or not file.parent.is_dir():
        return None
    parts = [(found["number"], other) for other in sorted(file.parent.iterdir()) if other.suffix == ".parquet"
             and (found := _PART.fullmatch(other.stem)) and found["stem"] == file.stem]
    if len({number for number, _ in parts}) > 1:
        raise UserError(f"{file.parent} has parts of two divisions: {parts[0][1].name}, {parts[-1][1].name}; leave one")
    return parts[0][1] if parts else None


def files_of(path: Path) -> list[Path]:
    """Return the files that a table is stored in.

    Raises:
        UserError: one of them is missing, or the folder names none.
    """
    part = _PART.fullmatch(path.stem) if path.suffix in (".parquet", ".arrow") else None
    files: list[Path] = []
    if (path / STATE).is_file():
        state = read_json(path / STATE)
        names = [str(each.get("filename")) for each in state.get("_data_files") or () if isinstance(each, dict)]
        if not names or state.get("_indices_data_files") or any(Path(name).name != name for name in names):
            raise UserError(f"{path / STATE} names no data files of a table as save_to_disk writes it; save the data "
                            "set again")
        files = [path / name for name in names]
    elif part:
        number = part["number"]
        files = [path.with_name(f"{part['stem']}-{place:05d}-of-{number}{path.suffix}") for place in range(int(number))]
    if path not in files and not path.is_dir():
        return [path]
    if missing := [file.name for file in files if not file.is_file()]:
        raise UserError(f"{path.parent if part else path} lacks {', '.join(missing[:3])} of {len(files)} parts")
    return files


def and_more(path: Path) -> str:
    """What to say behind the name of a table's first part; "" for a table that has one name."""
    others = 0 if path.is_dir() else len(files_of(path)) - 1
    return f" and {others} more" if others else ""


def columnar_kind(path: Path) -> Kind:
    """Say what a table is, seen from its beginning; "" for other files.

    Raises:
        UserError: it cannot be read, or is called .parquet or .arrow and is neither.
    """
    if path.is_dir():
        return "arrow" if (path / STATE).is_file() else ""
    try:
        with open(path, "rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    kind: Kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
    if not kind and path.suffix.lower() in (".parquet", ".arrow"):
        check_pointer(path, head)
        raise UserError(f"{path} is called {path.suffix} but does not begin as such a file does; it is damaged, or "
                        "another kind of file")
    return kind


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns; raises `UserError` like `read_records`."""
    with _opened(path, files_of(path)[0]) as (schema, _):
        return list(schema.names)


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, column -> value) of a table's rows: text, numbers, booleans, lists, objects, None, and
    `Other`.

    Raises:
        UserError: the table cannot be read, two columns have one name, its parts have other columns than each other,
            or pyarrow is not installed.
    """
    number, names = 0, None
    for file in files_of(path):
        with _opened(path, file) as (schema, batches):
            names = names or schema.names
            if schema.names != names:
                raise UserError(f"{file} has the columns {schema.names[:8]}, the first part {names[:8]}; save the "
                                "data set again")
            others = {field.name: Other(str(field.type)) for field in schema if not _is_plain(field.type)}
            for batch in batches([name for name in names if name not in others]):
                for row in batch.to_pylist():
                    number += 1
                    yield number, {name: others.get(name) or row[name] for name in names} if others else row


def described(path: Path) -> dict[str, Any]:
    """Return what the Hugging Face library stored of a table in its schema, {} for nothing."""
    with _opened(path, files_of(path)[0]) as (schema, _):
        text = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        found = parse_json(text)
    except ValueError as error:
        raise UserError(f"{path}: the schema's description (huggingface) is no JSON: {error}") from error
    return found if isinstance(found, dict) else {}


@contextmanager
def _opened(path: Path, file: Path) -> Iterator[tuple[Any, Any]]:
    """The schema of a file, and a function from names of columns to batches of rows."""
    try:
        import pyarrow
        from pyarrow import ipc, parquet
    except ImportError as error:
        raise UserError(f"{path} is Parquet or Arrow, which pyarrow reads, but {str(error).splitlines()[0]}; pip "
                        "install -r requirements-parquet.txt, or save the rows as JSON lines") from error
    try:
        if columnar_kind(file) == "parquet":
            with parquet.ParquetFile(file) as table:
                yield _checked(table.schema_arrow, file), lambda names: table.iter_batches(1024, columns=names)
            return
        with pyarrow.memory_map(str(file)) as source:
            is_file = source.read(6) == b"ARROW1"
            source.seek(0)
            reader = ipc.open_file(source) if is_file else ipc.open_stream(source)
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
            yield _checked(reader.schema, file), lambda names: (batch.select(names) for batch in batches)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UserError(f"cannot read {file}: {reason}; the file is damaged, or cut off") from error


def _checked(schema: Any, file: Path) -> Any:
    if twice := [name for name in schema.names if schema.names.count(name) > 1]:
        raise UserError(f"{file} has the column {twice[0]!r} twice; rename one")
    return schema


def _is_plain(kind: Any) -> bool:
    """Whether JSON has values of a type."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    if types.is_struct(kind):
        return all(_is_plain(kind.field(place).type) for place in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_plain(kind.value_type)
    return any(check(kind) for check in (types.is_string, types.is_large_string, types.is_string_view,
                                         types.is_integer, types.is_floating, types.is_boolean, types.is_null))
