# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inputs of every format and compression: the same documents wherever pieces end; damage is told with file and byte."""

from __future__ import annotations

import bz2
import gzip
import html
import json
import lzma
import pickle
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from src.common.errors import UserError
from src.corpus import sources, splitting
from src.corpus.articles import REASONS
from src.corpus.compression import stream_starts
from src.corpus.sources import Chunk, Documents, InputOptions, pieces, read_documents
from tests.refusals import refused

EVERYTHING = InputOptions(min_document_length=0)
HEADER = ('<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n<siteinfo>'
          '<namespaces><namespace key="0" /><namespace key="6">File</namespace></namespaces></siteinfo>\n')


def page(title: str, text: str, namespace: str = "<ns>0</ns>", more: str = "", model: str = "wikitext") -> str:
    return (f"<page><title>{html.escape(title)}</title>{namespace}<id>1</id>{more}<revision><id>2</id><model>{model}"
            f'</model><text xml:space="preserve">{html.escape(text)}</text></revision></page>\n')


def articles(number: int) -> list[str]:
    return [page(f"Title {n}", f"'''Text {n}''' is [[number|the number]] {n} & <b>more</b>.\n\nSecond paragraph. "
                 f"With {'words ' * (n % 50)}end.") for n in range(number)]


def dump(pages: Iterable[str]) -> bytes:
    return (HEADER + "".join(pages) + "</mediawiki>\n").encode()


def multistream(pages: list[str], size: int) -> bytes:
    """As Wikipedia packs its dumps: the header, some pages at a time, and the end are streams."""
    parts = [HEADER, *("".join(pages[at:at + size]) for at in range(0, len(pages), size)), "</mediawiki>\n"]
    return b"".join(bz2.compress(part.encode()) for part in parts)


def cut_anywhere(data: bytes, size: int) -> bytes:
    """As pbzip2 packs: streams that end within pages and within tags."""
    return b"".join(bz2.compress(data[at:at + size]) for at in range(0, len(data), size))


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def read(files: str | list[str], options: InputOptions = EVERYTHING, **how: int) -> Documents:
    """All documents; checks what every piece must be."""
    files = [files] if isinstance(files, str) else files
    chunks: list[Chunk] = list(pieces(files, options, **how))
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert sum(chunk.size for chunk in chunks) == sum(Path(file).stat().st_size for file in files)
    found = [read_documents(pickle.loads(pickle.dumps(chunk)), options) for chunk in chunks]
    dropped: Counter[str] = Counter()
    for each in found:
        dropped.update(each.dropped)
        assert each.pages == len(each.documents) + sum(each.dropped.values())
    assert dropped.keys() <= REASONS.keys()
    return Documents([document for each in found for document in each.documents], dict(dropped),
                     sum(each.pages for each in found))


