# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Dynamic batching: requests that arrive together are answered by one call of the model.

While the model computes, requests wait in a queue; as soon as it is free, it takes what has gathered, up to
`max_batch` texts. A lone request never waits for others: only after a call that answered several is the next one held
back, by `max_wait` at most, until it is full.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from serving.answers import Answer
from serving.predictor import Text

Predict = Callable[[Sequence[Text]], list[Answer]]


class Answered(NamedTuple):
    """What became of a request: an answer a text, and seconds in the queue and in the call that answered it."""

    answers: list[Answer]
    queue_seconds: float
    inference_seconds: float


class _Job(NamedTuple):
    texts: Sequence[Text]
    answered: asyncio.Future[Answered]
    since: float


class _Outcome(NamedTuple):
    """Answers, or what was raised, and the seconds that the call took."""

    answers: list[Answer] | Exception
    seconds: float


class Batcher:
    """One model and the thread in which it computes, so that the event loop stays free. It is made within the loop.

    Args:
        max_batch: most texts in a call; a request with more is a call of its own.
        max_wait: seconds, see above.
        observe: is told the number of texts and the seconds of each call.
    """

    def __init__(self, predict: Predict, max_batch: int, max_wait: float,
                 observe: Callable[[int, float], None] = lambda texts, seconds: None):
        self._predict, self._max_batch, self._max_wait, self._observe = predict, max_batch, max_wait, observe
        self._jobs: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "predict")
        self._loop = asyncio.get_running_loop()

    @property
    def waiting(self) -> int:
        """Number of texts in the queue."""
        return sum(len(job.texts) for job in self._jobs)

    async def answer(self, texts: Sequence[Text]) -> Answered:
        """Return the answers to texts, once their turn has come.

        Raises:
            Exception: what the model raises for these texts; those of other requests are answered all the same.
        """
        job = _Job(texts, self._loop.create_future(), time.perf_counter())
        self._jobs.append(job)
        self._arrived.set()
        return await job.answered

    async def run(self) -> None:
        """Answer what comes until cancelled."""
        together = 1
        try:
            while True:
                await self._arrived.wait()
                if together > 1:
                    await self._gather()
                jobs = self._take()
                together = len(jobs)
                began = time.perf_counter()
                outcomes = await self._loop.run_in_executor(self._thread, self._call, jobs)
                for job, outcome in zip(jobs, outcomes, strict=True):
                    if job.answered.done():  # cancelled: nobody waits any more
                        continue
                    if isinstance(outcome.answers, Exception):
                        job.answered.set_exception(outcome.answers)
                    else:
                        job.answered.set_result(Answered(outcome.answers, began - job.since, outcome.seconds))
        finally:
            self._thread.shutdown(wait=False)

    async def _gather(self) -> None:
        until = time.perf_counter() + self._max_wait
        while self.waiting < self._max_batch and (left := until - time.perf_counter()) > 0:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except asyncio.TimeoutError:
                break

    def _take(self) -> list[_Job]:
        jobs = [self._jobs.popleft()]
        texts = len(jobs[0].texts)
        while self._jobs and texts + len(self._jobs[0].texts) <= self._max_batch:
            jobs.append(self._jobs.popleft())
            texts += len(jobs[-1].texts)
        if not self._jobs:
            self._arrived.clear()
        return jobs

    def _call(self, jobs: list[_Job]) -> list[_Outcome]:
        """Answer requests together, or, where that fails, each by itself: one must not spoil the others'."""
        began = time.perf_counter()
        texts = [text for job in jobs for text in job.texts]
        try:
            answers = self._predict(texts)
        except Exception as error:  # whatever it is, it is raised where the request is answered
            if len(jobs) == 1:
                return [_Outcome(error, time.perf_counter() - began)]
            return [self._call([job])[0] for job in jobs]
        seconds = time.perf_counter() - began
        self._loop.call_soon_threadsafe(self._observe, len(texts), seconds)
        found = iter(answers)
        return [_Outcome([next(found) for _ in job.texts], seconds) for job in jobs]
