# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words of a text that a tagger gives tags to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

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


def as_encoded(text: str, spans: Sequence[Span], is_byte_level: bool) -> list[str]:
    """Return the words as the tokenizer is to see each of them.

    A word of a byte-level BPE has a space before it where the text has one, and at the text's beginning, as RoBERTa's
    is used for tagging.
    """
    return [f" {text[begin:end]}" if is_byte_level and (not begin or text[begin - 1].isspace()) else text[begin:end]
            for begin, end in spans]
