# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tasks "tsv" and "tsv-regression": anybody's texts or pairs of texts, with classes or with scores.

    text<TAB>label        or        text_a<TAB>text_b<TAB>label

in train.tsv, dev.tsv and test.tsv of a folder, or in a single file; CSV, JSON, Parquet and Arrow alike. With a header
line, columns are found by their names (TEXT_A, TEXT_B, LABEL) or by those that the user gives, and others are ignored.
The classes are found in the training file and sorted: as numbers when all of them are numbers, else as text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from src.common.errors import UserError, nearest
from src.config import TaskConfig
from src.task_files.forms import Form
from src.task_files.headers import INDEX, LABEL, TEXT_A, TEXT_B, cut, found, is_known, normal
from src.task_files.labels import check_labels, is_missing, is_number, key_of, normal_label, sort_labels
from src.task_files.problems import Problems
from src.task_files.tables import Row, read_rows
from src.tasks.holding_out import held_out
from src.tasks.task import SPLITS, UNLABELLED_SPLIT, Task, is_test
from src.tasks.text_layout import Layout, by_number, places_given
from src.tasks.texts import TextExample, TextTask

EXPECTED = "text<TAB>label or text_a<TAB>text_b<TAB>label"
_ROWS_LOOKED_AT = 1000
_ID = re.compile(r"[!-~]*[0-9][!-~]*(?: [0-9:.]+)?")
"""An id, or a date with its time: one word with a digit."""
NAME_THEM = "name the columns with --text_column and --label_column"


