# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Texts of all formats as work for several processes: files to pieces (`pieces`), a piece to documents.

    wiki           a MediaWiki export, such as zhwiki-latest-pages-articles.xml.bz2
    wikiextractor  the <doc> files of WikiExtractor
    jsonl          one JSON object a line with a field of text, which WikiExtractor writes with --json
    text           one sentence a line, an empty line between documents

Files may be packed (bz2, gz, zst, xz). A worker reads and unpacks its own bytes of a plain file and of a bz2 file of
several streams; what can only be unpacked from its beginning is unpacked by the process that calls `pieces`, and a
piece then holds its bytes. Where pieces end depends on the files alone. A page or document belongs to the piece in
which it begins, and is never cut in two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import Literal

from src.common.errors import UserError
from src.corpus import text
from src.corpus.articles import Article, ArticleOptions, Paragraphs, line_sentences, to_document
from src.corpus.compression import Block, blocks, stream_starts
from src.corpus.formats import Source, look_at
from src.corpus.pages import read_docs, read_json_lines, read_page
from src.corpus.splitting import DOC, PAGE, Window, line_pieces, records
from src.corpus.storage import shown, size_of
from src.corpus.text import Span, read_lines, stripped_lines

PIECE_BYTES = 1 << 20
# Compressed: some 1 MB of XML, and few enough bytes that a worker holds all they unpack to.
BZ2_PIECE_BYTES = 1 << 18
LARGEST_BZ2_PIECE = 4 << 20
# Of a piece that a worker unpacks.
LARGEST_UNPACKED = 256 << 20
MARKS = {"wiki": PAGE, "wikiextractor": DOC}


@dataclass(frozen=True)
class Documents:
    """What a piece holds.

    Attributes:
        documents: in the order of the file.
        dropped: reason (see `src.corpus.articles.REASONS`) -> how many pages were left out for it.
        pages: how many pages (documents, JSON objects) there are, the dropped ones included.
        cleaned: what was removed within documents that were kept (see `src.corpus.cleaning.REMOVED`) -> how often.
    """

    documents: list[Paragraphs]
    dropped: dict[str, int]
    pages: int
    cleaned: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class InputOptions(ArticleOptions):
    """How inputs are read; see `corpus` in default_config.yaml for each setting."""

    input_format: Literal["auto", "text", "wiki", "wikiextractor", "jsonl"] = "auto"
    text_field: str = "text"


@dataclass(frozen=True)
class Chunk:
    """One piece of work.

    Attributes:
        index: its number, which seeds its random choices.
        source: the file, or the last one of several small ones.
        size: bytes of the input.
        spans: bytes of files; of a packed file, packed bytes.
        data: the text itself where the file can only be unpacked from its beginning; then `spans` is empty.
        first_line: number of the first line of `data` in the text.
    """

    index: int
    source: Source
    size: int
    spans: tuple[Span, ...] = ()
    data: bytes = b""
    first_line: int = 1


def pieces(files: Sequence[str | Source], options: InputOptions, piece_bytes: int = PIECE_BYTES) -> Iterator[Chunk]:
    """Cut files into pieces of work, in their order; a stream in bounded memory.

    Args:
        files: paths or URLs, or what `select` has found out about them.
        piece_bytes: about how large a piece is, unpacked.

    Raises:
        UserError: a file cannot be read, is damaged or truncated, or does not hold what it should.
    """
    sources = [file if isinstance(file, Source) else look_at(file, options.input_format) for file in files]
    number = 0
    for lines_of, group in groupby(sources, _lines_of):
        # Small files of lines share a piece.
        some = list(group)
        found = ([_of_plain_lines(some, piece_bytes)] if lines_of
                 else (_of_file(source, piece_bytes) for source in some))
        for chunk in chain.from_iterable(found):
            yield replace(chunk, index=number)
            number += 1


def read_documents(chunk: Chunk, options: InputOptions) -> Documents:
    """Read the documents of a piece; runs in the workers.

    Raises:
        UserError: a file cannot be read, is damaged or truncated, is not UTF-8, or has a line that is no JSON object
            with the field of text.
    """
    if chunk.source.format == "text":
        return _text_documents(chunk, options)
    documents: list[Paragraphs] = []
    dropped: Counter[str] = Counter()
    cleaned: Counter[str] = Counter()
    pages = 0
    for article in _articles(chunk, options):
        pages += 1
        reason, paragraphs = to_document(article, options, chunk.source.site, cleaned)
        if reason:
            dropped[reason] += 1
        else:
            documents.append(paragraphs)
    return Documents(documents, dict(dropped), pages, dict(cleaned))


def _lines_of(source: Source) -> str:
    """text or jsonl for a plain file of lines; else ""."""
    return source.format if source.format in ("text", "jsonl") and not source.kind else ""


