# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Names of classes that a data set of Hugging Face's stores as numbers: `ClassLabel` in the schema of Parquet and
Arrow, or in dataset_info.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.files import read_json
from src.task_files.columnar import columnar_kind, described

FILES = ("dataset_info.json", "dataset_infos.json")
"""What describes a data set of Hugging Face's beside its files."""


def class_labels(file: Path, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the first of `columns` that has any, in a file's schema, else in dataset_info.json beside the
    file, or in its folder where it is one; () without.

    Raises:
        UserError: that file is damaged, or its configurations name the classes differently.
    """
    said = {file: described(file)} if columnar_kind(file) else {}
    said |= {path: read_json(path) for path in ((file if file.is_dir() else file.parent) / name for name in FILES)
             if path.is_file()}
    for path, value in said.items():
        features = list(_features(value))
        for column in columns:
            found = {names for each in features for names in _names(each.get(column))}
            if len(found) > 1:
                listed = " and ".join(", ".join(names) for names in sorted(found))
                raise UserError(f"{path} names the classes of {column} in several ways: {listed}; keep the one that "
                                f"{file.name} belongs to")
            if found:
                return found.pop()
    return ()


def _features(value: Any) -> Iterator[dict[str, Any]]:
    """The features of one configuration, or of several by name."""
    for part in (value, *value.values()):
        if isinstance(part, dict) and isinstance(part.get("features"), dict):
            yield part["features"]


def _names(feature: Any) -> Iterator[tuple[str, ...]]:
    """The names in a feature, or in what a sequence holds."""
    if isinstance(feature, list):
        for part in feature:
            yield from _names(part)
    elif isinstance(feature, dict):
        names = feature.get("names")
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            yield tuple(names)
        yield from _names(feature.get("feature"))
