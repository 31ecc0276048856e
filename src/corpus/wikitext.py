# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is no prose, cut out of wikitext in linear time: comments, references, formulas, tables, templates, files.

mwparserfromhell knows all of this, but builds a tree of what is then thrown away, most of a page; it parses the
paragraphs that are left (`src.corpus.markup`). Every function here runs through the text a bounded number of times,
whatever stands in it: wikitext is written by strangers.
"""

from __future__ import annotations

import re

from src.corpus.wiki_templates import shown_text

# Elements whose content is not prose, or not wikitext.
CUT_TAGS = ("ref", "references", "math", "chem", "ce", "gallery", "timeline", "score", "hiero", "syntaxhighlight",
            "source", "pre", "poem", "imagemap", "templatedata", "templatestyles", "graph", "mapframe", "maplink",
            "inputbox", "categorytree", "includeonly", "table", "ul", "ol", "dl", "style", "script")
CUT_TAG = re.compile(rf"<(nowiki|{'|'.join(CUT_TAGS)})\b([^<>]*)>", re.IGNORECASE)
CLOSING = {name: re.compile(rf"</{name}\s{{0,9}}>", re.IGNORECASE) for name in ("nowiki", *CUT_TAGS)}
TABLE_MARK = re.compile(r"^[ \t:;*#]*(\{\|)|^[ \t]*\|\}(?!\})", re.MULTILINE)
VARIANT = re.compile(r"-\{([^{}]*)\}-")
PARAMETER = re.compile(r"\{\{\{[^{}]*\}\}\}")
TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")
BRACES = re.compile(r"\{\{|\}\}")
# Templates within templates, as deep as people write them; deeper ones are left to `_cut_braces`.
PASSES = 12
# Stands for the content of the n-th <nowiki>: characters of a private plane, which no text holds.
HELD, LAST_HELD = 0xF0000, 0xFFFFD
# Who reads: the first that a rule names. Of the Serbian and other wikis with two scripts the first that stands there.
SIMPLIFIED = ("zh-cn", "zh-hans", "zh", "zh-sg", "zh-my")
RULE = re.compile(r"\s*(?:[^=:;<>]{1,200}=>\s*)?([a-z]{2,3}(?:-[a-z]{2,8})*)\s*:(.*)", re.DOTALL)
FLAGS = re.compile(r"\s*([A-Z+-]|[a-z-]{2,12}(?:\s*;\s*[a-z-]{2,12})*)?(?:\s*;\s*[A-Z+-])*\s*\|")
# H adds a rule for the whole page, T gives its title, - removes a rule, D describes one and N names a variant.
SHOWS_NOTHING = ("H", "T", "-", "D", "N")


class Held:
    """Texts that are not wikitext, set aside while the wikitext around them is treated."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def put(self, text: str) -> str:
        """Set a text aside; return what stands for it."""
        if HELD + len(self._texts) > LAST_HELD:
            return ""
        self._texts.append(text)
        return chr(HELD + len(self._texts) - 1)

    def restore(self, text: str) -> str:
        """Put all texts back."""
        if not self._texts:
            return text
        return text.translate({HELD + number: kept for number, kept in enumerate(self._texts)})


def cut(wikitext: str, held: Held) -> str:
    """Remove what is no prose; `held` takes the contents of <nowiki>."""
    text = cut_comments(wikitext)
    text = cut_tags(text, held)
    text = cut_tables(text)
    return cut_templates(text)


def cut_comments(text: str) -> str:
    """Remove <!-- comments -->; one that is not closed goes on to the end, as MediaWiki has it."""
    parts, position = [], 0
    while (begin := text.find("<!--", position)) >= 0:
        parts.append(text[position:begin])
        end = text.find("-->", begin + 4)
        if end < 0:
            return "".join(parts)
        position = end + 3
    return "".join(parts) + text[position:] if parts else text


def cut_tags(text: str, held: Held) -> str:
    """Remove the elements of CUT_TAGS; the contents of <nowiki> are set aside. Of an element that is not closed only
    the tag is removed."""
    parts, position = [], 0
    unclosed: set[str] = set()
    for tag in CUT_TAG.finditer(text):
        if tag.start() < position:
            continue
        parts.append(text[position:tag.start()])
        position = tag.end()
        name = tag.group(1).lower()
        if tag.group(2).endswith("/") or name in unclosed:
            continue
        close = CLOSING[name].search(text, position)
        if close is None:
            # Nor is any behind it, which need not be looked for.
            unclosed.add(name)
            continue
        if name == "nowiki":
            parts.append(held.put(text[position:close.start()]))
        position = close.end()
    return "".join(parts) + text[position:] if parts else text


def cut_tables(text: str) -> str:
    """Remove {| tables |} with those within them; one that is not closed loses its lines in `markup.paragraphs`."""
    pairs = Pairs()
    for mark in TABLE_MARK.finditer(text) if "{|" in text else ():
        if mark.group(1):
            pairs.open(mark.start(1))
        else:
            pairs.close(mark.end())
    return without(text, pairs.spans)


class Pairs:
    """Marks that open and close, in the order of a text; `spans` holds the outermost pairs that were kept."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []
        self.opened: list[int] = []

    def open(self, position: int) -> None:
        self.opened.append(position)

    def close(self, end: int) -> int | None:
        """Close what was opened last; return where that was, or None when there is nothing to close."""
        if not self.opened:
            return None
        begin = self.opened.pop()
        while self.spans and self.spans[-1][0] >= begin:
            self.spans.pop()
        self.spans.append((begin, end))
        return begin


def cut_templates(text: str) -> str:
    """Remove {{templates}}, from the innermost, but for what some of them show as text; resolve -{variants}-."""
    for _ in range(PASSES):
        before = text
        if "-{" in text:
            text = VARIANT.sub(lambda match: resolve(match.group(1)), text)
        if "{{" not in text:
            break
        if "{{{" in text:
            text = PARAMETER.sub("", text)
        text = TEMPLATE.sub(shown_text, text)
        if text == before:
            break
    return _cut_braces(text) if "{{" in text else text


def _cut_braces(text: str) -> str:
    """Remove what stands between braces that match, whatever stands between them; then braces that are left over."""
    pairs = Pairs()
    for mark in BRACES.finditer(text):
        if mark.group() == "{{":
            pairs.open(mark.start())
        else:
            pairs.close(mark.end())
    return BRACES.sub("", without(text, pairs.spans))


def without(text: str, spans: list[tuple[int, int]]) -> str:
    """A text without some spans, which rise and do not overlap."""
    kept, position = [], 0
    for begin, end in spans:
        kept.append(text[position:begin])
        position = end
    return "".join(kept) + text[position:] if kept else text


def resolve(inside: str) -> str:
    """What the inside of -{...}- shows to a reader of simplified Chinese.

    It is flags, a bar and rules (or a text without rules), or rules alone, or a text that is shown to all.
    """
    flags = FLAGS.match(inside)
    rules = inside[flags.end():] if flags else inside
    if flags and flags.group(1) in SHOWS_NOTHING:
        return ""
    shown: dict[str, str] = {}
    for rule in rules.split(";"):
        match = RULE.match(rule)
        if match:
            shown.setdefault(match.group(1), match.group(2).strip())
        elif shown and rule.strip():
            # A semicolon within the text of a rule, such as that of an entity.
            last = next(reversed(shown))
            shown[last] += ";" + rule.rstrip()
    if not shown:
        return rules
    return next((shown[variant] for variant in SIMPLIFIED if shown.get(variant)), next(iter(shown.values())))
