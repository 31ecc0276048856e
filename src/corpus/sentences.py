# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Paragraphs to sentences with Wikimedia's sentencex: abbreviations of many languages, closing quotes, 。！？."""

from __future__ import annotations

import re
from itertools import chain

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
KANA = re.compile(r"[\u3041-\u30ff]")
# Of the characters of a paragraph; names in brackets do not make an English one Chinese.
WIDE_SHARE = 0.25
# "A.B.公司", and a Japanese quotation that goes on: 「はい。」と言った.
# 。 ends a sentence before a number or a Latin word too, which sentencex takes for a part of it.
WIDE_END = re.compile(r"(?<=[。！？])(?=[0-9A-Za-z])")
NO_END = re.compile(r"[A-Za-z]\.$")
GOES_ON = re.compile(r"[とっのはがをにも]")
CLOSING = re.compile(r"[”’」』）》】〕]+")
CLOSED_QUOTE = re.compile(r"[」』]$")


def language_of(text: str, language: str) -> str:
    """The code of the language whose rules split a paragraph: zh or ja where its script says so, else `language`."""
    wide = len(HAN.findall(text)) + len(KANA.findall(text))
    if wide <= WIDE_SHARE * len(text):
        return language
    return "ja" if KANA.search(text) and len(KANA.findall(text)) > wide // 10 else "zh"


def split_sentences(paragraph: str, language: str) -> list[str]:
    """The sentences of a paragraph, without blanks around them; none is empty. `language` is a code such as pt-br."""
    import sentencex

    chosen = language_of(paragraph, language).partition("-")[0]
    joined: list[str] = []
    for piece in chain.from_iterable(map(WIDE_END.split, sentencex.segment(chosen, paragraph))):
        # Not all that close a quotation are known to the library.
        closing = CLOSING.match(piece)
        if joined and closing:
            joined[-1] += closing.group()
            piece = piece[closing.end():]
        if joined and (NO_END.search(joined[-1]) or CLOSED_QUOTE.search(joined[-1]) and GOES_ON.match(piece)):
            joined[-1] += piece
        else:
            joined.append(piece)
    return [sentence for sentence in map(str.strip, joined) if sentence]
