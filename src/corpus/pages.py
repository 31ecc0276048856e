# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Articles of the formats that are not plain text: pages of a MediaWiki export, and what other programs make of it,
WikiExtractor's <doc> elements and JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from xml.etree.ElementTree import Element, ParseError, XMLParser

from src.common.errors import UserError, nearest, one_line
from src.common.untrusted import parse_json
from src.corpus.articles import Article
from src.corpus.wiki_site import ARTICLES, Site

# Before what a wiki calls it in its own language, the English word, which every wiki understands.
REDIRECT = re.compile(r"\s*#\s*(?:redirect|重定向|重新導向|转向|轉向|転送|넘겨주기|weiterleitung|redirection|"
                      r"redirecci[oó]n|redirecionamento|rinvia|перенаправление|doorverwijzing|patrz)\s*:?\s*\[\[",
                      re.IGNORECASE)
WIKITEXT = ("wikitext", "text/x-wiki", "")
DOC_TAG = re.compile(r'<doc\b[^>]*?\btitle="([^"]*)"[^>\n]*>|<doc\b[^>\n]*>')


def read_page(xml: bytes, site: Site) -> Article:
    """Read one <page> element.

    Expat knows the five entities of XML and numeric ones; any other, as bad nesting, is a damaged page.
    """
    parser = XMLParser()
    try:
        parser.feed(xml)
        page = parser.close()
    except (ParseError, ValueError):
        return Article("", dropped="damaged")
    title = _text(page, "title")
    revision = next((element for element in page.iter() if _name(element) == "revision"), None)
    content = None if revision is None else next((child for child in revision if _name(child) == "text"), None)
    if not title or revision is None or content is None:
        return Article(title, dropped="damaged")
    if not _is_article(_text(page, "ns"), title, site):
        return Article(title, dropped="not_an_article")
    wikitext = content.text or ""
    if any(_name(child) == "redirect" for child in page) or REDIRECT.match(wikitext):
        return Article(title, dropped="redirect")
    if _text(revision, "model") not in WIKITEXT:
        return Article(title, dropped="not_wikitext")
    return Article(title, wikitext, is_wikitext=True)


def _is_article(namespace: str, title: str, site: Site) -> bool:
    if namespace:
        return namespace == str(ARTICLES)
    # Exports before version 0.6 (2012) name the namespace in the title only.
    prefix = title.partition(":")[0].strip().lower() if ":" in title else ""
    return prefix not in site.others | site.files | site.categories


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(parent: Element, name: str) -> str:
    return next((child.text or "" for child in parent if _name(child) == name), "").strip()


def read_docs(raw: bytes, site: Site) -> Article:
    """Read one <doc> element; its first line is the title again, and its text has the entities of HTML."""
    try:
        text = raw.decode("utf-8").removesuffix("</doc>")
    except UnicodeDecodeError:
        return Article("", dropped="damaged")
    tag = DOC_TAG.match(text)
    if not tag or text.endswith("<"):
        return Article("", dropped="damaged")
    title = unescape(tag.group(1) or "").strip()
    lines = unescape(text[tag.end():]).strip().split("\n")
    if lines[0].strip() == title:
        del lines[0]
    return Article("", "\n".join(lines))


def read_json_lines(lines: Sequence[str], where: Callable[[int], str], text_field: str) -> Iterator[Article]:
    """Read JSON objects, one a stripped line; `where` names the place of a line by its number, from 0.

    Raises:
        UserError: a line that is no JSON object, or has no such field of text.
    """
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            values = parse_json(line)
        except ValueError as error:
            advice = ("take away the comma at the end, which JSON lines do not have" if line.endswith(",") else
                      "set --input_format text to read the lines as they are")
            raise UserError(f"{where(number)}: not JSON ({one_line(error)}); expected one JSON object a line; {advice}"
                            ) from error
        if not isinstance(values, dict):
            raise UserError(f"{where(number)}: a JSON {type(values).__name__}; expected an object with a field of text")
        text = values.get(text_field)
        if not isinstance(text, str):
            if text_field in values:
                raise UserError(f"{where(number)}: the field {text_field!r} is {json.dumps(text)[:40]}; expected a "
                                "text; take the line away, or set --text_field to the field that holds the text")
            raise UserError(f"{where(number)}: the field {text_field!r} is not there; the object has "
                            f"{list(values)[:8]}; set --text_field to the one that holds the text"
                            f"{nearest(text_field, values)}")
        yield Article("", text)
