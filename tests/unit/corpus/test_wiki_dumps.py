# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Real dumps: numbers of articles, sentences and dropped pages, and text against a plain use of mwparserfromhell."""

from __future__ import annotations

import bz2
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from src.corpus.markup import paragraphs
from src.corpus.sources import InputOptions
from src.corpus.wiki_site import Site
from tests.unit.corpus.test_corpus_sources import read

ENGLISH = "enwiki_dump/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
DUMPS = {
    # articles, sentences, dropped pages
    ENGLISH: (97, 17932, {"redirect": 99, "disambiguation": 8, "not_an_article": 1, "empty": 1}),
    "dbpedia_minidumps/en-wiki.xml.bz2": (22, 3833, {"redirect": 2, "not_an_article": 1, "too_short": 1,
                                                  "disambiguation": 1}),
    "dbpedia_minidumps/zh-wiki.xml.bz2": (1, 137, {}),
    "dbpedia_minidumps/ja-wiki.xml.bz2": (1, 389, {}),
    "dbpedia_minidumps/de-wiki.xml.bz2": (2, 1169, {}),
}
LEFT_OVER = re.compile(r"\[\[|\]\]|\{\{|\}\}|<ref|</|\{\||\|\}|\|-|'''|https?://|&[a-z]+;|\bthumb\|")


def independent(path: Path) -> list[dict[str, str]]:
    """The pages of a dump as ElementTree reads them: namespace, redirect, text."""
    tree = ElementTree.fromstring(bz2.decompress(path.read_bytes()))
    space = tree.tag.partition("}")[0] + "}"
    return [{"namespace": page.findtext(f"{space}ns"), "text": page.findtext(f"{space}revision/{space}text") or "",
             "redirect": "yes" if page.find(f"{space}redirect") is not None else ""}
            for page in tree.iter(f"{space}page")]


@pytest.mark.parametrize("name", DUMPS)
@pytest.mark.medium
def test_numbers_of_a_dump(shared_data: Callable[[str], Path], name: str) -> None:
    path = shared_data(name)
    found = read(str(path), InputOptions())
    documents, dropped = found.documents, Counter(found.dropped)
    articles, sentences, reasons = DUMPS[name]
    assert dropped == reasons
    assert len(documents) == articles
    assert sum(len(paragraph) for document in documents for paragraph in document) == sentences
    others = independent(path)
    assert found.pages == len(others)
    assert dropped["not_an_article"] == sum(page["namespace"] != "0" for page in others)
    assert dropped["redirect"] == sum(page["namespace"] == "0" and bool(page["redirect"]) for page in others)
    lines = ["".join(paragraph) for document in documents for paragraph in document]
    # A formula, a smiley, a text about the markup itself.
    assert sum(bool(LEFT_OVER.search(line)) for line in lines) <= 0.001 * len(lines)


CUT_TAGS = ("ref", "references", "math", "gallery", "timeline", "table", "source", "syntaxhighlight", "pre", "poem",
            "ul", "ol", "dl", "score", "imagemap")
HIDDEN_LINK = re.compile(r"\s*(?:(?:file|image|category)|[a-z]{2,3}(?:-[a-z]+)*)\s*:")
LIST_ITEM = "\x01"


def reference(wikitext: str) -> list[str]:
    """Words of the prose of a page: all of it parsed by mwparserfromhell, and what is no prose left out of its tree."""
    import mwparserfromhell

    lines = rendered(mwparserfromhell.parse(wikitext)).split("\n")
    return re.findall(r"\w+", " ".join(line for line in lines if not line.lstrip(" ").startswith(LIST_ITEM)))


def rendered(code: object) -> str:
    from mwparserfromhell import nodes

    shown = []
    for node in code.nodes if code is not None else ():
        if isinstance(node, nodes.Text):
            shown.append(node.value)
        elif isinstance(node, nodes.Wikilink):
            title = str(node.title)
            if not HIDDEN_LINK.match(title[:1].lower() + title[1:]):
                shown.append(rendered(node.text if node.text is not None else node.title))
        elif isinstance(node, nodes.ExternalLink):
            shown.append(rendered(node.title if node.brackets else node.url))
        elif isinstance(node, nodes.HTMLEntity):
            shown.append(node.normalize())
        elif isinstance(node, nodes.Tag) and str(node.tag) in ("li", "dt", "dd") and node.wiki_markup:
            shown.append(LIST_ITEM)
        elif isinstance(node, nodes.Tag) and str(node.tag).lower() not in CUT_TAGS:
            shown.append(" " if str(node.tag) == "br" else rendered(node.contents))
    return "".join(shown)


@pytest.mark.medium
def test_the_text_is_that_of_the_library_alone(shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
                                               ) -> None:
    # Templates that show text are ours; the library drops all.
    monkeypatch.setattr("src.corpus.wikitext.shown_text", lambda match: "")
    pages = [page["text"] for page in independent(shared_data("dbpedia_minidumps/en-wiki.xml.bz2"))
             if page["namespace"] == "0" and not page["redirect"]]
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    for text in pages:
        ours.update(re.findall(r"\w+", " ".join(paragraphs(text, Site()))))
        theirs.update(reference(text))
    both = sum((ours & theirs).values())
    # What differs is the broken infobox of one page.
    assert both > 0.995 * max(sum(ours.values()), sum(theirs.values()))