def test_a_dump_is_documents_of_paragraphs_of_sentences(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x", dump(articles(3))))
    assert found.documents[2] == (("Text 2 is the number 2 & more.",),
                                  ("Second paragraph.", "With words words end."))
    assert found.pages == 3
    whole = read(write(tmp_path / "x", dump(articles(3))), InputOptions(min_document_length=0, split_sentences="false"))
    assert whole.documents[2][1] == ("Second paragraph. With words words end.",)


def test_documents_do_not_depend_on_packing_and_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = articles(60)
    plain = dump(pages)
    expected = read(write(tmp_path / "plain", plain), piece_bytes=1 << 30)
    assert [document[0] for document in expected.documents] == [
        (f"Text {n} is the number {n} & more.",) for n in range(60)]
    monkeypatch.setattr(sources, "BZ2_PIECE_BYTES", 300)
    files = {
        "single.bz2": bz2.compress(plain), "multi.bz2": multistream(pages, 7), "one.bz2": multistream(pages, 1),
        "cut.bz2": cut_anywhere(plain, 997), "bytes.bz2": cut_anywhere(plain[:900], 3) + bz2.compress(plain[900:]),
        "x.gz": gzip.compress(plain), "members.gz": gzip.compress(plain[:7777]) + gzip.compress(plain[7777:]),
        "x.zst": zstandard.compress(plain), "x.xz": lzma.compress(plain),
        "padded.gz": gzip.compress(plain) + b"\0" * 512,
        "utf-16": plain.decode().encode("utf-16"), "utf-16.bz2": bz2.compress(plain.decode().encode("utf-16")),
        "latin": b'<?xml version="1.0" encoding="ISO-8859-1"?>\n' + plain,
        "no suffix": zstandard.compress(plain), "wrong suffix.gz": bz2.compress(plain)}
    for name, data in files.items():
        path = write(tmp_path / name, data)
        for size in (1 << 30, 3000):
            assert read(path, piece_bytes=size).documents == expected.documents, (name, size)
    for size in (7, 100, 1000, 12345):
        assert read(str(tmp_path / "plain"), piece_bytes=size).documents == expected.documents, size
    monkeypatch.setattr(sources, "LARGEST_BZ2_PIECE", 200)
    for name in ("single.bz2", "multi.bz2", "cut.bz2"):
        assert read(str(tmp_path / name), piece_bytes=5000).documents == expected.documents, name


def test_a_bz2_file_of_streams_is_shared_among_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BZ2_PIECE_BYTES", 300)
    chunks = list(pieces([write(tmp_path / "x.bz2", multistream(articles(100), 10))], EVERYTHING))
    assert len(chunks) > 5
    assert all(chunk.spans and not chunk.data for chunk in chunks)
    assert all(len(pickle.dumps(chunk)) < 3000 for chunk in chunks)


def test_a_start_of_a_stream_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.bz2", multistream(articles(200), 20))
    true = list(stream_starts(path))
    assert len(true) == 12
    monkeypatch.setattr(sources, "BZ2_PIECE_BYTES", 1)
    monkeypatch.setattr(sources, "stream_starts", lambda _: iter(sorted([*true, true[3] + 40])))
    refused(rf"{path}: damaged bz2 data near byte", read, path)


def test_other_pages_are_dropped_with_a_reason(tmp_path: Path) -> None:
    pages = [
        page("Kept", "The text of an article."), page("Talk:Kept", "Talk.", "<ns>1</ns>"),
        page("Old", "#REDIRECT [[Kept]]"), page("Older", "x", more='<redirect title="Kept" />'),
        page("旧", "#重定向 [[新]]"), page("Old dump", "The text of another.", ""), page("File:a.jpg", "A file.", ""),
        page("Template:t", "Text.", "<ns>10</ns>"), page("Data", "{}", model="json"),
        page("Mercury", "{{disambiguation}} * [[x]]"), page("Empty", ""), page("List of x", "== A ==\n* [[a]]"),
        "<page><title>No text</title><ns>0</ns><revision></revision></page>",
        "<page><title>Bad &nbsp; entity</title><ns>0</ns><revision><text>x</text></revision></page>",
        "<page><title>Bad nesting</title><ns>0</ns><revision><text>x</revision></text></page>",
        "<page><title>Not closed</title><ns>0</ns><revision><text>x</text></revision>",
        page("After &amp; all", "The text &lt;ref> after &#228; all.").replace("&amp;lt;ref&gt;", "&lt;i&gt;")]
    found = read(write(tmp_path / "x", dump(pages)))
    assert [document[0][0] for document in found.documents] == ["The text of an article.", "The text of another.",
                                                                "The text after ä all."]
    assert found.dropped == {"not_an_article": 3, "redirect": 3, "not_wikitext": 1, "disambiguation": 1, "empty": 2,
                             "damaged": 4}
    assert read(write(tmp_path / "x", dump(pages)), InputOptions()).dropped["too_short"] == 3


def test_pages_that_are_too_long_are_dropped_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "LONGEST_PAGE", 100_000)
    pages = [*articles(2), page("Huge", "word " * 100_000), *articles(1)]
    for name, data in (("plain", dump(pages)), ("x.gz", gzip.compress(dump(pages)))):
        found = read(write(tmp_path / name, data), piece_bytes=1000)
        assert [document[0][0][:6] for document in found.documents] == ["Text 0", "Text 1", "Text 0"]
        assert found.dropped == {"damaged": 1}


def test_output_of_wikiextractor(tmp_path: Path) -> None:
    doc = '<doc id="1" url="https://x" title="A &quot;b&quot;">\nA "b"\n\nFirst &lt;x&gt; one. Two.\n\nLast.\n</doc>\n'
    path = write(tmp_path / "wiki_00", (doc + '<doc id="2" url="u" title="Empty">\nEmpty\n\n\n</doc>\n' + doc).encode())
    one = (("First <x> one.", "Two."), ("Last.",))
    for size in (1 << 20, 10):
        found = read(path, piece_bytes=size)
        assert found.documents == [one, one]
        assert found.dropped == {"empty": 1}
    lines = [json.dumps({"id": "1", "title": 'A "b"', "text": "First <x> one. Two.\n\nLast."}, ensure_ascii=ascii)
             for ascii in (True, False)]
    assert read(write(tmp_path / "json", "\n".join(lines).encode())).documents == [one, one]
    packed = write(tmp_path / "json.bz2", bz2.compress("\n".join(lines).encode()))
    assert read(packed, piece_bytes=10).documents == [one, one]


