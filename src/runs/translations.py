# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A multilingual student learns its teacher's embeddings from translations (Reimers & Gurevych, arXiv:2004.09813).

A row pair is a text and its translation. The teacher embeds the text alone, once, in its own vocabulary; the student's
embeddings of both are drawn to that vector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, cell_of, cell_on_encoder_of, identity, load_model
from src.common.errors import UserError
from src.config import Config, GeneralDistillConfig
from src.dataset import TeacherLogits, identity_of, open_records
from src.dataset.compatibility import check_data, check_same_examples, list_size_of
from src.device import Device
from src.distill.cell import DistillationCell
from src.distill.objectives import objective_of
from src.distill.terms import LOGITS
from src.evaluate.tasks import head_of
from src.export.stored_outputs import stored_outputs
from src.records.reading import RecordSource
from src.runs.architectures import with_head
from src.runs.embedding_student import student_head
from src.runs.fit import check_all
from src.train.stage import Stage, total_micro_steps

TASK = "pairs"
_START = "student_pretrained_weights"


@dataclass(frozen=True, eq=False)
class FirstTexts(TeacherLogits):
    """Embeddings of the first text of each pair, which all rows of the pair are given; `size`: rows of a pair."""

    size: int

    def of_rows(self, index: np.ndarray, length: int) -> np.ndarray:
        return super().of_rows(index // self.size, length)


def translation_stage(config: Config, teacher: LoadedModel, device: Device, path: Path) -> tuple[Stage, dict[str, str]]:
    """Return the stage that trains the student, and what a resumed run must find unchanged.

    Raises:
        UserError: settings, models and records that do not fit each other.
    """
    settings = config.general_distill
    _check_settings(config, settings)
    rows = _pairs(config, config.data.data_dir, "data_dir")
    its = _pairs(config, config.teacher.train_data_dir, "teacher.train_data_dir") if (
        config.teacher.train_data_dir) else rows
    start = load_model(config.student.student_pretrained_weights, _START)
    encoder = start.config.require_transformer(start.directory, "learning from translations")
    model = with_head(start.config, student_head(teacher.config, encoder, settings), "")
    objective = objective_of(settings, model.head, ((0, 0),))  # with terms of layers, which are refused below
    if set(objective.teacher_outputs) != {LOGITS}:
        raise UserError(f"translations compare embeddings alone, and the terms read the teacher's "
                        f"{', '.join(objective.teacher_outputs)}; set attention_weight 0 and hidden_weight 0, leave "
                        "relations out, and name a term such as --terms embedding_mse=384")
    check_all(
        lambda: check_data(model, start, rows, _START),
        lambda: check_data(teacher.config, teacher, its, "load_teacher_ckpt_path"),
        lambda: check_same_examples(rows, its, model.head) if its is not rows else None,
        lambda: total_micro_steps(settings, rows, device.ranks),
        advice="" if its is not rows or teacher.vocab_hash == start.vocab_hash else "a teacher of another vocabulary "
        "has records of its own, made of the same files: --teacher.train_data_dir")
    is_whole = model == replace(start.config, task_name="")
    if not is_whole and model.head.dense_size:
        device.say(f"note: a dense layer from the student's {encoder.hidden_size} numbers a text to the teacher's "
                   f"{teacher.config.output_size} is trained, and stays in it")
    student = cell_of(start, device.compute_type) if is_whole else cell_on_encoder_of(start, model, device)
    size = rows.list_size

    def stored() -> TeacherLogits:
        found = stored_outputs(teacher, its, device, path, config, every=size)
        return FirstTexts(found.path, found.values, size)

    stage = Stage(name="general_distill", settings=settings, network=DistillationCell(student, objective, cached=True),
                  model=model, source=rows, tokenizer_path=start.tokenizer_path, teacher_logits=stored,
                  stored_teacher=teacher.config)
    return stage, {"teacher": identity(teacher.directory), "student": identity(start.directory),
                   "data": identity_of(rows), **({"teacher_data": identity_of(its)} if its is not rows else {})}


def _check_settings(config: Config, settings: GeneralDistillConfig) -> None:
    if not config.student.student_pretrained_weights:
        raise UserError(f"translations need a student that knows the languages: give --{_START} a checkpoint, such as "
                        "that of a converted XLM-R")
    if settings.reduce_embeddings:
        raise UserError("reduce_embeddings is true, which is for text of one language; leave it out with translations")
    if settings.cache_embeddings == "false":
        raise UserError("cache_embeddings is false, but of translations the teacher's embeddings are always stored; "
                        "leave it out")


def _pairs(config: Config, location: str, setting: str) -> RecordSource:
    """Open records of pairs; raises `UserError` for others."""
    rows = open_records(location, config.data, setting, "task", "train")
    task, _ = head_of(rows, config.task)
    if task.name != TASK:
        raise UserError(f"{setting} {rows.files[0].parent} holds records of {task.name}; translations are those of "
                        f"--task_name {TASK}: prepare_data.py task --task_name {TASK}")
    list_size_of(task, rows)
    return rows
