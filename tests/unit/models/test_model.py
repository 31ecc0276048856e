# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The encoder's own promises: padding changes nothing, names are shared, evaluation is deterministic."""

from __future__ import annotations

from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from src.checkpoints.checkpoint import load_parameters, parameters_of
from src.config import HeadConfig, ModelConfig
from src.dataset import Batch
from src.evaluate.tasks import Predictor
from src.models.heads import build_model
from tests.tiny import HEAD, STUDENT, TEACHER, random_batch

pytestmark = pytest.mark.medium


def pad(columns, length):
    return tuple(np.pad(column, ((0, 0), (0, length - column.shape[1]))) if column.shape[1] > 1 else column
                 for column in columns)


@pytest.mark.parametrize("head", [HEAD, HeadConfig("regression"),
                                  HeadConfig("classification", ("a", "b", "c"), "relu")])
def test_padding_changes_nothing(head):
    model = build_model(ModelConfig(TEACHER, head))
    batch = random_batch(rows=4, length=12)
    short, long = (model(*map(Tensor, columns[:3])).asnumpy() for columns in (batch, pad(batch, 20)))
    assert short.shape == (4, head.num_labels)
    assert np.abs(short - long).max() < 1e-6


def test_layers_and_shapes():
    model = build_model(ModelConfig(TEACHER))
    ids, mask, segments, _ = map(Tensor, random_batch(rows=3, length=10))
    sequence, pooled, hidden, scores, _ = model.encoder(ids, mask, segments)
    assert sequence.shape == (3, 10, 32)
    assert pooled.shape == (3, 32)
    assert [h.shape for h in hidden] == [(3, 10, 32)] * 5
    assert [s.shape for s in scores] == [(3, 4, 10, 10)] * 4
    assert np.array_equal(sequence.asnumpy(), hidden[-1].asnumpy())


def test_teacher_and_student_share_their_names():
    teacher, student = (set(parameters_of(build_model(ModelConfig(replace(config, num_hidden_layers=2), HEAD))))
                        for config in (TEACHER, STUDENT))
    assert teacher == student


def gradients(model, batch):
    """Of the sum of squares of the logits, by the names of the parameters."""
    parameters = model.trainable_params()
    found = ms.grad(lambda *columns: (model(*columns) ** 2).sum(), None, ms.ParameterTuple(parameters))(*batch)
    return {each.name: gradient.asnumpy() for each, gradient in zip(parameters, found, strict=True)}


def test_shared_layers_are_one():
    """As equal layers; the gradient is the sum of theirs, and each time other masks are drawn."""
    shared = replace(TEACHER, num_hidden_layers=3, share_layers=True, embedding_size=16, hidden_act="gelu_tanh")
    one, several = (build_model(ModelConfig(config, HEAD)) for config in (shared, replace(shared, share_layers=False)))
    values = parameters_of(one)
    assert {name.split(".")[2] for name in values if name.startswith("encoder.layers.")} == {"0"}
    load_parameters(several, {name: values[name.replace(f"layers.{name.split('.')[2]}.", "layers.0.")]
                              for name in parameters_of(several)})
    batch = [Tensor(column) for column in random_batch(rows=3, length=10)[:3]]
    for own, its in zip(one.with_layers(*batch)["scores"], several.with_layers(*batch)["scores"], strict=True):
        assert np.array_equal(own.asnumpy(), its.asnumpy())
    found, theirs = (gradients(model, batch) for model in (one, several))
    for name in [name for name in found if name.startswith("encoder.layers.")]:
        total = sum(theirs[name.replace("layers.0.", f"layers.{index}.")] for index in range(3))
        assert np.abs(found[name] - total).max() <= 1e-5
    steps = []
    dropout = one.encoder.layers[0].output_dropout
    dropout.mask = lambda step, x: steps.append(int(step)) or ops.ones_like(x)
    one.set_train()
    one(*batch, Tensor(5, ms.int32))
    assert steps[0] == 5 and len(set(steps)) == 3


def test_predictions_keep_the_order_and_do_not_depend_on_the_batch():
    predictor = Predictor(ModelConfig(replace(TEACHER, num_hidden_layers=1), HEAD))
    batch = Batch(*random_batch(rows=23, length=16, padding=13))
    results = [predictor.predict([batch], size, (4, 8, 16)).logits for size in (1, 5, 64)]
    for other in results[1:]:
        assert np.abs(results[0] - other).max() < 1e-5
    direct = predictor.model(*map(Tensor, batch[:3])).asnumpy()
    assert np.abs(results[0] - direct).max() < 1e-5
