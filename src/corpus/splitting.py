# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A stream of unpacked bytes to whole pages, documents or lines, in memory that the longest of them bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from src.common.errors import UserError
from src.corpus.compression import Block

LONGEST_PAGE = 32 << 20
LONGEST_LINE = 64 << 20
# What is handed on of a page that is too long.
BEGINNING = 1 << 12
# Behind a page that is not whole, which no longer is well-formed then.
CUT = b"<"
BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")


@dataclass(frozen=True)
class Marks:
    """What a page or document stands between; `begin` matches at most `longest_begin` bytes."""

    begin: re.Pattern[bytes]
    end: bytes
    longest_begin: int


PAGE = Marks(re.compile(rb"<page[\s>]"), b"</page>", 6)
DOC = Marks(re.compile(rb"<doc[\s>]"), b"</doc>", 5)


class Window:
    """The part of a stream that is in memory.

    Attributes:
        data: the bytes; `drop` removes from their beginning.
        end: how many of them belong to the range that was asked for; None: all so far.
        position: how far the input has been read within the range, and `reached` in all.
        offset: unpacked bytes before `data`.
    """

    def __init__(self, blocks: Iterable[Block]):
        self._blocks = iter(blocks)
        self.data = bytearray()
        self.end: int | None = None
        self.position = self.reached = 0
        self.offset = 0

    def more(self) -> bool:
        """Read on; false at the end of the stream."""
        for block in self._blocks:
            if block.is_boundary:
                self.end = len(self.data) if self.end is None else self.end
                continue
            self.data += block.data
            self.reached = block.position
            self.position = block.position if self.end is None else self.position
            return True
        if self.end is None:
            self.end = len(self.data)
        return False

    def drop(self, count: int) -> None:
        """Forget the first `count` bytes."""
        del self.data[:count]
        self.offset += count
        if self.end is not None:
            self.end -= count


def records(window: Window, marks: Marks, source: str) -> Iterator[bytes]:
    """Yield what stands between marks and begins within the range, marks included.

    One that begins anew before it ends is cut there, and of one that is longer than `LONGEST_PAGE` only the beginning
    is handed on; both end with `CUT` and the end mark.

    Raises:
        UserError: the stream ends within one.
    """
    at = 0
    while True:
        begin = marks.begin.search(window.data, at)
        if begin is None:
            # A mark may be cut by the end of what is in memory.
            window.drop(max(at, len(window.data) - marks.longest_begin + 1))
            at = 0
            if window.end is not None and window.end <= 0 or not window.more():
                return
            continue
        start = begin.start()
        if window.end is not None and start >= window.end:
            return
        window.drop(start)
        stop = _end(window, marks, source)
        record = bytes(window.data[:min(stop, BEGINNING) if stop > LONGEST_PAGE else stop])
        yield record if record.endswith(marks.end) else record + CUT + marks.end
        at = stop


def _end(window: Window, marks: Marks, source: str) -> int:
    """Where the record that begins at byte 0 of the window ends."""
    seen = marks.longest_begin
    while True:
        end = window.data.find(marks.end, seen)
        again = marks.begin.search(window.data, seen, end if end >= 0 else len(window.data))
        if again:
            return again.start()
        if end >= 0:
            return end + len(marks.end)
        if len(window.data) > LONGEST_PAGE:
            return len(window.data) - marks.longest_begin + 1
        seen = max(seen, len(window.data) - len(marks.end) + 1)
        if not window.more():
            raise UserError(f"{source}: ends at byte {window.reached}, within a {marks.end.decode()[2:-1]}; the file "
                            "is truncated, fetch it again")


def line_pieces(window: Window, size: int, source: str) -> Iterator[bytes]:
    """Yield whole lines, `size` bytes or more of them but at the end: up to an empty line where there is one near.

    Raises:
        UserError: a line is longer than `LONGEST_LINE`.
    """
    at_end = False
    while not at_end or window.data:
        while len(window.data) < size + size // 4 and not at_end:
            at_end = not window.more()
        blank = BLANK_LINE.search(window.data, size, size + size // 4)
        cut = blank.end() if blank else window.data.find(b"\n", size) + 1
        while not cut and not at_end:
            if len(window.data) > LONGEST_LINE:
                raise UserError(f"{source}: no line ends within {LONGEST_LINE >> 20} MB from byte {window.offset} of "
                                "the text; expected one sentence or one JSON object a line")
            seen = len(window.data)
            at_end = not window.more()
            cut = window.data.find(b"\n", seen) + 1
        cut = cut or len(window.data)
        if cut:
            yield bytes(window.data[:cut])
        window.drop(cut)
