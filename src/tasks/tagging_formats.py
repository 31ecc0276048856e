# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reading files of tagged text; what a file holds is seen from its beginning.

    CoNLL     a word a line, its tag in the last column (tabs, else spaces), an empty line after each sentence
    CLUENER   {"text": ..., "label": {type: {surface: [[begin, end], ...]}}}     characters, end inclusive
    spans     {"text": ..., "entities": [{"start": ..., "end": ..., "label": ...}]}   characters, end exclusive

JSON objects stand one a line or, indented, one after the other. A test set may have words or texts alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from src.common.errors import UserError, nearest
from src.common.files import read_text
from src.common.untrusted import check_depth
from src.tasks.bio import TagFault, scheme_of, split_tag, to_iob2
from src.tasks.features import Problems
from src.tasks.words import join_words, split_words, tag_words

JSON_FILE = re.compile(r'\s*\{\s*(["}]|$)')
JSON_LIST = re.compile(r'\s*\[\s*\{\s*"')
DOCUMENT = "-DOCSTART-"
EXPECTED = ('"label": {type: {surface: [[begin, end]]}} (end inclusive) or "entities": [{"start", "end", "label"}] '
            "(end exclusive)")


@dataclass(frozen=True, slots=True)
class TaggingExample:
    """A sentence.

    Attributes:
        text: the sentence; words of a CoNLL file joined again.
        spans: begin and end (exclusive) of each word in it.
        tags: IOB2, one a word; None in an unlabelled test set.
        line: where it begins in its file, from 1.
        id: its own "id" in a JSON file, or None.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    tags: tuple[str, ...] | None
    line: int
    id: int | None = None

    @property
    def words(self) -> list[str]:
        return [self.text[begin:end] for begin, end in self.spans]


@dataclass(frozen=True)
class ReadingRules:
    """How a task reads its files.

    Attributes:
        types: the entity types there are; () for any.
        by_character: every character is a word; false: where the text is Chinese or the like (`split_words`).
        outermost: of entities within each other the outermost is kept; false: they are faulty.
    """

    types: tuple[str, ...] = ()
    by_character: bool = False
    outermost: bool = False

    def fault(self, name: str) -> str:
        """What is wrong with an entity type, "" where nothing is."""
        if not name or not self.types or name in self.types:
            return ""
        return f"unknown entity type {name!r}; the task has {', '.join(self.types)}{nearest(name, self.types)}"


def read_file(file: Path, rules: ReadingRules, problems: Problems) -> Iterator[TaggingExample]:
    """Yield the sentences of a file in order; faulty ones go to `problems`, with file and line.

    Raises:
        UserError: the file is missing, unreadable, empty or not UTF-8; or `problems` are fatal.
    """
    text = read_text(file)
    if not text.strip():
        raise UserError(f"{file} is empty; expected tagged sentences")
    if JSON_LIST.match(text):
        raise UserError(f"{file}:1: a JSON list; expected its objects one after the other, without brackets and commas "
                        "around them (such as one a line)")
    read = _read_json if JSON_FILE.match(text) else _read_conll
    return read(file, text, rules, problems)


def _read_conll(file: Path, text: str, rules: ReadingRules, problems: Problems) -> Iterator[TaggingExample]:
    sentences = list(_sentences(text))
    lines = [line for sentence in sentences for _, line in sentence]
    separator = re.compile("\t" if 2 * sum("\t" in line for line in lines) >= len(lines) else " +")
    # The usual number: a lone faulty line at the beginning does not make all others faulty.
    width = Counter(len(_cells(line, separator)) for line in lines).most_common(1)[0][0] if lines else 0
    rows = [[_cells(line, separator) for _, line in sentence] for sentence in sentences]
    scheme = scheme_of([cells[-1] for cells in sentence] for sentence in rows) if width > 1 else "IOB2"
    for sentence, cells in zip(sentences, rows, strict=True):
        try:
            words = _words(cells, width)
            tags = to_iob2([row[-1] for row in cells], scheme) if width > 1 else None
            for place, tag in enumerate(tags or ()):
                if wrong := rules.fault(split_tag(tag)[1]):
                    raise TagFault(place, wrong)
        except TagFault as fault:
            problems.report(f"{file}:{sentence[fault.place][0]}: {fault}")
        else:
            joined, spans = join_words(words)
            yield TaggingExample(joined, spans, None if tags is None else tuple(tags), sentence[0][0])


def _sentences(text: str) -> Iterator[list[tuple[int, str]]]:
    """Yield the sentences as numbered lines."""
    lines = enumerate((line.rstrip("\r") for line in text.split("\n")), 1)
    for is_word, group in groupby(lines, lambda line: bool(line[1].strip(" \t")) and not line[1].startswith(DOCUMENT)):
        if is_word:
            yield list(group)


def _cells(line: str, separator: re.Pattern[str]) -> list[str]:
    # A space before a tab can be a word of its own.
    return [cell.strip(" ") or cell for cell in separator.split(line if separator.pattern == "\t" else line.strip(" "))]


def _words(rows: list[list[str]], width: int) -> list[str]:
    for place, cells in enumerate(rows):
        if len(cells) != width:
            raise TagFault(place, f"{len(cells)} columns; expected {width}, as in the other lines: a word, and its tag "
                                  "in the last one")
        if not cells[0]:
            raise TagFault(place, "there is no word in the first column")
    return [cells[0] for cells in rows]


def _read_json(file: Path, text: str, rules: ReadingRules, problems: Problems) -> Iterator[TaggingExample]:
    for line, record in _objects(file, text, problems):
        try:
            example = _example(record, line, rules)
        except ValueError as error:
            problems.report(f"{file}:{line}: {error}")
        else:
            yield example


def _objects(file: Path, text: str, problems: Problems) -> Iterator[tuple[int, Any]]:
    """Yield JSON values that stand one after the other, with the lines where they begin."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_repetition)
    blank: Any = re.compile(r"\s*")  # matches everywhere
    next_object = re.compile(r"^\{", re.MULTILINE)
    place, line = blank.match(text).end(), 1 + text.count("\n", 0, blank.match(text).end())
    while place < len(text):
        try:
            record, end = decoder.raw_decode(text, place)
            check_depth(record)
        except (ValueError, RecursionError) as error:
            at = f"{error.msg}, line {error.lineno} column {error.colno}" if isinstance(
                error, json.JSONDecodeError) else str(error)
            problems.report(f"{file}:{line}: what begins here is not valid JSON ({at})")
            # Objects begin at the beginning of a line, also where they are indented.
            following = next_object.search(text, place + 1)
            end = following.start() if following else len(text)
        else:
            yield line, record
        end = blank.match(text, end).end()
        line += text.count("\n", place, end)
        place = end


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has the name {twice!r} twice")
    return values


