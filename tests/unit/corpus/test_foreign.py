# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What lies beside texts: left out and listed where a folder or a pattern brings it, refused where it is named."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from src.corpus.formats import select
from src.corpus.sources import InputOptions, pieces, read_documents
from src.corpus.storage import find_files
from src.records.manifest import load_manifest
from src.records.options import CorpusOptions
from src.records.prepare import prepare_texts
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.small_vocabulary import write_vocabulary

EVERYTHING = InputOptions(min_document_length=0)
INDEX = "".join(f"{600 + 7000 * (row // 3)}:{row}:City {row}\n" for row in range(9)).encode()
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 123456\n"


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("word/document.xml", "text")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO(b""))
    return stream.getvalue()


BY_CONTENT = [
    ("d-multistream-index.txt.bz2", bz2.compress(INDEX), "index of a multistream dump"),
    ("renamed.txt", INDEX, "index of a multistream dump"),
    ("d-md5sums.txt", b"".join(b"%032x  d-%d.xml.bz2\n" % (row, row) for row in range(3)), "list of checksums"),
    ("SHA256", b"SHA256 (d.xml) = " + b"0" * 64 + b"\n", "list of checksums"),
    ("d-all-titles-in-ns0.gz", gzip.compress(b"page_title\n!\n!!\n"), "titles"),
    ("d-page.sql.gz", gzip.compress(b"-- MySQL dump 10.19\n--\n-- Host: db\nDROP TABLE x;\n"), "SQL"),
    ("d-abstract.xml", b"<feed>\n<doc>\n<title>x</title>\n</doc>\n</feed>\n".join((b"<?xml version='1.0'?>\n", b"")),
     "no MediaWiki export"),
    ("d-pages.xml.bz2-rss.xml", b'<?xml version="1.0"?>\n<rss version="0.91"></rss>', "no MediaWiki export"),
    ("d-pages.xml.bz2", b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>", "HTML"),
    ("error.txt", b"\n<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>", "HTML"),
    ("dataset_info.json", json.dumps({"splits": {"train": 1}}, indent=2).encode(), "one JSON document"),
    ("list.json", json.dumps([{"text": "a"}, {"text": "b"}]).encode(), "one JSON document"),
    ("lfs.txt", POINTER, "Git LFS"),
    ("paper.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF"),
    ("report.docx", zipped(), "zip archive"),
    ("rows.parquet", b"PAR1\x15\x04\x15\x10PAR1", "Parquet"),
    ("picture.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "an image"),
    ("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "an image"),
    ("corpus.tar.gz", gzip.compress(tarred()), "tar archive"),
    ("twice.gz", gzip.compress(gzip.compress(b"text")), "packed twice"),
    ("x.lz4.txt", b"\x04\x22\x4d\x18\x64\x40\xa7text", "lz4"),
    ("x.Z", b"\x1f\x9d\x90text", "compress"),
    ("model.safetensors", (64).to_bytes(8, "little") + b'{"a":{}}' + bytes(20), "bytes of other data"),
    ("part.tfrecord", (12).to_bytes(8, "little") + b"\x01\x02\x03\x04" + b"abc" * 9, "bytes of other data"),
    ("d-abstract.xml.gz", gzip.compress(b"<feed>\n<doc>\n<title>Wikipedia: A</title>\n</doc>\n</feed>\n"),
     "no MediaWiki export"),
    ("film.vtt", b"WEBVTT\n\n00:00:01.000 --> 00:00:04.000\nit was good\n", "subtitles"),
    ("film.srt", b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:04,000\r\nit was good\r\n", "subtitles"),
    ("reviews.csv", b"id,text,label\n1,it was good,0\n", "a table"),
    ("rows.TSV.gz", gzip.compress(b"text\tlabel\nit was\t0\n"), "a table"),
    ("vocab.txt", b"[PAD]\n[UNK]\nit\nwas\n", "vocabulary"), ("merges.txt", b"#version: 0.2\nt h\n", "merges"),
    ("base.sqlite", b"SQLite format 3\0" + bytes(9), "SQLite"),
]
BY_NAME = [
    (".hidden.txt", "hidden"), ("Thumbs.db", "file browser"), ("desktop.ini", "file browser"), ("_SUCCESS", "Spark"),
    (".part-0.crc", "hidden"), ("a.txt.crc", "Spark"), ("a.txt~", "editor"), ("#a.txt#", "editor"), ("a.bak", "editor"),
    ("d.xml.bz2.part", "download"), ("d.xml.bz2.crdownload", "download"), ("d.xml.aria2", "download"),
    ("README.md", "about the files"), ("LICENSE", "about the files"),
]
TEXTS = {
    "a.txt": "it was good\n\n", "times.txt": "10:30:05 hello there\n10:30:09 and good day\n",
    "notes.txt": "[1] A reference.\n{sic} it was\n", "numbers.txt": "12:30 begins\n12:45:x ends\n",
    "markup.txt": "the tag <html> begins a page\n", "query.txt": "select the best of them\n",
    "lines.csv": "it was good\nand fine, too\n", "one.tsv": "it was good\n", "words.txt": "[MASK]\nit\n",
    "count.txt": "1\n00:01 it begins\n", "tabs.txt": "a\tb\n",
    "hash.txt": "deadbeef is no checksum\n", "readme notes.txt": "a text\n", "part.txt": "a text\n",
    "readings.jsonl": '{"text": "a text"}\n{"text": "another"}\n', "one.json": '{"text": "a text"}\n',
}


@pytest.mark.parametrize(("name", "data", "reason"), BY_CONTENT, ids=[name for name, *_ in BY_CONTENT])
def test_files_that_are_told_by_what_they_hold(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_text("it was good\n")
    (tmp_path / name).write_bytes(data)
    for entry in (str(tmp_path), f"{tmp_path}/*"):
        sources, left_out = select(find_files([entry]), "auto", "text")
        assert [Path(source.path).name for source in sources] == ["a.txt"]
        ((found, names),) = left_out.items()
        assert reason in found and names == (name,)
    refused(reason, select, find_files([tmp_path / name]), "auto", "text")


@pytest.mark.parametrize(("name", "reason"), BY_NAME)
def test_files_that_are_told_by_their_names(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "a.txt").write_text("it was good\n")
    (tmp_path / name).write_text("it was good\n")
    sources, left_out = select(find_files([tmp_path]), "auto", "text")
    assert [Path(source.path).name for source in sources] == ["a.txt"]
    ((found, names),) = left_out.items()
    assert reason in found and names == (name,)
    if "download" in reason:
        refused("fetch the whole file", select, find_files([tmp_path / name]), "auto", "text")
    else:  # who names it wants it
        assert len(select(find_files([tmp_path / name]), "auto", "text")[0]) == 1


def test_texts_that_look_a_little_like_something_else(tmp_path: Path) -> None:
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    sources, left_out = select(find_files([tmp_path]), "auto", "text")
    assert not left_out
    assert [Path(source.path).name for source in sources] == sorted(TEXTS)
    documents = [document for chunk in pieces(sources, EVERYTHING)
                 for document in read_documents(chunk, EVERYTHING).documents]
    assert len(documents) == len(TEXTS) + 1


def test_a_description_beside_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    (tmp_path / "state.json").write_text('{"version": "1.0.0"}')
    (tmp_path / "b.jsonl").write_text('{"body": "a"}\n{"body": "b"}\n')
    sources, left_out = select(find_files([tmp_path]), "auto", "text")
    assert left_out == {"one JSON object without the field 'text'": ("state.json",)}
    # Lines of which none has the field are not passed over.
    assert [Path(source.path).name for source in sources] == ["a.jsonl", "b.jsonl"]


def test_only_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "lfs.txt").write_bytes(POINTER)
    refused("holds no text .*lfs.txt: a pointer of Git LFS", select, find_files([tmp_path]), "auto", "text")


def test_what_is_left_out_is_reported(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.txt").write_text("it was good\n")
    (data / "d-multistream-index.txt.bz2").write_bytes(bz2.compress(INDEX))
    tokenizer = load_tokenizer(write_vocabulary(tmp_path / "vocab.txt", ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
                                                                         "it", "was", "good")))
    for _ in range(2):
        report = prepare_texts([data], tokenizer, tmp_path / "out", CorpusOptions(seq_length=8))
        assert report.rows == 1
        assert ("left out, the index of a multistream dump: 1 file (d-multistream-index.txt.bz2)"
                in report.summary())
    manifest = load_manifest(tmp_path / "out")
    assert manifest is not None
    assert manifest.left_out == {"the index of a multistream dump": ("d-multistream-index.txt.bz2",)}


def test_records_below_the_folder_of_texts_are_no_input(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("it was good\n")
    tokenizer = load_tokenizer(write_vocabulary(tmp_path / "vocab.txt", ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
                                                                         "it", "was", "good")))
    for is_there in (False, True):
        report = prepare_texts([tmp_path / "texts"], tokenizer, tmp_path / "texts/out", CorpusOptions(seq_length=8))
        assert (report.skipped, report.rows, report.left_out) == (is_there, 1, {})
