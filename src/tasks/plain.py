# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tasks "tsv" and "tsv-regression": anybody's texts or pairs of texts, with classes or with scores.

    text<TAB>label        or        text_a<TAB>text_b<TAB>label

in train.tsv, dev.tsv and test.tsv of a folder, or in a single file. With a header line, columns are found by their
names and others (an index) are ignored. JSON lines (train.jsonl, ...) are read alike: their keys are the header. The
classes are found in the training file and sorted: as numbers when all of them are whole numbers, else as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.tasks.features import Problems
from src.tasks.tables import Row, is_json_lines, read_rows
from src.tasks.task import SPLITS, Task, is_test
from src.tasks.texts import TextTask

TEXT_A = ("text", "sentence", "text_a", "sentence1", "sentence_a", "question", "question1", "premise")
TEXT_B = ("text_b", "sentence2", "sentence_b", "question2", "hypothesis")
LABEL = ("label", "labels", "gold_label", "score")

EXPECTED = "text<TAB>label or text_a<TAB>text_b<TAB>label"


@dataclass(frozen=True)
class PlainTask(TextTask):
    """A task whose columns and labels are found in its files; `resolve` settles them.

    Whatever a file calls its columns, they are the first ones of TEXT_A, TEXT_B and LABEL here.
    """

    def resolve(self, directory_or_file: str | Path, labels: Sequence[str] = ()) -> Task:
        """Return the task with its columns, and with `labels` or those of the training file.

        Raises:
            UserError: the file cannot be read, or has fewer than two labels.
        """
        first = self.splits_in(directory_or_file)[0]
        file = self.file(directory_or_file, first)
        row = next(read_rows(file), None)
        if row is None:
            raise UserError(f"{file} is empty; expected {EXPECTED}")
        # A single file may be a test set, whose model knows the labels.
        columns, _ = self._columns(file, row, is_test(first) or bool(labels) or self.is_regression)
        task = replace(self, text_b=TEXT_B[0] if TEXT_B[0] in columns else "", labels=tuple(labels))
        if labels or self.is_regression:
            return task
        if is_test(first):
            raise UserError(f"{file.parent} has no {self.file_names('train')[0]}, in which the labels of task "
                            f"{self.name} are found")
        return task.with_labels(_labels_in(task, file, first))

    def _columns(self, file: Path, first: Row, may_lack_labels: bool) -> tuple[list[str], bool]:
        line, cells = first
        is_json = is_json_lines(file)
        header = _header(cells, is_json)
        columns: list[Any]
        if header:
            renamed: dict[str | None, str] = dict(zip(header, (TEXT_A[0], TEXT_B[0], LABEL[0]), strict=True))
            columns = [renamed.get(cell, cell) for cell in cells]
        elif is_json:
            raise UserError(f"{file}:{line}: no text among the keys {cells[:8]}; expected one of {', '.join(TEXT_A)}")
        else:
            is_labelled = not may_lack_labels or self._is_labelled(file, len(cells))
            columns = [TEXT_A[0], TEXT_B[0]][: len(cells) - is_labelled] + [LABEL[0]] * is_labelled
            if len(columns) != len(cells) or len(cells) < 1 + is_labelled:
                raise UserError(f"{file}:{line}: {len(cells)} tab-separated columns; expected {EXPECTED}")
        needed = (self.text_b, "" if may_lack_labels else self.label)
        for name in needed:
            if name and name not in columns:
                raise UserError(f"{file}:{line}: no column {name!r}, which task {self.name} needs here; it has "
                                f"{cells[:8]}")
        return columns, bool(header)

    def _is_labelled(self, file: Path, number: int) -> bool:
        """Whether the last of `number` columns of a test set without a header is the label.

        One without labels has one column less than the labelled files beside it.
        """
        beside = [file.parent / f"{name}{file.suffix}" for name in SPLITS if name != "test"]
        rows = (next(read_rows(other), None) for other in beside if other.is_file())
        return number > 1 and next((len(row[1]) for row in rows if row and row[1]), None) != number + 1


def _header(cells: list[str], is_json: bool) -> tuple[str, str, str] | None:
    """Names of the columns text_a, text_b ("" if none) and label ("" if none), or None when this is no header."""
    text_a, text_b, label = (next((cell for cell in cells if cell.strip().lower() in names), "")
                             for names in (TEXT_A, TEXT_B, LABEL))
    if not text_a or len(set(cells)) != len(cells):
        return None
    # One word that happens to be "text" is an example, two known column names or a lone column's name are a header.
    if not (is_json or label or text_b or len(cells) == 1
            or cells[0].strip().lower() in ("qid", "id", "idx", "index", "guid")):
        return None
    return text_a, text_b, label


def _labels_in(task: TextTask, file: Path, split: str) -> tuple[str, ...]:
    """The labels of a file; its faulty rows are left to who reads it for its examples."""
    problems = Problems("skip")
    found = {str(example.label) for example in task.read(file, split, problems)}
    if len(found) < 2:
        only = f"only the label {found.pop()!r}" if found else "no labels"
        raise UserError(problems.summary() or f"{file} has {only}; a classification needs two or more")
    return sort_labels(found)


def sort_labels(labels: set[str]) -> tuple[str, ...]:
    """Sort by number when all of them are whole numbers, else by text."""
    numeric = all(label.lstrip("-").isascii() and label.lstrip("-").isdigit() for label in labels)
    return tuple(sorted(labels, key=int) if numeric else sorted(labels))


_SUFFIXES = (".tsv", ".jsonl", ".json")

PLAIN = (
    PlainTask(name="tsv", text_a=TEXT_A[0], label=LABEL[0], suffixes=_SUFFIXES),
    PlainTask(name="tsv-regression", text_a=TEXT_A[0], label=LABEL[0], kind="regression",
              metric_names=("spearman", "pearson"), suffixes=_SUFFIXES),
)
