# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Texts as tokens that know their characters."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.common.errors import UserError
from src.text.tokenization import Tokenizer

FIRST_COMBINING = "\u0300"
"""Nothing before this character is a combining mark."""


@dataclass(frozen=True)
class Located:
    """A text's tokens.

    Attributes:
        ids: of the tokens.
        begins, ends: of each token, the characters of the text that it stands for; neither decreases.
    """

    ids: list[int]
    begins: list[int]
    ends: list[int]

    def tokens_of(self, begin: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last token of the shortest run that holds the characters begin..end (exclusive).

        An answer that begins or ends inside of a token (19 in 1950s, cut into 1950 and s) gets the whole token. None
        where no token stands for any of the characters.
        """
        first, last = bisect_right(self.ends, begin), bisect_left(self.begins, end) - 1
        return (first, last) if first <= last else None


def locate(texts: Sequence[str], tokenizer: Tokenizer) -> list[Located]:
    """Return the tokens of texts, without special tokens; the ids are those of `Tokenizer.encode_batch`.

    Raises:
        UserError: the tokenizer segments texts before it reads them.
    """
    if tokenizer.segment:
        raise UserError(f"{tokenizer.source} cuts texts into words by {tokenizer.segment} first, so that its tokens "
                        "cannot be found again in the text; answers need a tokenizer without it")
    encoded = tokenizer.backend.encode_batch(list(texts), add_special_tokens=False)
    located = []
    for text, encoding in zip(texts, encoded, strict=True):
        begins, ends = np.array(encoding.offsets, np.int32).reshape(-1, 2).T
        begins, ends = _trim(text, begins, ends)
        if not text.isascii():
            ends = _with_marks(text, begins, ends)
        located.append(Located(encoding.ids, begins.tolist(), ends.tolist()))
    return located


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
