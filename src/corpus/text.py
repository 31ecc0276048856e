# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text files as work for several processes: which files, cut where, and the lines of a piece.

The format is that of Google BERT's create_pretraining_data.py: UTF-8, one sentence a line, an empty line between
documents. Without empty lines each file is one document.

A piece of work is a run of bytes of one file, or several small files. Where it ends depends on the files alone, so
that the records do not depend on how many processes made them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, NamedTuple

from src.common.errors import UserError
from src.corpus.splitting import BLANK_LINE, LONGEST_LINE
from src.corpus.storage import name_of, read_range, reading, shown, size_of, version_of

CHUNK_BYTES = 1 << 20


class Span(NamedTuple):
    """Bytes start..end of a file; lines are whole."""

    path: str
    start: int
    end: int

    def place(self, number: int) -> str:
        """file:line of the line `number`, from 0, of the span."""
        before = read_range(self.path, 0, self.start).count(b"\n")
        return f"{shown(self.path)}:{before + number + 1}"


def fingerprint(path: str) -> dict[str, Any]:
    """What the manifest records of an input, enough to see whether it is still the same: name, bytes and sha256, or
    the version where a remote file system tells one, so that the file need not be read for it."""
    if version := version_of(path):
        return {"name": name_of(path), "bytes": size_of(path), "version": version}
    digest = hashlib.sha256()
    size = 0
    with reading(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return {"name": name_of(path), "bytes": size, "sha256": digest.hexdigest()}


def chunks(files: Sequence[str], chunk_bytes: int = CHUNK_BYTES) -> Iterator[tuple[Span, ...]]:
    """Cut files into chunks of about `chunk_bytes`: between documents where there is an empty line near, else
    between lines."""
    size = 0
    spans: list[Span] = []
    for path in files:
        for span in _spans(path, chunk_bytes):
            spans.append(span)
            size += span.end - span.start
            if size >= chunk_bytes:
                yield tuple(spans)
                size, spans = 0, []
    if spans:
        yield tuple(spans)


def _spans(path: str, chunk_bytes: int) -> Iterator[Span]:
    with reading(path) as stream:
        total = stream.seek(0, os.SEEK_END)
        start = 0
        while total - start > chunk_bytes:
            end = min(_cut(stream, start + chunk_bytes, chunk_bytes // 4, path), total)
            yield Span(path, start, end)
            start = end
        if total > start:
            yield Span(path, start, total)


def _cut(stream: IO[bytes], position: int, window: int, path: str) -> int:
    """Where the chunk ends that should end at `position`: behind the next empty line, or the next line."""
    stream.seek(position)
    text = stream.read(window)
    blank = BLANK_LINE.search(text)
    if blank:
        return position + blank.end()
    line = text.find(b"\n")
    begin = position
    while line < 0 and text:
        position += len(text)
        if position - begin > LONGEST_LINE:
            raise UserError(f"{shown(path)}: no line ends within {LONGEST_LINE >> 20} MB from byte {begin}; expected "
                            "text with one sentence a line")
        text = stream.read(1 << 20)
        line = text.find(b"\n")
    return position + line + 1 if text else position


def read_lines(span: Span) -> list[str]:
    """The stripped lines of a span; an empty one ends a document.

    Only "\\n" ends a line, as in Google's tools: form feeds or U+2028 may stand inside a sentence.

    Raises:
        UserError: unreadable, or not UTF-8 (with the line).
    """
    return stripped_lines(read_range(*span), not span.start, span.place)


def stripped_lines(raw: bytes, is_beginning: bool, place: Callable[[int], str]) -> list[str]:
    """The stripped lines of UTF-8 text, which at its beginning may have a byte order mark.

    Raises:
        UserError: not UTF-8.
    """
    try:
        text = raw.decode("utf-8-sig" if is_beginning else "utf-8")
    except UnicodeDecodeError as error:
        where = place(raw.count(b"\n", 0, error.start))
        raise UserError(f"{where}: not UTF-8 (byte 0x{raw[error.start]:02x}); convert the file to UTF-8, and unpack it "
                        "if it is compressed") from error
    return [line.strip() for line in text.split("\n")]
