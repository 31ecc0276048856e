# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The batches as a step takes them; what goes wrong in the thread that makes them arrives as what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat

import mindspore as ms
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

    def feed(self, step: Callable, sink_steps: int) -> tuple[Callable, Iterable[tuple]]:
        """Return what runs a step, and what it is called with each time: `for batch in batches: step(*batch)`.

        Args:
            step: takes the columns of a micro-batch.
            sink_steps: 0: the batches are given to `step` one by one. Else the device (Ascend or GPU) takes them out of
                a queue itself, so many a call, which is called with nothing and returns the outputs of the last one.
        """
        pipeline = self.batches.pipeline(self)
        if sink_steps:
            return ms.data_sink(step, pipeline, sink_size=sink_steps), repeat((), len(self) // sink_steps)
        return step, pipeline.create_tuple_iterator(num_epochs=1)

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raise the UserError or OSError of the thread that makes the batches, not the RuntimeError of MindSpore."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(self.error, UserError | OSError):
                raise self.error from error
            raise
