# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks by name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from src.common.errors import UserError, nearest
from src.config import HeadConfig, TaskConfig
from src.config.model import SCORED_PAIRS
from src.task_files.columnar import is_table
from src.tasks.clue import CLUE
from src.tasks.glue import GLUE
from src.tasks.plain import PLAIN
from src.tasks.reranking import RERANKING
from src.tasks.span import SPAN
from src.tasks.tagging import TAGGING
from src.tasks.task import UNLABELLED_SPLIT, Task
from src.tasks.text_pairs import TEXT_PAIRS
from src.tasks.texts import TextTask
from src.tasks.xnli import XNLI

TASKS: dict[str, Task] = {}
"""Name as users write it -> task. A new task is one more call of `register`, or an entry of GLUE, CLUE, ..."""


def register(*tasks: Task) -> None:
    """Add tasks, which every command then knows by name.

    Raises:
        ValueError: a task of that name is there already.
    """
    for task in tasks:
        if _key(task.name) in map(_key, TASKS):
            raise ValueError(f"there is a task {task.name} already")
        TASKS[task.name] = task


def names() -> tuple[str, ...]:
    """Names of all tasks, as they are written."""
    return tuple(TASKS)


def get_task(name: str) -> Task:
    """Return the task called `name`, whatever its case and punctuation: "SST-2", "sst2", "sst_2"."""
    by_key = {_key(known): known for known in TASKS}
    key = _key(name)
    if key not in by_key:
        near = nearest(key, by_key)
        for other, known in by_key.items():
            near = near.replace(repr(other), repr(known))
        raise UserError(f"unknown task {name!r}; there are {', '.join(names())}{near}")
    return TASKS[by_key[key]]


def task_of(settings: TaskConfig, seed: int = 0, name: str = "") -> Task:
    """Return the task that the settings name, or the one called `name`, which reads its files as they say."""
    task = get_task(name or settings.task_name)
    if settings.tag_names and task.kind != "tagging":
        raise UserError(f"--tag_names names the tags of words; task {task.name} is one of kind {task.kind}; leave "
                        "it out")
    if settings.score_scale != TaskConfig.score_scale and task.learns != SCORED_PAIRS:
        raise UserError(f"--score_scale {settings.score_scale:g} is the highest score of the task sts; task {task.name}"
                        " takes scores as they are, or none; leave it out")
    return task.with_settings(settings, seed)


def of_unlabelled_file(task: Task, path: str | Path) -> Task:
    """Return the task that reads a single file as unlabelled rows.

    Raises:
        UserError: there is no such file, or the task has no rows that could do without labels.
    """
    if task.keeps_lists:
        raise UserError(f"rows of task {task.name} belong together, as documents of a query or texts of a pair; "
                        "unlabelled rows are for tasks of single rows")
    if not is_table(Path(path)):
        raise UserError(f"unlabelled is true, and {str(path)!r} is no file; name one, or leave unlabelled out and call "
                        f"it {UNLABELLED_SPLIT}{task.suffixes[0]} in the folder of the task's files")
    return replace(task, file_split=UNLABELLED_SPLIT)


def task_of_model(name: str, head: HeadConfig) -> Task:
    """Return the task of a model, with its labels: that of its `name`, where it is one of the head's kind, else the one
    that takes anybody's rows. The head is of a kind in WITHOUT_A_TASK."""
    task = TASKS.get(name)
    if task is None or task.kind != head.kind:
        task = WITHOUT_A_TASK[head.kind]
    return task.with_labels(head.labels)


def is_same_name(one: str, other: str) -> bool:
    """Whether both name one task, whatever their case and punctuation; it need not be known."""
    return _key(one) == _key(other)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


register(*GLUE, XNLI, *CLUE, *SPAN, *TAGGING, *PLAIN, *RERANKING, *TEXT_PAIRS)

WITHOUT_A_TASK: dict[str, Task] = {
    "classification": get_task("tsv"), "regression": get_task("tsv-regression"), "tagging": get_task("ner"),
    "span": get_task("SQuAD"), "embedding": TextTask("embedding", kind="embedding", metric_names=())}
"""Kind of head -> the task of a model that names none; that of an embedding has no name of its own: one text a row."""
