# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How batches reach a step: one by one, or taken by the device out of a queue (not run on Ascend and GPU here)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest

from src.common.errors import UserError
from src.train.pipeline import WatchedBatches


class Numbers:
    """Stands for TrainingBatches: the numbers up to `count`, of which the bad one cannot be read."""

    def __init__(self, count: int, bad: int = -1):
        self.count, self.bad = count, bad

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in range(self.count):
            if number == self.bad:
                raise UserError(f"row {number} has no tokens")
            yield np.array(number, np.int32), np.array(10 * number, np.int32)

    def pipeline(self, source: WatchedBatches) -> ds.GeneratorDataset:
        return ds.GeneratorDataset(source, ["step", "value"], shuffle=False, python_multiprocessing=False)


def data_sink(step: Callable, dataset: ds.Dataset, sink_size: int) -> Callable:
    """What MindSpore documents of ms.data_sink."""
    batches = dataset.create_tuple_iterator(num_epochs=1)
    return lambda: [step(*next(batches)) for _ in range(sink_size)][-1]


@pytest.mark.parametrize(("sink_steps", "expected"), [(0, [0, 1, 2, 3, 4, 5]), (1, [0, 1, 2, 3, 4, 5]), (3, [2, 5])])
def test_each_batch_is_trained_once_and_in_order(monkeypatch, sink_steps, expected):
    monkeypatch.setattr(ms, "data_sink", data_sink)
    seen = []

    def step(number: ms.Tensor, value: ms.Tensor) -> int:
        seen.append((int(number), int(value)))
        return int(number)

    run, batches = WatchedBatches(Numbers(6)).feed(step, sink_steps)
    assert [run(*batch) for batch in batches] == expected
    assert seen == [(number, 10 * number) for number in range(6)]


def test_a_bad_record_arrives_as_what_it_is():
    watched, seen = WatchedBatches(Numbers(6, bad=4)), []
    with pytest.raises(UserError, match="^row 4 has no tokens$"), watched.failures():
        _, batches = watched.feed(seen.append, 0)
        for number, _ in batches:
            seen.append(int(number))
    # The thread that makes batches may be ahead: what it made before the bad one need not have arrived.
    assert seen == [0, 1, 2, 3][:len(seen)]