@dataclass(frozen=True)
class PlainTask(TextTask):
    """A task whose columns and labels are found in its files; `resolve` settles them.

    Whatever a file calls its columns, they are the first ones of TEXT_A, TEXT_B and LABEL here, or `text_b`.

    Attributes:
        dev_share: the share of the training rows that are the dev split; 0: it has a file of its own.
        seed: which rows these are.
        text_columns: columns whose texts are joined, the first of which is `text_column`; () for one column.
        is_resolved: whether it is known that the texts are pairs, or that they are none.
    """

    dev_share: float = 0.0
    seed: int = 0
    is_resolved: bool = False
    text_columns: tuple[str, ...] = ()

    @property
    def takes(self) -> str:
        return "either"

    def with_settings(self, settings: TaskConfig, seed: int = 0) -> Task:
        if settings.text_columns and settings.text_column:
            raise UserError("--text_column and --text_columns both name the text; leave one of them out")
        task = replace(self, dev_share=settings.dev_share, seed=seed, text_columns=tuple(settings.text_columns))
        return replace(task._with_columns(settings), text_column=(settings.text_columns or (settings.text_column,))[0])

    def splits_in(self, directory_or_file: str | Path) -> tuple[str, ...]:
        """See `Task.splits_in`; with `dev_share` there is a dev split where there are training rows."""
        there = super().splits_in(directory_or_file)
        if not self.dev_share or "train" not in there:
            return there
        if "dev" in there:
            file = super().file(directory_or_file, "dev")
            raise UserError(f"--dev_share {self.dev_share}: {file} holds the dev split; leave --dev_share out, or take "
                            "that file away")
        return tuple(split for split in self.splits if split in (*there, "dev"))

    def how_read(self, split: str) -> dict[str, Any]:
        divided = {"dev_share": self.dev_share, "seed": self.seed} if self._is_divided(split) else {}
        joined = {"text_columns": list(self.text_columns)} if self.text_columns and split != "train_aug" else {}
        return super().how_read(split) | divided | joined

    def file(self, directory_or_file: str | Path, split: str) -> Path:
        return super().file(directory_or_file, "train" if self._is_divided(split) else split)

    def _is_divided(self, split: str) -> bool:
        return self.dev_share > 0 and split in ("train", "dev")

    def _chosen(self, examples: Iterator[TextExample], directory_or_file: str | Path, split: str
                ) -> Iterator[TextExample]:
        if not self._is_divided(split):
            return examples
        whole = self._read(directory_or_file, "train", Problems("skip"))
        out = held_out(((e.label, e.text_a, e.text_b) for e in whole), self.dev_share, self.seed, self.is_regression)
        return (example for number, example in enumerate(examples) if (number in out) is (split == "dev"))

    def resolve(self, directory_or_file: str | Path, labels: Sequence[str] = ()) -> Task:
        """Return the task with its columns, and with `labels` or those of the training file.

        Raises:
            UserError: the file cannot be read, has fewer than two labels, or has labels that cannot be meant so.
        """
        first = self.splits_in(directory_or_file)[0]
        file = self.file(directory_or_file, first)
        # A single file may be a test set, whose model knows the labels.
        layout = self._layout(file, first, bool(labels) or self.is_regression)
        task = replace(self, text_b=TEXT_B[0] if TEXT_B[0] in layout.places else "", labels=tuple(labels),
                       is_resolved=True)
        if labels or self.is_regression:
            return task
        if first == UNLABELLED_SPLIT:
            return task
        if is_test(first):
            raise UserError(f"{file.parent} has no {self.file_names('train')[0]}, in which the labels of task "
                            f"{self.name} are found")
        problems = Problems("skip")  # Faulty rows are left to who reads the file for its examples.
        counts = Counter(str(example.label) for example in task.read(directory_or_file, first, problems))
        if len(counts) < 2:
            only = f"only the label {next(iter(counts))!r}" if counts else "no labels"
            raise UserError(problems.summary() or f"{file} has {only}; a classification needs two or more")
        check_labels(counts, file)
        return task.with_labels(sort_labels(counts))

    def _may_be_quoted(self, file: Path, is_own: bool) -> bool:
        return not is_own

    def _is_unlabelled(self, cell: Any) -> bool:
        return is_missing(cell) if self.is_regression else super()._is_unlabelled(cell)

    def _example(self, row: dict[str, Any], line: int) -> TextExample:
        example = super()._example(row, line)
        if example.label is not None and not cut(example.text_a):
            raise UserError("the text is empty")
        return example

    def _columns(self, file: Path, form: Form, first: Row, may_lack_labels: bool) -> Layout:
        line, cells = first
        columns = [cut(str(cell)) for cell in cells]
        try:
            options = self._options()
            if places_given(columns, form, [*(name for _, name in options.values()), *self.text_columns[1:]]):
                layout = by_number(columns, form, options, [self.text_a])
            elif self._has_names(columns, form):
                layout = self._by_name(columns, form)
                self._check_header(file, columns, layout)
            else:
                layout = self._by_place(file, columns, form, may_lack_labels)
            layout = self._with_joined(layout)
            if not layout.has_header:
                self._check_rows(file, columns, layout)
            self._check_needed(layout, columns, may_lack_labels)
        except UserError as error:
            raise UserError(f"{file}:{line}: {error}") from None
        return layout

    def _check_needed(self, layout: Layout, columns: Sequence[str], may_lack_labels: bool) -> None:
        for name in (self.text_b, "" if may_lack_labels else self.label):
            if name and name not in layout.places:
                raise UserError(f"no column {name!r}, which task {self.name} needs here; it has {list(columns[:8])}; "
                                f"{NAME_THEM}" + (" (--text_b_column)" if name == self.text_b else ""))
        if self.is_resolved and not self.text_b and TEXT_B[0] in layout.places:
            raise UserError("there is a second text, which the training file has not; give all files of a task the "
                            "same columns")

    def _options(self) -> dict[str, tuple[str, str]]:
        """Column -> the option that names it, and the name given."""
        text = "--text_columns" if self.text_columns else "--text_column"
        return {self.text_a: (text, self.text_column), TEXT_B[0]: ("--text_b_column", self.text_b_column),
                self.label: ("--label_column", self.label_column)}

    def _with_joined(self, layout: Layout) -> Layout:
        """Return the layout with the places of the further columns whose texts are joined."""
        if len(self.text_columns) < 2 or not self.text_column:  # what augmentation writes has one text
            return layout
        joined = []
        for name in self.text_columns[1:]:
            if layout.has_header:
                joined.append(_place_of(name, "--text_columns", layout.columns))
            elif 1 <= int(name) <= len(layout.columns):
                joined.append(int(name) - 1)
            else:
                raise UserError(f"--text_columns {name}: there are the columns 1 to {len(layout.columns)}")
        places = [*layout.places.values(), *joined]
        if len(set(places)) < len(places):
            raise UserError("--text_columns names a column twice, or one that is the second text or the label")
        note = "the texts of several columns are joined, with a blank between"
        return replace(layout, joined=tuple(joined), notes=(*layout.notes, note))

    def _has_names(self, columns: Sequence[str], form: Form) -> bool:
        """Whether the first row is a header for certain: the user names its columns, or two of them are known, or the
        only one, or the first is that of an index."""
        if form.has_names or any(name for _, name in self._options().values()):
            return True
        known = 0 if any(map(is_number, columns)) else sum(map(is_known, columns))
        return known > 1 or known == 1 and (len(columns) == 1 or normal(columns[0]) in INDEX
                                            and bool(found(TEXT_A, list(columns))))

    def _by_name(self, columns: list[str], form: Form) -> Layout:
        names = {self.text_a: TEXT_A, TEXT_B[0]: TEXT_B, self.label: LABEL}
        options = self._options()
        places: dict[str, int] = {}
        for role, (option, name) in options.items():
            if name:
                places[role] = _place_of(name, option, columns)
        if len(set(places.values())) < len(places):
            raise UserError("--text_column, --text_b_column and --label_column name one column twice; give each its "
                            "own")
        for role, known in names.items():
            is_unread = role == self.label and self.file_split == UNLABELLED_SPLIT
            if role in places or is_unread or role == TEXT_B[0] and self.text_column:
                continue
            at = [place for place in found(known, columns) if place not in places.values()]
            if len(at) > 1:
                other = f" (and a second text with {options[TEXT_B[0]][0]})" if role == self.text_a else ""
                raise UserError(f"{len(at)} columns may be the {'label' if role == self.label else 'text'}: "
                                f"{', '.join(columns[place] for place in at)}; name the right one with "
                                f"{options[role][0]}{other}")
            if at:
                places[role] = at[0]
        if self.text_a not in places:
            where = "among the keys" if form.has_names else "among the columns"
            nested = "; a list within an object is given as the file" if form.has_names and len(columns) < 4 else ""
            raise UserError(f"no text {where} {columns[:8]}; expected one of {', '.join(TEXT_A)}; or {NAME_THEM}"
                            f"{nested}")
        return Layout(form, columns, {role: places[role] for role in names if role in places}, True)

    def _check_header(self, file: Path, columns: list[str], layout: Layout) -> None:
        """Refuse a header that may be a row of texts that happen to be names: another cell of it comes again below."""
        others = set(range(len(columns))) - set(layout.places.values())
        if not others or layout.form.has_names or any(name for _, name in self._options().values()):
            return
        for _, cells in islice(read_rows(file, lambda message: None, layout.form), 1, _ROWS_LOOKED_AT):
            below = [cut(str(cell)) for cell in cells]
            again = [place for place in others if place < len(below) and below[place] == columns[place] != ""]
            if again and below != columns:
                raise UserError(f"the first line, {columns[:8]}, may be a header or a row, for {columns[again[0]]!r} "
                                f"comes again in its column; {NAME_THEM}")

    def _by_place(self, file: Path, columns: Sequence[str], form: Form, may_lack_labels: bool) -> Layout:
        width = len(columns)
        is_labelled = not may_lack_labels or self._is_labelled(file, width)
        names = [TEXT_A[0], TEXT_B[0]][: width - is_labelled] + [LABEL[0]] * is_labelled
        if len(names) != width or width < 1 + is_labelled:
            raise UserError(f"{width} {'tab-separated ' * (form.kind == 'tsv')}columns; expected {EXPECTED}"
                            f"{_other_separator(columns)}; or {NAME_THEM}")
        if width == 1 and (hint := _other_separator(columns)):
            raise UserError(f"1 tab-separated column{hint}")
        places = {name: place for place, name in enumerate(names)}
        return Layout(form, names, places, False, ("no header: the columns are told by their place",))

    def _is_labelled(self, file: Path, number: int) -> bool:
        """Whether the last of `number` columns of a test set without a header is the label.

        One without labels has one column less than the labelled files beside it.
        """
        beside = [file.parent / f"{name}{file.suffix}" for name in SPLITS if not is_test(name)]
        rows = (next(read_rows(other), None) for other in beside if other.is_file())
        return number > 1 and next((len(row[1]) for row in rows if row and row[1]), None) != number + 1

    def _check_rows(self, file: Path, columns: Sequence[str], layout: Layout) -> None:
        """Refuse a file without a header whose first row may be one with names that are not known, or whose columns
        may be in another order."""
        place = layout.places.get(self.label)
        seen = _Columns(columns)
        for _, cells in read_rows(file, lambda message: None, layout.form):
            if len(cells) == len(columns):
                seen.add([cut(str(cell)) for cell in cells], place)
        header = (f"the first line, {list(columns[:8])}, may be a header with names that are not known, or a row; "
                  f"{NAME_THEM}, or put a header before it: {EXPECTED}")
        label = "" if place is None else _plain_label(columns[place])
        if place is None:
            if len(columns) > 1 and any(map(is_known, columns)):
                raise UserError(header)
        elif list(columns) == [str(number) for number in range(len(columns))] and not seen.first_are_numbers:
            raise UserError(header)  # as pandas writes columns without names
        elif columns[place] not in self.labels and label not in (*self.labels, *seen.labels):
            numbers = bool(seen.labels) and all(map(_is_value, seen.labels))
            if (any(map(is_known, columns)) or numbers and not _is_value(label)
                    or not self.is_regression and not numbers and max(seen.labels.values(), default=0) > 1):
                raise UserError(header)
        if any(name for _, name in self._options().values()) or seen.rows < 2:
            return
        if len(columns) > 1 and seen.first_are_numbers:
            raise UserError("there is no header, and the first column, which should be the text, holds numbers: an "
                            f"index, or the labels; put a header before the rows, or {NAME_THEM} by their numbers")
        if len(columns) == 3 and seen.first_are_ids and seen.rows > 2:
            raise UserError(f"there is no header, and the first column, such as {columns[0]!r}, holds ids or dates and "
                            f"no texts; put a header before the rows, or {NAME_THEM} by their numbers")
        if place is None or self.is_regression or seen.rows <= 2:
            return
        different = [len(values) for values in seen.values]
        if different[place] > min(different) or seen.rows > 3 and different[place] == seen.rows:
            raise UserError("there is no header, and the last column, which should be the label, differs more from row "
                            "to row than others, or in each row; put a header before the rows, or "
                            f"{NAME_THEM} by their numbers")


