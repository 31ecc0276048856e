# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What kind of text a file holds, told from its beginning: compression, encoding, format, and the names of a wiki."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from src.common.errors import UserError, one_line
from src.common.untrusted import parse_json
from src.corpus.compression import Block, blocks, kind_of
from src.corpus.foreign import HTML, Foreign, by_name, check_bytes, check_name, check_text, is_description
from src.corpus.storage import name_of, reading, shown
from src.corpus.wiki_site import Site, read_site

InputFormat = Literal["text", "wiki", "wikiextractor", "jsonl"]

# The header of a dump, the names of its namespaces included, is some 10 KB long.
HEAD_BYTES = 1 << 18
BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
                    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
DECLARATION = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
ENTITIES = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
PAGE_OR_ROOT = re.compile(rb"<(?:mediawiki|page)[\s>]")
DOC = re.compile(rb"<doc[\s>]")


@dataclass(frozen=True)
class Source:
    """A file and how it is to be read.

    Attributes:
        kind: compression: bz2, gz, zst, xz, or "".
        encoding: of a dump, where that is not UTF-8; else "".
        site: of a dump.
    """

    path: str
    kind: str
    format: InputFormat
    encoding: str = ""
    site: Site = Site()

    def blocks(self) -> Iterator[Block]:
        """All of it, unpacked and in UTF-8."""
        unpacked = blocks(self.path, self.kind)
        return recoded(unpacked, self.encoding, self.path) if self.encoding else unpacked


def look_at(path: str, input_format: Any) -> Source:
    """Tell what a file or URL holds; `input_format` is auto, or what the user says that it is.

    Raises:
        UserError: cannot be read, not text, XML that is no MediaWiki export, or XML that declares entities.
    """
    with reading(path) as file:
        kind = kind_of(file.read(8))
    head = _head(blocks(path, kind))
    encoding = _encoding(head, path)
    if encoding:
        head = _head(recoded(blocks(path, kind), encoding, path))
    else:
        check_bytes(head, path)
    found = _format(head, path) if input_format == "auto" else input_format
    if encoding and found != "wiki":
        raise UserError(f"{shown(path)}: {encoding.upper()}, not UTF-8; convert the file to UTF-8")
    if found != "wiki":
        return Source(path, kind, found)
    first_page = head.find(b"<page")
    header = head[:first_page] if first_page >= 0 else head
    if ENTITIES.search(header):
        raise UserError(f"{shown(path)}: XML with a DOCTYPE or entities of its own, which no MediaWiki export has; "
                        "give a dump as Wikipedia publishes it")
    return Source(path, kind, found, encoding, read_site(header.decode("utf-8", "replace")))


def select(files: Mapping[str, bool], input_format: Any, text_field: str
           ) -> tuple[list[Source], dict[str, tuple[str, ...]]]:
    """Tell the texts from what lies beside them.

    Args:
        files: path -> whether the user named this file, rather than a folder or a pattern; see `find_files`.
        input_format, text_field: see `InputOptions`.

    Returns:
        The files to read; and what is left out, names of files by reason.

    Raises:
        UserError: as `look_at` does, but for files that nobody named; there is no text.
    """
    sources: list[Source] = []
    left_out: dict[str, list[str]] = {}
    for path, is_named in files.items():
        name = name_of(path)
        try:
            if is_named:
                check_name(path, name)
            elif reason := by_name(name):
                raise Foreign(path, reason, "name it by itself")
            source = look_at(path, input_format)
            if not is_named and source.format == "jsonl" and is_description(_head(source.blocks()), text_field):
                raise Foreign(path, f"one JSON object without the field {text_field!r}", "leave it out")
        except Foreign as error:
            if is_named:
                raise
            left_out.setdefault(error.reason, []).append(name)
        else:
            sources.append(source)
    if not sources:
        listed = "; ".join(f"{', '.join(names[:3])}: {reason}" for reason, names in left_out.items())
        raise UserError(f"the input holds no text{f' ({listed})' if listed else ''}; name the files to read")
    return sources, {reason: tuple(names) for reason, names in left_out.items()}


def recoded(unpacked: Iterator[Block], encoding: str, path: str) -> Iterator[Block]:
    """Blocks in UTF-8 of blocks in another encoding.

    Raises:
        UserError: bytes that are no text in this encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    try:
        for block in unpacked:
            position = block.position
            text = decoder.decode(block.data)
            if text:
                yield Block(text.encode("utf-8", "replace"), position)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: not {encoding.upper()}, as its beginning says, near byte {position} "
                        f"({error.reason}); convert the file to UTF-8") from error


def _head(unpacked: Iterator[Block]) -> bytes:
    head = b""
    for block in islice(unpacked, HEAD_BYTES):
        head += block.data
        if len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES]


def _encoding(head: bytes, path: str) -> str:
    """Name of an encoding that is not UTF-8 and that the beginning of a file tells; else ""."""
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return "" if name == "utf-8" else name.removesuffix("-le").removesuffix("-be")
    declared = DECLARATION.match(head)
    if not declared:
        return ""
    name = declared.group(1).decode()
    try:
        name = codecs.lookup(name).name
    except LookupError:
        raise UserError(f"{shown(path)}: the XML declares the unknown encoding {name!r}; convert the file to "
                        "UTF-8") from None
    return "" if name in ("utf-8", "ascii") else name


def _format(head: bytes, path: str) -> InputFormat:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if PAGE_OR_ROOT.match(text):
        return "wiki"
    if text.startswith(b"<?xml"):
        if PAGE_OR_ROOT.search(text):
            return "wiki"
        if not HTML.match(text):
            raise Foreign(path, "XML, but no MediaWiki export (no <mediawiki> in it)", "give a dump such as "
                          "zhwiki-latest-pages-articles.xml.bz2, or set --input_format text to read it as it is")
    if DOC.match(text):
        return "wikiextractor"
    if _is_json(text):
        return "jsonl"
    check_text(text, path)
    return "text"


def _is_json(text: bytes) -> bool:
    """Whether the first line is a JSON object, or the beginning of one that is longer than what was read."""
    line, newline, _ = text.partition(b"\n")
    if not line.startswith(b"{"):
        return False
    if not newline and len(text) > HEAD_BYTES // 2:
        return re.match(rb'\{\s*"[^"\n]{0,200}"\s*:', line) is not None
    try:
        return isinstance(parse_json(line), dict)
    except ValueError as error:
        # A damaged first line of an otherwise good file is told with its line when it is read.
        return "delimiter" in one_line(error) and re.match(rb'\{\s*"[^"\n]{0,200}"\s*:', line) is not None
