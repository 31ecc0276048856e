# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A new BiLSTM student: where its vocabulary and its embeddings come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest

from src.checkpoints.checkpoint import LoadedModel, load_model, parameters_of
from src.common.errors import UserError
from src.config import Config, HeadConfig, ModelConfig, load_config
from src.records.reading import RecordSource
from src.runs.bilstm_student import new_bilstm_student
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import CPU, HEAD, TEACHER, VOCABULARY, save_random, write_vocabulary

TABLE = "encoder.embeddings.word_embeddings.embedding_table"
SMALL = {"bilstm__hidden_size": 5, "bilstm__dense_size": 7, "bilstm__embedding_size": 6}


@pytest.fixture
def records(tmp_path) -> RecordSource:
    """Rows in the tiny vocabulary; nobody reads them here."""
    tokenizer = load_tokenizer(write_vocabulary(tmp_path / "records"))
    manifest = SimpleNamespace(vocab_size=tokenizer.vocab_size, vocab_hash=tokenizer.vocab_hash)
    return RecordSource((tmp_path / "records/0.tfrecord",), "tfrecord", {}, 3, manifest, tmp_path / "records")


@pytest.fixture
def teacher(tmp_path, records) -> LoadedModel:
    return load_model(save_random(tmp_path / "teacher", ModelConfig(TEACHER, HEAD), records.tokenizer_path))


def settings(**changes: object) -> Config:
    return load_config(**SMALL, **{f"bilstm__{name}": value for name, value in changes.items()})


def new(config: Config, records: RecordSource, teacher: LoadedModel | None = None, head: HeadConfig = HEAD):
    ms.set_seed(4)
    student, model_config = new_bilstm_student(config.bilstm, records, head, "SST-2", teacher, CPU)
    return model_config, student


def test_random_embeddings(records, capsys) -> None:
    config, student = new(settings(), records, head=replace(HEAD, pooled_activation="relu"))
    assert config.encoder == settings().bilstm.encoder(len(VOCABULARY))
    assert (config.head, config.task_name) == (HEAD, "SST-2")
    assert 0.08 < parameters_of(student)[TABLE].std() < 0.12
    assert all(parameter.requires_grad for parameter in student.get_parameters())
    assert not capsys.readouterr().out
    # Records of other programs have a tokenizer at best.
    assert new(settings(), replace(records, manifest=None))[0].encoder == config.encoder
    with pytest.raises(UserError, match="no tokenizer beside the records"):
        new(settings(), replace(records, manifest=None, tokenizer_path=None))


def test_embeddings_of_the_teacher_frozen(records, teacher, capsys) -> None:
    config, student = new(settings(embeddings="teacher", freeze_embeddings=True), records, teacher)
    assert config.encoder.embedding_size == TEACHER.hidden_size
    assert np.array_equal(parameters_of(student)[TABLE], teacher.parameters[TABLE])
    assert "starts from the embeddings of" in capsys.readouterr().out
    assert [parameter.name for parameter in student.get_parameters() if not parameter.requires_grad] == [TABLE]


def test_embeddings_of_a_teacher_need_one_with_the_same_vocabulary(records, teacher) -> None:
    config = settings(embeddings="teacher")
    refused("embeddings is teacher, but there is none; give --teacher.load_teacher_ckpt_path", new, config, records)
    manifest = SimpleNamespace(vocab_size=len(VOCABULARY), vocab_hash="other")
    with pytest.raises(UserError, match="has other tokens than the teacher's; set bilstm.embeddings random or glove"):
        new(config, replace(records, manifest=manifest), teacher)
    manifest = SimpleNamespace(vocab_size=9, vocab_hash="other")
    refused("has 9 tokens, the teacher's 53", new, config, replace(records, manifest=manifest), teacher)


def test_word_vectors(records, tmp_path, capsys) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("good 3 -3 0 2\nzebra 1 2 3 4\nw7 -2 1 4 0\n[PAD] 9 9 9 9\n", encoding="utf-8")
    config, student = new(settings(embeddings="glove", glove_path=str(path)), records)
    assert config.encoder.embedding_size == 4
    table = parameters_of(student)[TABLE]
    assert table[VOCABULARY.index("good")].tolist() == [3, -3, 0, 2]
    assert table[VOCABULARY.index("w7")].tolist() == [-2, 1, 4, 0]
    # The others have the same spread as those of the file, special tokens among them.
    others = np.delete(table, [VOCABULARY.index("good"), VOCABULARY.index("w7")], axis=0)
    spread = np.array([3, -3, 0, 2, -2, 1, 4, 0]).std()
    assert 0.8 * spread < others.std() < 1.2 * spread
    assert "2 of 53 tokens have a vector in glove.txt" in capsys.readouterr().out


@pytest.mark.parametrize(("vocabulary", "vectors", "expected"), [
    # Pieces of words have no vector; a file in lower case serves tokens in upper case.
    (["play", "##ing", "Paris"], "play 1 1\n##ing 2 2\nparis 3 3\n", {"play": 1, "Paris": 3}),
    (["Paris"], "paris 3 3\nParis 4 4\n", {"Paris": 4}),
])
def test_word_vectors_of_a_word_piece_vocabulary(records, tmp_path, vocabulary, vectors, expected) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary]
    (tmp_path / "records/vocab.txt").write_text("\n".join(tokens) + "\n")
    (tmp_path / "glove.txt").write_text(vectors)
    config = settings(embeddings="glove", glove_path=str(tmp_path / "glove.txt"))
    _, student = new(config, replace(records, manifest=None))
    table = parameters_of(student)[TABLE]
    found = {token: int(row[0]) for token, row in zip(tokens, table, strict=True) if row[0] == row[1] != 0}
    assert found == expected


def test_word_vectors_that_cannot_be_used(records, tmp_path) -> None:
    path = tmp_path / "glove.txt"
    config = settings(embeddings="glove", glove_path=str(path))
    refused("cannot read word vectors", new, config, records)
    path.write_text("le 1 2\nchat 1\n")
    refused(f"{Path(path).name}:2: expected a word and 2 numbers", new, config, records)
    path.write_text("le 1 2\nchat 1 3\n")
    refused("has a vector for none of the 53 tokens", new, config, records)
