# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tags of words: the schemes in use, the entities that tags stand for, and how predicted ones are scored.

Inside of this repository tags are IOB2: B-TYPE begins an entity, I-TYPE continues it, O is outside of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from serving.tags import OUTSIDE, entities

# Letter -> what it does in IOB2 terms: begin, inside, end, single.
_IOB = {"B": "B", "I": "I"}
SCHEMES: dict[str, dict[str, str]] = {
    "IOB2": _IOB,
    "IOB1": _IOB,
    "IOBES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
    "BMEWO": {"B": "B", "M": "I", "E": "E", "W": "S"},
    "BILOU": {"B": "B", "I": "I", "L": "E", "U": "S"},
}
"""Schemes by name; of those that explain a file equally well, the first one is meant.

IOB1 (the files of CoNLL-2003) begins an entity with I, and with B only where one of the same type ends just before it.
"""
_LETTERS = {letter for letters in SCHEMES.values() for letter in letters}


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
    # A type may have blanks within it, but not be followed by more tags.
    is_name = name != "" and name == name.strip() and not (" " in name and any(
        split_tag(part)[0] for part in name.split()))
    return (letter, name) if letter in _LETTERS and is_name and tag.isprintable() else ("", "")


def _respelled(tag: str) -> str:
    """The tag that is meant by one in another spelling: "B_PER", "b-PER", "PER-B", the number 0 for the letter O."""
    if tag in ("o", "0"):
        return OUTSIDE
    first, _, rest = tag.replace("_", "-", 1).partition("-")
    name, _, last = "-".join(tag.rsplit("_", 1)).rpartition("-")
    meant = (f"{first.upper()}-{rest.strip()}", f"{last.upper()}-{name.strip()}")
    return next((tag for tag in meant if split_tag(tag)[0]), "")


def scheme_of(sentences: Sequence[Sequence[str]]) -> str:
    """Return the scheme of a whole file's tags: the one by which the fewest sentences are faulty.

    So a lone faulty sentence is told as such, and does not make all the others faulty.
    """
    used = {letter for tags in sentences for letter, _ in map(split_tag, set(tags))}
    others = used - {"", OUTSIDE, *_IOB}
    # Without other letters the schemes that have them would find entities that do not end; with such letters one of
    # them is meant, unless hardly any sentence has them.
    names = [name for name, letters in SCHEMES.items() if others & set(letters) or letters is _IOB]
    best, fewest = names[0], len(sentences) + 1
    for name in names:
        faulty = sum(not _is_valid(tags, name) for tags in sentences)
        if faulty < fewest:
            best, fewest = name, faulty
    return best


def _is_valid(tags: Sequence[str], scheme: str) -> bool:
    try:
        to_iob2(tags, scheme)
    except TagFault:
        return False
    return True


def to_iob2(tags: Sequence[str], scheme: str) -> list[str]:
    """Return a sentence's tags, of a scheme in SCHEMES, in IOB2.

    Raises:
        TagFault: what is no tag of the scheme, a tag that continues nothing, or, where the scheme marks ends, an entity
            that does not end.
    """
    letters, is_iob1 = SCHEMES[scheme], scheme == "IOB1"
    has_ends = letters is not _IOB
    converted = []
    previous, inside = OUTSIDE, ""
    for place, tag in enumerate(tags):
        letter, name = split_tag(tag)
        if not letter:
            raise TagFault(place, "there is no tag" if not tag.strip() else
                           f"unknown tag {tag!r}; expected {OUTSIDE}, B-TYPE or I-TYPE"
                           + (f"; did you mean {meant}?" if (meant := _respelled(tag)) else ""))
        role = letters.get(letter, letter if letter == OUTSIDE else "")
        if not role:
            raise TagFault(place, f"tag {tag!r} is not of {scheme} ({', '.join(letters)} and {OUTSIDE}), by which the "
                                  "other tags of this file are read")
        is_inside = role in ("I", "E")
        if has_ends and inside and (not is_inside or name != inside):
            raise TagFault(place, f"tag {tag!r} follows {previous!r}; expected {_of(letters, 'I')}-{inside} or "
                                  f"{_of(letters, 'E')}-{inside}, since the other tags of this file are {scheme}")
        before = f"follows {previous!r}" if place else "begins a sentence"
        if is_inside and name != inside and not is_iob1:
            raise TagFault(place, f"tag {tag!r} {before}; expected B-{name}, or a tag of type {name} before it")
        if is_iob1 and role == "B" and name != inside:
            raise TagFault(place, f"tag {tag!r} {before}; expected I-{name}, since other entities of this file begin "
                                  "with I (IOB1)")
        begins = role in ("B", "S") or (is_inside and name != inside)
        converted.append(OUTSIDE if role == OUTSIDE else f"{'B' if begins else 'I'}-{name}")
        previous, inside = tag, "" if role in ("E", "S") else name
    if has_ends and inside:
        raise TagFault(len(tags) - 1, f"tag {previous!r} ends a sentence; expected {_of(letters, 'E')}-{inside} or "
                                      f"{_of(letters, 'S')}-{inside}, since the other tags of this file are {scheme}")
    return converted


def _of(letters: dict[str, str], role: str) -> str:
    return next(letter for letter, value in letters.items() if value == role)


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
