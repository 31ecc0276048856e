# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What of a stage's objects goes into its checkpoints, and back: to continue a run, or where a loss is not finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import mindspore as ms
import numpy as np

from src.checkpoints.checkpoint import LoadedModel, TrainingState, load_parameters
from src.checkpoints.store import CheckpointStore
from src.common.errors import TrainingError, UserError
from src.common.typed import build
from src.config import CheckpointConfig
from src.device import Device, agree, set_value, share_parameters
from src.train.optim import RATE_FACTOR
from src.train.stage import Progress
from src.train.step import TrainStep

STUDENT, TEACHER = "student.", "teacher."
_TRAINED = ("projection.", "gradient_sum")
"""What belongs to the steps that were done, beside the student: the rest is of the optimiser and its schedule."""


def state_of(step_cell: TrainStep, progress: Progress) -> TrainingState:
    """Return what continues the stage, but for the student: optimiser, loss scale, projection, sums, and the place."""
    return TrainingState({name: parameter.asnumpy() for name, parameter in _rest(step_cell).items()},
                         dataclasses.asdict(progress))


def restore(store: CheckpointStore, step_cell: TrainStep, device: Device,
            fresh_optimizer: bool = False) -> tuple[Progress, str] | None:
    """Set all parameters from the last good checkpoint, but for those of a `fresh_optimizer`; return the place, and
    where the checkpoint lies, or None.

    The first process reads and tells the others, which need not see its files.

    Raises:
        UserError: on all processes: there are checkpoints, and none is whole or fits.
    """
    found, problem = None, ""
    if device.rank == 0:
        try:
            saved = store.load()
            if saved is not None:
                found = (dataclasses.asdict(_put_back(*saved, step_cell, fresh_optimizer)),
                         str(saved[0].directory))
        except UserError as error:
            problem = str(error)
    answer: list[Any] = [found, problem]
    found, problem = agree(answer, device)
    if problem:
        raise UserError(problem)
    share_parameters(_stored(step_cell), device)
    return None if found is None else (build(Progress, found[0], "", found[1]), found[1])


def _put_back(model: LoadedModel, state: TrainingState, step_cell: TrainStep, fresh_optimizer: bool) -> Progress:
    directory, tensors = model.directory, {RATE_FACTOR: np.ones((), np.float32), **state.tensors}
    load_parameters(step_cell.gradients.network.student,
                    {STUDENT + name: value for name, value in model.parameters.items()}, directory)
    rest = _rest(step_cell)
    if rest.keys() != tensors.keys():
        raise UserError(f"{directory} was written by a run with another optimiser or projection; start over with "
                        "--resume false")
    wrong = next((name for name, parameter in rest.items() if tensors[name].size != parameter.size), None)
    if wrong:
        raise UserError(f"{directory}: {wrong} has the shape {tensors[wrong].shape}; this run needs "
                        f"{tuple(rest[wrong].shape)}; start over with --resume false")
    for name, parameter in rest.items():
        if fresh_optimizer and not name.startswith(_TRAINED):
            continue
        set_value(parameter, tensors[name])
    return build(Progress, state.values, "", f"{directory}/training/state.json")


def is_finite(step_cell: TrainStep) -> bool:
    """Whether nothing that goes into a checkpoint is NaN or infinite."""
    return all(np.isfinite(parameter.asnumpy()).all() for parameter in _stored(step_cell))


def _stored(step_cell: TrainStep) -> Iterator[ms.Parameter]:
    return (p for p in step_cell.get_parameters() if not p.name.startswith(TEACHER))


def _rest(step_cell: TrainStep) -> dict[str, ms.Parameter]:
    return {p.name: p for p in _stored(step_cell) if not p.name.startswith(STUDENT)}


def rewind(problem: str, progress: Progress, step_cell: TrainStep, store: CheckpointStore, settings: CheckpointConfig,
           device: Device) -> Progress:
    """Set all parameters to those of the last good checkpoint, and lower what makes the steps large.

    All of it follows from what is the same on all processes. Nothing is written: when the run is killed before the next
    checkpoint, it diverges and returns in the same way again.

    With float32 that is the learning rate, times `rewind_factor` from here on. With float16 it is the loss scale, which
    soon finds its way back up, so that from a stage's second return on the learning rate is lowered as well.

    Returns:
        the place of the checkpoint.

    Raises:
        TrainingError: the stage has returned `max_rewinds` times, or there is no good checkpoint.
    """
    if progress.rewinds >= settings.max_rewinds:
        times = f" ({progress.rewinds} returns to a checkpoint did not help)" if progress.rewinds else ""
        raise TrainingError(f"{problem}{times}; the last good checkpoint is {store.newest()}")
    try:
        found = restore(store, step_cell, device)
    except UserError as error:
        raise TrainingError(f"{problem}; {error}") from error
    if found is None:
        raise TrainingError(f"{problem}; {store.folder} holds no checkpoint to return to")
    place = found[0]
    before, place.rewinds = place.rewinds, progress.rewinds + 1
    place.seconds = progress.seconds
    scaling = step_cell.update.scaling
    if scaling:
        scale = step_cell.update.loss_scale
        lower = scale.asnumpy() * settings.rewind_factor ** (place.rewinds - before)
        set_value(scale, np.maximum(1.0, lower))
    slower = place.rewinds - (max(1, before) if scaling else before)
    factor = step_cell.update.optimizer.learning_rate.factor
    set_value(factor, factor.asnumpy() * settings.rewind_factor ** slower)
    return place


def described(step_cell: TrainStep) -> dict[str, float]:
    """What has been lowered, for logs."""
    return {"learning_rate_factor": float(step_cell.update.optimizer.learning_rate.factor.asnumpy()),
            "loss_scale": float(step_cell.update.loss_scale.asnumpy())}
