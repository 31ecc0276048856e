# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text of any language without what no reader sees or what the removal of markup has left behind; all of it counted."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

REMOVED = {
    "invisible_characters": "control, zero-width and direction marks",
    "empty_brackets": "brackets that held a pronunciation or a template only, or a comma beside a bracket",
    "leftover_markup": "brackets and bars of broken wikitext",
    "url_lines": "lines of a web address and nothing else",
    "wordless_lines": "lines without a letter",
}
"""What is removed within documents."""

# Not U+200C and U+200D, which spell words of Persian and of Indian languages.
INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
                       "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\uffff\ue000-\uf8ff\U000e0000-\U0010ffff]")
BLANKS = re.compile(r"[^\S\n ]|[^\S\n]{2,}")
SEVERAL = re.compile(r" {2,}")
SEPARATORS = ",;:、，；："
OPENED = re.compile(rf"([(（]) ?(?:[{SEPARATORS}] ?)+")
CLOSED = re.compile(rf"[{SEPARATORS}](?: ?[{SEPARATORS}]){{0,9}} ?([)）])")
# "print()" is a name; a template leaves a blank before its brackets, or Chinese characters.
EMPTY = re.compile(r" \( ?\)|(?<=[\u3040-\u30ff\u3400-\u9fff》」』”])\( ?\)|（ ?）")
BLANK_BEFORE = re.compile(r" (?=[,.](?:\s|$))")
MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|</?ref\b|\{\||\|\}|\|-")
URL_LINE = re.compile(r"^ ?(?:[a-z]{2,10}://|www\.)[^\s]*$", re.MULTILINE | re.IGNORECASE)
LETTER = re.compile(r"[^\W\d_]")


def clean(text: str, is_wikitext: bool, counts: Counter[str]) -> list[str]:
    """The lines of a text that hold words, in Unicode's composed form (NFC); `counts` adds up what is removed, by the
    names of REMOVED."""
    text = _without(INVISIBLE, text, "invisible_characters", counts)
    if is_wikitext:
        text = _without(MARKUP, text, "leftover_markup", counts)
    text = unicodedata.normalize("NFC", SEVERAL.sub(" ", BLANKS.sub(" ", text)))
    # Brackets within brackets, at most.
    for _ in range(2 if "(" in text or "（" in text else 0):
        text = OPENED.sub(r"\1", CLOSED.sub(r"\1", text))
        text = _without(EMPTY, text, "empty_brackets", counts)
    text = _without(URL_LINE, BLANK_BEFORE.sub("", text), "url_lines", counts)
    lines = [line for line in map(str.strip, text.split("\n")) if line]
    kept = [line for line in lines if LETTER.search(line)]
    if len(kept) < len(lines):
        counts["wordless_lines"] += len(lines) - len(kept)
    return kept


def _without(pattern: re.Pattern[str], text: str, name: str, counts: Counter[str]) -> str:
    text, number = pattern.subn("", text)
    if number:
        counts[name] += number
    return text
