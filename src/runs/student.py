# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A new student with its first weights: random, layers or embeddings of its teacher, or those of a checkpoint."""

from __future__ import annotations

import dataclasses

from src.checkpoints.checkpoint import LoadedModel, load_model, load_parameters, parameters_of
from src.common.errors import UserError
from src.config import EncoderConfig, ModelConfig, StudentConfig
from src.device import Device
from src.distill.initialization import (
    Start,
    check_embeddings,
    check_start,
    default_layers,
    embeddings_from_teacher,
    student_from_teacher,
)
from src.distill.layer_map import Pairs
from src.models.heads import TransformerModel, build_model

_MAY_DIFFER = ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
"""Settings of training, which say nothing about stored weights."""
_LISTED = 4


def new_student(config: ModelConfig, settings: StudentConfig, teacher: LoadedModel, pairs: Pairs | None,
                device: Device) -> TransformerModel:
    """Build a student with the first weights that its settings ask for, and print what the user should know of them.

    `student_pretrained_weights`: those of a checkpoint directory; `initialization: teacher`: the teacher's layers
    `student_init`, or where it is empty those of the layer map `pairs`, or where there is none an even spread;
    `initialization: embeddings`: its embeddings alone. The vocabulary must always be the teacher's.

    Raises:
        UserError: settings that exclude each other, a checkpoint of another architecture or vocabulary, layers that
            the teacher has not or that do not fit.
    """
    check_new_student(config, settings, teacher.config, pairs)
    student = build_model(config, device.compute_type)
    if settings.student_pretrained_weights:
        parameters, notes = _from_checkpoint(config, settings.student_pretrained_weights, teacher, student)
    elif settings.initialization == "teacher":
        layers = _teacher_layers(config, settings, teacher.config, pairs)
        parameters, notes = student_from_teacher(teacher.config, teacher.parameters, config, parameters_of(student),
                                                 layers, settings.fold_token_types)
        notes = [f"the student starts from its teacher's layers {list(layers)}, counted from 0", *notes]
    elif settings.initialization == "embeddings":
        its, own = _encoders(config, settings, teacher.config)
        parameters, notes = embeddings_from_teacher(its, teacher.parameters, own, parameters_of(student),
                                                    settings.fold_token_types)
        notes = ["the student starts from its teacher's embeddings", *notes]
    else:
        return student
    load_parameters(student, parameters, settings.student_pretrained_weights or teacher.directory)
    for note in notes:
        device.say(f"note: {note}")
    return student


def check_new_student(config: ModelConfig, settings: StudentConfig, teacher: ModelConfig,
                      pairs: Pairs | None) -> None:
    """Check that a student can begin as its settings say; what is in `student_pretrained_weights` is not looked at."""
    _check_settings(settings)
    if settings.initialization == "random":
        return
    its, own = _encoders(config, settings, teacher)
    if settings.initialization == "embeddings":
        check_embeddings(its, own)
    else:
        check_start(its, own, _teacher_layers(config, settings, teacher, pairs), "student_init")


def _encoders(config: ModelConfig, settings: StudentConfig, teacher: ModelConfig
              ) -> tuple[EncoderConfig, EncoderConfig]:
    """Return the encoders of teacher and student, which are transformers."""
    setting = f"student.initialization {settings.initialization}"
    return teacher.require_transformer("the teacher", setting), config.require_transformer("the student", setting)


def _teacher_layers(config: ModelConfig, settings: StudentConfig, teacher: ModelConfig,
                    pairs: Pairs | None) -> tuple[int, ...]:
    """Return the teacher's layers, from 0, that the student's begin as."""
    its, own = _encoders(config, settings, teacher)
    return settings.student_init or _layers_of(own.num_hidden_layers, its.num_hidden_layers, pairs)


def _check_settings(settings: StudentConfig) -> None:
    if settings.student_pretrained_weights and settings.initialization != "random":
        raise UserError(f"student.student_pretrained_weights and student.initialization {settings.initialization} both "
                        "say what the student starts from; set one of them")
    if settings.student_init and settings.initialization != "teacher":
        raise UserError(f"student.student_init {list(settings.student_init)} names layers of the teacher, but "
                        f"student.initialization is {settings.initialization}; set student.initialization teacher")


def _layers_of(depth: int, teacher_depth: int, pairs: Pairs | None) -> tuple[int, ...]:
    """Return the teacher layer, from 0, that each student layer is paired with."""
    if pairs is None:
        return default_layers(depth, teacher_depth)
    paired = dict(pairs)
    left_out = [layer for layer in range(1, depth + 1) if layer not in paired]
    if left_out:
        raise UserError(f"student.initialization is teacher, but student.layer_map names no teacher layer for the "
                        f"student's layers {left_out}; add them to the map, or set student.student_init")
    return tuple(paired[layer] - 1 for layer in range(1, depth + 1))


def _from_checkpoint(config: ModelConfig, path: str, teacher: LoadedModel, student: TransformerModel) -> Start:
    """Return the weights of a checkpoint directory; a head that it has not, or has otherwise, is the student's own."""
    loaded = load_model(path, "student_pretrained_weights")
    loaded.config.require_transformer(path, "student_pretrained_weights")
    different = [f"{name} {getattr(loaded.config.encoder, name)} (the student's is {getattr(config.encoder, name)})"
                 for name in (field.name for field in dataclasses.fields(config.encoder)) if name not in _MAY_DIFFER
                 and getattr(loaded.config.encoder, name) != getattr(config.encoder, name)]
    if different:
        more = f" and {len(different) - _LISTED} more" if len(different) > _LISTED else ""
        raise UserError(f"student_pretrained_weights {path} is another architecture: {', '.join(different[:_LISTED])}"
                        f"{more}; set these settings of the student as they are there, or take another checkpoint")
    hashes = (loaded.vocab_hash, teacher.vocab_hash)
    if None not in hashes and hashes[0] != hashes[1]:
        raise UserError(f"student_pretrained_weights {path} has another vocabulary than the teacher (same size, other "
                        "tokens); both must read the same ids")
    same_head = loaded.config.head == config.head
    stored = {name: value for name, value in loaded.parameters.items() if same_head or name.startswith("encoder.")}
    notes = [f"the student starts from {path}"]
    if not same_head and config.head.kind not in ("none", "causal_lm"):
        notes.append(f"{path} has {loaded.config.head.title}: the student's {config.head.kind} head is drawn at random")
    own_head = {} if same_head else parameters_of(student, "head.")
    return stored | {f"head.{name}": value for name, value in own_head.items()}, notes
