# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What runs in a Dask worker: the methods of a job, whose results and exceptions leave as pickled bytes."""

from __future__ import annotations

import pickle
import platform
import traceback
from typing import Any

PROTOCOL = 4


def run(job: Any, item: bytes) -> bytes:
    """Pickled (False, `job(item)`), or (True, (exception, its traceback, the host))."""
    try:
        return pickle.dumps((False, job(pickle.loads(item))), protocol=PROTOCOL)
    except Exception as error:  # raised again by the process that waits for the result
        return _packed(error)


def read(job: Any, item: bytes) -> tuple[Any, bytes, bool]:
    """The two values of `job.read(item)`, the second one packed as by `run`, and whether it is an exception."""
    try:
        what, question = job.read(pickle.loads(item))
        return what, pickle.dumps((False, question), protocol=PROTOCOL), False
    except Exception as error:  # raised again by the process that waits for the question
        return None, _packed(error), True


def make(job: Any, both: tuple[Any, bytes, bool], decision: bytes) -> bytes:
    """Packed as by `run`: `job.make` of what `read` returned and of a pickled decision."""
    what, question, has_failed = both
    if has_failed:
        return question
    try:
        return pickle.dumps((False, job.make(what, pickle.loads(decision))), protocol=PROTOCOL)
    except Exception as error:  # raised again by the process that waits for the result
        return _packed(error)


def _packed(error: Exception) -> bytes:
    trace = traceback.format_exc()
    try:
        packed = pickle.dumps((True, (error, trace, platform.node())), protocol=PROTOCOL)
        pickle.loads(packed)
    except Exception:  # not every exception survives the way
        told = RuntimeError(f"{type(error).__name__}: {error}")
        packed = pickle.dumps((True, (told, trace, platform.node())), protocol=PROTOCOL)
    return packed