class _Columns:
    """What the columns of a file without a header hold: their values, and how often each label comes below the first
    row, which may be a header, and may come again where files were joined."""

    def __init__(self, first: Sequence[str]) -> None:
        self.first, self.rows, self.first_are_numbers, self.first_are_ids = list(first), 0, True, True
        self.values: list[set[int]] = [set() for _ in first]
        self.labels: Counter[str] = Counter()

    def add(self, cells: list[str], place: int | None) -> None:
        self.rows += 1
        self.first_are_numbers = self.first_are_numbers and is_number(cells[0])
        self.first_are_ids = self.first_are_ids and _ID.fullmatch(cells[0]) is not None
        for values, cell in zip(self.values, cells, strict=True):
            if cell:
                values.add(hash(key_of(cell)))
        if place is not None and cells != self.first:
            self.labels[_plain_label(cells[place])] += 1


def _is_value(label: str) -> bool:
    """Whether a label is a number or a boolean, which no header has."""
    return is_number(label) or label in ("true", "false")


def _plain_label(cell: str) -> str:
    """A label's normal form, or the cell as it is where it is none."""
    try:
        return normal_label(cell)
    except UserError:
        return cell


def _place_of(name: str, option: str, columns: list[str]) -> int:
    """Return the place of the column that the user names; as it is written, or else but for case and blanks."""
    at = [place for place, column in enumerate(columns) if column == cut(name)] or found((normal(name),), columns)
    if len(at) != 1:
        what = f"{len(at)} columns" if at else "no column"
        raise UserError(f"{option} {name}: the first line has {what} of this name; it has {columns[:8]}"
                        f"{nearest(name, columns) if not at else ''}")
    return at[0]


def _other_separator(columns: Sequence[str]) -> str:
    """A remedy for a header that something else than tabs separates."""
    for separator, name in {",": "commas", ";": "semicolons", "|": "vertical bars"}.items():
        if len(columns) == 1 and sum(map(is_known, columns[0].split(separator))) > 1:
            return f"; {name} separate the names of the first line: a file with these is called .csv"
    return ""


PLAIN = (
    PlainTask(name="tsv", text_a=TEXT_A[0], label=LABEL[0]),
    PlainTask(name="tsv-regression", text_a=TEXT_A[0], label=LABEL[0], kind="regression",
              metric_names=("spearman", "pearson")),
)
