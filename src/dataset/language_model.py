# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a language model learns to predict: which tokens, what stands in their place, and how much each counts.

Masked LM: ceil(mlm_mask_prop x tokens) places of an optimiser step are drawn together, without replacement, a place
with probability proportional to max(count of its token, 1)^-mlm_smoothing, so that rare tokens are seen more often
(Sanh et al., arXiv:1910.01108, after Lample and Conneau, arXiv:1901.07291); special tokens and padding never. Of
these a share becomes [MASK], a share stays, a share becomes a random token (Devlin et al., arXiv:1810.04805).
Causal LM: each token of a row predicts the next one.

Everything is drawn for a whole optimiser step, before it is cut into micro-batches and ranks, by a generator of its
own seeded with (seed, step): how the step is cut changes nothing, and neither does a resumed run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from src.common.errors import UserError
from src.config import LanguageModelConfig
from src.dataset.rows import Batch, fit

# Last words of the generators' seeds; 0 is the shuffling's.
_TRAINING, _EVALUATION = 1, 2


class Targets(NamedTuple):
    """Targets of some rows, all (B, S): tokens as the model sees them, original or next tokens (int32, 0 where nothing
    is predicted), and three weights (float32, 0 where a place does not count)."""

    input_ids: np.ndarray
    label_ids: np.ndarray
    distill_weights: np.ndarray
    label_weights: np.ndarray
    token_weights: np.ndarray

    def part(self, rows: slice, length: int) -> Targets:
        """Return some of the rows, padded to a length."""
        return Targets(*(fit(column[rows], length) for column in self))


class Places(NamedTuple):
    """What is taken at K places of rows (B, S): places b * S + s (int32), and columns of `Targets` there.

    Entries beyond the places point to place 0 and weigh nothing.
    """

    positions: np.ndarray
    label_ids: np.ndarray
    distill_weights: np.ndarray
    label_weights: np.ndarray


