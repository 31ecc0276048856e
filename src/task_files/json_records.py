# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""JSON values of a file with the lines where they begin: one a line, indented one after the other, or in one list."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.untrusted import check_depth, without_repetition

JSON_FILE = re.compile(r'\s*(?:\{\s*(?:["}]|$)|\[\s*(?:\{\s*["}]|\]\s*$))')
"""How a file of objects, or of a list of objects, begins."""

_BLANK: Any = re.compile(r"\s*")  # matches everywhere


def behind_blanks(text: str, place: int) -> int:
    """Where the blanks end that begin at a place, if any do."""
    return _BLANK.match(text, place).end()


def read_values(file: Path, text: str, report: Callable[[str], None]) -> Iterator[tuple[int, Any]]:
    """Yield the values with their lines; what is not valid JSON goes to `report`.

    Raises:
        UserError: commas between objects that stand in no list, or a list that is not closed, or followed by more.
    """
    begin = _BLANK.match(text).end()
    is_list = bool(re.compile(r"\[\s*[{\]]").match(text, begin))
    place = behind_blanks(text, begin + 1) if is_list else begin
    decoder = json.JSONDecoder(object_pairs_hook=without_repetition)
    # Objects begin at the beginning of a line, in a list indented as the first one is.
    indent = text[text.rfind("\n", 0, place) + 1: place]
    next_object = re.compile(rf"^{indent if not indent.strip() else ''}\{{", re.MULTILINE)
    line, counted = 1, 0
    while place < len(text) and not (is_list and text[place] == "]"):
        line, counted = line + text.count("\n", counted, place), place
        try:
            value, end = decoder.raw_decode(text, place)
            check_depth(value)
            _check_characters(value, text, place, end)
        except (ValueError, RecursionError) as error:
            at = f"{error.msg}, line {error.lineno} column {error.colno}" if isinstance(
                error, json.JSONDecodeError) else str(error)
            report(f"{file}:{line}: what begins here is not valid JSON ({at})")
            following = next_object.search(text, place + 1)
            place = following.start() + len(following[0]) - 1 if following else len(text)
            continue
        yield line, value
        place = _next(file, text, end, is_list)
    if is_list:
        _check_end(file, text, place)


def _next(file: Path, text: str, end: int, is_list: bool) -> int:
    """Where the next value begins behind one that ends at `end`."""
    place = behind_blanks(text, end)
    here = text[place: place + 1]
    if here == ",":
        after = behind_blanks(text, place + 1)
        at = f"{file}:{1 + text.count(chr(10), 0, place)}"
        if not is_list:
            raise UserError(f"{at}: a comma follows the object; objects that stand one a line have none between them: "
                            "delete the commas, or make one list of all objects, with [ before the first one and ] "
                            "behind the last one")
        if text[after: after + 1] == "]":
            raise UserError(f"{at}: a comma before the ] that ends the list; delete the comma")
        return after
    if is_list and here not in ("]", ""):
        raise UserError(f"{file}:{1 + text.count(chr(10), 0, place)}: {text[place:place + 20]!r} follows an object of "
                        "the list; expected a comma, or ] at the end of the list")
    return place


def _check_end(file: Path, text: str, place: int) -> None:
    line = 1 + text.count("\n", 0, place)
    if place >= len(text):
        raise UserError(f"{file}:{line}: the list does not end with ]; the file is cut off, or damaged")
    rest = behind_blanks(text, place + 1)
    if rest < len(text):
        raise UserError(f"{file}:{1 + text.count(chr(10), 0, rest)}: {text[rest:rest + 20]!r} follows the list; "
                        "expected one list, or objects one a line")


def _check_characters(value: Any, text: str, begin: int, end: int) -> None:
    if text.find("\\ud", begin, end) < 0 and text.find("\\uD", begin, end) < 0:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half of a surrogate pair, which is no character") from None


def short(value: Any) -> str:
    """A value as JSON, cut to 60 characters; what JSON has no value for as its text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, not true or false."""
    return isinstance(value, int) and not isinstance(value, bool)
