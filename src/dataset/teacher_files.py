# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A teacher's outputs out of a file (`src.task_files.teacher_outputs`), brought to the rows of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from src.common.errors import UserError
from src.config import HeadConfig
from src.config.model import INPUTS
from src.dataset.reading import read_columns
from src.dataset.training import TeacherLogits
from src.records.columns import LABEL
from src.records.kept_examples import read_examples
from src.records.reading import RecordSource
from src.records.source_rows import read_source_rows
from src.task_files.json_records import short
from src.task_files.teacher_outputs import ID, POSITION, Output, class_logits, read_outputs, score_of, scores_of
from src.tasks import get_task

_CERTAIN = -1e4
"""Logit of the classes that a label is not, where it stands for a teacher: of probability 0 at any temperature."""


@dataclass(frozen=True)
class _Examples:
    """The examples of records.

    Attributes:
        rows: the rows of each example, and where in them its words are: places of the values that it fills, in order.
        positions: the number of each in its file.
        ids: how the file calls it; None where it has no name.
    """

    rows: Sequence[Any]
    positions: Sequence[int]
    ids: Sequence[str | None]


def outputs_of_file(file: Path, records: RecordSource, head: HeadConfig,
                    missing: Literal["refuse", "labels"] = "refuse", say: Callable[[str], None] = print
                    ) -> TeacherLogits:
    """Return a file's outputs as the logits of all rows of `records`: float32 (rows, C), scores (rows, 1), or of
    tagging (rows, S, C), zeros at tokens whose class is not read.

    Args:
        missing: what takes the place of examples that the file lacks: `labels`, a teacher that is certain of their
            label, or of a regression the score in the records; `refuse`: none may lack.

    Raises:
        UserError: naming file and row: see `read_outputs`, `class_logits`; an id or position that is not known, or
            there twice; examples that the file lacks.
    """
    if head.kind not in ("classification", "regression", "tagging"):
        raise UserError("teacher_outputs is for classes, scores, tags and rerankers; the outputs of a "
                        f"{head.kind} head are of tokens, which no file holds; give --load_teacher_ckpt_path DIR")
    examples = _examples_of(records, head)
    length = () if head.is_of_row else records.columns[INPUTS[0]].shape
    values = np.zeros((records.rows, *length, max(1, len(head.labels))), np.float32)
    found, by = _matched(file, examples)
    for number, output in found.items():
        try:
            values[examples.rows[number]] = _values_of(output, head, examples.rows[number], bool(records.list_size))
        except UserError as error:
            raise UserError(f"{file}:{output.row}: {error}") from None
    lacking = [number for number in range(len(examples.rows)) if number not in found]
    if lacking and missing == "refuse":
        position = examples.positions[lacking[0]]
        raise UserError(f"{file} lacks outputs of {len(lacking)} of the {len(examples.rows)} examples of "
                        f"{records.files[0].parent}, such as {POSITION} {position}"
                        f"{_named(examples.ids[lacking[0]])}; add them"
                        + (", or train these rows on their labels: --missing_outputs labels"
                           if LABEL in records.columns else ""))
    if lacking:
        _fill_with_labels(values, [examples.rows[number] for number in lacking], records, head)
    own = f", {len(lacking)} others take their labels" if lacking else ""
    say(f"teacher outputs: {file}: {len(found)} examples by {by}{own}"
        f"{_agreement(values, [examples.rows[number][0] for number in found], records, head)}")
    return TeacherLogits(file, values)


def _agreement(values: np.ndarray, rows: Sequence[int], records: RecordSource, head: HeadConfig) -> str:
    """Say how many classes are those of the labels, which tells outputs of other rows from a teacher's."""
    if head.kind != "classification" or LABEL not in records.columns or not rows:
        return ""
    labels = read_columns(records, [LABEL])[LABEL][rows, 0]
    return f"; {np.mean(values[rows].argmax(1) == labels):.1%} have the class of their label"


def _named(name: str | None) -> str:
    return "" if name is None else f" ({ID} {short(name)})"


def _examples_of(records: RecordSource, head: HeadConfig) -> _Examples:
    """Return the examples in the order of the data."""
    if not records.list_size and head.kind != "tagging":
        source, order = read_source_rows(records), records.data_order()
        places = range(records.rows) if order is None else order.tolist()
        return _Examples([(place,) for place in places], source.rows, source.ids)
    names = ["example_ids", *(["word_ids"] if head.kind == "tagging" else [])]
    read_source_rows(records)  # refuses what left rows out
    columns = read_columns(records, names)
    numbers = columns["example_ids"][:, 0]
    count = int(numbers.max(initial=-1)) + 1
    ids: list[str | None] = [None] * count
    if head.kind != "tagging":
        of_row = np.argsort(numbers, kind="stable")
        bounds = np.searchsorted(numbers[of_row], np.arange(count + 1))
        rows = [(of_row[begin:end],) for begin, end in zip(bounds[:-1], bounds[1:], strict=True)]
    else:
        row, token = np.nonzero(columns["word_ids"] >= 0)
        order = np.lexsort((columns["word_ids"][row, token], numbers[row]))
        row, token = row[order], token[order]
        bounds = np.searchsorted(numbers[row], np.arange(count + 1))
        rows = [(row[begin:end], token[begin:end]) for begin, end in zip(bounds[:-1], bounds[1:], strict=True)]
        kept = read_examples(records.files[0].parent, get_task(records.manifest.task_name if records.manifest else ""))
        ids = [None if example.id is None else str(example.id) for example in kept]
    return _Examples(rows, range(count), ids)


