# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks by name."""

from __future__ import annotations

import re

from src.common.errors import UserError, nearest
from src.tasks.clue import CLUE
from src.tasks.glue import GLUE
from src.tasks.plain import PLAIN
from src.tasks.span import SPAN
from src.tasks.tagging import TAGGING
from src.tasks.task import Task
from src.tasks.xnli import XNLI

TASKS: tuple[Task, ...] = (*GLUE, XNLI, *CLUE, *SPAN, *TAGGING, *PLAIN)


def names() -> tuple[str, ...]:
    """Names of all tasks, as they are written."""
    return tuple(task.name for task in TASKS)


def get_task(name: str) -> Task:
    """Return the task called `name`, whatever its case and punctuation: "SST-2", "sst2", "sst_2"."""
    by_key = {_key(task.name): task for task in TASKS}
    task = by_key.get(_key(name))
    if task is None:
        near = nearest(_key(name), by_key)
        for key, known in by_key.items():
            near = near.replace(repr(key), repr(known.name))
        raise UserError(f"unknown task {name!r}; there are {', '.join(names())}{near}")
    return task


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
