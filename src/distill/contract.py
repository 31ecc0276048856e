# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a teacher must fulfil before anything is computed with it."""

from __future__ import annotations

from src.config import EncoderConfig, ModelConfig
from src.distill.layer_map import Pairs
from src.errors import UserError
from src.records.reading import RecordSource


def check_teacher(teacher: ModelConfig, student: EncoderConfig, needs_attention: bool) -> None:
    """Check that a teacher's outputs can be compared with the student's.

    Raises:
        UserError: vocabularies of different size, or different numbers of heads where attention is compared.
    """
    if teacher.encoder.vocab_size != student.vocab_size:
        raise UserError(f"the teacher's vocabulary has {teacher.encoder.vocab_size} tokens, the student's "
                        f"{student.vocab_size}; both must read the same ids: set student.vocab_size, or take another "
                        "teacher")
    if needs_attention and teacher.encoder.num_attention_heads != student.num_attention_heads:
        raise UserError(f"attention_mse compares head by head, but the teacher has "
                        f"{teacher.encoder.num_attention_heads} heads and the student {student.num_attention_heads}; "
                        "set student.num_attention_heads, or attention_weight 0")


def check_data(model: ModelConfig, vocab_hash: str | None, source: RecordSource, setting: str) -> None:
    """Check that a model can read the records.

    Args:
        model: teacher or student.
        vocab_hash: hash of its vocabulary; None when it is not known.
        source: the records.
        setting: the setting that named the model, for messages.

    Raises:
        UserError: rows longer than the model's positions, or a vocabulary of other size or content.
    """
    length = source.columns["input_ids"].shape[0]
    encoder = model.encoder
    if length > encoder.max_position_embeddings:
        raise UserError(f"the records hold rows of {length} tokens, but the model of {setting} knows "
                        f"{encoder.max_position_embeddings} positions; prepare them with --seq_length "
                        f"{encoder.max_position_embeddings} or less")
    manifest = source.manifest
    if manifest is None:
        return
    if manifest.vocab_size != encoder.vocab_size:
        raise UserError(f"the records were made with a vocabulary of {manifest.vocab_size} tokens, but the model of "
                        f"{setting} has {encoder.vocab_size}; prepare them with the model's tokenizer")
    if vocab_hash is not None and manifest.vocab_hash != vocab_hash:
        raise UserError(f"the records were made with another vocabulary than that of {setting} (same size, other "
                        "tokens); prepare them with the model's tokenizer")


def check_labels(model: ModelConfig, labels: tuple[str, ...], is_regression: bool, setting: str) -> None:
    """Check that a model's outputs mean what the task's labels say, in the same order.

    Raises:
        UserError: another kind of head, other labels, or another order.
    """
    expected = "regression" if is_regression else "classification"
    if model.head.kind != expected:
        has = "no head" if model.head.kind == "none" else f"a {model.head.kind} head"
        raise UserError(f"the model of {setting} has {has}, but the task needs {expected}; fine-tune it on the task "
                        "first: run_finetune.py")
    if not is_regression and model.head.labels != labels:
        order = " in another order" if sorted(model.head.labels) == sorted(labels) else ""
        raise UserError(f"the model of {setting} predicts {list(model.head.labels)}, the task's labels are "
                        f"{list(labels)}{order}; use a model of this task, or convert it again with --labels")


def check_initialization(teacher: EncoderConfig, student: EncoderConfig, pairs: Pairs) -> None:
    """Check that a student can take over layers of its teacher.

    Raises:
        UserError: other widths, or student layers that the map leaves out.
    """
    for name in ("hidden_size", "intermediate_size", "num_attention_heads", "max_position_embeddings",
                 "type_vocab_size"):
        its, own = getattr(teacher, name), getattr(student, name)
        if its != own:
            raise UserError(f"student.initialization is teacher, but student.{name} is {own} and the teacher's {its}; "
                            "make them equal, or set student.initialization random")
    left_out = set(range(1, student.num_hidden_layers + 1)) - {own for own, _ in pairs}
    if left_out:
        raise UserError(f"student.initialization is teacher, but student.layer_map names no teacher layer for the "
                        f"student's layers {sorted(left_out)}; add them to the map")
