# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses of pairs and triplets of texts against their formulas in float64, and against sentence-transformers' own."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.distill.embedding_losses import SCALE, cosine_mse, multiple_negatives
from tests.lazy import Lazy

torch = Lazy("torch")
sentence_transformers = Lazy("sentence_transformers")
NUMBER = 7


def embeddings(size: int) -> np.ndarray:
    """Of NUMBER groups whose texts are somewhat alike, float32 (NUMBER size, 16)."""
    generator = np.random.default_rng(size)
    common = np.repeat(generator.normal(size=(NUMBER, 16)), size, axis=0)
    return (common + generator.normal(size=common.shape)).astype(np.float32)


def unit(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)


def theirs(loss: str, x: np.ndarray, size: int, labels: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """Value and gradient of a loss of sentence-transformers, whose model gives these embeddings."""
    pytest.importorskip("sentence_transformers")
    given = torch.tensor(x.astype(np.float64), requires_grad=True)

    class Fixed(torch.nn.Module):  # type: ignore[name-defined, misc]
        """A model whose "text" is its embeddings."""

        def forward(self, features: Any) -> Any:
            return features

    made = getattr(sentence_transformers.sentence_transformer.losses, loss)(Fixed())
    parts = [{"sentence_embedding": given[place::size]} for place in range(size)]
    value = made(parts, None if labels is None else torch.tensor(labels.astype(np.float64)))
    value.backward()
    return value.item(), given.grad.numpy()


def test_the_cosine_of_a_pair_is_compared_with_its_score() -> None:
    x, scores = embeddings(2), np.linspace(0, 1, NUMBER).astype(np.float32)
    expected = float((((unit(x)[0::2] * unit(x)[1::2]).sum(1) - scores) ** 2).mean())
    labels = Tensor(np.repeat(scores, 2)[:, None])
    value, gradient = ms.value_and_grad(cosine_mse)(Tensor(x), labels, 2)
    assert float(value) == pytest.approx(expected, abs=1e-6)
    its, slope = theirs("CosineSimilarityLoss", x, 2, scores)
    assert float(value) == pytest.approx(its, abs=1e-6) and np.abs(gradient.asnumpy() - slope).max() < 1e-6


@pytest.mark.parametrize("size", [2, 3])
def test_the_right_text_is_told_from_those_of_the_batch(size: int) -> None:
    x = embeddings(size)
    documents = np.concatenate([unit(x)[place::size] for place in range(1, size)])
    scores = SCALE * unit(x)[0::size] @ documents.T
    expected = float(np.mean(np.log(np.exp(scores).sum(1)) - np.diag(scores[:, :NUMBER])))
    value, gradient = ms.value_and_grad(multiple_negatives)(Tensor(x), size)
    assert expected > 0.1 and float(value) == pytest.approx(expected, abs=1e-6)
    its, slope = theirs("MultipleNegativesRankingLoss", x, size)
    assert float(value) == pytest.approx(its, abs=1e-6) and np.abs(gradient.asnumpy() - slope).max() < 1e-6
