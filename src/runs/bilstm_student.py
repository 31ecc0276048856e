# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A new BiLSTM student: its configuration, and embeddings that are random, its teacher's, or from a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, load_parameters, parameters_of
from src.common.errors import UserError
from src.config import BiLstmStudentConfig, HeadConfig, ModelConfig
from src.corpus.word_vectors import read_word_vectors, word_vector_width
from src.device import Device
from src.distill.cell import freeze_parameters
from src.models.bilstm import EMBEDDING_DEVIATION, BiLstmModel
from src.models.heads import build_model
from src.records.reading import RecordSource
from src.text.tokenization import Tokenizer

_EMBEDDINGS = "encoder.embeddings."
_TABLE = f"{_EMBEDDINGS}word_embeddings.embedding_table"


def bilstm_with_head(model: ModelConfig, head: HeadConfig, task_name: str) -> ModelConfig:
    """Return the configuration of a BiLSTM with the head of a task: what stands between pooler and classifier of a
    transformer has no place there."""
    return dataclasses.replace(model, head=dataclasses.replace(head, pooled_activation="none"), task_name=task_name)


def new_bilstm_student(settings: BiLstmStudentConfig, records: RecordSource, head: HeadConfig, task_name: str,
                       teacher: LoadedModel | None, device: Device) -> tuple[BiLstmModel, ModelConfig]:
    """Build a BiLSTM student with its first weights, and print what the user should know of them.

    Its vocabulary is that of its records, and its embeddings are as wide as those that it takes over.

    Raises:
        UserError: the vocabulary is not known or not the teacher's, there is no teacher to take embeddings from, a
            BiLSTM cannot have such a head, or the word vectors cannot be used.
    """
    encoder, table, note = settings.encoder(_vocab_size(records)), None, ""
    if settings.embeddings == "teacher":
        table, note = _teacher_table(teacher, records)
        encoder = dataclasses.replace(encoder, embedding_size=table.shape[1])
    elif settings.embeddings == "glove":
        encoder = dataclasses.replace(encoder, embedding_size=word_vector_width(settings.glove_path))
    model_config = bilstm_with_head(ModelConfig(encoder), head, task_name)
    student = build_model(model_config, device.compute_type)
    parameters = parameters_of(student)
    if settings.embeddings == "glove":
        table, note = _with_word_vectors(parameters[_TABLE], settings.glove_path, records.tokenizer())
    if table is not None:
        load_parameters(student, {**parameters, _TABLE: table}, "the student")
    if settings.freeze_embeddings:
        freeze_parameters(student, _EMBEDDINGS)
    if note:
        device.say(f"note: {note}")
    return student, model_config


def _vocab_size(records: RecordSource) -> int:
    return (records.manifest or records.tokenizer()).vocab_size


def _teacher_table(teacher: LoadedModel | None, records: RecordSource) -> tuple[np.ndarray, str]:
    """Word embeddings of the teacher, float32 (vocabulary, width), with whose vocabulary the rows are read; a note."""
    if teacher is None:
        raise UserError("bilstm.embeddings is teacher, but there is none; give "
                        "--teacher.load_teacher_ckpt_path DIR, or set bilstm.embeddings random or glove")
    size, own = _vocab_size(records), teacher.config.encoder.vocab_size
    hashes = {teacher.vocab_hash, records.manifest.vocab_hash if records.manifest else None} - {None}
    if size > own or len(hashes) > 1 or (size < own and None in (teacher.vocab_hash, records.manifest)):
        what = f"{size} tokens, the teacher's {own}" if size != own else "other tokens than the teacher's"
        raise UserError(f"bilstm.embeddings is teacher, but the vocabulary of {records.files[0].parent} has {what}; "
                        "set bilstm.embeddings random or glove, or prepare the records with the teacher's tokenizer")
    return teacher.parameters[_TABLE][:size], f"the student starts from the embeddings of {teacher.directory}"


def _with_word_vectors(table: np.ndarray, path: str, tokenizer: Tokenizer) -> tuple[np.ndarray, str]:
    """Put the vectors of a file into the rows of an embedding table, and give the others their spread.

    Args:
        table: random embeddings (vocabulary, width).
        tokenizer: whose tokens the rows are; pieces of words have no vector.
    """
    own = _words(tokenizer)
    words, vectors = read_word_vectors(path, wanted={word for word in own if word} | {word.lower() for word in own})
    places = dict(zip(words, range(len(words)), strict=True))
    # A word that the file has in lower case only takes that vector.
    found = [(row, places.get(word, places.get(word.lower()))) for row, word in enumerate(own) if word]
    rows = [row for row, place in found if place is not None]
    chosen = [place for _, place in found if place is not None]
    if not rows:
        raise UserError(f"{path} has a vector for none of the {len(tokenizer.tokens)} tokens of {tokenizer.source}; "
                        "give word vectors of this language")
    table = table * (vectors[chosen].std() / EMBEDDING_DEVIATION)
    table[rows] = vectors[chosen]
    return table, (f"{len(rows)} of {len(tokenizer.tokens)} tokens have a vector in {Path(path).name}; the others are "
                   "drawn at random")


def _words(tokenizer: Tokenizer) -> list[str]:
    """The word that each token is, "" for special tokens and pieces of words."""
    special = set(tokenizer.special_ids)
    words = list(tokenizer.tokens)
    if tokenizer.is_byte_level:  # a word keeps the space before it
        words = [word[1:] if word.startswith("Ġ") else "" for word in words]
    return ["" if row in special or (tokenizer.is_word_piece and word.startswith("##") and len(word) > 2) else word
            for row, word in enumerate(words)]
