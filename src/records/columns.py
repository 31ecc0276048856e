# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The column table of each kind of records, and schema.json.

    kind       columns
    corpus     input_ids, input_mask, segment_ids   int64 (seq_length,)
               with masked tokens also masked_lm_positions, masked_lm_ids   int64 (max_predictions_per_seq,) and
               masked_lm_weights   float32 (max_predictions_per_seq,), as Google BERT's create_pretraining_data.py
    task       input_ids, input_mask, segment_ids   int64 (seq_length,), and label_ids   int64 (1,), on a regression
               task float32 (1,), of tags int64 (seq_length,), of a span int64 (2,); a test set without labels has no
               label_ids; tags and spans have the columns that lead back to the text (Task.extra_columns)
    sequences  input_ids   int64, as long as the sequence: in schema.json the column has no "shape"
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from src.common.errors import UserError, nearest
from src.common.files import read_json
from src.config.model import INPUTS

Kind = Literal["corpus", "task", "sequences"]
COMMANDS: dict[str, str] = {"corpus": "prepare_data.py corpus", "task": "prepare_data.py task",
                            "sequences": "prepare_data.py corpus --objective tokens"}
"""What makes records of each kind, for messages."""

MASKED_LM = ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
LABEL = "label_ids"
REQUIRED: dict[str, tuple[str, ...]] = {"corpus": INPUTS, "task": (*INPUTS, LABEL), "sequences": ("input_ids",)}
"""What a reader of each kind needs; other columns (next_sentence_labels, is_real_example) are left alone."""

TYPES = ("int64", "int32", "float32")
VARIABLE = (-1,)
"""The shape of a column whose rows differ in length."""


@dataclass(frozen=True)
class Column:
    """One column: its type is one of TYPES, its shape may be VARIABLE."""

    name: str
    dtype: str
    shape: tuple[int, ...]


def corpus_columns(seq_length: int, max_predictions_per_seq: int = 0) -> tuple[Column, ...]:
    """Columns of a corpus; `max_predictions_per_seq` 0 means text without masked tokens."""
    inputs = tuple(Column(name, "int64", (seq_length,)) for name in INPUTS)
    if not max_predictions_per_seq:
        return inputs
    return inputs + tuple(Column(name, "float32" if name == "masked_lm_weights" else "int64",
                                 (max_predictions_per_seq,)) for name in MASKED_LM)


def task_columns(seq_length: int, is_regression: bool, is_labelled: bool = True, label_width: int = 1,
                 extra: Mapping[str, int] | None = None) -> tuple[Column, ...]:
    """Columns of one split of a task, with `label_width` labels a row; `extra` are further columns, name -> width, 0
    for the length of the rows."""
    labels = (Column(LABEL, "float32" if is_regression else "int64", (label_width,)),) if is_labelled else ()
    others = tuple(Column(name, "int64", (width or seq_length,)) for name, width in (extra or {}).items())
    return corpus_columns(seq_length) + labels + others


def sequence_columns() -> tuple[Column, ...]:
    """Columns of sequences of different lengths."""
    return (Column("input_ids", "int64", VARIABLE),)


def schema(columns: Iterable[Column], rows: int) -> dict[str, Any]:
    """Return what schema.json holds: the form that TFRecordDataset takes."""
    return {
        "datasetType": "TF",
        "numRows": rows,
        "columns": {column.name: {"type": column.dtype, "rank": len(column.shape),
                                  **({} if column.shape == VARIABLE else {"shape": list(column.shape)})}
                    for column in columns},
    }


def write_schema(directory: Path, columns: Iterable[Column], rows: int) -> None:
    """Write schema.json, each shape on one line as in the documents that users know."""
    text = json.dumps(schema(columns, rows), indent=1)
    (directory / "schema.json").write_text(re.sub(r"\[\s+(\d+)\s+\]", r"[\1]", text) + "\n", encoding="utf-8")


def read_schema(path: str | Path) -> tuple[dict[str, Column], int | None]:
    """Read a schema.json (or the one in a folder): its columns by name, and numRows where it is given.

    Raises:
        UserError: unreadable, not JSON, or not of the form of `schema`.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "schema.json"
    content = read_json(file)
    found = content.get("columns")
    if not isinstance(found, Mapping) or not found:
        raise UserError(f'the schema {file} has no "columns"; expected {{"datasetType": "TF", "numRows": N, "columns": '
                        '{"input_ids": {"type": "int64", "rank": 1, "shape": [128]}, ...}}')
    rows = content.get("numRows")
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 0):
        raise UserError(f"the schema {file}: numRows is {rows!r}; expected a whole number of rows, or none")
    return {name: read_column(name, entry, file) for name, entry in found.items()}, rows or None


def read_column(name: str, entry: Any, file: Path) -> Column:
    if not isinstance(entry, Mapping) or entry.get("type") not in TYPES:
        given = entry.get("type") if isinstance(entry, Mapping) else entry
        raise UserError(f"the schema {file}: column {name!r} has the type {given!r}; expected one of "
                        f"{', '.join(TYPES)}")
    shape, rank = entry.get("shape"), entry.get("rank", 1)
    if rank == 1 and "shape" not in entry:
        return Column(name, entry["type"], VARIABLE)
    if rank != 1 or not isinstance(shape, list) or len(shape) != 1 or not isinstance(shape[0], int) or shape[0] < 1:
        raise UserError(f"the schema {file}: column {name!r} has rank {rank!r} and shape {shape!r}; expected rank 1 "
                        "and the length of the rows, such as [128], or no shape for rows of different lengths")
    return Column(name, entry["type"], (shape[0],))


def check_columns(columns: Mapping[str, Column], kind: Kind, source: str, is_labelled: bool = True) -> None:
    """Check that a reader of `kind` finds what it needs in `columns`.

    Raises:
        UserError: a column is missing, or has another type or shape than the table says.
    """
    if kind == "sequences" and "input_mask" in columns:
        raise UserError(f"{source} has the column 'input_mask': its rows are filled up to one length; expected "
                        f"sequences of different lengths ({COMMANDS[kind]})")
    required = [name for name in REQUIRED[kind] if is_labelled or name != LABEL]
    for name in required:
        if name not in columns:
            raise UserError(f"{source} has no column {name!r}, which {kind} data needs; it has {', '.join(columns)}"
                            f"{nearest(name, columns)}")
    length = columns["input_ids"].shape
    if kind == "sequences":
        if columns["input_ids"].dtype == "float32":
            raise UserError(f"{source}: column 'input_ids' is float32; expected int64")
        return
    if length == VARIABLE:
        raise UserError(f"{source}: column 'input_ids' has no fixed length; expected rows of one length "
                        f"({COMMANDS[kind]})")
    for name in INPUTS:
        if columns[name].shape != length or columns[name].dtype == "float32":
            raise UserError(f"{source}: column {name!r} is {columns[name].dtype} {list(columns[name].shape)}; expected "
                            f"int64 {list(length)}, as long as input_ids")
    if LABEL in required and columns[LABEL].shape not in ((1,), (2,), length):
        raise UserError(f"{source}: column {LABEL!r} has the shape {list(columns[LABEL].shape)}; expected "
                        f"[1], [2] (start and end) or {list(length)} (a label a token)")
