# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What runs in a Dask worker: the methods of a job. Items, decisions and results come and go as pickled bytes."""

from __future__ import annotations

import pickle
import platform
import signal
from functools import lru_cache
from typing import Any

PROTOCOL = 4


def dask_setup(worker: Any) -> None:
    """Dask calls this in processes of this machine: Ctrl-C reaches the whole group, and the parent ends its workers."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def call(kind: str, packed_job: bytes, *arguments: Any) -> Any:
    """Return the bytes of `job(item)` for "run" and of `job.make(read, decision)` for "make"; for "read" what
    `job.read(item)` returns first, which stays at the worker, and the bytes of the second.

    An exception is raised again where the result is waited for, and says from which host.
    """
    try:
        job, last = _loaded(packed_job), pickle.loads(arguments[-1])
        if kind == "read":
            what, question = job.read(last)
            return what, pickle.dumps(question, PROTOCOL)
        return pickle.dumps(job(last) if kind == "run" else job.make(arguments[0][0], last), PROTOCOL)
    except Exception as error:
        error.host = platform.node()  # type: ignore[attr-defined]
        raise


@lru_cache(maxsize=1)
def _loaded(packed_job: bytes) -> Any:
    return pickle.loads(packed_job)
