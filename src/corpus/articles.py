# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Articles to documents: which are wanted, and their text as paragraphs of sentences."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from src.common.errors import UserError
from src.corpus.cleaning import clean
from src.corpus.markup import paragraphs as paragraphs_of
from src.corpus.sentences import split_sentences
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


@dataclass(frozen=True)
class ArticleOptions:
    """What becomes of a text.

    Attributes:
        language: code of the language, such as en or zh; auto: the dump's, and what the script of a paragraph says.
        simplify_chinese: convert traditional characters to simplified ones.
        split_sentences: whether paragraphs are split; auto: they are but for format text, whose lines are sentences.
        min_document_length: in characters; shorter documents are dropped, but for format text.
    """

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
