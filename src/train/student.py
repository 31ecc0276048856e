# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A new student with its first weights."""

from __future__ import annotations

from src.config import ModelConfig, StudentConfig
from src.distill.contract import check_initialization
from src.distill.initialization import student_from_teacher
from src.distill.layer_map import Pairs
from src.models.heads import TransformerModel, build_model
from src.train.checkpoint import LoadedModel, load_encoder
from src.train.device import Device


def new_student(config: ModelConfig, settings: StudentConfig, teacher: LoadedModel, pairs: Pairs,
                device: Device) -> TransformerModel:
    """Build a student, its weights random or layers of its teacher, as `student.initialization` says."""
    student = build_model(config, device.compute_type)
    if settings.initialization == "teacher":
        check_initialization(teacher.config.encoder, config.encoder, pairs)
        load_encoder(student, student_from_teacher(teacher.parameters, pairs), teacher.directory)
    return student
