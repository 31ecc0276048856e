# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The batches as MindSpore's data pipeline takes them; what goes wrong in its thread arrives as what it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mindspore.dataset as ds
import numpy as np

from src.common.errors import UserError
from src.dataset import TrainingBatches


class WatchedBatches:
    """An iterable for GeneratorDataset, which would turn every exception into a RuntimeError of many lines."""

    def __init__(self, batches: TrainingBatches):
        self.batches = batches
        self.error: Exception | None = None

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        try:
            yield from self.batches
        except Exception as error:
            self.error = error
            raise

    def __deepcopy__(self, _: dict) -> WatchedBatches:
        return self  # the pipeline copies what it is given; the error is to arrive here

    def pipeline(self) -> ds.GeneratorDataset:
        """Return the MindSpore dataset, one micro-batch a row; a thread of its own makes the batches."""
        return self.batches.pipeline(self)

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raise what went wrong in the thread, a bad record or a disk that fails, instead of MindSpore's account of it.

        Raises:
            UserError, OSError: as the batches do.
        """
        try:
            yield
        except RuntimeError as error:
            if isinstance(self.error, UserError | OSError):
                raise self.error from error
            raise
