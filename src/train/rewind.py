# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A loss that is not finite: back to the last good checkpoint, and on from there in smaller steps.

All of it follows from what is the same on all processes. Nothing is written: when the run is killed before the next
checkpoint, it diverges and returns in the same way again.
"""

from __future__ import annotations

import mindspore as ms

from src.checkpoints.store import CheckpointStore
from src.common.errors import TrainingError, UserError
from src.config import CheckpointConfig
from src.device import Device
from src.train.stage import Progress
from src.train.state import restore
from src.train.step import TrainStep


def rewind(problem: str, progress: Progress, step_cell: TrainStep, store: CheckpointStore, settings: CheckpointConfig,
           device: Device) -> Progress:
    """Set all parameters to those of the last good checkpoint, and lower what makes the steps large.

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
        _set(scale, max(1.0, float(scale.asnumpy()) * settings.rewind_factor ** (place.rewinds - before)))
    slower = place.rewinds - (max(1, before) if scaling else before)
    factor = step_cell.update.optimizer.learning_rate.factor
    _set(factor, float(factor.asnumpy()) * settings.rewind_factor ** slower)
    return place


def described(step_cell: TrainStep) -> dict[str, float]:
    """What has been lowered, for logs."""
    return {"learning_rate_factor": float(step_cell.update.optimizer.learning_rate.factor.asnumpy()),
            "loss_scale": float(step_cell.update.loss_scale.asnumpy())}


def _set(parameter: ms.Parameter, value: float) -> None:
    parameter.set_data(ms.Tensor(value, dtype=parameter.dtype))
