# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A function over many items in several processes; results come in the order of the items, in bounded memory.

The processes are workers of Dask: of this machine (`num_workers`), or of a cluster (`scheduler`). One process of this
machine computes here, without Dask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from src.parallel.environment import environment

Item = TypeVar("Item")
Result = TypeVar("Result")
Decide = Callable[[Any], Any]

# Tasks of each worker that are under way: one that is computed, one that waits, and one that is done before its turn.
WAITING = 3
# Without these `tokenizers` and NumPy's libraries start a thread pool in every process.
ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Items of a task: to Dask a task is as much work as a tenth of a megabyte of text.
ITEMS_A_TASK = 4


class Staged(Protocol):
    """A job of two stages, between which the calling process decides."""

    def read(self, item: Any) -> tuple[Any, Any]:
        """Return what `make` goes on with, which stays where it is, and what `decide` is asked about, a few bytes."""

    def make(self, read: Any, decision: Any) -> Any:
        """Return the result."""


def map_ordered(function: Callable[[Item], Result] | Staged, items: Iterable[Item], num_workers: int,
                scheduler: str = "", decide: Decide | None = None, scratch: Path | None = None
                ) -> Generator[Result, None, None]:
    """Yield `function(item)` for every item, in order.

    Args:
        function: picklable; sent to each process once.
        items: small and picklable.
        num_workers: processes of this machine; 1 computes in this one.
        scheduler: address of a Dask scheduler, whose workers are taken instead.
        decide: called here, in the order of the items, with the second value of `function.read(item)`; what it returns
            goes to `function.make`, whose result is yielded. `function` is then a `Staged` job.
        scratch: folder for temporary files of the processes; default: the system's.

    Raises:
        UserError: processes died again and again, or the cluster is not there or differs. What `function` raises is
            raised here.
    """
    with environment(**ONE_THREAD):
        queue = iter(items)
        job = _Batch(function)
        if scheduler:
            from src.parallel.cluster import connect
            pool = connect(job, scheduler)
        else:
            first = list(islice(queue, 2)) if num_workers > 1 else []
            queue = chain(first, queue)
            if len(first) < 2:
                yield from _here(function, queue, decide)
                return
            from src.parallel.cluster import local_workers
            pool = local_workers(job, num_workers, scratch)
        with pool as workers:
            batches = iter(lambda: list(islice(queue, ITEMS_A_TASK)), [])
            results = _ordered(workers, batches) if decide is None else _decided(workers, batches, decide)
            yield from chain.from_iterable(results)


@dataclass
class _Batch:
    """A job on some items at once."""

    job: Any

    def __call__(self, items: list[Any]) -> list[Any]:
        return [self.job(item) for item in items]

    def read(self, items: list[Any]) -> tuple[list[Any], list[Any]]:
        both = [self.job.read(item) for item in items]
        return [read for read, _ in both], [question for _, question in both]

    def make(self, reads: list[Any], decisions: list[Any]) -> list[Any]:
        return [self.job.make(read, decision) for read, decision in zip(reads, decisions, strict=True)]


def _here(function: Any, items: Iterator[Any], decide: Decide | None) -> Iterator[Any]:
    if decide is None:
        yield from map(function, items)
        return
    for item in items:
        read, question = function.read(item)
        yield function.make(read, decide(question))


def _ordered(workers: Any, items: Iterator[list[Any]]) -> Iterator[list[Any]]:
    waiting = deque(workers.submit(item) for item in islice(items, WAITING * workers.number))
    while waiting:
        result = workers.result(waiting.popleft())
        waiting.extend(workers.submit(item) for item in islice(items, 1))
        yield result


def _decided(workers: Any, items: Iterator[list[Any]], decide: Decide) -> Iterator[list[Any]]:
    reading = deque(workers.submit_read(item) for item in islice(items, WAITING * workers.number))
    making: deque[Any] = deque()
    while reading or making:
        # Whatever has been read goes on at once; when nothing else is under way, the next one is waited for.
        while reading and (not making or reading[0][1].done()):
            read, questions = reading.popleft()
            decisions = [decide(question) for question in workers.result(questions)]
            making.append(workers.submit_make(read, decisions))
        result = workers.result(making.popleft())
        reading.extend(workers.submit_read(item) for item in islice(items, 1))
        yield result
