# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A function over many items in several processes; results come in the order of the items, in bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

from src.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough that the workers go on while the receiving process imports TensorFlow.
WAITING = 128

_function: Callable[[Any], Any] | None = None


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], num_workers: int) -> Iterator[Result]:
    """Yield `function(item)` for every item, in order.

    Args:
        function: picklable; sent to each process once.
        items: small and picklable.
        num_workers: processes; 1 computes in this one.

    Raises:
        UserError: a process died. What `function` raises is raised here.
    """
    with _one_thread_a_process():
        queue = iter(items)
        first = list(islice(queue, 2))
        if num_workers == 1 or len(first) < 2:
            yield from map(function, chain(first, queue))
            return
        # "spawn", since forking a process in which MindSpore or TensorFlow runs threads may hang.
        pool = ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn"), _start, (function,))
        try:
            waiting = deque(pool.submit(_call, item) for item in chain(first, islice(queue, WAITING)))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(_call, item) for item in islice(queue, 1))
                yield result
        except BrokenProcessPool as error:
            raise UserError("a worker process died, most likely for want of memory; use fewer of them (--num_workers)"
                            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start(function: Callable[[Any], Any]) -> None:
    global _function
    _function = function
    # Ctrl-C reaches the whole group; the parent ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _call(item: Any) -> Any:
    return _function(item)


@contextmanager
def _one_thread_a_process() -> Iterator[None]:
    """Keep `tokenizers` and NumPy's libraries from starting a thread pool in every process."""
    names = ("TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
