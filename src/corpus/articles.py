# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Articles to documents: which are wanted, and their text as paragraphs of sentences.

Wikimedia's sentencex splits paragraphs: it knows abbreviations of many languages, closing quotes, 。！？.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Literal

from src.common.errors import UserError
from src.corpus.cleaning import clean
from src.corpus.markup import paragraphs as paragraphs_of
from src.corpus.wiki_site import Site
from src.corpus.wiki_templates import is_disambiguation

REASONS = {
    "redirect": "only points to another page",
    "not_an_article": "of another namespace than the articles'",
    "not_wikitext": "its content is no wikitext (JSON, CSS, Lua)",
    "disambiguation": "lists the meanings of its title",
    "damaged": "no well-formed page with a title and a text, or too long to be one",
    "empty": "has no text once markup and lists of links are removed",
    "too_short": "has fewer characters than min_document_length",
}
"""Why a page or document is left out."""

LANGUAGE = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,8})*")
Paragraphs = tuple[tuple[str, ...], ...]
"""Of sentences; no paragraph is empty. A document of format `text` is one paragraph of its lines."""
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


@dataclass(frozen=True)
class ArticleOptions:
    """What becomes of a text; see `corpus` in default_config.yaml for each setting."""

    language: str = "auto"
    simplify_chinese: bool = False
    split_sentences: Literal["auto", "true", "false"] = "auto"
    min_document_length: int = 100

    def __post_init__(self) -> None:
        if not LANGUAGE.fullmatch(self.language):
            raise UserError(f"language is {self.language!r}; expected auto, or a code such as en, zh or pt-br")

    def code(self, of_site: str) -> str:
        """The language of a text, of which a wiki may say what it is; English where nobody says."""
        return self.language if self.language != "auto" else of_site or "en"


@dataclass(frozen=True)
class Article:
    """A page as it was found.

    Attributes:
        title: of wikitext.
        text: wikitext, or plain text with one paragraph a line.
        dropped: why it is not wanted, a key of REASONS; then there is no text.
    """

    title: str
    text: str = ""
    is_wikitext: bool = False
    dropped: str = ""


def to_document(article: Article, options: ArticleOptions, site: Site, cleaned: Counter[str]
                ) -> tuple[str, Paragraphs]:
    """Return why an article is no document ("" if it is one), and its paragraphs; `cleaned` adds up what is removed
    within it."""
    reason, text = article.dropped, article.text
    if not reason and article.is_wikitext:
        if is_disambiguation(article.title, text):
            reason = "disambiguation"
        else:
            text = "\n".join(paragraphs_of(text, site))
    counts: Counter[str] = Counter()
    lines = [] if reason else clean(text, article.is_wikitext, counts)
    if reason or not lines or sum(map(len, lines)) < options.min_document_length:
        return reason or ("too_short" if lines else "empty"), ()
    cleaned.update(counts)
    if options.simplify_chinese:
        lines = simplify("\n".join(lines)).split("\n")
    if options.split_sentences == "false":
        return "", tuple((line,) for line in lines)
    language = options.code(site.language)
    return "", tuple(tuple(split_sentences(line, language)) for line in lines)


def line_sentences(lines: list[str], options: ArticleOptions) -> list[str]:
    """The sentences of lines of format text, which are sentences already unless the options say otherwise."""
    if options.simplify_chinese:
        lines = simplify("\n".join(lines)).split("\n")
    if options.split_sentences != "true":
        return lines
    return [sentence for line in lines for sentence in split_sentences(line, options.code(""))]


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc

    # Its dictionaries take some tenths of a second to load, once a process.
    return opencc.OpenCC("t2s")


def simplify(text: str) -> str:
    """Return the text with simplified characters; other scripts stay as they are."""
    return _converter().convert(text)


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
