# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Processes that this one may not have started: which of them go on, and how they end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

import psutil


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those that go on; one that has ended, but that nobody has waited for, does not."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended, for so many seconds at most; return those that go on."""
    deadline = time.monotonic() + seconds
    while (left := alive(processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill processes and all that they have started, and wait for their end."""
    found: list[psutil.Process] = []
    for process in alive(processes):
        with suppress(psutil.NoSuchProcess):
            process.suspend()  # so that it starts nothing more
            found += [*process.children(recursive=True), process]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait(found, 10)
