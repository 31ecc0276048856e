# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The encoder's own promises: padding changes nothing, names are shared, evaluation is deterministic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mindspore import Tensor

from src.checkpoints.checkpoint import parameters_of
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


def test_predictions_keep_the_order_and_do_not_depend_on_the_batch():
    predictor = Predictor(ModelConfig(replace(TEACHER, num_hidden_layers=1), HEAD))
    batch = Batch(*random_batch(rows=23, length=16, padding=13))
    results = [predictor.predict([batch], size, (4, 8, 16)).logits for size in (1, 5, 64)]
    for other in results[1:]:
        assert np.abs(results[0] - other).max() < 1e-5
    direct = predictor.model(*map(Tensor, batch[:3])).asnumpy()
    assert np.abs(results[0] - direct).max() < 1e-5