@dataclass(frozen=True, eq=False)
class LanguageModelTargets:
    """Chooses what is predicted; see the head of this file.

    Attributes:
        vocab_size: random tokens are drawn from 0..vocab_size - 1.
        special_ids: tokens that are never masked.
        mask_id: [MASK]; None only for a causal model.
        causal: predict next tokens; nothing is replaced.
        only_predicted: logits are needed at predicted places only, and the teacher's count there only.
        token_counts: int (vocab_size,), how often each token occurs in the data; None: all alike.
        seed: of the draws.
        round_to: the number of places is rounded up to a multiple (a length of its own is a compilation of its own).
        constant_size: one number of places for all batches of one shape, as a sink needs it.
    """

    vocab_size: int
    special_ids: tuple[int, ...]
    mask_id: int | None
    causal: bool
    only_predicted: bool
    mlm_mask_prop: float = 0.15
    word_mask: float = 0.8
    word_keep: float = 0.1
    word_rand: float = 0.1
    mlm_smoothing: float = 0.7
    token_counts: np.ndarray | None = None
    seed: int = 0
    round_to: int = 1
    constant_size: bool = False

    def __post_init__(self) -> None:
        if not self.causal and self.mask_id is None:
            raise UserError("the tokenizer has no mask token, which masked language modelling needs; give another "
                            "tokenizer, or train a causal model")

    @classmethod
    def from_settings(cls, settings: LanguageModelConfig, **others: Any) -> LanguageModelTargets:
        """Build from the settings of a stage; `others` are the attributes that are no settings."""
        names = ("mlm_mask_prop", "word_mask", "word_keep", "word_rand", "mlm_smoothing")
        return cls(**{name: getattr(settings, name) for name in names}, **others)

    @cached_property
    def weights(self) -> np.ndarray:
        """float64 (vocab_size,): how likely each token is masked, up to a factor; 0 for special tokens."""
        counts = np.ones(self.vocab_size) if self.token_counts is None else np.asarray(self.token_counts, np.float64)
        weights = np.maximum(counts, 1.0) ** -self.mlm_smoothing
        weights[list(self.special_ids)] = 0.0
        return weights

    def of_step(self, rows: Batch, number: int, parts: int) -> Targets:
        """Return the targets of one optimiser step.

        Args:
            rows: all its rows, over micro-batches and ranks.
            number: which optimiser step; the draws follow from it.
            parts: into how many equal parts the step is cut; weights are 1 over the mean count of a part, so that the
                mean over the parts is the mean over the step.

        Raises:
            UserError: a token is not of the vocabulary.
        """
        real = rows.input_mask != 0
        if self.causal:
            input_ids, (labels, predicted) = rows.input_ids, _next_tokens(rows.input_ids, real)
        else:
            generator = np.random.default_rng((self.seed, number, 0, _TRAINING))
            input_ids, labels, predicted = self._masked(rows.input_ids, real, generator)
        label_weights = _weights(predicted, parts)
        distill_weights = label_weights if self.only_predicted else _weights(real, parts)
        return Targets(input_ids, labels, distill_weights, label_weights, _weights(real, parts))

    def of_evaluation(self, rows: Batch, index: np.ndarray) -> Targets:
        """Return targets of single rows, whose draws follow from the place of each row in the data alone.

        Args:
            rows: (B, S); those behind the first len(index) are filling, of which nothing is predicted.
            index: the rows' places in the data.

        Returns:
            weights are 1 where a token is predicted, else 0, for sums over all the data.
        """
        real = rows.input_mask != 0
        real[len(index):] = False
        if self.causal:
            input_ids, (labels, predicted) = rows.input_ids, _next_tokens(rows.input_ids, real)
        else:
            input_ids, labels = rows.input_ids.copy(), np.zeros_like(rows.input_ids)
            predicted = np.zeros_like(real)
            for row, place in enumerate(index.tolist()):
                generator = np.random.default_rng((self.seed, place, 0, _EVALUATION))
                input_ids[row], labels[row], predicted[row] = self._masked(rows.input_ids[row], real[row], generator)
        weights = predicted.astype(np.float32)
        return Targets(input_ids, labels, weights, weights, real.astype(np.float32))

    def places(self, targets: Targets, most: int) -> Places:
        """Return the places of a micro-batch (B, S) where logits are needed: all that any loss counts, and `most` in
        any batch of this shape."""
        found = np.flatnonzero((targets.label_weights != 0) | (targets.distill_weights != 0))
        room = most if self.constant_size else max(1, -(-len(found) // self.round_to)) * self.round_to
        room = min(room, targets.label_ids.size)
        positions = np.zeros(room, np.int32)
        positions[: len(found)] = found
        is_used = np.arange(room) < len(found)
        columns = (targets.label_ids, targets.distill_weights, targets.label_weights)
        return Places(positions, *(np.where(is_used, column.ravel()[positions], column.dtype.type(0))
                                   for column in columns))

    def most_places(self, tokens: int) -> int:
        """Return in how many of so many tokens logits are needed at most."""
        return tokens if self.causal or not self.only_predicted else math.ceil(self.mlm_mask_prop * tokens)

    def _masked(self, ids: np.ndarray, real: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Input ids, labels and whether a place is predicted, of any shape; padding draws nothing, so that neither the
        width nor what fills it matters."""
        tokens = ids[real]
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.vocab_size:
            raise UserError(f"the records hold tokens from {tokens.min()} to {tokens.max()}, but the vocabulary has "
                            f"{self.vocab_size}; prepare them with the tokenizer of the model")
        chosen = self._choose(tokens, generator)
        originals = tokens[chosen]
        draw = generator.random(len(chosen))
        random_ids = generator.integers(0, self.vocab_size, len(chosen))
        replaced = np.where(draw < self.word_mask, self.mask_id,
                            np.where(draw >= 1 - self.word_rand, random_ids, originals))
        places = np.flatnonzero(real)[chosen]
        input_ids, labels, predicted = ids.copy(), np.zeros_like(ids), np.zeros(ids.shape, bool)
        input_ids.flat[places], labels.flat[places], predicted.flat[places] = replaced, originals, True
        return input_ids, labels, predicted

    def _choose(self, tokens: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Rising places in `tokens`. The smallest of exponential variables with rates w, one after another, are
        draws without replacement with probabilities proportional to w (Efraimidis and Spirakis, 2006)."""
        rates = self.weights[tokens]
        candidates = np.flatnonzero(rates)
        number = min(math.ceil(self.mlm_mask_prop * len(tokens)), len(candidates))
        if number == 0:
            return candidates[:0]
        arrival = generator.standard_exponential(len(candidates)) / rates[candidates]
        return np.sort(candidates[np.argpartition(arrival, number - 1)[:number]])


def _next_tokens(ids: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (B, S), and where there is a next token: everywhere but at the last token of a row and in padding."""
    predicted = np.zeros_like(real)
    predicted[:, :-1] = real[:, :-1] & real[:, 1:]
    labels = np.zeros_like(ids)
    labels[:, :-1] = np.where(predicted[:, :-1], ids[:, 1:], 0)
    return labels, predicted


def _weights(counted: np.ndarray, parts: int) -> np.ndarray:
    """float32: parts / number where a place counts."""
    return counted * np.float32(parts / max(1, np.count_nonzero(counted)))
