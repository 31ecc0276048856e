# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a teacher said of examples, in a file: JSON lines, a JSON list, Parquet or Arrow, an object an example.

    {"id": "a17", "top_logprobs": {"positive": -0.05, "negative": -3.1}}        {"position": 0, "logits": [0.3, -1.2]}

An example is named by its `id`, or by `position`, the number of its row in the training file, from 0; where no object
has either, they are in the order of that file. Other keys than these and those of FORMS are left alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from src.common.errors import UserError, nearest
from src.common.files import atomic_file
from src.task_files.forms import form_of
from src.task_files.json_records import is_whole, short
from src.task_files.tables import read_objects

ID, POSITION = "id", "position"
OF_CLASSES = ("logits", "probabilities", "top_logprobs")
OF_SCORES = ("score", "scores")
FORMS = (*OF_CLASSES, *OF_SCORES)
"""What an object may hold of a teacher, one of them."""

FLOOR = 1e-7
"""The least probability of a class, whose logarithm is taken."""
TOLERANCE = 1e-3
"""How far the sum of probabilities may be from 1."""
_ROWS_A_GROUP = 4096


class Output(NamedTuple):
    """One object: where it stands, what names its example, and what it holds: one of FORMS, or "" for nothing."""

    row: int
    id: str | None
    position: int | None
    form: str
    value: Any


def read_outputs(file: Path) -> Iterator[Output]:
    """Yield the objects of a file.

    Raises:
        UserError: naming file and row: no JSON, a name that is none, or several of FORMS.
    """
    if not file.exists():
        raise UserError(f"teacher_outputs: no such file: {file}")
    form = form_of(file)
    if not form.has_names:
        raise UserError(f"teacher_outputs: {file} is {form.name}; expected JSON lines or Parquet, such as "
                        '{"position": 0, "logits": [0.3, -1.2]}')
    for row, entry in read_objects(file, form=form):
        try:
            yield _output(row, entry)
        except UserError as error:
            raise UserError(f"{file}:{row}: {error}") from None


def _output(row: int, entry: dict[str, Any]) -> Output:
    name, position = entry.get(ID), entry.get(POSITION)
    if name is not None and not (isinstance(name, str) or is_whole(name)):
        raise UserError(f"{ID} is {short(name)}; expected a text or a whole number")
    if position is not None and not (is_whole(position) and position >= 0):
        raise UserError(f"{POSITION} is {short(position)}; expected the number of a row, from 0")
    there = [form for form in FORMS if entry.get(form) is not None]
    if len(there) > 1:
        raise UserError(f"there are {' and '.join(there)}; expected one of them")
    if not any(form in entry for form in FORMS):
        raise UserError(f"none of {', '.join(FORMS)}; the keys are {', '.join(map(str, list(entry)[:8]))}")
    form = there[0] if there else ""
    return Output(row, None if name is None else str(name), position, form, entry.get(form))


def class_logits(form: str, value: Any, labels: Sequence[str]) -> np.ndarray:
    """Return what an object says of one text or word as logits, float32 (C,), in the order of `labels`.

    `logits` are themselves; of `probabilities` the logarithm, at least that of FLOOR. Both are a list in the order of
    the labels, or an object label -> number. Of `top_logprobs`, label -> log-probability, the labels that are missing
    share what is left of 1 in equal parts; where none is missing, what is left is that of no label and left out.

    Raises:
        UserError: another number of classes, an unknown label, no number, or a sum that is not 1.
    """
    if form not in OF_CLASSES:
        raise UserError(f"{form or 'nothing'} is there, but these rows have classes; expected one of "
                        f"{', '.join(OF_CLASSES)}")
    if form == "top_logprobs":
        return _of_top(value, labels)
    numbers = _by_label(form, value, labels)
    if form == "logits":
        return numbers.astype(np.float32)
    if (numbers < 0).any() or abs(numbers.sum() - 1) > TOLERANCE:
        raise UserError(f"the probabilities sum to {numbers.sum():.6g}, and the least is {numbers.min():.6g}; expected "
                        "a sum of 1, and none below 0")
    return np.log(np.maximum(numbers, FLOOR)).astype(np.float32)


