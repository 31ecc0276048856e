# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The rows without labels of a task distillation, in the student's vocabulary and in the teachers'."""

from __future__ import annotations

from collections.abc import Mapping

from src.common.errors import UserError
from src.config import HeadConfig
from src.dataset import identity_of
from src.dataset.compatibility import check_same_examples, check_unlabelled
from src.records.reading import RecordSource
from src.runs.records import TaskRecords
from src.runs.teachers import Teachers, name_of, own_rows
from src.tasks import Task

Own = tuple[RecordSource | None, ...]
"""Of each checkpoint that teaches, the rows in its vocabulary; None where it reads the student's."""


def open_unlabelled(records: TaskRecords, rows: Mapping[str, RecordSource], held_out: RecordSource | None,
                    teachers: Teachers, head: HeadConfig, task: Task) -> RecordSource | None:
    """Return the unlabelled rows beside the training `rows` of each phase; None where none are given.

    Raises:
        UserError: they are not like the training rows, or a teacher cannot predict them.
    """
    unlabelled = records.unlabelled(records.config.task_distill.unlabelled_data_dir, next(iter(rows.values())))
    if unlabelled is None:
        return None
    for source in rows.values():
        check_unlabelled(source, unlabelled, held_out, task)
    own = own_unlabelled(records, teachers)
    for its in filter(None, own):
        check_same_examples(unlabelled, its, head)
    settings = records.config
    trained = own_rows(records, settings.task_distill.phase2, teachers) if settings.teacher.train_data_dir else own
    if any((one is None) != (other is None) for one, other in zip(trained, own, strict=True)):
        raise UserError("teacher.train_data_dir gives a teacher another vocabulary than the student, but there are "
                        "unlabelled rows in one of the two alone; prepare them with both tokenizers, and name the "
                        "teacher's: --teacher.unlabelled_data_dir DIR")
    numbers = dict.fromkeys(str(source.rows) for source in rows.values())
    records.device.say(f"training rows: {', '.join(numbers)} labelled, {unlabelled.rows} unlabelled")
    return unlabelled


def own_unlabelled(records: TaskRecords, teachers: Teachers) -> Own:
    """Return the unlabelled rows as each checkpoint reads them."""
    number = len(teachers.models)
    return tuple(records.teacher_unlabelled(place, number) for place in range(number))


def inputs_of(unlabelled: RecordSource | None, own: Own) -> dict[str, str]:
    """Return digests of unlabelled rows, by name; {} without them."""
    if unlabelled is None:
        return {}
    return {"unlabelled": identity_of(unlabelled),
            **{f"{name_of(place)}.unlabelled": identity_of(its) for place, its in enumerate(own) if its}}
