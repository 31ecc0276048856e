# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words that tags belong to: joined to a text, tagged with entities given as characters."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from serving.tags import OUTSIDE, Entity
from serving.words import UNSPACED, Span, is_unspaced


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
