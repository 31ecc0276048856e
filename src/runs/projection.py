# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The projection of a student's hidden states, taken over from an earlier training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, load_parameters, load_training_state
from src.checkpoints.store import CheckpointStore
from src.common.errors import UserError
from src.device import Device
from src.distill.cell import DistillationCell

PROJECTION = "projection."


def continue_projection(network: DistillationCell, start: LoadedModel, device: Device) -> None:
    """Begin with the projection that general distillation has trained, as TinyBERT's authors do.

    A student's folder does not hold it: it is taken from the checkpoints beside it, where these are of the same
    student. Else, or where it is of another shape (another teacher's width, or kind of projection), the random one
    stays.
    """
    shapes = {parameter.name: tuple(parameter.shape) for parameter in network.projection.get_parameters()}
    trained = {name: value for name, value in _state_beside(start).items() if name.startswith(PROJECTION)}
    if shapes != {name: value.shape for name, value in trained.items()}:
        return
    load_parameters(network.projection, trained, start.directory)
    device.say(f"note: phase 1 begins with the projection that {start.directory} was trained with")


def _state_beside(start: LoadedModel) -> Mapping[str, np.ndarray]:
    """What the training of a student has stored of itself: in its folder, or in the last checkpoint of its run."""
    if (start.directory / "training").is_dir():
        return load_training_state(start.directory).tensors
    try:
        saved = CheckpointStore(start.directory.parent, keep=1).load()
    except UserError:  # none is whole
        return {}
    if saved is None:
        return {}
    model, state = saved
    is_same = model.parameters.keys() == start.parameters.keys() and all(
        np.array_equal(value, start.parameters[name]) for name, value in model.parameters.items())
    return state.tensors if is_same else {}
