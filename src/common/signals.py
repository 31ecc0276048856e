# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Signals that this process handles for a while, and the one that its children get when it is killed."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1


@contextmanager
def handled(handler: Callable[[int, object], None], *numbers: int) -> Iterator[tuple[int, ...]]:
    """Let `handler` take signals while the block runs; gives those of `numbers` that it does take.

    What nohup or a shell's & has told this process to ignore stays ignored. Only the main thread can handle signals:
    another one takes none.
    """
    is_main = threading.current_thread() is threading.main_thread()
    previous = {number: signal.getsignal(number) for number in numbers
                if is_main and signal.getsignal(number) != signal.SIG_IGN}
    try:
        for number in previous:
            signal.signal(number, handler)
        yield tuple(previous)
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def signalled_with_parent(number: int) -> None:
    """For `preexec_fn`: let the kernel send this process a signal when its parent dies, in whatever way (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
