# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compressed inputs as streams of blocks: bz2, gz, zst and xz, told from their first bytes; bombs are refused.

A bz2 file of several streams (what pbzip2 and Wikipedia's "multistream" dumps are) can be read from the start of any
of them, so that several processes share one file. Streams start at a whole byte with "BZh", the block size and the
number 0x314159265359. Compressed data holds these 76 bits by chance once in 10^22 bytes; then it cannot be unpacked
from there, and the file is refused as damaged.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import zstandard

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
ZSTD_READ_BYTES = 1 << 11
DECODERS: dict[str, Callable] = {
    "bz2": bz2.BZ2Decompressor,
    "gz": partial(zlib.decompressobj, wbits=31),
    "xz": partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=512 << 20),
    # Frames may ask for windows of gigabytes.
    "zst": lambda: zstandard.ZstdDecompressor(max_window_size=128 << 20).decompressobj(),
}
DAMAGE = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


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


def blocks(path: str, kind: str, start: int = 0, end: int | None = None) -> Iterator[Block]:
    """Unpack a file, all streams (members, frames) of it, with at most `BLOCK_BYTES` at once.

    Args:
        kind: of `kind_of`.
        start: where to begin: any byte of a plain file, a start of a stream of a packed one.
        end: where a boundary is yielded, before what follows. In a packed file the boundary is before the first stream
            that starts there or later.

    Raises:
        UserError: cannot be read, damaged, ends too early, or a bomb.
    """
    with reading(path) as file:
        file.seek(start)
        yield from _unpack(file, path, kind, start, end) if kind else _plain(file, start, end)


def stream_starts(path: str) -> Iterator[int]:
    """Byte offsets at which a stream of a bz2 file starts, rising."""
    with reading(path) as file:
        offset, kept = 0, b""
        while data := file.read(BLOCK_BYTES):
            window = kept + data
            for match in BZ2_STREAM.finditer(window):
                yield offset - len(kept) + match.start()
            offset += len(data)
            kept = window[-(BZ2_MAGIC_BYTES - 1):]


def _plain(file: IO[bytes], position: int, end: int | None) -> Iterator[Block]:
    while True:
        wanted = BLOCK_BYTES if end is None or position >= end else min(BLOCK_BYTES, end - position)
        data = file.read(wanted)
        if not data:
            return
        position += len(data)
        yield Block(data, position)
        if position == end:
            yield Block(b"", position, is_boundary=True)


def _unpack(file: IO[bytes], path: str, kind: str, start: int, end: int | None) -> Iterator[Block]:
    waiting, position, total, passed = b"", start, 0, end is None
    while True:
        if not waiting:
            waiting = file.read(READ_BYTES)
            position += len(waiting)
            if not waiting:
                return
        # Some tools fill up to whole disk blocks behind the last stream.
        if not waiting.strip(b"\0"):
            waiting = b""
            continue
        begin = position - len(waiting)
        if end is not None and not passed and begin >= end:
            passed = True
            yield Block(b"", begin, is_boundary=True)
        decoder, ended = DECODERS[kind](), False
        while not ended:
            try:
                data, ended, waiting = _decode(decoder, kind, waiting)
            except DAMAGE as error:
                raise UserError(f"{shown(path)}: damaged {kind} data near byte {position - len(waiting)} ({error}); "
                                "fetch the file again") from error
            total += len(data)
            if total > ALWAYS_UNPACKED and total > LARGEST_RATIO * (position - start):
                raise UserError(f"{shown(path)}: {position - start} bytes unpack to more than {total >> 20} MB, "
                                f"{LARGEST_RATIO} times as much, which no text does; give a file of text")
            if data:
                yield Block(data, position - len(waiting))
            if not ended and not waiting and len(data) < BLOCK_BYTES:
                waiting = file.read(READ_BYTES)
                position += len(waiting)
                if not waiting:
                    raise UserError(f"{shown(path)}: ends within its {kind} data, at byte {position}; the file is "
                                    "truncated, fetch it again")


def _decode(decoder: Any, kind: str, packed: bytes) -> tuple[bytes, bool, bytes]:
    """Unpack some bytes; return what they unpack to, whether the stream ended, and the packed bytes that are left."""
    if kind == "zst":
        # This decoder has no limit on what it returns: few bytes at a time bound it, by 128 KB for 4 bytes.
        data, left = decoder.decompress(packed[:ZSTD_READ_BYTES]), packed[ZSTD_READ_BYTES:]
    else:
        data = decoder.decompress(packed, BLOCK_BYTES)
        # zlib hands back what it has not used; the others keep it.
        left = b"" if decoder.eof else getattr(decoder, "unconsumed_tail", b"")
    return data, decoder.eof, (decoder.unused_data if decoder.eof else b"") + left
