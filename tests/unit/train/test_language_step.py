# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The train step of a language model: what is frozen stays, the loss falls, batches have any number of places."""

from __future__ import annotations

from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.checkpoints.checkpoint import parameters_of
from src.config import HeadConfig, ModelConfig, load_config
from src.dataset import Batch, LanguageModelTargets
from src.distill.cell import DistillationCell, freeze_parameters
from src.distill.objectives import objective_of
from src.models.heads import build_model
from src.train.optim import make_optimizer
from src.train.step import TrainStep
from tests.tiny import CPU, TEACHER, VOCABULARY, random_batch

pytestmark = pytest.mark.medium


def make(alphas: dict[str, float], causal: bool = False, freeze: tuple[str, ...] = ()) -> tuple[TrainStep, list]:
    """A step cell with random teacher and student of the same width, and the columns of one batch."""
    ms.set_seed(1)
    encoder = replace(TEACHER, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    if causal:
        encoder = replace(encoder, type_vocab_size=0, pooler="none", causal=True, pre_norm=True)
    head = HeadConfig("causal_lm" if causal else "masked_lm")
    teacher, student = (build_model(ModelConfig(replace(encoder, num_hidden_layers=layers), head)) for layers in (2, 1))
    for prefix in freeze:
        freeze_parameters(student, prefix)
    settings = replace(load_config().token_distill, learning_rate=2e-3, warmup_proportion=0.0,
                       gradient_accumulation_steps=1, weight_decay=0.1, **{"alpha_ce": 0.0, "alpha_clm": 0.0, **alphas})
    network = DistillationCell(student, objective_of(settings, head), teacher)
    step = TrainStep(network, make_optimizer(settings, network.trainable_params(), 50), settings, CPU)
    step.set_train()
    rows = Batch(*random_batch())
    targets = LanguageModelTargets(vocab_size=len(VOCABULARY), special_ids=(0, 1, 2, 3, 4), mask_id=4, causal=causal,
                                   only_predicted=False)
    made = targets.of_step(rows, 0, 1)
    places = targets.places(made, rows.input_ids.size)
    columns = [made.input_ids, rows.input_mask, np.zeros_like(rows.segment_ids), *places,
               made.token_weights]
    return step, [Tensor(np.ascontiguousarray(column)) for column in columns]


def run(step: TrainStep, columns: list, steps: int = 8) -> list[float]:
    return [float(step(Tensor(number, ms.int32), *columns)[0]) for number in range(steps)]


def test_what_is_frozen_stays():
    frozen = ("encoder.embeddings.position_embeddings.", "encoder.embeddings.token_type_embeddings.")
    step, columns = make({"alpha_ce": 5.0, "alpha_mlm": 2.0, "alpha_cos": 1.0}, freeze=frozen)
    before = parameters_of(step, "student.")
    losses = run(step, columns, 8)
    after = parameters_of(step, "student.")
    assert losses[-1] < losses[0]
    stayed = {name for name in before if np.array_equal(before[name], after[name])}
    assert stayed == {name for name in before if "position_embed" in name or "token_type" in name or "pooler" in name}


def test_gradients_of_terms_that_are_taken_in_turn_add_up():
    whole = {"alpha_ce": 5.0, "alpha_mlm": 2.0, "alpha_mse": 0.5, "alpha_cos": 0.0}
    losses, gradients = [], []
    for alphas in (whole, *({name: weight * (name == other) for name, weight in whole.items()}
                            for other in ("alpha_ce", "alpha_mlm", "alpha_mse"))):
        step, columns = make(alphas)
        loss, _, found = step.gradients(step.update.loss_scale.value(), Tensor(0, ms.int32), *columns)
        losses.append(float(loss))
        gradients.append([each.asnumpy() for each in found])
    assert losses[0] == pytest.approx(sum(losses[1:]), abs=1e-5)
    for together, *alone in zip(*gradients, strict=True):
        np.testing.assert_allclose(together, sum(alone), rtol=0, atol=1e-6)


def test_the_number_of_places_may_change_from_step_to_step():
    step, columns = make({"alpha_ce": 1.0})
    whole = run(step, columns, 1)[0]
    step, columns = make({"alpha_ce": 1.0})
    padded = [*columns]
    for place in range(3, 7):  # places that weigh nothing
        padded[place] = Tensor(np.concatenate([columns[place].asnumpy(), np.zeros(5, columns[place].asnumpy().dtype)]))
    assert run(step, padded, 1)[0] == pytest.approx(whole, rel=1e-6)
    assert run(step, columns, 1)[0] < whole