def score_of(form: str, value: Any) -> float:
    """Return the score of an example of a regression.

    Raises:
        UserError: it is no finite number.
    """
    if form == "logits" and isinstance(value, list) and len(value) == 1:
        value = value[0]
    elif form != "score":
        raise UserError(f"{form or 'nothing'} is there, but these rows have scores; expected score")
    return _number(value, form)


def scores_of(form: str, value: Any, number: int) -> list[float]:
    """Return the scores of a list of `number` documents.

    Raises:
        UserError: another number, or no finite numbers.
    """
    if form != "scores" or not isinstance(value, list):
        raise UserError(f"{form or 'nothing'} is {short(value)}; expected scores, a list with one for each document")
    if len(value) != number:
        raise UserError(f"{len(value)} scores; the query has {number} documents")
    return [_number(score, form) for score in value]


def _of_top(value: Any, labels: Sequence[str]) -> np.ndarray:
    if not isinstance(value, dict):
        raise UserError(f"top_logprobs is {short(value)}; expected an object, label -> log-probability")
    found = {_known(name, labels): _number(part, "top_logprobs", infinite=True)
             for name, part in value.items() if part is not None}
    if not found:
        raise UserError("top_logprobs names no label; leave the object out, or set it null")
    given = {place: math.exp(min(part, 1.0)) for place, part in found.items()}
    total = sum(given.values())
    if total > 1 + TOLERANCE:
        raise UserError(f"the probabilities of top_logprobs sum to {total:.6g}, more than 1; expected natural "
                        "logarithms")
    missing = len(labels) - len(given)
    rest = max(0.0, 1 - total) / missing if missing else 0.0
    shares = np.array([given.get(place, rest) for place in range(len(labels))])
    if not missing and shares.sum() < FLOOR:
        raise UserError("the probabilities of top_logprobs sum to 0")
    return np.log(np.maximum(shares / shares.sum(), FLOOR)).astype(np.float32)


def _by_label(form: str, value: Any, labels: Sequence[str]) -> np.ndarray:
    """Return numbers in the order of the labels, float64 (C,)."""
    if isinstance(value, dict):
        found = {_known(name, labels): _number(part, form) for name, part in value.items() if part is not None}
        lacking = [label for place, label in enumerate(labels) if place not in found]
        if lacking and form == "logits":
            raise UserError(f"logits lacks {', '.join(lacking[:8])}; expected one for each label")
        return np.array([found.get(place, 0.0) for place in range(len(labels))])
    if not isinstance(value, list):
        raise UserError(f"{form} is {short(value)}; expected a list in the order of the labels, or an object, label -> "
                        "number")
    if len(value) != len(labels):
        raise UserError(f"{form} has {len(value)} numbers; the rows have {len(labels)} classes: "
                        f"{', '.join(labels[:8])}")
    return np.array([_number(part, form) for part in value])


def _known(name: str, labels: Sequence[str]) -> int:
    if name not in labels:
        raise UserError(f"unknown label {name!r}; the rows have {', '.join(labels[:8])}{nearest(name, labels)}")
    return labels.index(name)


def _number(value: Any, form: str, infinite: bool = False) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or math.isnan(value) or (math.isinf(value) and not (infinite and value < 0)):
        raise UserError(f"{form} has {short(value)}; expected a finite number")
    return float(value)


def write_outputs(file: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write objects as Parquet, where the file is called so, else as JSON lines; it appears whole.

    Raises:
        UserError: pyarrow, which writes Parquet, is not installed.
    """
    with atomic_file(file) as aside:
        if file.suffix.lower() == ".parquet":
            _write_parquet(aside, list(entries))
            return
        with open(aside, "w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def _write_parquet(file: Path, entries: list[dict[str, Any]]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(f"{file.name} is written by pyarrow, but {str(error).splitlines()[0]}; pip install -r "
                        "requirements-parquet.txt, or name a file .jsonl") from error
    parquet.write_table(pyarrow.Table.from_pylist(entries), file, row_group_size=_ROWS_A_GROUP)
