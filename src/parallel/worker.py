# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What runs in a Dask worker: the methods of a job. Items, decisions and results come and go as pickled bytes."""

from __future__ import annotations

import pickle
import platform
import signal
from collections.abc import Callable
from functools import lru_cache
from typing import Any

PROTOCOL = 4


def dask_setup(worker: Any) -> None:
    """Dask calls this in processes of this machine: Ctrl-C reaches the whole group, and the parent ends its workers."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def call(kind: str, packed_job: bytes, *arguments: Any) -> Any:
    """Run, read or make; an exception is raised again where the result is waited for, and says from which host."""
    try:
        functions: dict[str, Callable[..., Any]] = {"run": run, "read": read, "make": make}
        return functions[kind](_loaded(packed_job), *arguments)
    except Exception as error:
        error.host = platform.node()  # type: ignore[attr-defined]
        raise


def run(job: Any, item: bytes) -> bytes:
    """Return `job(item)`."""
    return pickle.dumps(job(pickle.loads(item)), PROTOCOL)


def read(job: Any, item: bytes) -> tuple[Any, bytes]:
    """Return the two values of `job.read(item)`, of which the first one stays at the worker."""
    what, question = job.read(pickle.loads(item))
    return what, pickle.dumps(question, PROTOCOL)


def make(job: Any, both: tuple[Any, bytes], decision: bytes) -> bytes:
    """Return `job.make` of what `read` returned and of a decision."""
    return pickle.dumps(job.make(both[0], pickle.loads(decision)), PROTOCOL)


@lru_cache(maxsize=1)
def _loaded(packed_job: bytes) -> Any:
    return pickle.loads(packed_job)