def _of_plain_lines(sources: list[Source], piece_bytes: int) -> Iterator[Chunk]:
    by_path = {source.path: source for source in sources}
    for spans in text.chunks(list(by_path), piece_bytes):
        yield Chunk(0, by_path[spans[-1].path], sum(span.end - span.start for span in spans), spans)


def _of_file(source: Source, piece_bytes: int) -> Iterator[Chunk]:
    size = size_of(source.path)
    if source.format in ("text", "jsonl"):
        yield from _of_packed_lines(source, size, piece_bytes)
    elif source.kind == "bz2" and not source.encoding:
        yield from _of_bz2(source, size, piece_bytes)
    elif source.kind or source.encoding:
        yield from _of_stream(source, source.blocks(), 0, size, piece_bytes)
    else:
        for start in range(0, size, piece_bytes):
            end = min(start + piece_bytes, size)
            yield Chunk(0, source, end - start, (Span(source.path, start, end),))


def _of_packed_lines(source: Source, size: int, piece_bytes: int) -> Iterator[Chunk]:
    window = Window(source.blocks())
    before, line = 0, 1
    for data in line_pieces(window, piece_bytes, shown(source.path)):
        is_last = not window.data
        after = size if is_last else window.position
        yield Chunk(0, source, after - before, data=data, first_line=line)
        before, line = after, line + data.count(b"\n")


def _of_stream(source: Source, blocks: Iterator[Block], start: int, end: int, piece_bytes: int) -> Iterator[Chunk]:
    """Pieces that hold their bytes, of what can only be unpacked from its beginning."""
    window = Window(blocks)
    held: list[bytes] = []
    before, size = start, 0
    for record in records(window, MARKS[source.format], shown(source.path)):
        held.append(record)
        size += len(record)
        if size >= piece_bytes:
            yield Chunk(0, source, window.position - before, data=b"".join(held))
            before, size, held = window.position, 0, []
    yield Chunk(0, source, end - before, data=b"".join(held))


def _of_bz2(source: Source, size: int, piece_bytes: int) -> Iterator[Chunk]:
    """Pieces of some streams each; streams that are too large for one piece are unpacked here."""
    start = 0
    for position in chain(stream_starts(source.path), (size,)):
        if position == size or position - start >= BZ2_PIECE_BYTES:
            if position - start <= LARGEST_BZ2_PIECE:
                yield Chunk(0, source, position - start, (Span(source.path, start, position),))
            else:
                yield from _of_stream(source, blocks(source.path, "bz2", start, position), start, position, piece_bytes)
            start = position


def _articles(chunk: Chunk, options: InputOptions) -> Iterator[Article]:
    source = chunk.source
    if source.format == "jsonl":
        for where, lines in _lines(chunk):
            yield from read_json_lines(lines, where, options.text_field)
        return
    read = read_docs if source.format == "wikiextractor" else read_page
    for record in records(Window(_blocks(chunk)), MARKS[source.format], shown(source.path)):
        yield read(record, source.site)


def _blocks(chunk: Chunk) -> Iterator[Block]:
    if not chunk.spans:
        return iter((Block(chunk.data, 0),) if chunk.data else ())
    span = chunk.spans[0]
    found = blocks(span.path, chunk.source.kind, span.start, span.end)
    return _bounded(found, span) if chunk.source.kind else found


def _bounded(blocks: Iterator[Block], span: Span) -> Iterator[Block]:
    """Blocks that the memory of a worker holds the documents of."""
    total = 0
    for block in blocks:
        total += len(block.data)
        if total > LARGEST_UNPACKED:
            raise UserError(f"{shown(span.path)}: bytes {span.start} to {span.end} unpack to more than "
                            f"{LARGEST_UNPACKED >> 20} MB, which no text does; give a dump as Wikipedia publishes it")
        yield block


def _lines(chunk: Chunk) -> Iterator[tuple[Callable[[int], str], list[str]]]:
    """Yield the stripped lines of each span, and what names the place of the n-th of them."""
    if not chunk.spans:
        path = shown(chunk.source.path)

        def place(number: int) -> str:
            return f"{path}:{chunk.first_line + number}"

        yield place, stripped_lines(chunk.data, chunk.first_line == 1, place)
    for span in chunk.spans:
        yield span.place, read_lines(span)


def _text_documents(chunk: Chunk, options: InputOptions) -> Documents:
    documents: list[Paragraphs] = []
    for _, lines in _lines(chunk):
        # A file, or what precedes an empty line, ends a document.
        for is_text, group in groupby(lines, bool):
            if is_text:
                documents.append((tuple(line_sentences(list(group), options)),))
    return Documents(documents, {}, len(documents))
