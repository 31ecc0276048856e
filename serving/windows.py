# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cutting a sequence of tokens that is longer than a row into overlapping windows (Devlin et al., run_squad.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

Window = tuple[int, int]
"""Begin and end (exclusive) in the sequence."""


def windows(length: int, room: int, stride: int) -> list[Window]:
    """Return the windows of a sequence, which together hold every token.

    They begin at 0, `stride`, 2 * `stride`, ... until one reaches the end; the last one may be short. A stride beyond
    the room counts as the room, so that nothing is left out.

    Args:
        length: tokens; 0 gives one empty window.
        room: the most tokens that a window takes, at least 1.
        stride: tokens from the beginning of one window to that of the next, at least 1.
    """
    step = min(stride, room)
    number = 1 + max(0, -(-(length - room) // step))
    return [(index * step, min(index * step + room, length)) for index in range(number)]


def owner_of(spans: Sequence[Window], places: ArrayLike) -> np.ndarray:
    """Return the index of the window in which a token has most context; that window decides for it.

    Context is the smaller number of tokens on either side, plus a hundredth of the window's length for those that
    have equally many; then the first window is taken.

    Args:
        spans: what `windows` returned.
        places: places in the sequence, int of any shape; each is inside of some window.

    Returns:
        int64 in the shape of `places`.
    """
    begins, ends = np.array(spans, np.int64).T
    places = np.asarray(places, np.int64)[..., None]
    left, right = places - begins, ends - 1 - places
    # In hundredths: whole numbers tie exactly.
    context = 100 * np.minimum(left, right) + (ends - begins)
    return np.where((left >= 0) & (right >= 0), context, -1).argmax(-1)


def decided(sizes: Sequence[int], room: int, stride: int) -> Iterator[tuple[int, int, int, np.ndarray | bool]]:
    """Cut several sequences, which lie one after the other, into windows of which each token is decided by one.

    Yields:
        index of the sequence; begin and end of a window, counted over all sequences; and bool (tokens,), which of its
        tokens it decides (True: all).
    """
    start = 0
    for index, size in enumerate(sizes):
        spans = windows(size, room, stride)
        owners = owner_of(spans, np.arange(size)) if len(spans) > 1 else None
        for window, (begin, end) in enumerate(spans):
            yield index, start + begin, start + end, True if owners is None else owners[begin:end] == window
        start += size
