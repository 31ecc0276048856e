# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Wikitext to prose: hand-made pages whose text was worked out by hand, and what strangers may write."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from src.corpus.cleaning import REMOVED, clean
from src.corpus.markup import paragraphs
from src.corpus.wiki_site import Site, read_site
from src.corpus.wiki_templates import is_disambiguation
from src.corpus.wikitext import resolve

PAGES = {
    "bold, italics and links": (
        "'''Berlin''' is the [[capital city|capital]] of [[Germany]]; see ''[[Der Spiegel]]''s [[street]]s.",
        ["Berlin is the capital of Germany; see Der Spiegels streets."]),
    "apostrophes": ("L'''Arc'' and '''''both''''' and ''''one'''' left.", ["LArc and both and 'one' left."]),
    "nested templates": (
        "{{Infobox|a={{nested|b={{deeper}}}}|c=[[x]]}}\nProse {{cite|{{date|1=x}}}}stays{{!}}.", ["Prose stays."]),
    "single braces in a template": ("A {{math|x={a} }} b.", ["A b."]),
    "unclosed template": ("Text {{unclosed goes on.", ["Text unclosed goes on."]),
    "table": ("Before.\n{| class=\"x\"\n|-\n! head\n| cell\n{|\n| inner\n|}\n| more\n|}\nAfter.",
              ["Before.", "After."]),
    "unclosed table": ("Before.\n{| class=\"x\"\n|-\n! a !! b\n| cell\n\nAfter.", ["Before.", "After."]),
    "references": ('One.<ref name="a">{{cite|t=[[x]]}}</ref> Two<ref name=a/>.<references />', ["One. Two."]),
    "unclosed reference": ("One<ref>two.\n\nThree.", ["Onetwo.", "Three."]),
    "file with a caption": (
        "[[File:a.jpg|thumb|200px|A caption with [[a link|links]] and [http://x.org more]]]The text.\n[[Image:b.png]]",
        ["The text."]),
    "file in its own language": ("[[文件:a.jpg|thumb|說明[[連結]]]]正文在此。", ["正文在此。"]),
    "categories and languages": (
        "The text.\n[[Category:Cities]]\n[[分類:城市]]\n[[de:Berlin]]\n[[zh-min-nan:Berlin]]\n"
        "[[:Category:Shown]] here.",
        ["The text.", "Category:Shown here."]),
    "links with a colon": ("See [[2001: A Space Odyssey]] and [[Star Trek: Picard|Picard]].",
                           ["See 2001: A Space Odyssey and Picard."]),
    "unclosed links": ("A [[broken link and [[good|fine]] one.\nB ]] c.", ["A broken link and fine one.", "B c."]),
    "unclosed file": ("[[File:a.jpg|thumb|caption\nThe text.", ["The text."]),
    "external links": ("See [http://x.org/a the site], [http://x.org/b] and [//y.org].", ["See the site, and."]),
    "unclosed external link": ("See [http://x.org/a the site\nmore.", ["See http://x.org/a the site more."]),
    "nowiki": ("Write <nowiki>[[Link]] or '''bold''' {{t}}</nowiki> so.", ["Write Link or '''bold''' t so."]),
    "formulas and code": ("Let <math>x<y</math> be.<syntaxhighlight lang=\"c\">int a[[1]];</syntaxhighlight> Done.",
                          ["Let be. Done."]),
    "lists, headings, rules": (
        "== Head ==\nProse.\n* item\n# item\n: indented\n; term\n----\nMore prose.\n=== See also ===\n* [[x]]",
        ["Prose.", "More prose."]),
    "HTML lists": ("A.<ul><li>one</li><li>two</li></ul>B.", ["A.B."]),
    "comments": ("One<!-- a\n\nb [[x]] --> two<!-- not closed\n\nthree.", ["One two"]),
    "HTML": ("H<sub>2</sub>O and <span style=\"color:red\">red</span><br />next; 3 < 4 &lt;b&gt; &nbsp;AT&amp;T.",
             ["H2O and red next; 3 < 4 <b> AT&T."]),
    "gallery": ("A.\n<gallery>\nFile:a.jpg|One\nFile:b.jpg|Two\n</gallery>\nB.", ["A.", "B."]),
    "magic words": ("__NOTOC__\nText __TOC__here, `__init__` stays.", ["Text here, `__init__` stays."]),
    "lines of one paragraph": ("A sentence\nthat goes on.\nThe next one.\n\n中文一行，\n接着下一行。",
                               ["A sentence that goes on.", "The next one.", "中文一行，接着下一行。"]),
    "templates within sentences": (
        "The {{lang|la|{{nowrap|lex prima}}}} is {{convert|5|km|mi}} long, {{formatnum:1234}} {{small|m}}, "
        "{{ill|Max|de|Max M.}} says.", ["The lex prima is 5 km long, 1234 m, Max says."]),
    "links to other Wikipedias": ("由{{link-en|约翰|John}}和{{le|玛丽|Mary|玛丽亚}}及{{tsl|en|Bob|鲍勃}}写成。",
                                  ["由约翰和玛丽亚及鲍勃写成。"]),
    "variants": ("-{zh-hans:计算机; zh-hant:電腦}-和-{zh-tw:資料;zh-cn:数据;}-、-{原文}-、"
                 "-{T|zh:标题}--{H|zh-cn:a;zh-tw:b}-。",
                 ["计算机和数据、原文、。"]),
    "variants with flags, links and templates": (
        "[[联邦州|-{zh-hans:联邦州; zh-hant:邦}-]]、-{A|zh-hant:軟體;zh-hans:软件}-、"
        "{{t|-{zh:x}-}}-{zh-cn:{{lang|en|a}};zh-tw:b}-。",
        ["联邦州、软件、a。"]),
}


