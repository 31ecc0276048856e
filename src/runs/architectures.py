# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What has to be known of each architecture of students."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.config import BiLstmConfig, EncoderConfig, HeadConfig, ModelConfig, StaticConfig, StudentConfig
from src.convert.families import family_of
from src.models.heads import Model
from src.runs.bilstm_student import bilstm_with_head, new_bilstm_student


@dataclass(frozen=True)
class StudentKind:
    """One architecture of students."""

    with_head: Callable[[ModelConfig, HeadConfig, str], ModelConfig]  # adds the head of a task to a configuration
    sections: tuple[str, ...] = ()  # of the settings, that describe such a student beside `student`
    has_layers: bool = True  # whether they can be compared with the teacher's
    new: Callable[..., tuple[Model, ModelConfig]] | None = None  # None: not trained on a task without a first training


def transformer_with_head(model: ModelConfig, head: HeadConfig, task_name: str) -> ModelConfig:
    """Add the pooler that a head reads where a language model has been trained without one, as its family has it; leave
    out one that an embedding does not read."""
    encoder = model.encoder
    if head.kind == "embedding" and isinstance(encoder, EncoderConfig):
        encoder = dataclasses.replace(encoder, pooler="none")
    if head.is_pooled and isinstance(encoder, EncoderConfig) and encoder.pooler == "none":
        encoder = dataclasses.replace(encoder, pooler=family_of(model).form(head.kind).pooler)
    return dataclasses.replace(model, encoder=encoder, head=head, task_name=task_name)


def _static_with_head(model: ModelConfig, head: HeadConfig, task_name: str) -> ModelConfig:
    """A static model has one head, and refuses any other."""
    return dataclasses.replace(model, head=head, task_name=task_name)


STUDENTS = {
    EncoderConfig.kind: StudentKind(transformer_with_head),
    BiLstmConfig.kind: StudentKind(bilstm_with_head, (BiLstmConfig.kind,), has_layers=False, new=new_bilstm_student),
    StaticConfig.kind: StudentKind(_static_with_head, has_layers=False),
}
"""By the name of the architecture, which `student.architecture` gives."""


def with_head(model: ModelConfig, head: HeadConfig, task_name: str) -> ModelConfig:
    """Return the configuration of a model that gets the head of a task."""
    return STUDENTS[model.encoder.kind].with_head(model, head, task_name)


def check_architecture(start: LoadedModel, asked: str, setting: str) -> None:
    """Raise `UserError` for a checkpoint of another architecture than the one asked for."""
    if STUDENTS[asked].new and start.config.encoder.kind != asked:
        raise UserError(f"{setting} {start.directory} is {start.config.encoder.title}, but student.architecture is "
                        f"{asked}; leave one of the two out")


def check_sizes(student: StudentConfig, start: LoadedModel, setting: str) -> None:
    """Check that sizes of the student that were typed are those of the checkpoint that it is.

    Raises:
        UserError: naming the first one that differs.
    """
    for field in dataclasses.fields(EncoderConfig):
        given, its = getattr(student, field.name), getattr(start.config.encoder, field.name, None)
        if field.name in student.typed and its is not None and given not in (its, "teacher"):
            raise UserError(f"student.{field.name} is {given}, but the student is that of {setting} {start.directory}, "
                            f"which has {its}; leave student.{field.name} out, or take another checkpoint")
