# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A teacher's outputs on the training rows, which students learn: computed in ONNX Runtime on CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import mindspore as ms
import numpy as np

from src.checkpoints.checkpoint import LoadedModel
from src.config import Config
from src.dataset import TeacherLogits
from src.device import Device
from src.evaluate.teacher_logits import Predict, stored_logits
from src.export.artefacts import Compiled, run_onnx, write_onnx
from src.records.reading import RecordSource

_LARGEST = 1_900_000_000
"""Bytes of parameters that fit into one ONNX file, of 2 GB at most, with its graph."""


def stored_outputs(teacher: LoadedModel, rows: RecordSource, device: Device, run: Path, config: Config, every: int = 1
                   ) -> TeacherLogits:
    """Return a teacher's logits (of an embedding model the embeddings) of all rows: those that are stored beside the
    records or in the folder `run`, or else computed now; see stored_logits.

    Raises:
        UserError, OSError: as stored_logits.
    """
    return stored_logits(teacher, rows, device, run, config.data, config.evaluate.batch_size, config.logging.progress,
                         in_onnx_runtime(teacher, device), every)


def in_onnx_runtime(teacher: LoadedModel, device: Device) -> Callable[[], Predict] | None:
    """Return what opens the teacher's float32 file, whose logits are MindSpore's up to 1e-5, in less than half of the
    time; None where MindSpore computes them on another device than the CPU, in another type, or of a larger model."""
    size = sum(value.nbytes for value in teacher.parameters.values())
    if device.target != "CPU" or device.compute_type != ms.float32 or size > _LARGEST:
        return None

    def open_file() -> Predict:
        with TemporaryDirectory(prefix="teacher-") as folder:
            path = Path(folder) / "teacher.onnx"
            write_onnx(teacher, path, Compiled())
            run = run_onnx(path, teacher.config, threads=len(os.sched_getaffinity(0)))
        return lambda batch: run({name: value.astype(np.int64) for name, value in batch.items()})[0]

    return open_file
