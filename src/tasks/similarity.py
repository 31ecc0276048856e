# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cosines of embeddings, and exact search by them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

KEPT = 100
"""Documents that are kept of each query."""
_BLOCK_SCORES = 1 << 22
"""Scores that are in memory at a time: 32 MB."""


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosine of each row of two arrays (N, D); float64 (N,), 0 where a row is zero."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(1) / np.where(norms > 0, norms, 1.0)


def search(queries: np.ndarray, blocks: Iterable[np.ndarray], kept: int = KEPT) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest documents of each query, the best first.

    Scores are sums of float64, rounded to float32, so that they do not depend on the size of the blocks; documents of
    equal score keep their order.

    Args:
        queries: (Q, D).
        blocks: embeddings of the documents in their order, (documents, D) each; a vector of zeros is like nothing.
        kept: how many are returned, K; fewer where there are fewer documents.

    Returns:
        numbers of the documents int64 (Q, K), and their cosines float32 (Q, K).
    """
    units = _units(queries)
    numbers, scores = np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
    first = 0
    for block in blocks:
        documents = _units(block)
        step = max(1, _BLOCK_SCORES // max(1, len(documents)))
        best = [_merged(numbers[begin: begin + step], scores[begin: begin + step],
                        (units[begin: begin + step] @ documents.T).astype(np.float32), first, kept)
                for begin in range(0, len(units), step)]
        numbers, scores = (np.concatenate(parts) for parts in zip(*best, strict=True))
        first += len(documents)
    return numbers, scores


def _merged(numbers: np.ndarray, scores: np.ndarray, new: np.ndarray, first: int, kept: int
            ) -> tuple[np.ndarray, np.ndarray]:
    """The best of those that are kept and of the next documents, which are numbered from `first`."""
    theirs = np.broadcast_to(np.arange(first, first + new.shape[1]), new.shape)
    scores, numbers = np.concatenate([scores, new], 1), np.concatenate([numbers, theirs], 1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
    return np.take_along_axis(numbers, order, 1), np.take_along_axis(scores, order, 1)


def _units(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)
