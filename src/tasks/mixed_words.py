# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Chinese text, mixed with other scripts, as the words that CMRC2018's evaluation compares.

Every Chinese character is a word; what stands between them is split as NLTK's word_tokenize does it. Not reproduced:
word_tokenize first looks for sentences with a trained model (Punkt), whose data would have to be downloaded, and so
makes a word of a full stop that ends a sentence inside of a piece; here only one at the end of the piece is a word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
"""Marks that are left out. The official list has a double ellipsis too, which no single character equals."""

CHINESE = re.compile(r"([\u4e00-\u9fa5])")


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    # NLTK takes a second to import: only who scores pays for it.
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()


def without_marks(text: str) -> str:
    """Lower case without surrounding spaces and without `MARKS`."""
    return "".join(character for character in text.lower().strip() if character not in MARKS)


def words(text: str) -> list[str]:
    """The words of a text, without `MARKS`."""
    found: list[str] = []
    for place, piece in enumerate(CHINESE.split(without_marks(text))):
        # The split leaves characters at the odd places and what is between them at the even ones.
        found += [piece] if place % 2 else _tokenizer().tokenize(piece)
    return found