@pytest.mark.parametrize("name", PAGES)
def test_prose_of_a_page(name: str) -> None:
    wikitext, expected = PAGES[name]
    assert clean("\n".join(paragraphs(wikitext, Site())), True, Counter()) == expected


HOSTILE = ("[[", "]]", "[[a|", "<b>", "<b ", "{{", "}}", "{{a|", "{{{", "[http://a ", "&#", "<a b='", "<a b='>",
           "[[a|<b>", "</b>", "<!--", "-{", "}-", "{|\n", "|}\n", "<ref>", "<ref name=", "<nowiki>",
           "<nowiki></nowiki>", "[[File:a|[[", "<br", "__TOC__", "'", "[[a]]", "((", "（,", "( ", "-{zh:", "\n", " ",
           "[a:", "|", "[[:", "http://a ", ",", "、 ")


@pytest.mark.parametrize("closing", [False, True], ids=["open", "closed"])
def test_time_is_linear_whatever_is_repeated(closing: bool) -> None:
    ends = str.maketrans("[{<(", "]}>)")
    slow = {}
    for part in HOSTILE:
        text = part * (60_000 // len(part))
        if closing:
            opened = "".join(c for c in part if c in "[{<(").translate(ends)
            text = part * (30_000 // len(part)) + opened * (30_000 // max(len(opened), 1))
        began = time.process_time()
        clean("\n".join(paragraphs(text, Site())), True, Counter())
        # 60 KB take some milliseconds; with time that grows as the square, many seconds.
        if (seconds := time.process_time() - began) > 1:
            slow[part] = seconds
    assert not slow


def test_cleaning_counts_what_it_removes() -> None:
    counts: Counter[str] = Counter()
    text = ("Asia () is\u200b a (, born 1999; ) place , they\x07 say（；）.\nhttps://example.org/x\n12345 – 6\n"
            "Caf\u0065\u0301 print() （）好\u3000的 {{x")
    assert clean(text, True, counts) == ["Asia is a (born 1999) place, they say.", "Café print() 好 的 x"]
    assert counts == {"invisible_characters": 2, "empty_brackets": 3, "url_lines": 1, "wordless_lines": 1,
                      "leftover_markup": 1}
    assert counts.keys() <= REMOVED.keys()


@pytest.mark.parametrize(("title", "wikitext", "expected"), [
    ("Mercury", "'''Mercury''' may be:\n{{disambiguation}}", True),
    ("Mercury", "{{Disambiguation|geo|surname}}", True),
    ("Mercury", "{{ Airport disambiguation }}", True),
    ("水星 (消歧義)", "", True),
    ("水星", "{{消歧义}}", True),
    ("Mercury", "[[Category:Disambiguation pages]]", True),
    ("Mercury", "__DISAMBIG__", True),
    ("Mercury", "A [[planet]]{{disambiguation needed|date=May}}. {{other uses}} {{dablink|x}}", False),
    ("Disambiguation", "'''Disambiguation''' tells [[word sense disambiguation|senses]] apart.", False)])
def test_disambiguation_pages(title: str, wikitext: str, expected: bool) -> None:
    assert is_disambiguation(title, wikitext) is expected


@pytest.mark.parametrize(("inside", "expected"), [
    ("zh-hans:a;zh-hant:b", "a"), ("zh-hant:b;zh-hans:a;", "a"), ("zh-tw:b;zh-hk:c", "b"), ("text", "text"),
    ("R|zh-cn", "zh-cn"), ("zh-hans;zh-hant|text", "text"), ("T|zh-cn:a", ""), ("-|zh-cn:a;zh-tw:b", ""),
    ("A|源=>zh-cn:甲;zh-tw:乙", "甲"), ("zh-cn:a&amp;b;zh-tw:c", "a&amp;b"), ("", ""), ("sr-ec:а; sr-el:a", "а")])
def test_variants(inside: str, expected: str) -> None:
    assert resolve(inside) == expected


def test_names_of_the_wiki_are_read_from_its_header() -> None:
    site = read_site('<mediawiki xml:lang="eo"><namespace key="6" case="x">Dosiero</namespace>'
                     '<namespace key="14">Kategorio</namespace><namespace key="2">Uzanto</namespace>')
    assert site.language == "eo"
    assert paragraphs("[[Dosiero:a.jpg|[[x]]]][[kategorio:b]][[File:c]]Teksto.", site) == ["Teksto."]
    assert "uzanto" in site.others
