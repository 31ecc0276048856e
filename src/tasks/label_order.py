# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The order of a task's labels, which is that of a model where one is given: then its outputs mean the same ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serving.tags import OUTSIDE
from src.common.errors import UserError
from src.config import HeadConfig
from src.config.labels import are_unnamed, as_option, listed, order_of, spelled_as
from src.tasks.task import Task, is_test


@dataclass(frozen=True)
class LabelModel:
    """A model whose labels a task gets, in their order.

    Attributes:
        source: what messages call it.
        is_required: the data may have no other classes; else they have their own where the model's are not the same.
    """

    head: HeadConfig
    source: str
    is_required: bool = True


def resolve_labels(task: Task, data: str | Path, model: LabelModel | None = None,
                   say: Callable[[str], None] = print) -> Task:
    """Return the task with everything settled that is found in `data`, and its labels in the order of a model's.

    Classes that the model has and the data lack are kept; they are named in a note.

    Raises:
        UserError: see `Task.resolve`; the data have a class that the model has not.
    """
    if model is None or task.kind not in ("classification", "tagging"):
        return task.resolve(data)
    head = model.head
    if head.kind != task.kind or not head.labels:
        if model.is_required:
            raise UserError(f"{model.source} has {head.title}, but task {task.name} needs {task.kind}; give a model "
                            "that was fine-tuned on the task")
        return task.resolve(data)
    if is_test(task.splits_in(data)[0]) and not task.labels:
        return task.resolve(data, head.labels)
    own = task.resolve(data)
    if own.labels == head.labels:
        return own
    order, is_open = order_of(own.labels, head.labels), not task.labels
    if order is None:
        unknown = [label for label in own.labels if label not in head.labels]
        if not model.is_required:
            return own
        if unknown or not is_open:
            raise UserError(f"{model.source} predicts {listed(head.labels)}; the labels of task {task.name} in "
                            f"{data} are {listed(own.labels)}; {_remedy(head.labels, own.labels, unknown)}")
        _check_tags(task, model)
    say(f"labels in the order of {model.source}: {listed(head.labels)}")
    if order is None:
        lacking = [label for label in head.labels if label not in own.labels]
        say(f"note: no training row has the label{'s' * (len(lacking) > 1)} {listed(lacking)}")
    return task.resolve(data, head.labels) if is_open else own.with_labels(head.labels)


def _remedy(own: tuple[str, ...], wanted: tuple[str, ...], unknown: list[str]) -> str:
    if (respelled := spelled_as(own, wanted)) is not None:
        return (f"they differ in spelling only: convert the model again with --labels {as_option(respelled)}, or write "
                "the labels of the files as the model has them")
    if are_unnamed(own):
        return ("the model's classes have no names of their own: convert it again with --labels, the names in the "
                "order of its outputs, which only who trained it can tell")
    if not unknown:
        return "the two must be the same"
    return (f"the model has no {listed(unknown)}: correct these labels, leave their rows out, or take a model that "
            "was fine-tuned on them")


def _check_tags(task: Task, model: LabelModel) -> None:
    """Tags of files become IOB2, so that a model of other tags would predict what no text has."""
    other = [label for label in model.head.labels if label != OUTSIDE and label.partition("-")[0] not in ("B", "I")]
    if task.kind == "tagging" and (other or OUTSIDE not in model.head.labels):
        raise UserError(f"{model.source} predicts the tags {listed(model.head.labels)}; those of task {task.name} are "
                        f"{OUTSIDE}, B-TYPE and I-TYPE, and it {f'also has {listed(other)}' if other else 'lacks O'}; "
                        "take a model of these tags")
