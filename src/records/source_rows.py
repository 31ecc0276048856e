# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""source_rows.jsonl beside records of whole texts: which row of its file each example was, and how the file calls it.

[ROW, ID] a line, in the order of the data; ROW counts from 0, ID is null where the file has no column of ids. It is
written where there are ids, or where a row of the file is no example, so that the two are not counted alike.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.untrusted import parse_json
from src.records.reading import RecordSource
from src.tasks.texts import TextExample

NAME = "source_rows.jsonl"


@dataclass
class SourceRows:
    """Rows of a file, and ids or None, of examples in their order."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    ids: list[str | None] = field(default_factory=list)

    @classmethod
    def of_examples(cls, examples: Iterable[Any]) -> SourceRows:
        """Return the names of examples; those that are no whole texts are counted."""
        found = cls()
        for number, example in enumerate(examples):
            if isinstance(example, TextExample):
                found.add(example)
            else:
                found.rows.append(number)
                found.ids.append(None)
        return found

    def add(self, example: TextExample) -> None:
        """Note an example of whole texts."""
        self.rows.append(example.row)
        self.ids.append(example.id)

    def write(self, folder: Path) -> tuple[str, ...]:
        """Write the file where it is needed; return its name then."""
        if not any(name is not None for name in self.ids) and self.rows == array("q", range(len(self.rows))):
            return ()
        with open(folder / NAME, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(pair, ensure_ascii=False) + "\n"
                            for pair in zip(self.rows, self.ids, strict=True))
        return (NAME,)


def read_source_rows(records: RecordSource) -> SourceRows:
    """Return what is known of the examples of records.

    Raises:
        UserError: rows of the file were left out, and nothing tells which; or the file is damaged.
    """
    folder, manifest = records.files[0].parent, records.manifest
    if manifest is None:
        raise UserError(f"{folder} has no manifest.json, without which nothing tells which row of a file a record is; "
                        "prepare the records with prepare_data.py task")
    if NAME not in manifest.files:
        left_out = sum(manifest.understood.get("left_out", {}).values())
        if left_out or manifest.settings.get("dev_share"):
            raise UserError(f"{folder} lacks rows of its file, and nothing tells which; prepare the records again "
                            "(--force true): of whole texts they then keep the number of each row, of tags and lists "
                            "all rows of the file have to be right")
        return SourceRows(array("q", range(manifest.rows)), [None] * manifest.rows)
    found = SourceRows()
    try:
        with open(folder / NAME, encoding="utf-8") as lines:
            for line in lines:
                row, name = parse_json(line)
                found.rows.append(row)
                found.ids.append(None if name is None else str(name))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{folder / NAME} is damaged ({error}); prepare the records again") from error
    if len(found.rows) != manifest.rows:
        raise UserError(f"{folder / NAME} has {len(found.rows)} lines, and there are {manifest.rows} rows; prepare the "
                        "records again")
    return found
