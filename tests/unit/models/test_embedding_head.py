# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The head that makes one vector of a text: against its formula, with any padding, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import mindspore as ms
import numpy as np
import onnxruntime
import pytest
from mindspore import Tensor

from src.checkpoints.checkpoint import parameters_of
from src.config import BiLstmConfig, HeadConfig, ModelConfig
from src.config.model import INPUTS
from src.export.onnx_graph import build_onnx
from src.models.embedding_head import EmbeddingHead
from src.models.heads import build_model
from tests.refusals import refused
from tests.tiny import STUDENT, VOCABULARY, random_batch

ENCODER = replace(STUDENT, pooler="none")
BILSTM = BiLstmConfig(len(VOCABULARY), 6, 5, 8, 1, "max", 0.1)
HEADS = [HeadConfig("embedding", pooling=pooling, **more) for pooling, more in (  # type: ignore[arg-type]
    ("mean", {}), ("mean", {"normalize": True}), ("max", {"dense_size": 7}), ("cls", {"normalize": True}),
    ("max", {"dense_size": 20, "dense_activation": "tanh", "normalize": True}))]


def embedded(head: HeadConfig, tokens: np.ndarray, mask: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """The formula, in float64, text by text."""
    rows = []
    for row, real in zip(tokens.astype(np.float64), mask.astype(bool), strict=True):
        own = row[real]
        x = {"mean": own.mean(0), "max": own.max(0), "cls": own[0]}[head.pooling]
        if head.dense_size:
            x = weights["head.dense.weight"] @ x + weights["head.dense.bias"]
        x = np.tanh(x) if head.dense_activation == "tanh" else x
        rows.append(x / np.linalg.norm(x) if head.normalize else x)
    return np.array(rows)


@pytest.mark.medium
@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.pooling}-{head.dense_size}")
def test_is_its_formula_whatever_the_padding(head: HeadConfig) -> None:
    ms.set_seed(3)
    model, bare = build_model(ModelConfig(ENCODER, head)), build_model(ModelConfig(ENCODER))
    ms.load_param_into_net(bare, {name: ms.Parameter(array) for name, array in parameters_of(model, "").items()
                                  if name.startswith("encoder.")})
    ids, mask, segments, _ = random_batch()
    tokens = bare(*map(Tensor, (ids, mask, segments))).asnumpy()
    found = model(*map(Tensor, (ids, mask, segments))).asnumpy()
    assert found.dtype == np.float32 and found.shape == (8, model.config.output_size)
    assert np.abs(found - embedded(head, tokens, mask, parameters_of(model, ""))).max() < 2e-6
    longer = [np.pad(each, ((0, 0), (0, 5)), constant_values=fill)
              for each, fill in ((ids + 7 * (1 - mask), 9), (mask, 0), (segments, 1))]
    assert np.abs(model(*map(Tensor, longer)).asnumpy() - found).max() < 2e-6
    assert np.abs(by_onnx(model, longer) - found).max() < 2e-6


def by_onnx(model: Any, batch: Sequence[np.ndarray]) -> np.ndarray:
    """What ONNX Runtime makes of the model's graph."""
    session = onnxruntime.InferenceSession(build_onnx(model.config, parameters_of(model)).SerializeToString())
    inputs = {name: each.astype(np.int64) for name, each in zip(INPUTS, batch, strict=True)}
    return session.run(["logits"], inputs)[0]


@pytest.mark.medium
def test_a_bilstm_pools_by_itself() -> None:
    head = HeadConfig("embedding", pooling="encoder", dense_size=4, normalize=True)
    model = build_model(ModelConfig(BILSTM, head))
    batch = random_batch()[:3]
    found = model(*map(Tensor, batch)).asnumpy()
    assert found.shape == (8, 4) and np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-6
    longer = [np.pad(each, ((0, 0), (0, 3))) for each in batch]
    assert np.abs(model(*map(Tensor, longer)).asnumpy() - found).max() < 1e-6
    assert np.abs(by_onnx(model, longer) - found).max() < 2e-6


@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.pooling}-{head.dense_size}")
def test_a_row_without_tokens_is_finite_and_has_a_finite_gradient(head: HeadConfig) -> None:
    cell = EmbeddingHead(head, 6, 0.1)
    tokens, mask = np.zeros((2, 3, 6), np.float32), np.zeros((2, 3), np.int32)
    tokens[1], mask[1] = np.arange(18).reshape(3, 6), 1
    gradient = ms.grad(lambda x: (cell(x, Tensor(mask)) ** 2).sum())(Tensor(tokens)).asnumpy()
    assert np.isfinite(gradient).all() and np.isfinite(cell(Tensor(tokens), Tensor(mask)).asnumpy()).all()


def test_config_json_of_other_heads_is_what_it_was_and_earlier_ones_are_read() -> None:
    plain = ModelConfig(STUDENT, HeadConfig("classification", ("0", "1")))
    assert plain.to_dict()["head"] == {"kind": "classification", "labels": ["0", "1"], "pooled_activation": "none"}
    for head in HEADS:
        config = ModelConfig(ENCODER, head)
        assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(("encoder", "settings", "says"), [
    (STUDENT, {}, "set pooler none"),
    (replace(ENCODER, causal=True), {}, "this one is causal"),
    (ENCODER, {"pooling": "encoder"}, "set mean, cls or max"),
    (BILSTM, {"pooling": "mean"}, "set pooling encoder"),
    (ENCODER, {"dense_activation": "tanh"}, "set dense_size"),
    (ENCODER, {"max_seq_length": 65}, "takes 64 tokens"),
])
def test_refusals(encoder: Any, settings: dict[str, Any], says: str) -> None:
    refused(says, lambda: ModelConfig(encoder, HeadConfig("embedding", **settings)))
