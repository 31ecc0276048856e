# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Chinese text, mixed with other scripts, as the words that CMRC2018's evaluation compares.

Every Chinese character is a word. What stands between them is split as the Penn Treebank is, which the official
script leaves to NLTK's word_tokenize; the rules are written down here so that scores need neither NLTK nor its data.
Not reproduced: NLTK first looks for sentences in such a piece with a trained model (Punkt), by which the full stop of
a sentence that ends inside of the piece becomes a word of its own; here only one at the end of the piece does.
"""

from __future__ import annotations

import re

MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
"""Marks that are left out. The official list has a double ellipsis too, which no single character equals."""

CHINESE = re.compile(r"([\u4e00-\u9fa5])")

# Applied in turn, in the order of NLTK's NLTKWordTokenizer: opening quotes, punctuation, brackets, closing quotes,
# contractions. What the marks above take away needs no rule.
RULES = tuple((re.compile(pattern), replacement) for pattern, replacement in (
    (r"([«‘„])", r" \1 "),
    (r'^"', " `` "),
    (r"""(?<=[ (\[{<])("|'')""", " `` "),
    # An apostrophe before a word, unless it begins the end of a contraction.
    (r"(?<!\w)'(?!(re|ve|ll|m|t|s|d|n)\b)(?=\w)", "' "),
    (r"""(?<=[^.])\.(?=[])}>"'» ]*\s*$)""", " . "),
    (r",(\D|$)", r" , \1"),
    (r"(\.{2,}|[;@#$%&\u2012-\u2015?!])", r" \1 "),
    (r"(?<=[^'])' ", " ' "),
    (r"([][(){}<>»])", r" \1 "),
    (r"''|\"", " '' "),
    (r"(?<=[^' ])('[smd]?|'ll|'re|'ve|n't)(?!\S)", r" \1 "),
    (r"\b(can)(not)\b|\b(gim|lem)(me)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b|\b(d)('ye)\b|\b(more)('n)\b",
     lambda match: f" {' '.join(part for part in match.groups() if part)} "),
))


def without_marks(text: str) -> str:
    """Lower case without surrounding spaces and without `MARKS`."""
    return "".join(character for character in text.lower().strip() if character not in MARKS)


def words(text: str) -> list[str]:
    """The words of a text, without `MARKS`."""
    found = []
    for place, piece in enumerate(CHINESE.split(without_marks(text))):
        # The split leaves characters at the odd places and what is between them at the even ones.
        found += [piece] if place % 2 else _treebank_words(piece)
    return found


def _treebank_words(text: str) -> list[str]:
    if not text.strip():
        return []
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text.split()
