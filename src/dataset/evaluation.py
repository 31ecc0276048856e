# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every row once, for evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from src.dataset.language_model import LanguageModelTargets, Places
from src.dataset.rows import Batch, pad_length, windows


class EvaluationBatch(NamedTuple):
    """A padded batch of always `batch_size` rows, of which the first `len(index)` are real."""

    index: np.ndarray  # int64 (real,): place of each real row in the records
    batch: Batch


class LanguageBatch(NamedTuple):
    """A padded batch of a language model, and what is predicted there.

    places.positions, places.label_ids int32 (K,); places.label_weights float32 (K,), 1 at predicted places, else 0:
    sums of -log p(label) and of hits, divided by the sum of the weights, give the means over all the data.
    """

    index: np.ndarray
    batch: Batch
    places: Places


def evaluation_batches(chunks: Iterable[Batch], batch_size: int, buckets: tuple[int, ...],
                       window: int = 50) -> Iterator[EvaluationBatch]:
    """Yield every row once, the last partial batch too (filled up with copies of its first row).

    Rows, in any portions, are sorted by length within a `window` of batches, the longest first: what a device has put
    aside for these serves the others. `index` tells where each belongs.
    """
    start = 0
    for rows in windows(iter(chunks), batch_size * window):
        lengths = rows.lengths
        order = np.argsort(-lengths, kind="stable")
        for first in range(0, len(order), batch_size):
            chosen = order[first: first + batch_size]
            filled = np.concatenate([chosen, np.repeat(chosen[:1], batch_size - len(chosen))])
            length = pad_length(max(1, int(lengths[filled].max())), buckets)
            yield EvaluationBatch(chosen + start, rows.rows(filled).fit(length))
        start += len(order)


def language_evaluation_batches(chunks: Iterable[Batch], targets: LanguageModelTargets, batch_size: int,
                                buckets: tuple[int, ...], window: int = 50) -> Iterator[LanguageBatch]:
    """Yield every row once with the tokens to predict in it: those that follow, or masked ones.

    Masks are a function of (targets.seed, place of the row in the records), the same whatever the other arguments:
    ceil(mlm_mask_prop x length) tokens of each row.
    """
    for index, batch in evaluation_batches(chunks, batch_size, buckets, window):
        made = targets.of_evaluation(batch, index)
        rows, length = batch.input_ids.shape
        places = targets.places(made, rows * targets.most_places(length))
        yield LanguageBatch(index, batch._replace(input_ids=made.input_ids), places)
