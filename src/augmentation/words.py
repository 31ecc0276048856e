# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words of a text, as places in it, so that whatever is replaced leaves the rest of the text as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from src.augmentation.stop_words import CHINESE, ENGLISH
from src.text.segmentation import IDEOGRAPHS, chinese_words, is_chinese

Language = Literal["english", "chinese"]
Span = tuple[int, int]
"""Begin and end in the text."""

# Letters and digits, with accents that stand behind their letter: BERT's tokenizer cuts at spaces and punctuation.
_WORD = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")
_BREAKS = re.compile("[\\t\\r\\n]+")
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_LETTER = re.compile("[^\\W\\d_]")
_LOOKED_AT = 1000
CHINESE_SHARE = 0.3
"""Share of the letters from which on a text counts as Chinese; a Chinese character says as much as several letters."""


def clean(text: str) -> str:
    """A text that fits into a cell of a tab-separated file: tabs and line ends become spaces."""
    return _BREAKS.sub(" ", text)


def words(text: str, language: Language) -> list[Span]:
    """Places of all words: runs of letters and digits; in a Chinese text jieba's words, punctuation left out."""
    if language == "english":
        return [match.span() for match in _WORD.finditer(text)]
    spans, end = [], 0
    for word in chinese_words(text):
        begin, end = end, end + len(word)
        if _WORD.search(word):
            spans.append((begin, end))
    return spans


def replaceable_words(text: str, language: Language) -> list[Span]:
    """Places of the words that may be replaced: letters alone (Chinese: Chinese characters alone), no stop words."""
    return [(begin, end) for begin, end in words(text, language) if is_replaceable(text[begin:end], language)]


def is_replaceable(word: str, language: Language) -> bool:
    """Whether a word means something that another word of the same language may stand for."""
    if language == "chinese":
        return is_chinese(word) and word not in CHINESE
    return is_word(word) and word.lower() not in ENGLISH


def is_word(text: str) -> bool:
    """Whether a text is letters alone, none of them a Chinese character."""
    return text.isalpha() and not _IDEOGRAPH.search(text)


def language_of(texts: Iterable[str]) -> Language:
    """The language of most letters in the first texts."""
    letters = chinese = 0
    for text in islice(texts, _LOOKED_AT):
        letters += len(_LETTER.findall(text))
        chinese += len(_IDEOGRAPH.findall(text))
    return "chinese" if chinese > CHINESE_SHARE * letters else "english"
