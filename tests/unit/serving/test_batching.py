# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Requests that arrive together share a call of the model, and none spoils another's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from serving import ServingError
from serving.web.batching import Batcher
from tests.slow_model import Slow


def with_batcher(model: Slow, use: Callable[[Batcher], Awaitable[Any]], max_batch: int = 8,
                 max_wait: float = 0.05) -> list[tuple[int, float]]:
    """Run `use` with a batcher that works; return the texts and seconds of each call that succeeded."""
    observed: list[tuple[int, float]] = []

    async def main() -> None:
        batcher = Batcher(model.predict, max_batch, max_wait, lambda *call: observed.append(call))
        work = asyncio.create_task(batcher.run())
        try:
            await use(batcher)
        finally:
            work.cancel()

    asyncio.run(main())
    return observed


def test_what_waits_is_answered_by_one_call() -> None:
    model = Slow(0.02)

    async def use(batcher: Batcher) -> None:
        answers = await asyncio.gather(*(batcher.answer(["x" * length]) for length in range(1, 11)))
        assert [each.answers[0]["label"] for each in answers] == [str(length) for length in range(1, 11)]
        assert all(each.inference_seconds >= 0.02 for each in answers) and answers[-1].queue_seconds >= 0.02

    observed = with_batcher(model, use)
    assert model.calls == [8, 2] == [texts for texts, _ in observed]


def test_requests_are_not_divided() -> None:
    model = Slow()

    async def use(batcher: Batcher) -> None:
        answers = await asyncio.gather(*(batcher.answer(["x"] * texts) for texts in (3, 4, 2, 20, 1)))
        assert [len(each.answers) for each in answers] == [3, 4, 2, 20, 1]

    with_batcher(model, use)
    assert model.calls == [7, 2, 20, 1]


def test_one_that_is_refused_does_not_spoil_the_others() -> None:
    async def use(batcher: Batcher) -> None:
        good, bad, other = await asyncio.gather(*map(batcher.answer, (["x"], ["xy", "bad"], ["xyz"])),
                                                return_exceptions=True)
        assert (good.answers[0]["label"], other.answers[0]["label"]) == ("1", "3")
        assert isinstance(bad, ServingError) and str(bad) == "text 1 is bad"  # its place in its own request

    assert [texts for texts, _ in with_batcher(Slow(), use)] == [1, 1]


def test_a_lone_request_does_not_wait_and_the_loop_stays_free() -> None:
    async def use(batcher: Batcher) -> None:
        began = time.perf_counter()
        answer = asyncio.create_task(batcher.answer(["x"]))
        ticks = 0
        while not answer.done():
            await asyncio.sleep(0.005)
            ticks += 1
        assert ticks > 10 and 0.1 <= time.perf_counter() - began < 5
        assert (await answer).queue_seconds < 1

    with_batcher(Slow(0.1), use, max_wait=60)


def test_after_a_full_house_others_are_waited_for() -> None:
    model = Slow()

    async def use(batcher: Batcher) -> None:
        await asyncio.gather(*(batcher.answer(["x"]) for _ in range(3)))
        late = asyncio.create_task(batcher.answer(["x"]))
        await asyncio.sleep(0.05)
        await asyncio.gather(late, *(batcher.answer(["x"]) for _ in range(3)))  # the fourth fills the call

    with_batcher(model, use, max_batch=4, max_wait=60)
    assert model.calls == [3, 4]


def test_nobody_waits_for_a_request_that_was_given_up() -> None:
    async def use(batcher: Batcher) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(batcher.answer(["x"]), 0.01)
        assert (await batcher.answer(["xy"])).answers[0]["label"] == "2"

    with_batcher(Slow(0.05), use)
