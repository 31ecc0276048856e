# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Sentences to rows of a fixed length: [CLS] sentence sentence ... [SEP] padding."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PackedRows:
    """Packed rows.

    Attributes:
        input_ids: int32 (rows, seq_length).
        lengths: int64 (rows,), tokens of each row, [CLS] and [SEP] included.
    """

    input_ids: np.ndarray
    lengths: np.ndarray

    @property
    def input_mask(self) -> np.ndarray:
        """uint8 (rows, seq_length): 1 for tokens, 0 for padding."""
        return (np.arange(self.input_ids.shape[1]) < self.lengths[:, None]).astype(np.uint8)


def pack(tokens: np.ndarray, sentence_lengths: np.ndarray, ends_document: np.ndarray, seq_length: int,
         cls_id: int, sep_id: int, pad_id: int) -> PackedRows:
    """Fill rows with as many whole sentences of one document as fit.

    A sentence longer than a row is split, none is dropped. Every token stands in exactly one row, in the order of
    the text.

    Args:
        tokens: integer (tokens,), all sentences one after the other.
        sentence_lengths: int64 (sentences,); empty ones are skipped.
        ends_document: bool (sentences,): no row goes on beyond this sentence.
        seq_length: length of a row, at least 3.
    """
    room = seq_length - 2
    # Pieces: sentences, and parts of sentences that are too long. piece_ends[0] = 0.
    pieces = -(-sentence_lengths // room)
    sizes = np.full(int(pieces.sum()), room, np.int64)
    last = np.cumsum(pieces) - 1
    filled = pieces > 0
    sizes[last[filled]] = (sentence_lengths - (pieces - 1) * room)[filled]
    ends = np.concatenate(([0], np.cumsum(sizes))).tolist()
    # Boundaries as numbers of pieces; an empty last sentence ends the document all the same.
    documents = np.unique(np.append(last[ends_document] + 1, len(sizes))).tolist()
    starts = []
    begin = 0
    for document_end in documents:
        while begin < document_end:
            starts.append(ends[begin])
            # The last piece whose end lies within the row; sizes <= room, so that at least one fits.
            begin = bisect_right(ends, ends[begin] + room, begin + 1, document_end + 1) - 1
    lengths = np.diff(np.array([*starts, ends[-1]], np.int64)) if starts else np.zeros(0, np.int64)

    input_ids = np.full((len(starts), seq_length), pad_id, np.int32)
    input_ids[:, 0] = cls_id
    # PackedRows hold consecutive tokens, so that filling the places in reading order puts each token where it belongs.
    input_ids[:, 1:-1][np.arange(room) < lengths[:, None]] = tokens
    input_ids[np.arange(len(starts)), lengths + 1] = sep_id
    return PackedRows(input_ids, lengths + 2)
