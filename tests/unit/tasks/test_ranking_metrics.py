# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of rankings: those of trec_eval, ties included, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from src.tasks.ranking_metrics import NAMES, means, of_ranking, order_of


def scored(scores: np.ndarray, relevance: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, of_ranking(relevance[order_of(scores)], relevance), strict=True))


def test_metrics_are_those_of_trec_eval() -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec-eval-terrier is not installed")
    generator = np.random.default_rng(0)
    truth, run, ours = {}, {}, {}
    for query in range(60):
        size = int(generator.integers(1, 30))
        relevance = generator.integers(0, 4, size) * (generator.random(size) < (0.4 if query % 10 else 0.0))
        scores = generator.integers(0, 6, size).astype(np.float32)  # many ties
        # Of equal scores it puts the greater name first, which is the earlier document here.
        names = [f"{size - place:02d}" for place in range(size)]
        truth[str(query)] = dict(zip(names, relevance.tolist(), strict=True))
        run[str(query)] = dict(zip(names, scores.tolist(), strict=True))
        ours[str(query)] = scored(scores, relevance)
    theirs = pytrec_eval.RelevanceEvaluator(truth, {"ndcg_cut.10", "recip_rank", "recall.1,5,10"}).evaluate(run)
    assert theirs.keys() == ours.keys()
    for query, values in theirs.items():
        expected = {"ndcg@10": values["ndcg_cut_10"], "mrr@10": values["recip_rank"] * (values["recip_rank"] >= 0.1),
                    **{f"recall@{k}": values[f"recall_{k}"] for k in (1, 5, 10)}}
        assert ours[query] == pytest.approx(expected, abs=1e-6), query


def test_metrics_by_hand_with_ties() -> None:
    # The second and third document have equal scores: they keep their order.
    scores, relevance = np.array([0.1, 0.9, 0.9, 0.5]), np.array([0, 0, 1, 2])
    assert order_of(scores).tolist() == [1, 2, 3, 0]
    best = 2 / np.log2(2) + 1 / np.log2(3)
    assert scored(scores, relevance) == pytest.approx(
        {"ndcg@10": (1 / np.log2(3) + 2 / np.log2(4)) / best, "mrr@10": 1 / 2, "recall@1": 0.0, "recall@5": 1.0,
         "recall@10": 1.0})
    late = np.arange(11) == 10  # behind the tenth place
    assert set(scored(-np.arange(11.0), late.astype(int)).values()) == {0.0}
    assert set(scored(np.ones(3), np.zeros(3)).values()) == {0.0}
    assert means([(1.0, 0.5, 0.0, 0.0, 1.0), (0.0, 0.5, 0.0, 1.0, 1.0)]) == dict(
        zip(NAMES, (0.5, 0.5, 0.0, 0.5, 1.0), strict=True))
