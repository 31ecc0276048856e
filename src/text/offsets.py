# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Texts as tokens that know their characters."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from serving.offsets import places_of
from src.common.errors import UserError
from src.text.tokenization import Tokenizer


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
        begins, ends = places_of(text, encoding.offsets)
        located.append(Located(encoding.ids, begins.tolist(), ends.tolist()))
    return located
