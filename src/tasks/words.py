# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words that tags belong to: found in a text, joined to a text, tagged with entities given as characters."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

from src.task_files.bio import OUTSIDE, Entity

Span = tuple[int, int]
"""Begin and end (exclusive), in characters."""

# Scripts that put no space between words, or whose words hold more than the entity: Thai to Burmese, Khmer, kana,
# Hangul, ideographs.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
                      "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
OTHER_WORD = re.compile(r"[^\W\d_]+")


def split_words(text: str, by_character: bool = False) -> tuple[Span, ...]:
    """Return the words of a text, which depend on the text alone.

    Of Chinese text, and wherever `by_character`, each character but white space is a word. Other text is split at
    white space, between letters and digits, and around each punctuation mark, so that "10km" and "U.S.-based" let an
    entity begin or end inside.
    """
    if by_character or is_unspaced(text):
        return tuple((place, place + 1) for place, character in enumerate(text) if not character.isspace())
    spans: list[Span] = []
    for kind, group in groupby(range(len(text)), key=lambda place: _kind(text[place])):
        places = list(group)
        if kind in ("letter", "digit"):
            spans.append((places[0], places[-1] + 1))
        elif kind == "single":
            spans += ((place, place + 1) for place in places)
    return tuple(spans)


def is_unspaced(text: str) -> bool:
    """Whether a text has more characters of scripts without spaces than words of others."""
    characters = len(UNSPACED.findall(text))
    return characters > 0 and characters >= len(OTHER_WORD.findall(UNSPACED.sub(" ", text)))


@lru_cache(maxsize=1 << 16)
def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    if UNSPACED.match(character):
        return "single"
    # Marks belong to the letter before them.
    return {"L": "letter", "M": "letter", "N": "digit"}.get(unicodedata.category(character)[0], "single")


def join_words(words: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """Return the text of words, with spaces between them but next to Chinese characters and the like, and the places
    of the words in it."""
    # A file with a character a line, in which numbers and Latin words are cut up, too.
    without_spaces = all(len(word) == 1 for word in words) and is_unspaced("".join(words))
    text, spans = "", []
    for word in words:
        if text and not (without_spaces or UNSPACED.match(text[-1]) or UNSPACED.match(word)):
            text += " "
        spans.append((len(text), len(text) + len(word)))
        text += word
    return text, tuple(spans)


def tag_words(text: str, spans: Sequence[Span], found: Iterable[Entity], outermost: bool = False) -> list[str]:
    """Return IOB2 tags of words.

    Args:
        found: type, begin and end (exclusive) in characters; white space at the borders does not matter.
        outermost: leave out entities that lie inside of others.

    Raises:
        ValueError: entities overlap, hold no word, or begin or end inside of a word.
    """
    tags = [OUTSIDE] * len(spans)
    begins, ends = [begin for begin, _ in spans], [end for _, end in spans]
    previous: Entity | None = None
    for entity in sorted(found, key=lambda entity: (entity[1], -entity[2])):
        name, begin, end = entity
        if previous and begin < previous[2]:
            if outermost and end <= previous[2]:
                continue
            raise ValueError(f"entity {text[begin:end]!r} ({name}) overlaps {text[previous[1]:previous[2]]!r} "
                             f"({previous[0]}); a word has one tag")
        first, last = bisect_right(ends, begin), bisect_left(begins, end) - 1
        if first > last:
            raise ValueError(f"entity {text[begin:end]!r} ({name}) has no word")
        for word in (first, last):
            if begins[word] < begin or ends[word] > end:
                raise ValueError(f"entity {text[begin:end]!r} ({name}) begins or ends inside of the word "
                                 f"{text[begins[word]:ends[word]]!r}")
        tags[first:last + 1] = [f"B-{name}", *[f"I-{name}"] * (last - first)]
        previous = entity
    return tags
