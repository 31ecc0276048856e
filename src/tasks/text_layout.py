# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which columns of a file hold texts and labels, and what the labels are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.task_files.columnar import and_more
from src.task_files.forms import Form
from src.task_files.headers import ID, cut, found
from src.task_files.json_records import is_whole
from src.task_files.labels import UNLABELLED
from src.task_files.understood import Understood
from src.tasks.class_labels import class_labels


@dataclass(frozen=True)
class Layout:
    """The columns of a file.

    Attributes:
        columns: names in the file's header, or of the task by their place.
        places: the task's name of a column -> its place.
        notes: how they were found, where that is not plain.
        joined: places of columns whose texts follow that of the first text.
        classes: what whole numbers in the label's column stand for, by the file's schema; () for nothing.
    """

    form: Form
    columns: list[str]
    places: dict[str, int]
    has_header: bool
    notes: tuple[str, ...] = ()
    joined: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()

    def id_of(self, cells: Sequence[Any]) -> str | None:
        """Return the name of a row, where the file has one column of names, and the cell is a text or whole number."""
        cell = None if self._id_place is None else cells[self._id_place]
        return cut(str(cell)) if isinstance(cell, str) or is_whole(cell) else None

    @cached_property
    def _id_place(self) -> int | None:
        used = (*self.places.values(), *self.joined)
        places = [place for place in found(ID, list(self.columns)) if place not in used] if self.has_header else []
        return places[0] if len(places) == 1 else None

    def with_classes(self, file: Path, label: str, known: Collection[str]) -> Layout:
        """Return the layout with the names that the schema has for a label's numbers, unless the `known` labels of the
        task are these numbers themselves."""
        if not self.form.is_columnar or label not in self.places:
            return self
        names = class_labels(file, (self.columns[self.places[label]],))
        if not names or known and set(known) <= set(map(str, range(len(names)))):
            return self
        note = "labels are numbers, with their names in the schema: " + ", ".join(
            f"{number} = {name}" for number, name in enumerate(names))
        return replace(self, classes=names, notes=(*self.notes, note))

    def without(self, column: str) -> Layout:
        """Return the layout of a file whose labels, the `column`, are not read."""
        return replace(self, classes=(), places={name: place for name, place in self.places.items() if name != column})

    def tell(self, file: Path, understood: Understood, roles: Mapping[str, str]) -> None:
        """Say how the file is read; `roles`: the task's name of a column -> what it is, that of the text first."""
        understood.file, understood.form = file.name + and_more(file), self.form.name
        understood.encoding = self.form.encoding
        called = self.columns if self.has_header else [f"column {at + 1}" for at in range(len(self.columns))]
        understood.columns = {roles[name]: called[place] for name, place in self.places.items()}
        understood.columns[next(iter(roles.values()))] += "".join(f" + {called[place]}" for place in self.joined)
        if self.has_header:
            used = (*self.places.values(), *self.joined)
            understood.ignored = [column or "(no name)" for place, column in enumerate(self.columns)
                                  if place not in used]
        understood.notes = list(self.notes)

    def class_of(self, cell: Any, may_be_missing: bool) -> Any:
        """Return a label by its name in the schema; raises `UserError` for a number that has none."""
        if not self.classes or not is_whole(cell) or may_be_missing and str(cell) == UNLABELLED:
            return cell
        if not 0 <= cell < len(self.classes):
            hint = "; that is how the Hugging Face hub marks rows without a label" if str(cell) == UNLABELLED else ""
            raise UserError(f"the label is {cell}; the schema names the classes 0 to {len(self.classes) - 1}{hint}")
        return self.classes[cell]


def places_given(columns: Sequence[str], form: Form, given: Iterable[str]) -> bool:
    """Whether the user names columns ("": none) by their numbers, of a file without a header."""
    names = [name for name in given if name]
    return bool(names) and not form.has_names and all(
        name.isascii() and name.isdigit() and name not in columns for name in names)


def by_number(columns: Sequence[str], form: Form, options: Mapping[str, tuple[str, str]],
              needed: Collection[str]) -> Layout:
    """Return the layout of a file without a header.

    Args:
        options: the task's name of a column -> the option that gives its number, and the number, from 1; "": none.
        needed: the names that must be given.

    Raises:
        UserError: there is no such column, one is given twice, or a needed one is not given.
    """
    places = {}
    for role, (option, name) in options.items():
        if name:
            if not 1 <= int(name) <= len(columns):
                raise UserError(f"{option} {name}: there are the columns 1 to {len(columns)}")
            places[role] = int(name) - 1
    if any(name not in places for name in needed) or len(set(places.values())) < len(places):
        wanted = ", ".join(options[name][0] for name in needed)
        raise UserError(f"columns that are given by numbers need {wanted}, and each its own number")
    names = [next((role for role, at in places.items() if at == place), f"column {place + 1}")
             for place in range(len(columns))]
    return Layout(form, names, places, False, ("no header: the columns are those whose numbers were given",))
