# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compressed inputs as streams of blocks: bz2, gz, zst and xz, told from their first bytes; bombs are refused.

A bz2 file of several streams (what pbzip2 and Wikipedia's "multistream" dumps are) can be read from the start of any
of them, so that several processes share one file. Streams start at a whole byte with "BZh", the block size and the
number 0x314159265359, which ordinary compressed data holds by chance only: `stream_starts` finds candidates, and
`bz2_range` proves a candidate wrong where it cannot be read.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from src.common.errors import UserError
from src.corpus.storage import reading, shown

MAGIC = {b"BZh": "bz2", b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst", b"\xfd7zXZ\x00": "xz"}
BZ2_STREAM = re.compile(rb"BZh[1-9]\x31\x41\x59\x26\x53\x59")
BZ2_MAGIC_BYTES = 10

# What is read and unpacked at once.
READ_BYTES = 1 << 16
BLOCK_BYTES = 1 << 20
# Text shrinks to a hundredth at the utmost, and gz can do no more than 1032. Small inputs may.
LARGEST_RATIO = 500
ALWAYS_UNPACKED = 64 << 20
# zst frames may ask for windows of gigabytes.
ZSTD_WINDOW = 128 << 20
ZSTD_READ_BYTES = 1 << 11

DAMAGE = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class Block:
    """A piece of an unpacked stream.

    Attributes:
        data: never empty, but where `is_boundary`.
        position: how many bytes of the input have been read for it.
        is_boundary: the range that was asked for ends here; blocks behind it belong to the next one.
    """

    data: bytes
    position: int
    is_boundary: bool = False


def kind_of(head: bytes) -> str:
    """bz2, gz, zst, xz or "" (not compressed) for the first bytes of a file."""
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "")


def blocks(path: str, kind: str) -> Iterator[Block]:
    """Unpack a whole file, all streams (members, frames) of it, with at most `BLOCK_BYTES` at once.

    Raises:
        UserError: cannot be read, damaged, ends too early, or a bomb.
    """
    with _opened(path) as file:
        if not kind:
            yield from _plain(file, 0, None)
            return
        for data, position, _ in _unpack(file, path, kind, 0):
            if data:
                yield Block(data, position)


def plain_range(path: str, start: int, end: int) -> Iterator[Block]:
    """Read bytes from `start`; a boundary at `end`, then what follows.

    Raises:
        UserError: cannot be read.
    """
    with _opened(path) as file:
        file.seek(start)
        yield from _plain(file, start, end)


def bz2_range(path: str, start: int, end: int, earlier: tuple[int, ...] = ()) -> Iterator[Block]:
    """Unpack the streams of a bz2 file that start in `start`..`end`; a boundary, then what follows.

    Args:
        path: the file.
        start, end: candidates of `stream_starts`, or the size of the file.
        earlier: candidates before `start`, rising, the first of them 0: where to look when nothing can be read at
            `start`, since it may be within a stream.

    Raises:
        UserError: cannot be read, damaged, ends too early, or a bomb.
    """
    with _opened(path) as file:
        try:
            yield from _streams(file, path, start, end)
            return
        except _Damaged as damage:
            if damage.unpacked or start == 0:
                raise UserError(str(damage)) from damage
            failed = damage
        true_start = _stream_after(file, path, start, earlier)
        if true_start == start:
            raise UserError(str(failed)) from failed
        try:
            if true_start < end:
                yield from _streams(file, path, true_start, end)
            else:
                yield Block(b"", end, is_boundary=True)
        except _Damaged as damage:
            raise UserError(str(damage)) from damage


def stream_starts(path: str) -> Iterator[int]:
    """Byte offsets at which a stream of a bz2 file may start, rising.

    Raises:
        UserError: cannot be read.
    """
    with _opened(path) as file:
        offset, kept = 0, b""
        while data := file.read(BLOCK_BYTES):
            window = kept + data
            for match in BZ2_STREAM.finditer(window):
                yield offset - len(kept) + match.start()
            offset += len(data)
            kept = window[-(BZ2_MAGIC_BYTES - 1):]


class _Damaged(Exception):
    """A stream cannot be unpacked; `unpacked`: something before it was."""

    def __init__(self, message: str, unpacked: bool):
        super().__init__(message)
        self.unpacked = unpacked


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """`reading`, where damage is a `UserError` too."""
    try:
        with reading(path) as file:
            yield file
    except _Damaged as damage:
        raise UserError(str(damage)) from damage


def _plain(file: BinaryIO, position: int, end: int | None) -> Iterator[Block]:
    while True:
        wanted = BLOCK_BYTES if end is None or position >= end else min(BLOCK_BYTES, end - position)
        data = file.read(wanted)
        if not data:
            return
        position += len(data)
        yield Block(data, position)
        if position == end:
            yield Block(b"", position, is_boundary=True)


def _streams(file: BinaryIO, path: str, start: int, end: int) -> Iterator[Block]:
    file.seek(start)
    passed = False
    for data, position, begins in _unpack(file, path, "bz2", start):
        if begins is not None and begins >= end and not passed:
            passed = True
            yield Block(b"", begins, is_boundary=True)
        if data:
            yield Block(data, position)


def _stream_after(file: BinaryIO, path: str, position: int, earlier: tuple[int, ...]) -> int:
    """The first true start of a stream at `position` or later, found by unpacking from the nearest start before it
    at which that is possible.

    Raises:
        UserError: the file is damaged before `position`.
    """
    failed: _Damaged | None = None
    for candidate in reversed(earlier):
        file.seek(candidate)
        last = candidate
        try:
            for _, end, begins in _unpack(file, path, "bz2", candidate):
                last = end
                if begins is not None and begins >= position:
                    return begins
            return last
        except _Damaged as damage:
            failed = damage
            if damage.unpacked:
                break
    raise UserError(str(failed)) from failed


def _unpack(file: BinaryIO, path: str, kind: str, start: int) -> Iterator[tuple[bytes, int, int | None]]:
    """Yield unpacked bytes, how far the input has been read, and where a new stream begins (else None)."""
    waiting = b""
    position, total, begins = start, 0, start
    while True:
        if not waiting:
            waiting = file.read(READ_BYTES)
            position += len(waiting)
        # Some tools fill up to whole disk blocks behind the last stream.
        if not waiting.strip(b"\0"):
            if not waiting:
                return
            waiting = b""
            continue
        begins = position - len(waiting)
        yield b"", begins, begins
        decoder = _decoder(kind)
        while True:
            try:
                data, ended, waiting = decoder(waiting)
            except DAMAGE as error:
                raise _damage(path, kind, position - len(waiting), total, error) from error
            total += len(data)
            if total > ALWAYS_UNPACKED and total > LARGEST_RATIO * (position - start):
                raise UserError(f"{shown(path)}: {position - start} bytes unpack to more than {total >> 20} MB, "
                                f"{LARGEST_RATIO} times as much, which no text does; give a file of text")
            if data:
                yield data, position - len(waiting), None
            if ended:
                break
            if not waiting and len(data) < BLOCK_BYTES:
                waiting = file.read(READ_BYTES)
                position += len(waiting)
                if not waiting:
                    raise _Damaged(f"{shown(path)}: ends within its {kind} data, at byte {position}; the file is "
                                   "truncated, fetch it again", total > 0)


def _damage(path: str, kind: str, position: int, total: int, error: Exception) -> _Damaged:
    return _Damaged(f"{shown(path)}: damaged {kind} data near byte {position} ({error}); fetch the file again",
                    total > 0)


def _decoder(kind: str):
    """A function from packed bytes to (unpacked bytes, whether the stream ended, packed bytes that are left)."""
    if kind == "gz":
        return _gz_decoder()
    if kind == "zst":
        return _zst_decoder()
    decoder = bz2.BZ2Decompressor() if kind == "bz2" else lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=512 << 20)

    def decode(packed: bytes) -> tuple[bytes, bool, bytes]:
        # The decoders keep what they have been given and not yet used.
        data = decoder.decompress(packed, BLOCK_BYTES)
        return data, decoder.eof, decoder.unused_data if decoder.eof else b""

    return decode


def _gz_decoder():
    decoder = zlib.decompressobj(wbits=31)

    def decode(packed: bytes) -> tuple[bytes, bool, bytes]:
        data = decoder.decompress(packed, BLOCK_BYTES)
        return data, decoder.eof, decoder.unused_data if decoder.eof else decoder.unconsumed_tail

    return decode


def _zst_decoder():
    import zstandard
    decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()

    def decode(packed: bytes) -> tuple[bytes, bool, bytes]:
        # This decoder has no limit on what it returns: few bytes at a time bound it, by 128 KB for 4 bytes.
        try:
            data = decoder.decompress(packed[:ZSTD_READ_BYTES])
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
        return data, decoder.eof, (decoder.unused_data if decoder.eof else b"") + packed[ZSTD_READ_BYTES:]

    return decode
