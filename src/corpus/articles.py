# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Articles to documents: which are wanted, and their text as paragraphs of sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from src.corpus.wiki_site import Site

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


@dataclass(frozen=True)
class TextOptions:
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


@dataclass(frozen=True)
class Article:
    """A page as it was found.

    Attributes:
        title: may be "".
        text: wikitext, or plain text with one paragraph a line.
        dropped: why it is not wanted, a key of REASONS; then there is no text.
    """

    title: str
    text: str = ""
    is_wikitext: bool = False
    dropped: str = ""


def to_document(article: Article, options: TextOptions, site: Site, cleaned: Counter[str]
                ) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return why an article is dropped ("" if it is not), and its paragraphs of sentences."""
    if article.dropped:
        return article.dropped, ()
    paragraphs = [line.strip() for line in article.text.split("\n") if line.strip()]
    if not paragraphs:
        return "empty", ()
    if sum(map(len, paragraphs)) < options.min_document_length:
        return "too_short", ()
    return "", tuple((paragraph,) for paragraph in paragraphs)


def line_sentences(lines: list[str], options: TextOptions) -> list[str]:
    """The sentences of lines of format text, which are sentences already unless the options say otherwise."""
    return lines
