# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tags of words: the schemes in use, the entities that tags stand for, and how predicted ones are scored.

Inside of this repository tags are IOB2: B-TYPE begins an entity, I-TYPE continues it, O is outside of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

Entity = tuple[str, int, int]
"""Type, and begin and end (exclusive) in words."""

Scheme = Literal["IOB1", "IOB2", "IOBES"]

OUTSIDE = "O"
# The letters of IOBES and of what else goes by its rules: BMES and BMEWO (M inside, W single), BILOU (L last, U unit).
LETTERS = {"B": "B", "I": "I", "E": "E", "S": "S", "M": "I", "L": "E", "U": "S", "W": "S"}


class TagFault(ValueError):
    """A tag that cannot stand where it stands; `place` counts from 0."""

    def __init__(self, place: int, message: str):
        super().__init__(message)
        self.place = place


def split_tag(tag: str) -> tuple[str, str]:
    """Return letter and type: ("B", "PER") for "B-PER", ("O", "") for "O", ("", "") for what is no tag."""
    letter, _, name = tag.partition("-")
    if tag == OUTSIDE:
        return OUTSIDE, ""
    return (LETTERS[letter], name) if letter in LETTERS and name else ("", "")


def scheme_of(sentences: Iterable[Sequence[str]]) -> Scheme:
    """Return the scheme of a whole file's tags.

    IOB1 (the files of CoNLL-2003) begins an entity with I, and with B only where one of the same type ends just
    before it. It is taken for IOB1 when some entity begins so, and no B stands where IOB1 has an I.
    """
    begins_inside = begins_with_b = False
    for tags in sentences:
        previous = ""
        for letter, name in map(split_tag, tags):
            if letter in ("E", "S"):
                return "IOBES"
            if letter in ("B", "I") and name != previous:
                begins_inside |= letter == "I"
                begins_with_b |= letter == "B"
            previous = name
    return "IOB1" if begins_inside and not begins_with_b else "IOB2"


def to_iob2(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """Return a sentence's tags in IOB2.

    Raises:
        TagFault: what is no tag, a tag that continues nothing, or, in IOBES, an entity that does not end.
    """
    converted = []
    previous, inside = OUTSIDE, ""
    for place, tag in enumerate(tags):
        letter, name = split_tag(tag)
        if not letter:
            raise TagFault(place, f"unknown tag {tag!r}; expected {OUTSIDE}, B-TYPE or I-TYPE")
        is_inside = letter in ("I", "E")
        if scheme == "IOBES" and inside and (not is_inside or name != inside):
            raise TagFault(place, f"tag {tag!r} follows {previous!r}; expected I-{inside} or E-{inside} (M or L), as "
                                  "the other tags of this file show")
        if is_inside and name != inside and scheme != "IOB1":
            before = f"follows {previous!r}" if place else "begins a sentence"
            raise TagFault(place, f"tag {tag!r} {before}; expected B-{name}, or a tag of type {name} before it")
        begins = letter in ("B", "S") or (is_inside and name != inside)
        converted.append(OUTSIDE if letter == OUTSIDE else f"{'B' if begins else 'I'}-{name}")
        previous, inside = tag, "" if scheme == "IOBES" and letter in ("E", "S") else name
    if scheme == "IOBES" and inside:
        raise TagFault(len(tags) - 1, f"tag {previous!r} ends a sentence; expected E-{inside} or S-{inside}")
    return converted


def entities(tags: Sequence[str], strict: bool = False) -> list[Entity]:
    """Return the entities that IOB2 tags stand for, in order.

    An I-TYPE that continues nothing begins an entity, as in conlleval and in seqeval's default mode; with `strict` it
    stands for nothing, as in seqeval's strict mode.
    """
    found: list[Entity] = []
    inside, begin = "", 0
    for place, tag in enumerate((*tags, OUTSIDE)):
        letter, _, name = tag.partition("-")
        if letter == "I" and name == inside:
            continue
        if inside:
            found.append((inside, begin, place))
        inside, begin = "" if strict and letter == "I" else name, place
    return found


def score_tags(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return f1, precision and recall of entities, accuracy of tags, and f1_strict, over all sentences together.

    An entity counts when type, begin and end are right. What is not defined (no entity at all) is 0.

    Args:
        gold, predicted: IOB2 tags of the same sentences.
    """
    f1, precision, recall = _count(gold, predicted, strict=False)
    pairs = [(tag, other) for tags, others in zip(gold, predicted, strict=True)
             for tag, other in zip(tags, others, strict=True)]
    accuracy = sum(tag == other for tag, other in pairs) / max(len(pairs), 1)
    return {"f1": f1, "precision": precision, "recall": recall, "accuracy": accuracy,
            "f1_strict": _count(gold, predicted, strict=True)[0]}


def _count(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], strict: bool) -> tuple[float, ...]:
    """F1, precision and recall."""
    right = expected = given = 0
    for tags, others in zip(gold, predicted, strict=True):
        true, found = set(entities(tags, strict)), set(entities(others, strict))
        right, expected, given = right + len(true & found), expected + len(true), given + len(found)
    precision, recall = right / max(given, 1), right / max(expected, 1)
    return 2 * precision * recall / ((precision + recall) or 1), precision, recall
