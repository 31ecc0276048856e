# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Token sequences for distilling language models: special tokens, the longest length, and which are left out.

The rules are those of DistilBERT's data set (Sanh et al., arXiv:1910.01108), on whole arrays instead of one sequence
after another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths.

    Attributes:
        values: (tokens,), any type.
        lengths: int64 (rows,); their sum is the number of values.
    """

    values: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ends(self) -> np.ndarray:
        """int64 (rows,): one past the last value of each row."""
        return np.cumsum(self.lengths)

    def keep(self, chosen: np.ndarray) -> Ragged:
        """Return the rows where `chosen`, bool (rows,), is true, in their order."""
        return Ragged(self.values[np.repeat(chosen, self.lengths)], self.lengths[chosen])

    def count(self, value: int) -> np.ndarray:
        """int64 (rows,): how often a value stands in each row."""
        before = np.concatenate(([0], np.cumsum(self.values == value)))
        return before[self.ends] - before[self.ends - self.lengths]


def add_special_tokens(sequences: Ragged, cls_id: int, sep_id: int) -> Ragged:
    """Return [CLS] sequence [SEP] for every sequence, empty ones too."""
    every = np.ones(len(sequences), bool)
    return _insert(sequences, every, every, cls_id, sep_id)


def split_long(sequences: Ragged, seq_length: int, cls_id: int, sep_id: int) -> Ragged:
    """Split sequences that are longer than `seq_length`.

    A sequence, with its special tokens, is cut every seq_length - 2 tokens; then [CLS] and [SEP] are put where a part
    does not begin or end with them. The last part may therefore be [CLS] [SEP] alone.

    Args:
        sequences: with special tokens, none empty.
        seq_length: at least 3.
        cls_id, sep_id: the special tokens; they may be the same (GPT-2).
    """
    lengths = sequences.lengths
    room = np.where(lengths > seq_length, seq_length - 2, lengths)
    parts = -(-lengths // room)
    sizes = np.repeat(room, parts)
    sizes[np.cumsum(parts) - 1] = lengths - (parts - 1) * room
    cut = Ragged(sequences.values, sizes)
    ends = cut.ends
    return _insert(cut, cut.values[ends - sizes] != cls_id, cut.values[ends - 1] != sep_id, cls_id, sep_id)


def truncate(sequences: Ragged, length: int) -> Ragged:
    """Keep the first `length` values of each row."""
    place = np.arange(len(sequences.values)) - np.repeat(sequences.ends - sequences.lengths, sequences.lengths)
    return Ragged(sequences.values[place < length], np.minimum(sequences.lengths, length))


def mostly_unknown(sequences: Ragged, unk_id: int, share: float) -> np.ndarray:
    """bool (rows,): rows of which `share` of the tokens, the special ones included, or more are unknown."""
    return sequences.count(unk_id) / sequences.lengths >= share


def _insert(sequences: Ragged, at_begin: np.ndarray, at_end: np.ndarray, cls_id: int, sep_id: int) -> Ragged:
    """Put [CLS] before and [SEP] behind the rows where `at_begin` and `at_end`, bool (rows,), say so."""
    ends = sequences.ends
    # Begin and end of row after row: numpy.insert keeps the order of insertions at the same place.
    chosen = np.stack([at_begin, at_end], axis=1).ravel()
    places = np.stack([ends - sequences.lengths, ends], axis=1).ravel()[chosen]
    tokens = np.tile(np.array([cls_id, sep_id], sequences.values.dtype), len(sequences))[chosen]
    return Ragged(np.insert(sequences.values, places, tokens), sequences.lengths + at_begin + at_end)
