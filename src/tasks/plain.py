# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The task "tsv": anybody's classification data in tab-separated files.

    text<TAB>label        or        text_a<TAB>text_b<TAB>label

in train.tsv, dev.tsv and test.tsv of a folder, or in a single file. With a header line, columns are found by their
names and others (an index) are ignored. The labels are found in the training file and sorted: as numbers when
all of them are whole numbers, else as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.errors import UserError
from src.tasks.features import Problems
from src.tasks.task import SPLITS, Task
from src.tasks.texts import TextExample, TextTask, read_rows

TEXT_A = ("text", "sentence", "text_a", "sentence1", "sentence_a", "question", "question1")
TEXT_B = ("text_b", "sentence2", "sentence_b", "question2")
LABEL = ("label", "labels", "gold_label")


@dataclass(frozen=True)
class PlainTask(TextTask):
    """A task whose columns and labels are found in its files; `resolve` settles them."""

    def resolve(self, directory_or_file: str | Path, labels: Sequence[str] = ()) -> Task:
        """Return the task with its columns, and with `labels` or those of the training file.

        Raises:
            UserError: the file is faulty, or has fewer than two labels.
        """
        splits = self.splits_in(directory_or_file)
        first = splits[0]
        file = self.file(directory_or_file, first)
        task = replace(self, text_b=TEXT_B[0] if self._has_pairs(file) else "", labels=tuple(labels))
        if not labels:
            if first == "test":
                raise UserError(f"{file.parent} has no train.tsv, in which the labels of task {self.name} are found")
            found = {example.label for example in task.read(directory_or_file, first)}
            task = task.with_labels(sort_labels(found))
            if len(found) < 2:
                raise UserError(f"{file} has only the label {task.labels[0]!r}; a classification needs two or more")
        return task

    def read(self, directory_or_file: str | Path, split: str,
             problems: Problems | None = None) -> Iterator[TextExample]:
        file = self.file(directory_or_file, split)
        first = next((cells for _, cells in read_rows(file)), None)
        if first is None:
            raise UserError(f"{file} is empty; expected text<TAB>label or text_a<TAB>text_b<TAB>label")
        header = _header(first)
        if not header:
            return self._read_without_header(file, len(first), self._is_labelled(file, len(first), split))
        text_a, text_b, label = header
        # The names vary between files: a test set's header differs from the training set's.
        view = TextTask(name=self.name, text_a=text_a, text_b=text_b, label=label or LABEL[0], labels=self.labels)
        return view.read(file, split)

    def _is_labelled(self, file: Path, number: int, split: str) -> bool:
        """Whether the last of `number` columns is the label, in a file without a header."""
        if split == "test":
            # A test set without labels has one column less than the labelled files beside it.
            beside = [self._number_of_columns(file.parent / f"{name}.tsv") for name in SPLITS if name != "test"]
            expected = next((count for count in beside if count), None)
            if number == 1 or expected == number + 1:
                return False
        if number not in (2, 3):
            raise UserError(f"{file}:1: {number} tab-separated columns; expected text<TAB>label or "
                            "text_a<TAB>text_b<TAB>label")
        return True

    @staticmethod
    def _number_of_columns(file: Path) -> int:
        return len(next(read_rows(file), (0, []))[1]) if file.is_file() else 0

    def _read_without_header(self, file: Path, columns: int, is_labelled: bool) -> Iterator[TextExample]:
        texts = columns - is_labelled
        for line, cells in read_rows(file):
            if len(cells) != columns:
                raise UserError(f"{file}:{line}: {len(cells)} tab-separated columns; expected {columns}")
            label = self._label(cells[-1], file, line) if is_labelled else None
            yield TextExample(cells[0], cells[1] if texts == 2 else None, label, line)

    def _has_pairs(self, file: Path) -> bool:
        first = next((cells for _, cells in read_rows(file)), None)
        if first is None:
            raise UserError(f"{file} is empty; expected text<TAB>label or text_a<TAB>text_b<TAB>label")
        header = _header(first)
        return bool(header[1]) if header else len(first) == 3


def _header(cells: list[str]) -> tuple[str, str, str] | None:
    """Names of the columns text_a, text_b ("" if none) and label ("" if none), or None when this is no header."""
    text_a, text_b, label = (next((cell for cell in cells if cell.strip().lower() in names), "")
                             for names in (TEXT_A, TEXT_B, LABEL))
    if not text_a or len(set(cells)) != len(cells):
        return None
    # One word that happens to be "text" is an example, two known column names or a lone column's name are a header.
    if not (label or text_b or len(cells) == 1 or cells[0].strip().lower() in ("qid", "id", "idx", "index", "guid")):
        return None
    return text_a, text_b, label


def sort_labels(labels: set[str]) -> tuple[str, ...]:
    """Sort by number when all of them are whole numbers, else by text."""
    numeric = all(label.lstrip("-").isascii() and label.lstrip("-").isdigit() for label in labels)
    return tuple(sorted(labels, key=int) if numeric else sorted(labels))


PLAIN = PlainTask(name="tsv", text_a=TEXT_A[0], label=LABEL[0])
