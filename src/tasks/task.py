# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a task is, and how its tab-separated files are read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from src.errors import UserError, nearest

SPLITS = ("train", "dev", "test")

Row = tuple[int, list[str]]
"""Line number, from 1, and cells."""


@dataclass(frozen=True, slots=True)
class TaskExample:
    """One row of a task's file: the label is a name, a score (regression), or None in an unlabelled test set."""

    text_a: str
    text_b: str | None
    label: str | float | None
    line: int
    """Line in its file, from 1."""


@dataclass(frozen=True)
class Task:
    """A data set of GLUE's kind as data: adding one is an entry in `glue.py`.

    Attributes:
        name: as users write it.
        text_a, text_b, label: column names of the header; text_b is "" for single sentences.
        labels: classes in the order of the logits; () where they are found in the data, and for a regression.
        kind: "classification" or "regression" (one score).
        metric_names: what is reported; the first one chooses the best checkpoint.
        columns_without_header: the columns of labelled files that have no header line (CoLA).
        files: file name of each split that has another name than `<split>.tsv`; the keys are splits.
    """

    name: str
    text_a: str
    label: str
    text_b: str = ""
    labels: tuple[str, ...] = ()
    kind: Literal["classification", "regression"] = "classification"
    metric_names: tuple[str, ...] = ("accuracy",)
    columns_without_header: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def primary_metric(self) -> str:
        return self.metric_names[0]

    @property
    def is_pair(self) -> bool:
        return bool(self.text_b)

    @property
    def is_regression(self) -> bool:
        return self.kind == "regression"

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the task can have, in the order in which they are prepared."""
        named = {split.split("_")[0] for split in self.files}
        return tuple(part for split in SPLITS
                     for part in ([name for name in self.files if name.startswith(f"{split}_")]
                                  if split in named else [split]))

    def file_name(self, split: str) -> str:
        """Name of a split's file; "dev" and "test" mean the first (matched) of several."""
        for name in self.splits:
            if name == split or name.split("_")[0] == split:
                return self.files.get(name, f"{name}.tsv")
        raise UserError(f"task {self.name} has no split {split!r}; it has {', '.join(self.splits)}"
                        f"{nearest(split, self.splits)}")

    def file(self, directory_or_file: str | Path, split: str) -> Path:
        """Path of a split's file in a folder; a path to a file is itself."""
        path, name = Path(directory_or_file), self.file_name(split)
        if path.is_file():
            return path
        if not path.is_dir():
            raise UserError(f"no such folder or file: {str(path)!r}; expected the data of task {self.name}, "
                            f"with {name}")
        if not (path / name).is_file():
            raise UserError(f"{path} has no {name}; expected the data of task {self.name}")
        return path / name

    def splits_in(self, directory_or_file: str | Path) -> tuple[str, ...]:
        """The splits whose files are there; a path to a single file counts as "train"."""
        path = Path(directory_or_file)
        if path.is_file():
            return ("train",)
        found = tuple(split for split in self.splits if (path / self.file_name(split)).is_file())
        if not found:
            expected = ", ".join(self.file_name(split) for split in self.splits)
            raise UserError(f"no data of task {self.name} in {str(path)!r}; expected a folder with {expected}")
        return found

    def resolve(self, directory_or_file: str | Path, labels: Sequence[str] = ()) -> Task:
        """Return the task with everything settled that is found in the data; a GLUE task is returned as it is."""
        del directory_or_file, labels
        return self

    def read(self, directory_or_file: str | Path, split: str) -> Iterator[TaskExample]:
        """Yield a split's examples in the order of the file.

        Raises:
            UserError: naming file and line: another number of columns than the header, an unknown label, a score
                that is no number, bytes that are not UTF-8; or a file that is missing, unreadable or empty.
        """
        file = self.file(directory_or_file, split)
        rows = read_rows(file)
        unlabelled = split.split("_")[0] == "test"
        first = next(rows, None)
        if first is None:
            raise UserError(f"{file} is empty; expected examples of task {self.name}")
        columns = self._columns(file, first[1], unlabelled)
        index_a, index_b, index_label = (columns.index(name) if name in columns else None
                                         for name in (self.text_a, self.text_b, self.label))
        if not self._is_header(first[1]):
            rows = chain((first,), rows)
        number = 0
        for line, cells in rows:
            if len(cells) != len(columns):
                raise UserError(f"{file}:{line}: {len(cells)} tab-separated columns; expected {len(columns)} "
                                f"({', '.join(columns)})")
            label = None if index_label is None else self._label(cells[index_label], file, line)
            yield TaskExample(cells[index_a], None if index_b is None else cells[index_b], label, line)
            number += 1
        if not number:
            raise UserError(f"{file} has a header but no examples")

    def _is_header(self, cells: list[str]) -> bool:
        return self.text_a in cells and (not self.text_b or self.text_b in cells)

    def _columns(self, file: Path, first: list[str], unlabelled: bool) -> list[str]:
        """Column names, from the header or, for a file without one, from the task."""
        if not self._is_header(first):
            if self.columns_without_header and not unlabelled:
                return list(self.columns_without_header)
            wanted = [name for name in (self.text_a, self.text_b) if name]
            raise UserError(f"{file}:1: no header with {' and '.join(map(repr, wanted))} (task {self.name}); the first "
                            f"line has the columns {first[:8]}")
        if self.label not in first and not unlabelled:
            raise UserError(f"{file}:1: the header has no column {self.label!r}, which task {self.name} needs; it has "
                            f"{first}")
        return first

    def _label(self, cell: str, file: Path, line: int) -> str | float:
        if self.is_regression:
            try:
                score = float(cell)
            except ValueError:
                score = math.nan
            if not math.isfinite(score):
                raise UserError(f"{file}:{line}: the score is {cell!r}; expected a number")
            return score
        if self.labels and cell not in self.labels:
            raise UserError(f"{file}:{line}: unknown label {cell!r}; task {self.name} has {', '.join(self.labels)}")
        return cell

    def label_id(self, label: str | float | None) -> int:
        """Position of a class name in `labels`."""
        try:
            return self.labels.index(label)
        except ValueError:
            raise UserError(f"unknown label {label!r}; task {self.name} has {', '.join(self.labels)}") from None

    def with_labels(self, labels: Sequence[str]) -> Task:
        """Return the task with these classes, in this order."""
        return replace(self, labels=tuple(labels))

    def metrics(self, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Metrics of class ids, or of scores on a regression task; both (N,)."""
        # scikit-learn and SciPy take a second to import: only who scores pays for it.
        from src.tasks.metrics import compute
        return compute(self.metric_names, predictions, labels)


def read_rows(file: Path) -> Iterator[Row]:
    """Yield (line number, cells) of a tab-separated UTF-8 file: quotes mean nothing, empty lines are skipped.

    Lines end at "\\n" or "\\r\\n" only: the other separators that Python knows of (U+2028, form feed) do occur inside
    of fields. A byte order mark at the beginning is dropped.
    """
    try:
        with open(file, "rb") as stream:
            for number, raw in enumerate(stream, 1):
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(f"{file}:{number}: not UTF-8 (byte {error.start + 1} of the line is "
                                    f"0x{raw[error.start]:02x}); convert the file to UTF-8") from error
                text = text.rstrip("\r\n")
                if text:
                    yield number, text.split("\t")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
