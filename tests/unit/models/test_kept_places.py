# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compiled models keep no lists of the places of what they compute: memory of twice to four times the results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from src.config import BiLstmConfig, HeadConfig, ModelConfig, load_config
from src.distill.cell import DistillationCell, make_projection
from src.distill.objectives import objective_of
from src.evaluate.language import TokenScores
from src.models.dropout import make_dropout_stateless
from src.models.fake_quantization import fake_quantize
from src.models.heads import build_model
from src.train.optim import make_optimizer
from src.train.step import TrainStep
from tests.kept_places import kept_bytes
from tests.tiny import CPU, HEAD, TEACHER, random_batch

BERT = replace(TEACHER, num_hidden_layers=1)
GPT2 = replace(BERT, type_vocab_size=0, pooler="none", causal=True, pre_norm=True)
MODERN = replace(BERT, type_vocab_size=0, pooler="none", layer_class="modernbert", layer_types=("local",),
                 local_attention=4)
BILSTM = BiLstmConfig(TEACHER.vocab_size, 16, 16, 16, 1, "max", 0.1)
TAGS = HeadConfig("tagging", ("a", "b", "c"))
ROWS, LENGTH = 8, 6


class Wasteful(nn.Cell):
    def construct(self, x: Tensor, row: Tensor) -> Tensor:
        return (x + row).transpose(1, 0) * 2.0


def test_what_is_kept_is_seen(graph_mode: None, tmp_path: Path) -> None:
    x = Tensor(np.ones((6, 5), np.float32))
    kept = kept_bytes(tmp_path, lambda: Wasteful()(x, x[0]))
    assert sorted(kept.values()) == [8 * 30, 16 * 30], kept


@pytest.mark.medium
@pytest.mark.parametrize("config", [
    ModelConfig(BERT, HEAD), ModelConfig(BERT, TAGS), ModelConfig(BERT, HeadConfig("span")), ModelConfig(GPT2, HEAD),
    ModelConfig(BILSTM, HEAD), ModelConfig(BILSTM, TAGS), ModelConfig(BERT, HeadConfig("masked_lm")),
    ModelConfig(GPT2, HeadConfig("causal_lm")), ModelConfig(MODERN, HEAD)],
    ids=lambda each: f"{each.encoder.likely_family} {each.head.kind}")
def test_evaluation(config: ModelConfig, graph_mode: None, tmp_path: Path) -> None:
    batch = [Tensor(column) for column in random_batch(ROWS, LENGTH)[:3]]
    model = build_model(config)
    if config.head.is_language_model:
        places = Tensor(np.arange(7, dtype=np.int32))
        kept = kept_bytes(tmp_path, lambda: TokenScores(model)(*batch, places, places))
    else:
        kept = kept_bytes(tmp_path, lambda: model(*batch))
    # The mask of a causal model; a single transpose of hidden states is more than this.
    assert sum(kept.values()) < 24 * ROWS * LENGTH * LENGTH, kept


@pytest.mark.medium
@pytest.mark.parametrize("phase", ["phase1", "phase1 of ModernBERT", "relations", "phase2", "phase2 in int8"])
def test_train_step(phase: str, graph_mode: None, tmp_path: Path) -> None:
    settings = load_config()
    of_layers, encoder = not phase.startswith("phase2"), MODERN if phase == "phase1 of ModernBERT" else BERT
    stage = replace(settings.task_distill.phase1 if of_layers else settings.task_distill.phase2,
                    gradient_accumulation_steps=1)
    head = HeadConfig() if of_layers else HEAD
    if phase == "relations":
        stage = replace(stage, attention_weight=0.0, hidden_weight=0.0, relation_weight=1.0, relation_heads=8)
    student, teacher = (build_model(ModelConfig(replace(encoder, hidden_size=width), head)) for width in (16, 32))
    if phase == "phase2 in int8":
        fake_quantize(student)
    objective = objective_of(stage, head, ((0, 0), (1, 1)) if phase.startswith("phase1") else ())
    projection = make_projection(objective, replace(encoder, hidden_size=16), encoder, "shared")
    network = DistillationCell(student, objective, teacher, projection)
    make_dropout_stateless(student, 0)
    step = TrainStep(network, make_optimizer(stage, network.trainable_params(), 10), stage, CPU)
    step.set_train()
    batch = [Tensor(column) for column in random_batch(ROWS, LENGTH)]
    kept = kept_bytes(tmp_path, lambda: step(Tensor(0, ms.int32), *batch))
    # The pairs of real tokens; attention scores have a head's dimension more.
    assert sum(kept.values()) < 24 * ROWS * LENGTH * LENGTH, kept
