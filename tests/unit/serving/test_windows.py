# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Windows of long sequences: nothing is left out, and each token belongs to the window that sees most around it."""

from __future__ import annotations

import numpy as np

from serving.windows import owner_of, windows


def google_windows(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    """The loop of BERT's run_squad.py, for lengths above 0."""
    spans, start = [], 0
    while start < length:
        size = min(length - start, room)
        spans.append((start, start + size))
        if start + size == length:
            break
        start += min(size, stride)
    return spans


def test_windows_are_those_of_bert() -> None:
    for length in range(1, 40):
        for room in (1, 2, 5, 8, 39, 40):
            for stride in (1, 2, 3, 5, 8, 60):
                assert windows(length, room, stride) == google_windows(length, room, stride)
    assert windows(0, 5, 2) == [(0, 0)]


def test_owner_has_most_context() -> None:
    for length, room, stride in ((30, 10, 3), (31, 8, 8), (17, 16, 1), (9, 9, 2), (40, 7, 6)):
        spans = windows(length, room, stride)
        scores = [[min(place - begin, end - 1 - place) + 0.01 * (end - begin) if begin <= place < end else -1
                   for begin, end in spans] for place in range(length)]
        owners = owner_of(spans, np.arange(length))
        assert owners.tolist() == np.argmax(scores, axis=1).tolist()
        assert (np.diff(owners) >= 0).all()
        assert owner_of(spans, length - 1) == owners[-1]
