# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tokens of texts to the rows that a model reads: [CLS] text [SEP], or [CLS] text [SEP] text [SEP]; RoBERTa and its kin
read pairs as <s> text </s></s> text </s>."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """A row: its token ids, how many of them are of the first segment, whether the text was cut for it, and the place
    of the second text's first token, the row's end where there is none."""

    ids: list[int]
    first: int
    is_cut: bool
    second: int


def text_row(first: Sequence[int], second: Sequence[int] | None, length: int, cls: int, sep: int,
             separators: int = 1) -> Row:
    """Return the row of a text, or of a pair, cut to `length` tokens at the end of the longer text (BERT).

    Args:
        first, second: token ids of the texts; None: a single one.
        cls, sep: ids of the special tokens.
        separators: how many `sep` stand between the two texts. What has two, as RoBERTa, has no second segment.
    """
    if second is None:
        kept = list(first[: length - 2])
        return Row([cls, *kept, sep], len(kept) + 2, len(kept) < len(first), len(kept) + 2)
    keep_first, keep_second = truncated_lengths(len(first), len(second), length - 2 - separators)
    ids = [cls, *first[:keep_first], *[sep] * separators, *second[:keep_second], sep]
    begin = keep_first + 1 + separators
    return Row(ids, begin if separators == 1 else len(ids), keep_first < len(first) or keep_second < len(second), begin)


def truncated_lengths(length_a: int, length_b: int, room: int) -> tuple[int, int]:
    """Lengths after taking tokens from the end of the longer text until both fit into `room`; on a tie from b."""
    if length_a + length_b <= room:
        return length_a, length_b
    half_a, half_b = room - room // 2, room // 2
    if length_b <= half_b:
        return room - length_b, length_b
    if length_a <= half_a:
        return length_a, room - length_a
    return half_a, half_b


class Padded(NamedTuple):
    """What a model is given: int64 (rows, longest row) each."""

    input_ids: np.ndarray
    input_mask: np.ndarray
    segment_ids: np.ndarray


def padded(rows: Sequence[Row], pad: int) -> Padded:
    """Return rows filled up with `pad` to the longest of them."""
    lengths = np.fromiter((len(row.ids) for row in rows), np.int64, len(rows))
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad, np.int64)
    ids[mask] = np.concatenate([np.array(row.ids, np.int64) for row in rows])
    firsts = np.fromiter((row.first for row in rows), np.int64, len(rows))
    segments = mask & (np.arange(lengths.max()) >= firsts[:, None])
    return Padded(ids, mask.astype(np.int64), segments.astype(np.int64))
