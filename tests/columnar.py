# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tables with typed columns, as pandas writes Parquet and as `datasets.save_to_disk` writes a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

Columns = Mapping[str, Sequence[Any]]


def table_of(columns: Columns, classes: Mapping[str, Sequence[str]] | None = None) -> Any:
    """An Arrow table; `classes`: column of numbers, or of lists of numbers -> their names, in the schema."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: requirements-parquet.txt")
    table = pyarrow.table(dict(columns))
    features: dict[str, Any] = {name: {"dtype": str(table.schema.field(name).type), "_type": "Value"}
                                for name in columns}
    for name, names in (classes or {}).items():
        feature = {"names": list(names), "_type": "ClassLabel"}
        is_list = pyarrow.types.is_list(table.schema.field(name).type)
        features[name] = {"feature": feature, "_type": "List"} if is_list else feature
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(file: Path, columns: Columns, classes: Mapping[str, Sequence[str]] | None = None) -> Path:
    table = table_of(columns, classes)
    from pyarrow import parquet
    parquet.write_table(table, file, row_group_size=2)
    return file


def save_to_disk(folder: Path, columns: Columns, classes: Mapping[str, Sequence[str]] | None = None) -> Path:
    """A folder of two parts."""
    table = table_of(columns, classes)
    from pyarrow import ipc
    folder.mkdir(parents=True)
    names = [f"data-{part:05d}-of-00002.arrow" for part in range(2)]
    half = table.num_rows // 2
    for name, rows in zip(names, (table.slice(0, half), table.slice(half)), strict=True):
        with ipc.new_stream(str(folder / name), table.schema) as stream:
            stream.write_table(rows)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names],
                                                   "_format_type": None, "_split": None}), encoding="utf-8")
    return folder
