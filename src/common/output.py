# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Standard output and standard error whose reader may leave.

`command | head -1` closes the pipe while the command still writes. Python would raise BrokenPipeError at the next line,
and end a training for it; here the rest of the output goes nowhere, and the work goes on to its end.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any


class _Outlasting(io.FileIO):
    """A file descriptor that takes what nobody reads any more."""

    def __init__(self, descriptor: int):
        super().__init__(descriptor, "w", closefd=False)
        # A terminal that has been closed, as when a connection ends, fails as a broken disk does.
        self.leaving = (errno.EPIPE, errno.ECONNRESET, errno.EIO if self.isatty() else errno.EPIPE)

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in self.leaving:
                raise
            self.send_nowhere()
            return memoryview(data).nbytes

    def send_nowhere(self) -> None:
        """Drop what is written from now on, also by libraries and child processes."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def outlast_readers() -> None:
    """Let both streams of this process outlast their readers; streams that something else has replaced stay."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _outlasting(stream))


def _outlasting(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Outlasting(stream.fileno())
    try:
        stream.flush()
    except BrokenPipeError:
        raw.send_nowhere()
        stream.flush()
    # With PYTHONUNBUFFERED the text goes straight to the descriptor.
    buffer: Any = raw if isinstance(stream.buffer, io.RawIOBase) else io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=stream.line_buffering,
                            write_through=stream.write_through)
