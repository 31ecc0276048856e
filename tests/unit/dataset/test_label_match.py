# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model's classes and a task's are matched by their names: in another order they are reordered, others refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor

from src.checkpoints.checkpoint import LoadedModel, cell_of, parameters_of
from src.config import BiLstmConfig, HeadConfig, ModelConfig
from src.dataset.compatibility import fitted_to
from src.models.heads import build_model
from tests.refusals import refused
from tests.tiny import STUDENT, random_batch

NAMES = ("投诉", "咨询", "表扬")
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SMALL = replace(STUDENT, num_hidden_layers=1)
GPT2 = replace(SMALL, causal=True, pooler="none", pre_norm=True, type_vocab_size=0)
BILSTM = BiLstmConfig(SMALL.vocab_size, 8, 4, 6, 1, "last", 0.0)


def model(encoder=SMALL, head: HeadConfig | None = None, labels: tuple[str, ...] = NAMES) -> LoadedModel:
    config = ModelConfig(encoder, head or HeadConfig("classification", labels))
    generator = np.random.default_rng(0)
    parameters = {name: generator.normal(size=value.shape).astype(np.float32)
                  for name, value in parameters_of(build_model(config)).items()}
    return LoadedModel(Path("teacher"), config, parameters, None)


@pytest.mark.parametrize("encoder, head, order", [
    (SMALL, HeadConfig("classification", NAMES), (1, 0, 2)),
    (SMALL, HeadConfig("classification", NAMES, "relu"), (2, 0, 1)),
    (GPT2, HeadConfig("classification", NAMES), (1, 2, 0)),
    (BILSTM, HeadConfig("classification", NAMES), (2, 1, 0)),
    (SMALL, HeadConfig("tagging", TAGS), (0, 3, 4, 1, 2)),
])
def test_the_same_classes_in_another_order_keep_their_outputs(encoder, head, order):
    loaded, said = model(encoder, head), []
    wanted = replace(head, labels=tuple(head.labels[place] for place in order))
    used = fitted_to(loaded, wanted, "load_teacher_ckpt_path", said.append)
    assert (used.config.head, used.order) == (wanted, order)
    inputs = [Tensor(column) for column in random_batch()[:3]]
    before, after = (cell_of(each)(*inputs).asnumpy() for each in (loaded, used))
    np.testing.assert_allclose(after, before[..., list(order)], rtol=0, atol=1e-6)
    assert len(said) == 1 and "labels reordered" in said[0] and ", ".join(wanted.labels) in said[0]
    # Back again, nothing is left of it.
    again = fitted_to(used, head, "teacher", said.append)
    assert again.order == tuple(range(len(order)))
    assert all(np.array_equal(again.parameters[name], value) for name, value in loaded.parameters.items())


def test_the_same_order_is_left_as_it_is():
    loaded, said = model(), []
    assert fitted_to(loaded, HeadConfig("classification", NAMES), "teacher", said.append) is loaded and not said
    score = model(head=HeadConfig("regression"))
    assert fitted_to(score, HeadConfig("regression"), "teacher", said.append) is score and not said


@pytest.mark.parametrize("own, wanted, message", [
    (("Positive", "Negative"), ("negative", "positive"), "spelling only.*--labels positive,negative"),
    (("O", "B-per", "I-per"), ("O", "B-PER", "I-PER"), "spelling only.*--labels O,B-PER,I-PER"),
    (("LABEL_0", "LABEL_1"), ("0", "1"), "no names of their own: where LABEL_0 stands for 0.*--labels 0,1"),
    (("LABEL_0", "LABEL_1"), ("neg", "pos"), "only who trained it can tell"),
    (("a", "b", "c"), ("a", "b"), "the task's lack c.*--labels_of"),
    (("a", "b"), ("a", "b", "c"), "only the task has c: use a model of this task"),
    (("a", "b"), ("x", "a"), "only the task has x, only the model b.*in the order a, b"),
    (("LABEL_0", "LABEL_1", "LABEL_2"), ("neg", "pos"), "only the task has neg, pos"),
])
def test_other_classes_are_refused_with_both_lists(own, wanted, message):
    kind = "tagging" if "O" in own else "classification"
    loaded, head = model(head=HeadConfig(kind, own)), HeadConfig(kind, wanted)
    refused(f"load_teacher_ckpt_path teacher predicts {', '.join(own)}; the task's labels are {', '.join(wanted)}",
            fitted_to, loaded, head, "load_teacher_ckpt_path")
    refused(message, fitted_to, loaded, head, "load_teacher_ckpt_path")


@pytest.mark.parametrize("own, wanted, message", [
    (HeadConfig(), HeadConfig("classification", NAMES), "has no head, but the task needs classification"),
    (HeadConfig("classification", NAMES), HeadConfig("regression"), "a classification head, .* needs regression"),
    (HeadConfig("regression"), HeadConfig("classification", NAMES), "a regression head"),
    (HeadConfig("tagging", TAGS), HeadConfig("classification", TAGS), "a tagging head"),
])
def test_another_kind_of_head_is_refused(own, wanted, message):
    refused(message, fitted_to, model(head=own), wanted, "checkpoint")
    assert HeadConfig("embedding").title == "an embedding head"
