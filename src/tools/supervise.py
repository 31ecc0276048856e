# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs msrun until it ends, and ends it and its workers when a signal asks for that."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from src.errors import UserError

STOP_SECONDS = 30
"""How long msrun is given to end its workers before it is killed."""


def start(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run msrun until it ends and return its status; 130 when a signal asked to stop.

    msrun ends its workers, which are in sessions of their own, on SIGINT only. Any signal that asks this process to
    stop is therefore passed on as that one, so that no worker is left behind.

    Raises:
        UserError: msrun is not installed.
    """
    process: subprocess.Popen | None = None
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        if process is not None:
            process.send_signal(signal.SIGINT)

    # What nohup or a shell's & has told this process to ignore stays ignored.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
                if signal.getsignal(number) != signal.SIG_IGN}
    try:
        # A session of its own: Ctrl-C reaches this process only, and is passed on once.
        process = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
        while True:
            try:
                status = process.wait(timeout=1)
                return 130 if stopped else status
            except subprocess.TimeoutExpired:
                if stopped:
                    return _end(process)
    except FileNotFoundError as error:
        raise UserError(f"{command[0]} does not exist; run scripts/setup.sh and start this with .venv/bin/python"
                        ) from error
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen) -> int:
    """Wait for an interrupted process, kill it when that takes too long, and return the status of an interruption."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return 130
