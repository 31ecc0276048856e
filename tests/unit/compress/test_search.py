# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rungs: how many candidates, how many steps, who goes on; and what a run that was stopped finds again."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.compress.budget import Measured
from src.compress.rungs import added_steps, affordable
from src.compress.search import Cost, Facts, Rung, Search, rung_sizes, shares, steps_within
from src.compress.shapes import Shape
from src.config import CompressConfig
from tests.refusals import refused

SMALL = Measured(Shape((4, 4), (16, 16), 32, 40, True), 0.5, 1.25, 1000)


@pytest.mark.parametrize(("candidates", "sizes"), [(1, [1]), (2, [2, 1]), (6, [6, 3, 1]), (8, [8, 4, 2, 1])])
def test_half_of_the_candidates_go_on(candidates: int, sizes: list[int]) -> None:
    assert rung_sizes(candidates) == sizes
    assert sum(shares(len(sizes))) == pytest.approx(1) and shares(len(sizes))[-1] >= 0.5


def test_the_best_go_on_and_of_equal_ones_the_earlier() -> None:
    rung = Rung(10, ("a", "b", "c", "d"), {"a": 0.5, "b": 0.75, "c": 0.5, "d": -1.0})
    assert rung.best(2) == ("b", "a")


def test_steps_fill_the_time_of_a_rung() -> None:
    costs = {"a": Cost(0.5, 10), "b": Cost(0.25, 20)}
    assert steps_within(105, list(costs.values())) == 100  # 10 + 20 + 100 x 0.75
    facts = Facts(SMALL, (), costs)
    # Three rungs: 0.25, 0.25 and 0.5 of the time; after the first the rest is 1/3 and 2/3.
    assert added_steps(CompressConfig(), facts, ["a", "b"], 0, 3, 420) == 100
    assert added_steps(CompressConfig(), facts, ["a"], 1, 3, 180) == 100
    assert added_steps(CompressConfig(rung_steps=(7, 9)), facts, ["a"], 2, 3, 0) == 9
    assert added_steps(CompressConfig(), facts, ["a"], 2, 3, -50) == 10
    refused(r"minutes is 1, of which 0\.2 are left .*: raise --minutes", added_steps, CompressConfig(minutes=1), facts,
            ["a", "b"], 0, 3, 10.0)


def test_as_many_candidates_as_there_is_time_for() -> None:
    costs = dict.fromkeys("abcd", Cost(0.5, 10))  # 110 s for 200 steps
    # Four in three rungs: a quarter of the time; two or three in two: half.
    assert [affordable("abcd", costs, left) for left in (1770, 1750, 450, 430, -5)] == [4, 3, 2, 1, 1]


def test_what_was_found_is_found_again(tmp_path: Path) -> None:
    assert Search.found_in(tmp_path) is None
    search = Search(tmp_path, Facts(SMALL, (SMALL,), {"a": Cost(0.5, 10)}, (Rung(5, ("a",), {"a": 0.5}),)))
    search.add_seconds(100)
    search.save()
    again = Search.found_in(tmp_path)
    assert again is not None and again.facts == search.facts and again.seconds >= 100
    search.path.write_text('{"rungs": 3}')
    refused("start over with --resume false", Search.found_in, tmp_path)
