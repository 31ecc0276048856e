# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a student takes from its teacher where its settings leave it out, and how misfits are told: all at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from src.common.errors import UserError
from src.config import BiLstmConfig, ModelConfig, load_config
from src.convert.families import family_of
from src.runs.fit import check_all, usual_student
from tests.refusals import refused
from tests.tiny import TEACHER

BILSTM = BiLstmConfig(77, 8, 4, 6, 1, "last", 0.0)
OTHERS = dict(vocab_size=77, max_position_embeddings=66)


@pytest.mark.parametrize("teacher, settings, expected, family", [
    (replace(TEACHER, **OTHERS), {}, (77, 66, 2, 0, "tanh"), "bert"),
    (replace(TEACHER, **OTHERS, type_vocab_size=1, position_offset=2), {}, (77, 66, 1, 2, "tanh"), "roberta"),
    (replace(TEACHER, **OTHERS, type_vocab_size=0, pooler="relu"), {}, (77, 66, 0, 0, "relu"), "distilbert"),
    # A language model without a pooler: its student has the one that its family's classifiers have.
    (replace(TEACHER, **OTHERS, type_vocab_size=0, pooler="none"), {}, (77, 66, 0, 0, "relu"), "distilbert"),
    (replace(TEACHER, **OTHERS, pooler="none"), {}, (77, 66, 2, 0, "tanh"), "bert"),
    (replace(TEACHER, **OTHERS, type_vocab_size=0, pooler="none", causal=True), {"causal": True, "pre_norm": True},
     (77, 66, 0, 0, "none"), "gpt2"),
    (BILSTM, {}, (77, 512, 2, 0, "tanh"), "bert"),
    (replace(TEACHER, **OTHERS), {"vocab_size": 5, "max_position_embeddings": 20, "type_vocab_size": 0,
                                  "pooler": "relu"}, (5, 20, 0, 0, "relu"), "distilbert"),
])
def test_a_student_takes_its_vocabulary_from_its_teacher(teacher, settings, expected, family):
    student = load_config(**{f"student__{name}": value for name, value in settings.items()}).student
    encoder = student.encoder(teacher)
    assert (encoder.vocab_size, encoder.max_position_embeddings, encoder.type_vocab_size, encoder.position_offset,
            encoder.pooler) == expected
    settled = student.of_teacher(teacher)
    assert settled.encoder() == encoder and "teacher" not in vars(settled).values()
    assert family_of(ModelConfig(encoder)).model_type == family


def test_without_a_teacher_it_is_bert():
    encoder = load_config().student.encoder()
    assert (encoder.vocab_size, encoder.max_position_embeddings, encoder.type_vocab_size, encoder.pooler) == (
        30522, 512, 2, "tanh")
    refused("student.vocab_size is 'techer'.*teacher", load_config, student__vocab_size="techer")


def test_all_is_told_at_once():
    def fails(message: str):
        raise UserError(message)

    check_all(lambda: None, advice="unused")
    refused("^one$", check_all, lambda: None, lambda: fails("one"))
    refused(r"^2 things do not fit: \(1\) one; \(2\) two; do this$", check_all, lambda: fails("one"), lambda: None,
            lambda: fails("two"), lambda: fails("one"), advice="do this")


@pytest.mark.parametrize("depth, layers", [(12, 6), (6, 3), (4, 2), (9, 3), (5, 1), (1, 1)])
def test_the_usual_student_has_layers_that_divide(depth, layers):
    said = usual_student(ModelConfig(replace(TEACHER, num_hidden_layers=depth, hidden_act="relu")))
    assert f"--initialization teacher --num_hidden_layers {layers} --hidden_size 32 --num_attention_heads 4" in said
    assert "--hidden_act relu" in said and "--layer_norm_eps" not in said
    assert not usual_student(ModelConfig(BILSTM))
