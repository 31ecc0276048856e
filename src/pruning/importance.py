# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the loss would lose without each layer, head and feed-forward unit, to first order.

    importance = mean over batches of |sum over the batch's positions of activation x d loss / d activation|

which is the absolute gradient of a gate of 1 that the activation is multiplied by (Michel et al., arXiv:1905.10650,
section 4.1). For a layer the activation is what it adds to its input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor

from src.checkpoints.checkpoint import LoadedModel, cell_of, identity
from src.common.errors import UserError
from src.config import DataConfig, EncoderConfig, LanguageModelConfig, ModelConfig
from src.dataset import TrainingBatches, longest_row, open_records, pad_length, resolve_buckets
from src.dataset.compatibility import (
    check_data,
    check_language_models,
    check_relevance,
    check_vocabulary,
    fitted_to,
    list_size_of,
)
from src.device import Device
from src.distill.cell import DistillationCell
from src.distill.objectives import DEFAULTS, Objective, check_models, kind_of, label_objective
from src.distill.terms import HIDDEN, LAYERS, LOGITS, TEACHER, TERMS
from src.evaluate.language import training_targets
from src.models.gates import add_gates
from src.pruning.cut import Importances
from src.records.columns import Kind
from src.records.reading import RecordSource, inspect
from src.records.writers import DatasetType
from src.tasks import get_task, is_same_name
from src.train.step import Gradients

TEACHER_SETTING = "--teacher"


@dataclass(frozen=True)
class Sample:
    """The rows that importances are measured on: so many batches, drawn by a seed."""

    batches: int = 16
    batch_size: int = 32
    seed: int = 0


@dataclass(frozen=True)
class MeasuredImportances:
    """Importances, and how they were measured, in words."""

    importances: Importances
    described: str


def loss_of(model: ModelConfig, teacher: ModelConfig | None, list_size: int = 0) -> Objective:
    """Return the loss that parts of a model are important for: that of its head on labels or tokens, or with a teacher
    that of distilling the head's predictions, or the last hidden states where there is no head. `list_size` as in
    `objective_of`.

    Raises:
        UserError: neither a head nor a teacher, or a teacher that cannot be compared with.
    """
    head = model.head
    if teacher is None:
        if head.kind == "none":
            raise UserError("the model has no head and thus no loss of its own; give a teacher of the same width whose "
                            "hidden states it is compared with: --teacher DIR")
        return label_objective(head, list_size)
    if head.kind == "none":
        depths = [each.require_transformer(name, "a comparison of hidden states").num_hidden_layers
                  for name, each in (("the model", model), (TEACHER_SETTING, teacher))]
        if model.encoder.hidden_size != teacher.encoder.hidden_size:
            raise UserError(f"the model has no head, and its hidden states of {model.encoder.hidden_size} numbers are "
                            f"compared with the teacher's of {teacher.encoder.hidden_size}; take a teacher of the same "
                            "width, or a model with a head")
        term = next(each for each in TERMS if {TEACHER, HIDDEN, LAYERS} <= set(each.needs))
        objective = Objective(head, (term,), (1.0,), {**DEFAULTS, "pairs": (tuple(depths),)})
    else:
        kind = kind_of(head, list_size)
        term = next(each for each in TERMS if kind in each.heads and {TEACHER, LOGITS} <= set(each.needs))
        objective = Objective(head, (term,), (1.0,), DEFAULTS | {"list_size": list_size})
    check_models(objective, teacher, model)
    return objective


def open_rows(location: str, model: LoadedModel, dataset_type: DatasetType, has_teacher: bool) -> RecordSource:
    """Open the records that importances are measured on, training rows where a folder has several splits.

    Raises:
        UserError: records of another kind than the model's head reads, without the labels that its loss needs, or made
            with another vocabulary.
    """
    head = model.config.head
    kinds: tuple[Kind, ...] = ("sequences", "corpus") if head.is_language_model else ("task",)
    if head.kind == "none":
        kinds = ("corpus", "sequences", "task")
    kind = kinds[0]
    if location:
        manifest = inspect(location, dataset_type, split="train", contents=False).manifest
        kind = manifest.kind if manifest is not None and manifest.kind in kinds else kind
    # Of a tag it is the labels that tell which tokens are read.
    is_labelled = not head.is_language_model and (not has_teacher or head.kind == "tagging")
    rows = open_records(location, replace(DataConfig(), dataset_type=dataset_type), "records", kind, "train",
                        is_labelled and head.kind != "none")
    check_data(model.config, model, rows, "IN_DIR")
    return rows


def _check_task(model: LoadedModel, rows: RecordSource, setting: str) -> LoadedModel:
    """Return a model with its classes in the order of the records; raise `UserError` for another task."""
    manifest, own = rows.manifest, model.config.task_name
    if manifest is None or manifest.kind != "task" or model.config.head.kind == "none":
        return model
    if own and not is_same_name(own, manifest.task_name):
        raise UserError(f"{setting} {model.directory} is a model of the task {own}, but {rows.files[0].parent} holds "
                        f"records of {manifest.task_name}; give records of the same task")
    task = get_task(manifest.task_name)
    task = task.with_labels(manifest.labels) if manifest.labels else task
    return fitted_to(model, task.head(model.config.head.pooled_activation), setting)


