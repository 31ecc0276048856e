# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What lies beside texts and is none: recognised by its name or its beginning.

A file that a folder or a pattern brought along is left out, which is counted and listed; one that is named by itself is
refused.
"""

from __future__ import annotations

import re
from itertools import islice

from src.common.errors import UserError
from src.common.files import LFS_POINTER
from src.common.untrusted import parse_json
from src.corpus.compression import MAGIC
from src.corpus.storage import shown

# The beginnings of files that hold no text as they are; what no archive's name says.
BINARY = {
    b"%PDF-": "a PDF", b"PK\x03\x04": "a zip archive (zip, docx, xlsx, PyTorch)", b"PAR1": "a Parquet file",
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"GIF8": "an image", b"RIFF": "an image, a sound or a film",
    b"\0\0\0\x0cjP": "an image", b"II*\0": "an image", b"MM\0*": "an image",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"Rar!\x1a": "a RAR archive", b"\x1f\x9d": "a file packed by compress (.Z)",
    b"\x04\x22\x4d\x18": "a file packed by lz4", b"\x89LZO": "a file packed by lzop", b"]\0\0": "a file packed by lzma",
    b"\xff\x06\0\0sNaPpY": "a file packed by snappy", b"\xd0\xcf\x11\xe0": "an old Office document",
    b"{\\rtf": "an RTF document", b"SQLite format 3\0": "an SQLite database", b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array", b"ARROW1": "an Arrow file", b"\x7fELF": "a program", b"Obj\x01": "an Avro file",
}
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
MAX_CONTROL = 0.1
HTML = re.compile(rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
                  re.IGNORECASE | re.DOTALL)
XML = re.compile(rb"<(?:feed|rss|svg|urlset|sitemapindex|plist)\b", re.IGNORECASE)
SUBTITLES = re.compile(r"\ufeff?(?:WEBVTT\b|1\s+\d{1,2}:\d\d:\d\d[,.]\d{3} --> )")
INDEX = re.compile(r"\d+:\d+:.")
TIME = re.compile(r"\d{1,3}:[0-5]\d:[0-5]\d(?!\d)")
CHECKSUM = re.compile(r"[0-9a-fA-F]{32,128}\s+\*?\S|(?:MD5|SHA\d+) ?\(.+\) ?= ?[0-9a-fA-F]{32,128}$")
SQL = re.compile(rb"(?:--[^\n]*\n\s*){0,5}(?:-- ?(?:MySQL|MariaDB|PostgreSQL|phpMyAdmin)[^\n]*dump|/\*M?!\d|"
                 rb"(?:DROP|CREATE) (?:TABLE|DATABASE)|INSERT INTO|PRAGMA foreign_keys|SET (?:NAMES|SQL_MODE))",
                 re.IGNORECASE)
TABLE = re.compile(r"\.([ct]sv)(?:\.(?:bz2|gz|zst|xz))?$", re.IGNORECASE)
TITLES = ("page_title", "page_namespace\tpage_title")
JSON_DOCUMENT = re.compile(r"(?:\{\s*\n\s*[\"}]|\[\s*\n\s*[\"\[{\d\]]|\[\s*[{\[]\s*\")")
LINES = 20

_DOWNLOAD = re.compile(r".\.(part|partial|crdownload|download|aria2|filepart|!ut)$", re.IGNORECASE)
_NAMES = (
    (re.compile(r"^\."), "hidden"),
    (_DOWNLOAD, "a download that has not come to its end"),
    (re.compile(r".~$|^~\$|^#.+#$|\.(bak|orig|swp|swo|tmp)$", re.IGNORECASE), "a copy that an editor keeps"),
    (re.compile(r"^(thumbs\.db|desktop\.ini|ehthumbs\.db|\.ds_store)$", re.IGNORECASE), "of a file browser"),
    (re.compile(r"^_(success|metadata|common_metadata|committed_.*|started_.*)$|\.crc$", re.IGNORECASE),
     "of Hadoop or Spark"),
    (re.compile(r"^(readme|licen[sc]e|copying|changelog|authors|notice)(\.(md|txt|rst|html?|pdf))?$", re.IGNORECASE),
     "about the files around it"),
)


class Foreign(UserError):
    """A file is no text.

    Attributes:
        reason: what it is.
    """

    def __init__(self, path: str, reason: str, advice: str):
        super().__init__(f"{shown(path)}: {reason}; {advice}")
        self.reason = reason


def by_name(name: str) -> str:
    """What a file of this name is beside texts; "" where the name does not tell."""
    return next((reason for pattern, reason in _NAMES if pattern.search(name)), "")


def check_name(path: str, name: str) -> None:
    """Raise `Foreign` for a file that is named by itself and is half of one."""
    if _DOWNLOAD.search(name):
        raise Foreign(path, "a download that has not come to its end", "fetch the whole file, or rename it if it is "
                      "whole")


def check_bytes(head: bytes, path: str) -> None:
    """Raise `Foreign` for a beginning, unpacked, that is no text in any encoding.

    UTF-16 and UTF-32 are not for here: they are told by their byte order mark before.
    """
    if head.startswith(LFS_POINTER):
        raise Foreign(path, "a pointer of Git LFS, not the file itself", "fetch it with git lfs pull")
    found = next((what for magic, what in BINARY.items() if head.startswith(magic)), "")
    if not found and head[257:262] == b"ustar":
        found = "a tar archive"
    if not found and any(head.startswith(magic) for magic in MAGIC):
        found = "packed twice"
    if found:
        raise Foreign(path, f"{found}, no text", "give text, a dump of a wiki or JSON lines, in UTF-8, as they are or "
                      "packed as bz2, gz, zst or xz")
    if b"\0" in head[:8] or len(CONTROL.findall(head)) > MAX_CONTROL * len(head):
        raise Foreign(path, "not UTF-8 text (bytes of other data)", "expected text, a dump of a wiki or JSON lines, in "
                      "UTF-8, as they are or packed as bz2, gz, zst or xz")


def check_text(head: bytes, path: str) -> None:
    """Raise `Foreign` for a beginning that is text, and yet nothing to learn from."""
    if HTML.match(head):
        raise Foreign(path, "a page in HTML, such as a server sends in the place of a file", "fetch the file again, or "
                      "set --input_format text to read it as it is")
    if SQL.match(head):
        raise Foreign(path, "a dump of a database in SQL", "leave it out, or set --input_format text to read it as it "
                      "is")
    if XML.match(head):
        raise Foreign(path, "XML, but no MediaWiki export", "give a dump such as zhwiki-latest-pages-articles.xml.bz2, "
                      "or set --input_format text to read it as it is")
    text = head.decode("utf-8", "replace").strip()
    if JSON_DOCUMENT.match(text):
        raise Foreign(path, "one JSON document", "write one object a line (jq -c '.[]' FILE), or set --input_format "
                      "text to read it as it is")
    lines = list(islice((line for line in text.split("\n") if line.strip()), LINES))
    what = "subtitles with their times" if SUBTITLES.match(text) else _listing(lines) or _table(lines, path)
    if what:
        raise Foreign(path, what, "leave it out, or set --input_format text to read it as it is")


def _listing(lines: list[str]) -> str:
    if not lines:
        return ""
    if all(map(INDEX.match, lines)) and not all(map(TIME.match, lines)):
        return "the index of a multistream dump"
    if all(map(CHECKSUM.match, lines)):
        return "a list of checksums"
    if lines[0].strip() in ("[PAD]", "[UNK]") and not any(" " in line.strip() for line in lines):
        return "the vocabulary of a tokenizer"
    if lines[0].startswith("#version: 0."):
        return "the merges of a tokenizer"
    return "a list of a wiki's titles" if lines[0].strip() in TITLES else ""


def _table(lines: list[str], path: str) -> str:
    found = TABLE.search(path)
    separators = {"tsv": "\t", "csv": ",;\t"}[found[1].lower()] if found else ""
    is_table = separators and lines and all(any(mark in line for mark in separators) for line in lines)
    return "a table: columns, not texts alone" if is_table else ""


def is_description(head: bytes, text_field: str) -> bool:
    """Whether a file of JSON lines is one object alone that has no text: it describes the files around it."""
    line, _, rest = head.strip().partition(b"\n")
    if rest:
        return False
    try:
        values = parse_json(line)
    except ValueError:
        return False
    return isinstance(values, dict) and text_field not in values
