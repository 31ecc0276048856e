# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a budget leaves, on a machine whose files take known times; and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.checkpoints.checkpoint import LoadedModel
from src.common.typed import build, to_plain
from src.compress import reach
from src.compress.budget import Budget, Measured
from src.compress.reach import Reached, estimate, reachable
from src.compress.shapes import Shape, grid
from src.config import ModelConfig
from tests.refusals import refused
from tests.tiny import HEAD
from tests.unit.compress.test_shapes import BASE

MODEL = ModelConfig(replace(BASE, num_hidden_layers=6), HEAD, "SST-2")
TEACHER = LoadedModel(Path("teacher"), MODEL, {}, None)
LENGTHS = {30522: [20, 22, 30], 8000: [22, 24, 33]}


def takes(shape: Shape) -> Measured:
    """A machine on which int8 is three times as fast, or half as fast, and a unit of the last layer costs half."""
    units = sum(shape.units) - shape.units[-1] / 2
    length = float(np.median(LENGTHS[shape.vocab_size])) / 22
    work = 0.2 * shape.layers + 0.1 * sum(shape.heads) + 0.002 * units
    milliseconds = 0.1 + length * work * (Machine.int8 if shape.quantized else 1)
    count = shape.parameters(MODEL)
    return Measured(shape, milliseconds, count * (1 if shape.quantized else 4) / 1e6, count)


class Machine:
    """Takes the place of `Bench`."""

    measured: list[Shape]
    int8 = 1 / 3
    again = 1.0

    def __init__(self, teacher: LoadedModel, *_: object):
        self.teacher = takes(Shape.of(teacher.config))
        Machine.measured = []

    def choose_operators(self, shape: Shape) -> None:
        assert shape.sizes[:3] == (4, 4 * 6, 4 * 1536)  # the middle

    def measure(self, shapes: Sequence[Shape]) -> list[Measured]:
        """The second time a shape takes a tenth longer."""
        again = [shape in Machine.measured for shape in shapes]
        Machine.measured += shapes
        return [replace(its, latency_ms=its.latency_ms * (Machine.again if is_second else 1))
                for its, is_second in zip(map(takes, shapes), again, strict=True)]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "Bench", Machine)


@pytest.mark.parametrize("int8", [1 / 3, 2])
@pytest.mark.parametrize("budget", [Budget(min_speedup=10, max_size_mb=40), Budget(max_latency_ms=12.0),
                                    Budget(max_size_mb=12), Budget(min_speedup=2)], ids=str)
def test_candidates_are_measured_within_the_budget_and_nothing_wider_is(budget: Budget, int8: float,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "int8", int8)
    reached = reachable(TEACHER, LENGTHS, budget, most=200)
    shapes = [each.shape for each in reached.candidates]
    assert reached.shapes == len(grid(MODEL, LENGTHS))
    counts = Counter(Machine.measured)
    assert shapes and all(counts[shape] == 2 for shape in shapes) and set(counts.values()) <= {1, 2}
    assert len(counts) <= reach.MOST_MEASURED
    assert all(budget.fits(reach.MARGIN * each.latency_ms, each.file_mb, reached.teacher)
               for each in reached.candidates)
    # Against all of the grid, measured.
    within = [shape for shape in grid(MODEL, LENGTHS) if budget.fits(
        reach.MARGIN * takes(shape).latency_ms, takes(shape).file_mb, reached.teacher)]
    for shape in shapes:
        assert not any(shape.is_within(other) for other in within)
    assert build(Reached, to_plain(reached), "", "search.json") == reached
    assert len(reached.lines()) == 2 + len(shapes) and shapes[0].name in reached.lines()[2]


def test_the_slower_measurement_counts_and_a_tight_budget_has_no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "again", 1.1)
    reached = reachable(TEACHER, LENGTHS, Budget(min_speedup=10), most=3)
    for each in reached.candidates:
        assert each.latency_ms == pytest.approx(1.1 * takes(each.shape).latency_ms)
        assert 10 * reach.MARGIN * each.latency_ms <= reached.teacher.latency_ms
    monkeypatch.setattr(Machine, "again", 1.0)
    lengths = {30522: LENGTHS[30522]}
    least = min(map(takes, grid(MODEL, lengths)), key=lambda its: its.latency_ms)
    [only] = reachable(TEACHER, lengths, Budget(max_latency_ms=least.latency_ms * 1.01)).candidates
    assert only == least


def test_estimates_of_what_was_not_measured() -> None:
    shapes = grid(MODEL, LENGTHS)
    found = estimate(shapes, list(map(takes, reach.anchors(shapes))), MODEL, LENGTHS)
    for shape, (milliseconds, size) in zip(shapes, found, strict=True):
        assert milliseconds == pytest.approx(takes(shape).latency_ms, rel=1e-6)
        assert size == pytest.approx(takes(shape).file_mb, rel=1e-6)


SMALLEST = r"1 layer, 3 heads, 384 units, 8000 tokens, int8"


@pytest.mark.parametrize("budget, match", [
    (Budget(max_latency_ms=0.2), rf"max_latency_ms is 0.2, and the fastest student \({SMALLEST}\) takes 0.421 ms"),
    (Budget(min_speedup=1000), rf"min_speedup is 1000, and the fastest student \({SMALLEST}\) is 100 times as fast"),
    (Budget(max_size_mb=2), rf"max_size_mb is 2, and the smallest file \({SMALLEST}\) has 7.97 MB"),
    (Budget(max_latency_ms=0.2, max_size_mb=2), "max_latency_ms is 0.2.*max_size_mb is 2"),
], ids=str)
def test_a_budget_below_all_shapes(budget: Budget, match: str) -> None:
    refused(f"no student of this teacher is within the budget: .*{match}", reachable, TEACHER, LENGTHS, budget)
    assert len(Machine.measured) == 4  # no more than that takes


def test_no_file_that_is_both_fast_and_small() -> None:
    small = Shape((1,), (16,), 32, 100, True)
    teacher = takes(Shape.of(MODEL))
    files = [Measured(small, 2.0, 1.0, 10), Measured(replace(small, quantized=False), 1.0, 4.0, 10)]
    refused("no file is both fast and small enough: .*float32 takes 1 ms and 4 MB, .*int8 2 ms and 1 MB",
            Budget(max_latency_ms=1.5, max_size_mb=2).check, files, teacher)
    refused("nothing says what the student may cost", Budget)
