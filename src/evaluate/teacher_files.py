# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a model says of examples, as the objects of a file of teacher outputs (`src.task_files.teacher_outputs`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from serving.tags import by_word
from src.config import HeadConfig
from src.records.source_rows import SourceRows
from src.task_files.teacher_outputs import ID, POSITION
from src.tasks import Task
from src.tasks.features import DecodeOptions, Outputs


def writes_outputs(head: HeadConfig) -> bool:
    """Whether a file can hold what a model with such a head says."""
    return head.kind in ("classification", "regression", "tagging")


def teacher_entries(task: Task, outputs: Outputs, names: SourceRows) -> Iterator[dict[str, Any]]:
    """Yield an object an example, in the order of the data: its number in the file, its id where it has one, and the
    logits of each class by its name, for tags a list of these, one a word; or the score; or those of a list.

    Args:
        outputs: of rows in the order of the data, float32.
        names: of the examples.
    """
    if task.keeps_lists:
        entries = [{"scores": entry["scores"]} for entry in task.predictions(outputs, DecodeOptions())]
    elif task.kind == "regression":
        entries = [{"score": score} for score in outputs.logits[:, 0].tolist()]
    elif task.kind == "tagging":
        of_tokens = outputs.logits.reshape(-1, len(task.labels))
        places = np.arange(len(of_tokens)).reshape(outputs.logits.shape[:2])
        words = by_word(places, outputs.values["word_ids"], outputs.values["example_ids"][:, 0])
        entries = [{"logits": [_named(of_tokens[place], task.labels) for place in each]} for each in words]
    else:
        entries = [{"logits": _named(row, task.labels)} for row in outputs.logits]
    for number, entry in enumerate(entries):
        name = names.ids[number]
        yield {POSITION: names.rows[number], **({} if name is None else {ID: name}), **entry}


def _named(logits: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    return dict(zip(labels, map(float, logits), strict=True))
