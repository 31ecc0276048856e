# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text files as work for several processes: which files, cut where, and the lines of a piece.

The format is that of Google BERT's create_pretraining_data.py: UTF-8, one sentence a line, an empty line between
documents. Without empty lines each file is one document.

A piece of work (`Chunk`) is a run of bytes of one file, or several small files. Where it ends depends on the
files alone, so that the records do not depend on how many processes made them.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from src.errors import UserError

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 64 << 20
BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")


class Span(NamedTuple):
    """Bytes start..end of a file; lines are whole."""

    path: str
    start: int
    end: int


class Chunk(NamedTuple):
    """One piece of work: its number, which seeds its random choices, and where its text is."""

    index: int
    spans: tuple[Span, ...]

    @property
    def size(self) -> int:
        return sum(span.end - span.start for span in self.spans)


@dataclass(frozen=True)
class InputFile:
    """An input as the manifest records it: enough to see whether it is still the same."""

    path: str
    bytes: int
    sha256: str

    def to_dict(self) -> dict[str, str | int]:
        return {"name": os.path.basename(self.path), "bytes": self.bytes, "sha256": self.sha256}


def find_files(inputs: Sequence[str | Path]) -> list[str]:
    """Files of a list of files, folders (all files below, hidden ones left out) and globs (`**` goes down).

    The order is that of `inputs`, sorted within a folder or a glob; a file that is found twice is taken once.

    Raises:
        UserError: an entry matches nothing.
    """
    found: list[str] = []
    for entry in inputs:
        path = str(entry)
        if os.path.isdir(path):
            below = (str(file) for file in Path(path).rglob("*") if file.is_file()
                     and not any(part.startswith(".") for part in file.relative_to(path).parts))
            matches = sorted(below)
        elif os.path.exists(path):
            matches = [path]
        else:
            matches = sorted(match for match in glob.glob(path, recursive=True) if os.path.isfile(match))
        if not matches:
            raise UserError(f"input {path!r} matches no file; expected text files, folders or globs")
        found.extend(matches)
    if not found:
        raise UserError("no input; set --input to text files, separated by commas")
    return list(dict.fromkeys(found))


def fingerprint(path: str) -> InputFile:
    """Size and SHA-256 of a file."""
    digest = hashlib.sha256()
    size = 0
    try:
        with open(path, "rb", buffering=0) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return InputFile(path, size, digest.hexdigest())


def chunks(files: Sequence[str], chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """Cut files into chunks of about `chunk_bytes`: between documents where there is an empty line near, else
    between lines."""
    index = size = 0
    spans: list[Span] = []
    for path in files:
        for span in _spans(path, chunk_bytes):
            spans.append(span)
            size += span.end - span.start
            if size >= chunk_bytes:
                yield Chunk(index, tuple(spans))
                index, size, spans = index + 1, 0, []
    if spans:
        yield Chunk(index, tuple(spans))


def _spans(path: str, chunk_bytes: int) -> Iterator[Span]:
    try:
        with open(path, "rb") as stream:
            total = stream.seek(0, os.SEEK_END)
            start = 0
            while total - start > chunk_bytes:
                end = min(_cut(stream, start + chunk_bytes, chunk_bytes // 4), total)
                yield Span(path, start, end)
                start = end
            if total > start:
                yield Span(path, start, total)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _cut(stream, position: int, window: int) -> int:
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
            raise UserError(f"{stream.name}: no line ends within {LONGEST_LINE >> 20} MB from byte {begin}; expected "
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
    try:
        with open(span.path, "rb") as stream:
            stream.seek(span.start)
            raw = stream.read(span.end - span.start)
    except OSError as error:
        raise UserError(f"cannot read {span.path}: {error.strerror}") from error
    try:
        text = raw.decode("utf-8" if span.start else "utf-8-sig")
    except UnicodeDecodeError as error:
        with open(span.path, "rb") as stream:
            line = stream.read(span.start + error.start).count(b"\n") + 1
        raise UserError(f"{span.path}:{line}: not UTF-8 (byte 0x{raw[error.start]:02x}); convert the file to UTF-8, "
                        "and unpack it if it is compressed") from error
    return [line.strip() for line in text.split("\n")]
