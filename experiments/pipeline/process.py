# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a stage runs: its commands one after the other, what they print on the console and in a log, and signals."""

from __future__ import annotations

import fcntl
import os
import pty
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from experiments.pipeline.stages import REPOSITORY, Stage, shown
from src.common.signals import handled, signalled_with_parent

GRACE_SECONDS = 60.0  # how long an interrupted stage may take to leave
CONTINUE = "run the same command again to continue"


class StageFailed(Exception):
    """A command of a stage failed or was interrupted; carries the exit status and the line to print."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class LogWriter:
    r"""Writes a console stream to a file without the intermediate states of progress bars.

    A progress bar draws itself again and again after a carriage return; of such a line the log keeps the last state.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.pending = b""

    def feed(self, data: bytes) -> None:
        """Add a piece of the stream."""
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            self.file.write(self._last_state(line) + b"\n")
        # A long-running bar has no newline: keep the newest state only.
        if len(self.pending) > 1 << 16:
            self.pending = self._last_state(self.pending) + b"\r"
        self.file.flush()

    def close(self) -> None:
        """Write what has no newline yet."""
        if line := self._last_state(self.pending):
            self.file.write(line + b"\n")
        self.file.flush()

    @staticmethod
    def _last_state(line: bytes) -> bytes:
        states = [state for state in line.split(b"\r") if state.strip()]
        return states[-1] if states else b""


def run_stage(stage: Stage, log: Path, append: bool) -> None:
    """Run the commands of a stage, streaming their output to the console and to `log`.

    Raises:
        StageFailed: a command ended with another status than 0, or the run was interrupted.
    """
    with log.open("ab" if append else "wb") as file:
        for command in stage.commands:
            line = f"$ {shown(command)}"
            print(line, flush=True)
            file.write(line.encode() + b"\n")
            status, interrupted = stream(command, file)
            if interrupted:
                raise StageFailed(128 + interrupted, f"interrupted in stage {stage.name}; {CONTINUE} (log: {log})")
            if status != 0:
                # A negative status is the signal that ended the process; shells report it as 128 + signal.
                code = status if status > 0 else 128 - status
                raise StageFailed(code, f"stage {stage.name} failed with status {code}; its log is {log}; {CONTINUE}")


def stream(command: Sequence[str], log: BinaryIO) -> tuple[int, int]:
    """Run one command; returns its status and the signal that this process was asked to stop with (0: none).

    The child gets a terminal when this process has one, so that progress bars look as they do in a direct call. It
    lives in a session of its own: Ctrl-C reaches this process, which passes it on and waits for the child to leave.
    """
    terminal = sys.stdout.isatty()
    reader, writer = pty.openpty() if terminal else os.pipe()
    if terminal:
        columns, lines = shutil.get_terminal_size()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    # Libraries' start-up notices; a user who wants them sets the variables.
    environment.setdefault("GLOG_v", "3")
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        # A killed run must not leave a stage behind.
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=writer,
                                   stderr=writer, start_new_session=True,
                                   preexec_fn=partial(signalled_with_parent, signal.SIGKILL))
    finally:
        os.close(writer)
    sink = LogWriter(log)
    with _passed_on(process) as received:
        for data in _read_until_exit(process, reader):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            sink.feed(data)
        status = process.wait()
    os.close(reader)
    sink.close()
    return status, received[0] if received else 0


def _read_until_exit(process: subprocess.Popen, reader: int) -> Iterator[bytes]:
    """Yield output until it ends or the process has left (its own helpers may hold the pipe open longer)."""
    os.set_blocking(reader, False)
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while True:
            left = process.poll() is not None
            if not selector.select(timeout=0.0 if left else 0.2):
                if left:
                    return
                continue
            try:
                data = os.read(reader, 1 << 16)
            except OSError:  # EIO: the other end of a terminal is closed
                return
            if not data:
                return
            yield data


@contextmanager
def _passed_on(process: subprocess.Popen) -> Iterator[list[int]]:
    """Pass SIGINT and SIGTERM on to the process's group; a second one, or no exit in time, kills it."""
    received: list[int] = []

    def send(number: int) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass  # it has just left

    def handle(number: int, _frame: object) -> None:
        if number == signal.SIGALRM:
            send(signal.SIGKILL)
            return
        received.append(number)
        send(number if len(received) == 1 else signal.SIGKILL)
        signal.alarm(int(GRACE_SECONDS))

    before = signal.signal(signal.SIGALRM, handle)
    try:
        with handled(handle, signal.SIGINT, signal.SIGTERM):
            yield received
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
