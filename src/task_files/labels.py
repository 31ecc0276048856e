# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels as files write them: a normal form, and sets of labels that cannot be meant as they stand."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.task_files.headers import cut

UNLABELLED = "-1"
"""What the Hugging Face hub gives to rows of a test set."""
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FEW_ROWS = 20
_LARGEST = 3.4e38
"""Scores are float32 in records."""
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_NAN = ("nan", "<na>", "nat")
_NOTHING = (*_NAN, "none", "null", "na", "n/a", "#n/a", "-")


def is_missing(cell: Any) -> bool:
    """Whether there is no label."""
    return cell is None or isinstance(cell, str) and not cut(cell)


def normal_label(cell: Any, name: str = "label") -> str:
    """Return a label without blanks around it; `1.0` is `1`, and booleans are `true` and `false` in all spellings.

    Raises:
        UserError: it is empty, a list, an object, or no number.
    """
    if is_missing(cell):
        raise UserError(f"the object has no {name!r}" if cell is None else f"the {name} is empty")
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and not math.isfinite(cell):
        raise UserError(f"the {name} is {cell}; expected a class")
    text = cut(cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str))
    if not isinstance(cell, str | int | float) or re.fullmatch(r"\[.*\]|\{.*\}", text, re.DOTALL):
        kind = {"{": ", an object", "[": ", a list"}.get(text[:1], "")
        raise UserError(f"the {name} is {text[:60]}{kind}; expected one class a row: its name or its number")
    if text.lower() in _NAN:
        raise UserError(f"the {name} is {text}, as programs write a missing one")
    if whole := _WHOLE.fullmatch(text):
        return whole.group(1)
    return text.lower() if text.lower() in ("true", "false") else text


def score_of(cell: Any, name: str = "score") -> float:
    """Return the score of a regression; raises `UserError` for what is no number."""
    text = cut(cell) if isinstance(cell, str) else "" if isinstance(cell, bool) else cell
    try:
        score = math.nan if "_" in str(text) else float(text)
    except (ValueError, TypeError, OverflowError):
        score = math.nan
    if not abs(score) <= _LARGEST:
        comma = "; decimals are written with a point" if re.fullmatch(r"-?\d+,\d+", str(cell)) else ""
        raise UserError(f"the {name} is {repr(cell)[:60]}; expected a number{comma}")
    return score


def is_number(label: str) -> bool:
    """Whether a label is a number."""
    return _NUMBER.fullmatch(label) is not None


def sort_labels(labels: Collection[str]) -> tuple[str, ...]:
    """Sort by number when all of them are numbers, else by text."""
    numeric = all(map(is_number, labels))
    return tuple(sorted(labels, key=lambda label: (float(label), label)) if numeric else sorted(labels))


def check_labels(counts: Mapping[str, int], file: Path) -> None:
    """Refuse the labels of a training file, label -> rows, where two of them are one that was written differently, or
    where they are no classes.

    Raises:
        UserError: naming labels and what to change.
    """
    seen: dict[Any, str] = {}
    for label in counts:
        other = seen.setdefault(key_of(label), label)
        if other != label:
            raise UserError(f"{file} has the labels {other!r} ({counts[other]} rows) and {label!r} ({counts[label]} "
                            "rows), which differ in case, width, blanks, quotes or digits only; write them alike, or "
                            "rename one")
    if {"true", "false"} & set(counts) and any(map(is_number, counts)):
        raise UserError(f"{file} has booleans and numbers among its labels: {described(counts)}; write them alike")
    words = [label for label in counts if not is_number(label)]
    if len(words) < len(counts) and words and all(label.lower() in _NOTHING for label in words):
        raise UserError(f"{file} has {' and '.join(map(repr, words))} among labels that are numbers: "
                        f"{described(counts)}; give these rows a class, or take them away")
    rows = sum(counts.values())
    if rows >= _FEW_ROWS and len(counts) > rows / 2:
        raise UserError(f"{file} has {len(counts)} different labels in {rows} rows, such as "
                        f"{next(iter(counts))[:40]!r}: the label's column holds texts, numbers of rows or scores; name "
                        "the right one with --label_column, or take --task_name tsv-regression for scores")


def described(counts: Mapping[str, int]) -> str:
    """The labels with their numbers of rows, for people."""
    shown = [f"{label} {number}" for label, number in list(counts.items())[:20]]
    return ", ".join(shown) + (f" and {len(counts) - 20} more" if len(counts) > 20 else "")


def count_in_order(counts: Counter[str], labels: Collection[str]) -> dict[str, int]:
    """The counts in the order of the classes, those without a row too."""
    return {label: counts.get(label, 0) for label in labels}


def key_of(label: str) -> Any:
    """What two spellings of a label have in common."""
    text = re.sub(r"[\s\u200b-\u200d\u2060\ufeff]", "", unicodedata.normalize("NFKC", label).casefold())
    text = text.strip(_QUOTES) or text
    return float(text) if is_number(text) else text
