# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of queries with the documents that are ranked for them, one JSON object a line:

    {"query": "...", "documents": ["...", "..."], "relevance": [1, 0], "scores": [7.3, -2.1]}

`relevance` says how well each document answers, `scores` what some other model (a teacher) said of it; one of them may
be missing, in a test set both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.common.errors import UserError, nearest
from src.task_files.json_records import is_whole, short
from src.task_files.problems import Problems
from src.task_files.tables import read_objects

QUERY, DOCUMENTS, RELEVANCE, SCORES = FIELDS = ("query", "documents", "relevance", "scores")
EXPECTED = '{"query": "...", "documents": ["...", ...], "relevance": [1, 0, ...]}, or "scores"'


@dataclass(frozen=True, slots=True)
class Candidates:
    """A query and its documents; `relevance` and `scores` have a number for each, or are None."""

    query: str
    documents: tuple[str, ...]
    relevance: tuple[float, ...] | None = None
    scores: tuple[float, ...] | None = None

    @property
    def labels(self) -> tuple[float, ...] | None:
        """What is learnt: the relevance, or else the scores."""
        return self.scores if self.relevance is None else self.relevance

    @property
    def targets(self) -> tuple[float, ...] | None:
        """What stands for a teacher's scores: the scores, or else the relevance."""
        return self.relevance if self.scores is None else self.scores


def read_lists(file: Path, split: str, problems: Problems) -> Iterator[Candidates]:
    """Yield the lists of a file in their order, read as a stream.

    A training list needs `relevance` or `scores`, a dev list `relevance`, in whole numbers from 0 on outside of
    training: the metrics take them. `problems` may count a line that is no JSON object, lacks a field, has a side that
    is empty or of a wrong type, or numbers that are not one for each document.

    Raises:
        UserError: naming file and line: such a line; or a file that cannot be read, is empty, or has lines of which
            only some have `relevance`, or `scores`.
    """
    given: tuple[str, ...] | None = None
    ignored: dict[str, None] = {}
    number, documents, without = 0, [0, 0], 0
    for line, value in read_objects(file, problems.report):
        try:
            example = _list_of(value, is_training=split.startswith("train"))
            has = tuple(name for name in (RELEVANCE, SCORES) if getattr(example, name) is not None)
            _check_given(has, split, value)
        except UserError as error:
            problems.report(f"{file}:{line}: {error}")
            continue
        if given is None:
            given = has
        elif has != given:
            raise UserError(f"{file}:{line}: this list has {' and '.join(has) or 'neither relevance nor scores'}, the "
                            f"first has {' and '.join(given) or 'neither'}; write all lists of a file alike")
        size = len(example.documents)
        documents = [min(documents[0] or size, size), max(documents[1], size)]
        without += example.relevance is not None and max(example.relevance) < (0.5 if split.startswith("train") else 1)
        ignored.update(dict.fromkeys(name for name in value if name not in FIELDS))
        number += 1
        yield example
    if given is None and not problems.number:
        raise UserError(f"{file} is empty; expected a list a line: {EXPECTED}")
    understood = problems.understood
    understood.file, understood.form, understood.encoding = file.name, "lists of documents", "utf-8"
    least, most = documents
    understood.columns = {"queries": str(number), "documents of each": f"{least}" if least == most else
                          f"{least} to {most}", "labels": " and ".join(given or ()) or "none"}
    understood.ignored = list(ignored)
    if without:
        understood.notes.append(f"{without} queries have no relevant document"
                                + ("" if split.startswith("train") else "; each counts as 0 in the metrics"))
    if problems.number:
        understood.left_out["faulty lists"] = problems.number


def _check_given(has: tuple[str, ...], split: str, value: dict[str, Any]) -> None:
    if split.startswith("train") and not has:
        raise UserError(f"neither relevance nor scores; expected {EXPECTED}{nearest(RELEVANCE, value)}")
    if split.startswith("dev") and RELEVANCE not in has:
        raise UserError(f"no relevance, by which a list of the dev split is scored; expected {EXPECTED}")


def _list_of(value: dict[str, Any], is_training: bool) -> Candidates:
    for name in (QUERY, DOCUMENTS):
        if name not in value:
            raise UserError(f"no {name!r}; expected {EXPECTED}; the line has {', '.join(value) or 'nothing'}"
                            f"{nearest(name, value)}")
    query, documents = value[QUERY], value[DOCUMENTS]
    if not isinstance(query, str) or not query.strip():
        raise UserError(f"the query is {short(query)}; expected a text that is not empty")
    if not isinstance(documents, list) or not documents:
        raise UserError(f"documents is {short(documents)}; expected a list of texts, one or more")
    for place, document in enumerate(documents, 1):
        if not isinstance(document, str) or not document.strip():
            raise UserError(f"document {place} is {short(document)}; expected a text that is not empty")
    return Candidates(query, tuple(documents), _numbers(value, RELEVANCE, len(documents), is_training),
                      _numbers(value, SCORES, len(documents), True))


def _numbers(value: dict[str, Any], name: str, count: int, may_be_broken: bool) -> tuple[float, ...] | None:
    """Return a list of one number for each document; None where there is no such field."""
    given = value.get(name)
    if given is None:
        return None
    if not isinstance(given, list):
        raise UserError(f"{name} is {short(given)}; expected a list of {count} numbers, one for each document")
    if len(given) != count:
        raise UserError(f"{name} has {len(given)} numbers, but there are {count} documents; expected one for each")
    for place, number in enumerate(given, 1):
        is_number = is_whole(number) or isinstance(number, float) and math.isfinite(number) and may_be_broken
        if not is_number or abs(number) > 1e30 or name == RELEVANCE and number < 0:
            expected = "a number" if name == SCORES else "a number from 0 on" if may_be_broken else (
                "a whole number from 0 on: 0 is not relevant, 1 is relevant")
            raise UserError(f"{name} of document {place} is {short(number)}; expected {expected}")
    return tuple(map(float, given))
