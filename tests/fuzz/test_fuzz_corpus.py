# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of raw text: MediaWiki dumps, WikiExtractor's output, JSON lines, plain text, each also packed."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.corpus.sources import InputOptions, pieces, read_documents
from tests.fuzz.mutations import accepts, change_bytes, files, fuzz, seeds

WIKITEXT = """{{Infobox film|name=A [[good|very good]] film|year={{age|{{{1}}}}}}}
'''A film''' is ''good''.<ref name="x">{{cite web|url=https://a.b/c}}</ref> It was [[shot]] in [https://a.b Rome].
== History ==
* one
** two &amp; three
# four
{| class="wikitable"
|-
! a !! b
|-
| c || {{d|e}}
|}
[[File:a.jpg|thumb|A [[caption]]]] -{zh-hans:电影;zh-hant:電影}- 中文句子。第二句！
&lt;!-- comment --&gt; &lt;math&gt;x^2&lt;/math&gt; &lt;nowiki&gt;[[x]]&lt;/nowiki&gt;
&lt;gallery&gt;a.jpg|b&lt;/gallery&gt;
[[Category:Films]] [[fr:Film]]
""".replace("<ref", "&lt;ref").replace("</ref>", "&lt;/ref&gt;").replace('"x">', '"x"&gt;')
PAGE = f"""  <page><title>A film</title><ns>0</ns><id>7</id><revision><id>8</id><model>wikitext</model>
    <format>text/x-wiki</format><text bytes="9" xml:space="preserve">{WIKITEXT}</text></revision></page>
  <page><title>Old</title><ns>0</ns><redirect title="A film" />
    <revision><text>#REDIRECT [[A film]]</text></revision></page>
  <page><title>Talk:A</title><ns>1</ns><revision><text xml:space="preserve" /></revision></page>
"""
HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en"><siteinfo>
  <namespaces><namespace key="0" case="first-letter" /><namespace key="6">File</namespace></namespaces></siteinfo>
"""
DUMP = f"{HEAD}{PAGE * 3}</mediawiki>\n".encode()
DOC = '<doc id="1" url="https://a.b/?curid=1" title="A film">\nA film\n\nIt is good. It is long.\n中文。\n</doc>\n'
DOCS = (DOC * 4).encode()
LINES = b'{"id": "1", "title": "A film", "text": "It is good.\\nIt is \\u4e2d long.\\n\\nEnd."}\n' * 4
TEXT = "It is good.\nIt is long.\n\n中文。\n第二句！\n".encode()
FORMATS = {"wiki": DUMP, "wikiextractor": DOCS, "jsonl": LINES, "text": TEXT}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, ".bz2": lambda data: bz2.compress(data[:700]) + bz2.compress(data[700:]), ".gz": gzip.compress,
    ".xz": lzma.compress}
OPTIONS = [InputOptions(min_document_length=1), InputOptions(split_sentences="true"),
           InputOptions(min_document_length=1, language="zh", simplify_chinese=True)]

pytestmark = pytest.mark.medium


def read(path: Path, options: InputOptions, piece_bytes: int) -> None:
    """What preparing a corpus reads, without the tokens."""
    for chunk in pieces([str(path)], options, piece_bytes):
        for document in read_documents(chunk, options).documents:
            assert all(sentence for paragraph in document for sentence in paragraph)
            "".join(sentence for paragraph in document for sentence in paragraph).encode()


@pytest.mark.parametrize("name", FORMATS)
def test_text(name: str, tmp_path: Path) -> None:
    path = tmp_path / "input"

    @fuzz(25)
    @given(content=files(FORMATS[name], *FORMATS.values()), options=st.sampled_from(OPTIONS),
           is_named=st.booleans(), piece_bytes=st.sampled_from((1 << 20, 200)))
    def check(content: bytes, options: InputOptions, is_named: bool, piece_bytes: int) -> None:
        path.write_bytes(content)
        given_format = name if is_named else "auto"
        accepts(lambda: read(path, InputOptions(**{**vars(options), "input_format": given_format}), piece_bytes))

    path.write_bytes(FORMATS[name])
    assert accepts(lambda: read(path, OPTIONS[0], 200))
    check()


@pytest.mark.parametrize("ending", [".bz2", ".gz", ".xz", ".zst"])
def test_packed(ending: str, tmp_path: Path) -> None:
    pack = PACKED.get(ending) or pytest.importorskip("zstandard").ZstdCompressor().compress
    valid = [pack(content) for content in FORMATS.values()]
    path = tmp_path / f"input{ending}"
    changed_inside = st.builds(lambda content, seed, count: pack(change_bytes(content, seed, count)),
                               st.sampled_from(list(FORMATS.values())), seeds(), st.integers(0, 4))

    @fuzz(15)
    @given(content=st.one_of(files(*valid), changed_inside), piece_bytes=st.sampled_from((1 << 20, 200)))
    def check(content: bytes, piece_bytes: int) -> None:
        path.write_bytes(content)
        accepts(lambda: read(path, OPTIONS[0], piece_bytes))

    path.write_bytes(valid[0])
    assert accepts(lambda: read(path, OPTIONS[0], 200))
    check()


@pytest.mark.parametrize("part", ["[[", "{{", "{|\n", "<ref>", "'''''", "&lt;ref&gt;", "-{", "[[File:", "<!--", "|-\n|",
                                  "{{{", "==", "[http://a ", "&amp;", "&lt;div&gt;", ":*#;", "https://", "中",
                                  "。", "a.B "])
@pytest.mark.parametrize("repeated", [1, 20])
def test_one_part_again_and_again(part: str, repeated: int, tmp_path: Path) -> None:
    """What makes regular expressions and nested readers take the square of a length, or its power."""
    page = PAGE.split("  <page><title>Old")[0].replace(WIKITEXT, part * (2000 * repeated))
    (tmp_path / "dump.xml").write_text(f"{HEAD}{page}</mediawiki>\n", encoding="utf-8")
    accepts(lambda: read(tmp_path / "dump.xml", OPTIONS[0], 1 << 20))


def test_bombs(tmp_path: Path) -> None:
    """A small file that unpacks to a large one is read in bounded memory, whatever comes of it."""
    for ending, pack in PACKED.items():
        for content in (b"a" * (16 << 20), HEAD.encode() + b"<page>" + b"a" * (16 << 20)):
            (tmp_path / f"bomb{ending}").write_bytes(pack(content) if ending != ".bz2" else bz2.compress(content))
            accepts(lambda path=tmp_path / f"bomb{ending}": read(path, OPTIONS[0], 1 << 20))
