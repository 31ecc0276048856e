# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A reranker elsewhere: a folder for sentence-transformers, and a bundle for the server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert_checkpoint import main
from serving import Predictor
from src.predict import load
from tests.bundles import make_model, to_bundle
from tests.tiny import PLAIN

pytestmark = pytest.mark.medium


def test_scores_are_those_of_a_cross_encoder(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    model = make_model(tmp_path, "reranking")
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(PLAIN, length)) for length in (2, 9, 1, 14, 30, 3, 5, 40)]
    pairs = [(texts[place], texts[(place + 3) % 8]) for place in range(8)]  # some are cut to 24 tokens
    with pytest.warns(UserWarning, match="were cut"):
        ours = load(model, seq_length=24).logits(pairs)[:, 0]
    assert np.ptp(ours) > 1e-3
    main(["--from", "mindspore", "--to", "hf", str(model), str(tmp_path / "hf")])
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="it is not installed")
    encoder = sentence_transformers.CrossEncoder(str(tmp_path / "hf"), max_length=24, device="cpu")
    assert encoder.num_labels == 1
    raw = encoder.predict(pairs, activation_fn=torch.nn.Identity())
    assert np.abs(raw - ours).max() <= 1e-4
    assert np.abs(encoder.predict(pairs) - 1 / (1 + np.exp(-ours))).max() <= 1e-4
    best = [entry["corpus_id"] for entry in encoder.rank("w1 w2", texts)]

    bundle = Predictor(to_bundle(model, tmp_path / "bundle"))
    assert bundle.kind == "regression" and bundle.bundle.rows.takes == "pair"
    assert np.abs(bundle.logits(pairs)[:, 0] - ours).max() <= 1e-4
    scores = [answer["score"] for answer in bundle.predict([("w1 w2", text) for text in texts])]
    assert np.argsort(-np.array(scores), kind="stable").tolist() == best