def test_json_lines_name_the_field_and_the_line(tmp_path: Path) -> None:
    body = InputOptions(text_field="body", min_document_length=0)
    good = '{"body": "Some text. More."}\n'
    assert read(write(tmp_path / "x", good.encode() * 2), body).documents[1] == (("Some text.", "More."),)
    for bad, message in (('{"body": 1}', "is 1; expected"), ('{"body": null}', "is null"), ("[1]", "a JSON list"),
                         ('{"body": "x"},', "take away the comma"), ('{"bdy": "x"}', "did you mean 'bdy'"),
                         ('{"body": ', "not JSON"), ('{"body": "\\ud800"}', "surrogate")):
        text = (good * 40 + "\n" + bad + "\n" + good).encode()
        for name, data in (("x", text), ("x.gz", gzip.compress(text))):
            with pytest.raises(UserError, match=message) as raised:
                read(write(tmp_path / name, data), body, piece_bytes=100)
            assert f"{tmp_path / name}:42: " in str(raised.value)


def test_text_stays_as_it_is(tmp_path: Path) -> None:
    text = "\ufeffOne line. Two () {{x}}\n  second \n\n\n third\n\n{not json}\n<doc\n"
    expected = [(("One line. Two () {{x}}", "second"),), (("third",),), (("{not json}", "<doc"),)]
    for name, data in (("x", text.encode()), ("x.zst", zstandard.compress(text.encode()))):
        assert read(write(tmp_path / name, data)).documents == expected
    split = read(str(tmp_path / "x"), InputOptions(split_sentences="true"))
    assert split.documents[0] == (("One line.", "Two () {{x}}", "second"),)
    chinese = write(tmp_path / "zh", "電腦\n柏林\n".encode())
    assert read(chinese, InputOptions(simplify_chinese=True)).documents == [(("电脑", "柏林"),)]


def test_files_of_several_formats_come_in_their_order(tmp_path: Path) -> None:
    contents = (b"One.\n", dump(articles(1)), b"Two.\n", b"Three.\n", b'{"text": "Four."}\n', b"")
    files = [write(tmp_path / str(number), data) for number, data in enumerate(contents)]
    firsts = [document[0][0] for document in read(files).documents]
    assert firsts == ["One.", "Text 0 is the number 0 & more.", "Two.", "Three.", "Four."]


def bomb(name: str) -> bytes:
    block = b"aaaaaaa\n" * (1 << 21)
    if name.endswith("gz"):
        return gzip.compress(block) * 8
    return bz2.compress(block) * 8 if name.endswith("bz2") else zstandard.compress(block * 8)


@pytest.mark.parametrize(("name", "data", "message"), [
    ("cut.bz2", multistream(articles(50), 10)[:-20], r"ends within its bz2 data, at byte \d+"),
    ("cut.gz", gzip.compress(dump(articles(50)))[:-20], r"ends within its gz data, at byte \d+"),
    ("cut.zst", zstandard.compress(dump(articles(50)))[:-20], r"ends within its zst data, at byte \d+"),
    ("cut.xz", lzma.compress(dump(articles(50)))[:-20], r"ends within its xz data, at byte \d+"),
    ("cut.xml", dump(articles(50))[:-100], r"ends at byte \d+, within a page"),
    ("damaged.gz", gzip.compress(dump(articles(50)))[:200] + b"x" * 300, r"damaged gz data near byte \d+"),
    ("damaged.bz2", bz2.compress(dump(articles(50)))[:600] + bytes(99), r"damaged bz2 data near byte \d+|ends within"),
    ("other.xml", b"<?xml version='1.0'?><feed></feed>", "no MediaWiki export"),
    ("doctype.xml", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>' + dump(articles(1)), "DOCTYPE"),
    ("x.bin", bytes(1000), "not UTF-8 text"),
    ("utf-16.txt", "text\n".encode("utf-16"), "UTF-16, not UTF-8"),
    ("latin.txt.gz", gzip.compress("one\ntwo\ncafé\n".encode("latin-1")), r"latin\.txt\.gz:3: not UTF-8"),
    ("encoding.xml", b'<?xml version="1.0" encoding="x-unknown"?>' + dump([]), "unknown encoding 'x-unknown'"),
    ("bomb.gz", bomb, "which no text does"),
    ("bomb.bz2", bomb, "which no text does"),
    ("bomb.zst", bomb, "which no text does")])
def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, name: str, data: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        read(write(tmp_path / name, data(name) if callable(data) else data))
    if name != "encoding.xml":
        assert str(tmp_path / name) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_damaged_stream_in_the_middle_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BZ2_PIECE_BYTES", 1)
    path = tmp_path / "x.bz2"
    data = bytearray(multistream(articles(100), 10))
    path.write_bytes(data)
    start = list(stream_starts(str(path)))[5]
    data[start + 60:start + 64] = b"\0\0\0\0"
    path.write_bytes(data)
    refused(rf"{path}: damaged bz2 data near byte \d+", read, str(path))


def test_a_language_is_a_code() -> None:
    refused("language is 'English please'", InputOptions, language="English please")