def _example(record: Any, line: int, rules: ReadingRules) -> TaggingExample:
    """Return a record's sentence; ValueError says what is wrong."""
    text = record.get("text") if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise ValueError(f'expected an object with "text", found {_short(record)}')
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("the text holds half of a surrogate pair, which is no character")
    found = _entities(record, text)
    spans = split_words(text, rules.by_character)
    tags = None
    if found is not None:
        if wrong := next(filter(None, (rules.fault(name) for name, *_ in found)), ""):
            raise ValueError(wrong)
        tags = tuple(tag_words(text, spans, found, rules.outermost))
    number = record.get("id")
    return TaggingExample(text, spans, tags, line, number if _is_number(number) else None)


def _entities(record: dict[str, Any], text: str) -> list[tuple[str, int, int]] | None:
    """Types, begins and ends (exclusive), checked against the text; None where the record is unlabelled."""
    field = next((field for field in ("label", "entities") if field in record), None)
    if field is None:
        return None
    given: Any = record[field]
    found: list[tuple[Any, Any, Any, str | None]]
    try:
        if field == "label":
            found = [(name, begin, end + 1, surface) for name, surfaces in given.items()
                     for surface, places in surfaces.items() for begin, end in places]
        else:
            found = [(span["label"], span["start"], span["end"], span.get("text")) for span in given]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"{field} is {_short(given)}; expected {EXPECTED}") from None
    for name, begin, end, surface in found:
        if not name or not isinstance(name, str):
            raise ValueError(f"an entity's type is {name!r}; expected a name")
        if not (_is_number(begin) and _is_number(end) and 0 <= begin < end <= len(text)):
            raise ValueError(f"entity {surface or name!r} at {begin} to {end} (exclusive) does not lie in the text, "
                             f"which has {len(text)} characters")
        if surface is not None and text[begin:end] != surface:
            raise ValueError(f"entity {surface!r} is not what the text has at {begin} to {end} (exclusive): "
                             f"{text[begin:end]!r}")
    return [entity[:3] for entity in found]


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
