# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A page of a MediaWiki export: its title, and its wikitext or why it is none that is wanted."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, ParseError, XMLParser

from src.corpus.articles import Article
from src.corpus.wiki_site import ARTICLES, Site

# Before what a wiki calls it in its own language, the English word, which every wiki understands.
REDIRECT = re.compile(r"\s*#\s*(?:redirect|重定向|重新導向|转向|轉向|転送|넘겨주기|weiterleitung|redirection|"
                      r"redirecci[oó]n|redirecionamento|rinvia|перенаправление|doorverwijzing|patrz)\s*:?\s*\[\[",
                      re.IGNORECASE)
WIKITEXT = ("wikitext", "text/x-wiki", "")


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