def _list_size(rows: RecordSource) -> int:
    manifest = rows.manifest
    return list_size_of(get_task(manifest.task_name), rows) if manifest and manifest.task_name else 0


def _check_teacher(teacher: LoadedModel, model: LoadedModel, rows: RecordSource) -> LoadedModel:
    """Return the teacher with its classes in the order of the records; raise `UserError` for one that does not fit."""
    if identity(teacher.directory) == identity(model.directory):
        raise UserError(f"{TEACHER_SETTING} {teacher.directory} is IN_DIR itself: a model does not differ from itself, "
                        f"so that nothing matters to the loss; leave {TEACHER_SETTING} out, then the labels count")
    check = check_language_models if model.config.head.is_language_model else check_vocabulary
    check(teacher.config, model.config, *(["auto"] if model.config.head.is_language_model else []))
    check_data(teacher.config, teacher, rows, TEACHER_SETTING)
    return teacher if model.config.head.kind == "none" else _check_task(teacher, rows, TEACHER_SETTING)


def measure(model: LoadedModel, rows: RecordSource, teacher: LoadedModel | None, device: Device,
            sample: Sample | None = None) -> MeasuredImportances:
    """Measure the importance of each layer, head and feed-forward unit of a transformer on some batches of rows.

    Args:
        rows: of `open_rows`.
        teacher: whose predictions the loss compares; None: the labels, or the tokens of a language model.
        device: of float32 products.

    Raises:
        UserError: records or teacher of another task, fewer rows than a batch, or importances that are all 0 or not
            finite.
    """
    sample = sample or Sample()
    model = _check_task(model, rows, "IN_DIR")
    teacher = teacher and _check_teacher(teacher, model, rows)
    objective = loss_of(model.config, teacher.config if teacher else None, _list_size(rows))
    check_relevance(objective, rows)
    batches, length, count = _batches(model.config, rows, device, sample)
    cell = cell_of(model)
    gates = add_gates(cell)
    network = DistillationCell(cell, objective, cell_of(teacher) if teacher and objective.need(TEACHER) else None)
    gradients_of = Gradients(network, ms.ParameterTuple(gates.all))
    totals: list[Any] = [0.0] * len(gates.all)
    for columns in batches:
        tensors, scale = [Tensor(column) for column in columns], Tensor(1.0, ms.float32)
        if network.predicts_tokens:
            gradients_of.allow_any_number_of_places(scale, *tensors)
        _, _, gradients = gradients_of(scale, *tensors)
        totals = [total + np.abs(gradient.asnumpy()) / count
                  for total, gradient in zip(totals, gradients, strict=True)]
    _check_values(totals, teacher)
    depth = len(gates.layers)
    importances = Importances(np.concatenate(totals[:depth]), tuple(totals[depth:2 * depth]),
                              tuple(totals[2 * depth:]))
    described = (f"{objective.terms[0].described}{f', teacher {teacher.directory}' if teacher else ''}, on {count} "
                 f"batches of {sample.batch_size} rows of {rows.files[0].parent}, padded to {length} tokens")
    return MeasuredImportances(importances, described)


def _batches(model: ModelConfig, rows: RecordSource, device: Device, sample: Sample
             ) -> tuple[Iterator[tuple[np.ndarray, ...]], int, int]:
    """Return the columns of each batch, all of one length, so that one graph is compiled; the length, and how many."""
    encoder = model.encoder
    assert isinstance(encoder, EncoderConfig)
    if rows.rows < sample.batch_size:
        raise UserError(f"{rows.files[0].parent} holds {rows.rows} rows, and --batch_size is {sample.batch_size}; set "
                        "it lower, or give more rows")
    longest = longest_row(rows, encoder.max_length)
    targets = training_targets(LanguageModelConfig(), rows, encoder, sample.seed, device) \
        if model.head.is_language_model else None
    whole = TrainingBatches(rows, sample.batch_size, sample.batches, (longest,), seed=sample.seed, targets=targets)
    count = min(sample.batches, whole.micro_steps_per_epoch)
    whole = replace(whole, total_micro_steps=count)
    mask = whole.columns.index("input_mask")
    longest = max(int(columns[mask].any(0).sum()) for columns in whole)
    length = pad_length(longest, resolve_buckets(DataConfig().buckets, whole.buckets[0]))
    return iter(replace(whole, buckets=(length,))), length, count


def _check_values(values: list[np.ndarray], teacher: LoadedModel | None) -> None:
    if not all(np.isfinite(each).all() for each in values):
        raise UserError("the importances are not finite; check the model, it gives values that are not")
    if not any(each.any() for each in values):
        same = f"; IN_DIR predicts what {TEACHER_SETTING} {teacher.directory} does: leave it out" if teacher else ""
        raise UserError(f"all importances are 0: the loss does not change with any part of the model{same}")
