# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of rankings as trec_eval computes them (pytrec_eval and ranx do the same), means over the queries.

    NDCG@k    DCG@k of the ranking / DCG@k of the best one; DCG@k = sum over ranks r <= k of relevance / log2(r + 1)
    MRR@k     1 / rank of the first relevant document, 0 where there is none among the first k
    recall@k  relevant documents among the first k / all relevant documents

(Järvelin and Kekäläinen, ACM TOIS 20(4), 2002; the gain is the relevance itself, not 2^relevance - 1.) A document is
relevant from relevance 1 on. A query without a relevant document counts as 0.

Documents of equal score keep the order in which they were given, as in ranx. trec_eval puts the greater name first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

CUT = 10
RECALL_AT = (1, 5, 10)


def names(recall_at: Sequence[int] = RECALL_AT) -> tuple[str, ...]:
    """Names of the metrics."""
    return (f"ndcg@{CUT}", f"mrr@{CUT}", *(f"recall@{k}" for k in recall_at))


NAMES = names()


def order_of(scores: np.ndarray) -> np.ndarray:
    """Return the places of scores (D,), the highest first; those of equal scores stay in order, NaN goes last."""
    return np.argsort(-np.asarray(scores), kind="stable")


def of_ranking(ranked: np.ndarray, relevance: np.ndarray, recall_at: Sequence[int] = RECALL_AT) -> tuple[float, ...]:
    """Return the metrics of one query, in the order of `names`.

    Args:
        ranked: relevance of the documents in the order of the ranking, the best first; as many as the metrics read.
        relevance: of all documents of the query in any order, >= 0; those of relevance 0 may be left out.
    """
    relevant = np.count_nonzero(relevance >= 1)
    best = _dcg(np.sort(relevance)[::-1])
    first = np.flatnonzero(ranked[:CUT] >= 1)
    return (_dcg(ranked) / best if best > 0 else 0.0, 1.0 / (first[0] + 1) if len(first) else 0.0,
            *(np.count_nonzero(ranked[:k] >= 1) / max(1, relevant) for k in recall_at))


def means(queries: Iterable[tuple[float, ...]], of: Sequence[str] = NAMES) -> dict[str, float]:
    """Return the means of what `of_ranking` returned for one query or more."""
    return {name: float(value) for name, value in zip(of, np.mean(list(queries), axis=0), strict=True)}


def _dcg(gains: np.ndarray) -> float:
    gains = np.asarray(gains[:CUT], np.float64)
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())
