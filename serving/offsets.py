# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The characters that tokens stand for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

FIRST_COMBINING = "\u0300"
"""Nothing before this character is a combining mark."""


def places_of(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return begin and end (exclusive) of each token in a text, int32 (tokens,) each; neither decreases.

    Args:
        offsets: what the tokenizers library says of them.
    """
    begins, ends = np.array(offsets, np.int32).reshape(-1, 2).T
    begins, ends = _trim(text, begins, ends)
    return begins, ends if text.isascii() else _with_marks(text, begins, ends)


def _trim(text: str, begins: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave the spaces at a token's ends out (byte-level BPE has them in its tokens), unless there is nothing else."""
    if not len(begins) or not len(text):
        return begins, ends
    places = np.arange(len(text), dtype=np.int32)
    black = np.fromiter((not character.isspace() for character in text), bool, len(text))
    # For each place the nearest character that is no space: from there on, and up to there.
    after = np.minimum.accumulate(np.where(black, places, len(text))[::-1])[::-1].astype(np.int32)
    before = np.maximum.accumulate(np.where(black, places, -1)).astype(np.int32)
    first, last = after[np.minimum(begins, len(text) - 1)], before[np.maximum(ends - 1, 0)] + 1
    is_black = (first < last) & (first < ends) & (begins < ends)
    return np.where(is_black, first, begins), np.where(is_black, last, ends)


def _with_marks(text: str, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Give combining marks that the normaliser took away (accents that are characters of their own) to the token
    before them: an answer that ends with one would lose it."""
    ends = ends.copy()
    for index, end in enumerate(ends.tolist()):
        limit = int(begins[index + 1]) if index + 1 < len(begins) else len(text)
        while end < limit and text[end] >= FIRST_COMBINING and unicodedata.category(text[end]) == "Mn":
            end += 1
        ends[index] = end
    return ends
