# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Masked tokens, as Google BERT's create_pretraining_data.py chooses them (Devlin et al., arXiv:1810.04805, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from src.corpus.packing import PackedRows


@dataclass(frozen=True)
class Masking:
    """Settings of `mask_rows`.

    Attributes:
        masked_lm_prob: share of a row's tokens that is predicted.
        max_predictions_per_seq: most predictions a row, the width of the columns.
        whole_word: predict all pieces of a word together.
        vocab_size: random tokens are drawn from 0..vocab_size - 1.
        continues_word: bool (vocab_size,), true for `##` pieces; needed with `whole_word`.
    """

    masked_lm_prob: float
    max_predictions_per_seq: int
    whole_word: bool
    mask_id: int
    vocab_size: int
    continues_word: np.ndarray | None = None


def mask_rows(rows: PackedRows, masking: Masking, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Choose and replace tokens.

    In a row of n tokens min(max_predictions_per_seq, max(1, round(n * masked_lm_prob))) are chosen, never [CLS] or
    [SEP]; of these 80 % become [MASK], 10 % stay, 10 % become a random token.

    Returns:
        input_ids int32 (rows, seq_length) with tokens replaced; masked_lm_positions int32, masked_lm_ids int32 and
        masked_lm_weights float32, each (rows, max_predictions_per_seq): rising positions, original ids and 1.0,
        filled up with 0.
    """
    count, seq_length = rows.input_ids.shape
    width = masking.max_predictions_per_seq
    position = np.arange(seq_length)
    candidate = (position > 0) & (position < rows.lengths[:, None] - 1)
    wanted = np.clip(np.rint(rows.lengths * masking.masked_lm_prob), 1, width)
    wanted = np.minimum(wanted, candidate.sum(axis=1)).astype(np.int64)
    chosen = (_choose_words if masking.whole_word else _choose_tokens)(rows, candidate, wanted, masking, generator)

    # The chosen places of a row, in rising order, come first in a stable sort.
    places = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    places = np.pad(places, ((0, 0), (0, width - places.shape[1])))
    number = chosen.sum(axis=1)
    used = np.arange(width) < number[:, None]
    row = np.arange(count)[:, None]
    labels = np.where(used, rows.input_ids[row, places], 0)
    draw = generator.random((count, width))
    random_ids = generator.integers(0, masking.vocab_size, (count, width))
    replaced = np.where(draw < 0.8, masking.mask_id, np.where(draw < 0.9, labels, random_ids))
    input_ids = rows.input_ids.copy()
    input_ids[np.broadcast_to(row, places.shape)[used], places[used]] = replaced[used]
    return {
        "input_ids": input_ids,
        "masked_lm_positions": np.where(used, places, 0).astype(np.int32),
        "masked_lm_ids": labels.astype(np.int32),
        "masked_lm_weights": used.astype(np.float32),
    }


def _choose_tokens(rows: PackedRows, candidate: np.ndarray, wanted: np.ndarray, masking: Masking,
                   generator: np.random.Generator) -> np.ndarray:
    """bool (rows, seq_length): `wanted` uniformly drawn candidates a row."""
    key = np.where(candidate, generator.random(candidate.shape), 2.0)
    rank = np.argsort(np.argsort(key, axis=1, kind="stable"), axis=1, kind="stable")
    return rank < wanted[:, None]


def _choose_words(rows: PackedRows, candidate: np.ndarray, wanted: np.ndarray, masking: Masking,
                  generator: np.random.Generator) -> np.ndarray:
    """bool (rows, seq_length): words in random order, each taken when all its pieces still fit."""
    chosen = np.zeros_like(candidate)
    assert masking.continues_word is not None  # with whole_word
    begins = candidate & ~masking.continues_word[rows.input_ids]
    begins[:, 1] = candidate[:, 1]
    for row, limit in enumerate(wanted.tolist()):
        starts = np.flatnonzero(begins[row])
        sizes = np.diff(np.append(starts, rows.lengths[row] - 1))
        taken = 0
        for word in generator.permutation(len(starts)).tolist():
            if taken == limit:
                break
            if taken + sizes[word] <= limit:
                chosen[row, starts[word]:starts[word] + sizes[word]] = True
                taken += int(sizes[word])
    return chosen