def _matched(file: Path, examples: _Examples) -> tuple[dict[int, Output], str]:
    """Return the outputs by the number of their example, and what names them."""
    outputs = list(read_outputs(file))
    if not outputs:
        raise UserError(f"{file} is empty; expected an object an example")
    has_ids = any(name is not None for name in examples.ids)
    by = next((name for name in (ID, POSITION) if all(getattr(output, name) is not None for output in outputs)
               and (name == POSITION or has_ids)), "")
    if not by:
        _check_unnamed(file, outputs, has_ids, len(examples.rows))
        return {number: output for number, output in enumerate(outputs) if output.form}, "their order"
    names = examples.ids if by == ID else examples.positions
    places: dict[Any, int] = {name: number for number, name in enumerate(names) if name is not None}
    if by == ID and len(places) < len(names):
        twice = next((name for name, times in Counter(names).items() if times > 1), None)
        raise UserError(f"the {ID} {short(twice)} of the training file is that of several rows, so that {file} cannot "
                        f"say which it means; name its rows by {POSITION}")
    found: dict[int, Output] = {}
    for output in outputs:
        name = getattr(output, by)
        if name not in places:
            raise UserError(f"{file}:{output.row}: {by} {short(name)} is that of no training row"
                            + (f"; there are {len(names)}, up to {POSITION} {names[-1]}" if by == POSITION else ""))
        number = places[name]
        if number in found:
            raise UserError(f"{file}:{output.row}: {by} {short(name)} is there twice, first in row "
                            f"{found[number].row}; leave one")
        found[number] = output
    return {number: output for number, output in found.items() if output.form}, by


def _check_unnamed(file: Path, outputs: list[Output], has_ids: bool, number: int) -> None:
    """Check outputs that are told by their order alone."""
    named = next((output for output in outputs if output.id is not None or output.position is not None), None)
    if named is not None and all(output.id is not None for output in outputs):
        raise UserError(f"{file} names its rows by {ID}, but {'' if has_ids else 'the training records keep no ids'}; "
                        f"prepare them from a file with a column {ID} (records of an earlier version: with --force "
                        f"true), or name the rows by {POSITION}")
    if named is not None:
        without = next(output for output in outputs if output.id is None or output.position is None)
        raise UserError(f"{file}:{without.row}: neither {ID} nor {POSITION} is in all rows; give each row the one or "
                        "the other")
    if len(outputs) != number:
        raise UserError(f"{file} has {len(outputs)} rows without {ID} or {POSITION}, and there are {number} training "
                        f"rows; give one for each in the same order, or name them by {POSITION}")


def _values_of(output: Output, head: HeadConfig, places: tuple, is_list: bool) -> Any:
    """Return what fills the places of an example's values."""
    form, value = output.form, output.value
    if is_list:
        return np.array(scores_of(form, value, len(places[0])), np.float32)[:, None]
    if head.kind == "regression":
        return score_of(form, value)
    if head.kind == "classification":
        return class_logits(form, value, head.labels)
    words = len(places[0])
    if not isinstance(value, list) or len(value) != words:
        count = f"{len(value)} entries" if isinstance(value, list) else short(value)
        raise UserError(f"{form} is {count}; expected a list with one entry for each of the {words} words")
    entries = []
    for word, entry in enumerate(value):
        try:
            entries.append(class_logits(form, entry, head.labels))
        except UserError as error:
            raise UserError(f"word {word}: {error}") from None
    return np.array(entries, np.float32).reshape(words, len(head.labels))


def _fill_with_labels(values: np.ndarray, places: list[tuple], records: RecordSource, head: HeadConfig) -> None:
    """Put labels in the place of a teacher; of lists of documents the file's scores."""
    labels = read_columns(records, [LABEL])[LABEL]
    for place in places:
        if head.kind == "regression":
            values[place] = labels[place][..., -1:]
            continue
        own = labels[place].reshape(-1)
        if len(own) and (own.min() < 0 or own.max() >= len(head.labels)):
            raise UserError("missing_outputs is labels, but a row that lacks outputs has no label either; give its "
                            "outputs, or take it out of the training file")
        certain = np.full((len(own), len(head.labels)), _CERTAIN, np.float32)
        certain[np.arange(len(own)), own] = 0
        values[place] = certain
