# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Wikitext to paragraphs of prose: what BERT was trained on (Devlin et al., arXiv:1810.04805, 3.1) is the text passages
of Wikipedia without lists, tables and headings."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from src.corpus.wiki_site import Site
from src.corpus.wikitext import Held, Pairs, cut, without

# Most links are a title, or a title and a label, without anything else in them: what mwparserfromhell makes of them is
# known, and asking it takes half of the time of a page.
SIMPLE_LINK = re.compile(r"\[\[(?:[^\[\]|\n&<>:]+\|)?([^\[\]|\n&<>:]+)\]\]")
# Of three brackets the first closes an external link in a caption.
LINK_MARK = re.compile(r"\[\[|\]\](?!\](?!\]))")
# Of a link whose prefix decides what it is: [[File:...]], [[Category:...]], [[de:...]].
PREFIX = re.compile(r"\s*([^\[\]|:\n]{1,40}):")
LANGUAGE_PREFIX = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*|simple")
# Links within links: a caption has one, or a file within it another.
DEEPEST = 10
# An external link that does not end in its line.
OPEN_EXTERNAL = re.compile(r"\[(?=(?:[a-z]{2,9}:)?//[^\[\]\n]*(?:[\[\n]|\Z))")
BREAK = re.compile(r"<br\b[^<>]*>", re.IGNORECASE)
BLOCK_TAG = re.compile(r"</?(?:p|div|center|blockquote|li|tr|td|th|dd|dt|hr|h[1-6])\b[^<>]*>", re.IGNORECASE)
TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*\b[^<>]*>")
QUOTES = re.compile(r"'{2,}")
MAGIC_WORD = re.compile(r"__(?:[A-Z]{3,30}|[\u4e00-\u9fff]{2,10})__")
# Items of lists, indented lines, headings, rules; rows of tables that are not closed.
NO_PROSE = re.compile(r"[*#:;=|]|\{\||----|![^\n]*(?:!!|\|)")
ENDS_SENTENCE = re.compile(r"[.!?…。！？；:：\"”’」』）)\]]$")
WIDE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def paragraphs(wikitext: str, site: Site) -> list[str]:
    """The paragraphs of prose of a page, in their order, without markup."""
    held = Held()
    text = SIMPLE_LINK.sub(r"\1", cut(wikitext, held))
    text = cut_links(text, site)
    text = "\n".join("" if NO_PROSE.match(line) else line for line in text.split("\n"))
    text = TAG.sub("", BLOCK_TAG.sub("\n\n", BREAK.sub("\n", text)))
    text = MAGIC_WORD.sub("", QUOTES.sub(_quotes, text))
    return join_lines(held.restore(plain(text)).split("\n"))


def cut_links(text: str, site: Site) -> str:
    """Remove links to files, categories and other languages, and brackets that have no counterpart."""
    pairs = Pairs()
    removed: list[tuple[int, int]] = []
    for mark in LINK_MARK.finditer(text):
        if mark.group() == "[[" and len(pairs.opened) < DEEPEST:
            pairs.open(mark.start())
            continue
        begin = pairs.close(mark.end()) if mark.group() == "]]" else None
        if begin is None:
            removed.append(mark.span())
        elif _is_hidden(text, begin + 2, site):
            removed.append((begin, mark.end()))
    for begin in pairs.opened:
        line_end = text.find("\n", begin)
        hidden = _is_hidden(text, begin + 2, site)
        removed.append((begin, (line_end if line_end >= 0 else len(text)) if hidden else begin + 2))
    return without(text, outermost(removed))


def outermost(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in rising order, without those that begin within another."""
    kept: list[tuple[int, int]] = []
    for begin, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or begin >= kept[-1][1]:
            kept.append((begin, end))
    return kept


def plain(text: str) -> str:
    """Text without links and entities, as mwparserfromhell understands them.

    What it would try out in vain for a long time is taken away before: tags, and brackets that do not match.
    """
    if "[" not in text:
        return unescape(text)
    import mwparserfromhell

    text = OPEN_EXTERNAL.sub("", text).replace("<", "&lt;")
    return "".join(_shown(mwparserfromhell.parse(text, skip_style_tags=True)))


def _shown(code: Any) -> list[str]:
    """What the nodes of parsed wikitext show."""
    from mwparserfromhell.nodes import ExternalLink, HTMLEntity, Text, Wikilink

    parts: list[str] = []
    for node in code.nodes:
        if isinstance(node, Text):
            parts.append(node.value)
        elif isinstance(node, Wikilink):
            parts += _shown(node.text) if node.text else _shown_title(node.title)
        elif isinstance(node, ExternalLink):
            if node.title is not None:
                parts += _shown(node.title)
            elif not node.brackets:
                parts += _shown(node.url)
        elif isinstance(node, HTMLEntity):
            parts.append(unescape(str(node)))
        else:
            parts.append(str(node))
    return parts


def _shown_title(title: Any) -> list[str]:
    parts = _shown(title)
    # [[:Category:Physics]] is a link to the category.
    return [parts[0].lstrip().removeprefix(":"), *parts[1:]] if parts else parts


def _is_hidden(text: str, position: int, site: Site) -> bool:
    """Whether a link whose inside begins here shows no text within the paragraph."""
    prefix = PREFIX.match(text, position)
    if prefix is None:
        return False
    name = prefix.group(1).strip()
    return LANGUAGE_PREFIX.fullmatch(name) is not None or name.lower().replace("_", " ") in site.files | site.categories


def _quotes(quotes: re.Match[str]) -> str:
    """Apostrophes that are left of a run: two are italic, three bold, five both."""
    number = len(quotes.group())
    return "'" * (number - 5 if number > 5 else number == 4)


def join_lines(lines: list[str]) -> list[str]:
    """Paragraphs of lines: a line goes on in the next one unless it ends like a sentence or the next one is empty."""
    joined: list[str] = []
    goes_on = False
    for line in map(str.strip, lines):
        if line and goes_on:
            gap = "" if WIDE.match(joined[-1][-1]) or WIDE.match(line) else " "
            joined[-1] += gap + line
        elif line:
            joined.append(line)
        goes_on = bool(line) and not ENDS_SENTENCE.search(line)
    return joined
