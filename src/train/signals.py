# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM: an orderly stop at the end of a step."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from src.common.errors import Interrupted
from src.common.signals import handled
from src.device import Device, largest


@contextmanager
def stop_on_signal(device: Device) -> Iterator[StopOnSignal]:
    """Turn SIGINT and SIGTERM into an orderly stop while the block runs; a second one ends the process at once.

    While a graph runs MindSpore handles SIGINT itself, by sending the process SIGTERM: Ctrl-C then arrives as that, and
    a witness tells the two apart. All processes stop at the same step when a signal has reached one of them.
    """
    stop = StopOnSignal(device)
    with handled(stop.note, signal.SIGINT, signal.SIGTERM) as stop.numbers:
        stop.witness = CtrlCWitness() if signal.SIGINT in stop.numbers else None
        try:
            yield stop
        finally:
            if stop.witness is not None:
                stop.witness.close()


class StopOnSignal:
    """Notes signals, for a loop that asks at the end of each step; all processes stop at the one that is `agreed`."""

    def __init__(self, device: Device):
        self.device = device
        self.numbers: tuple[int, ...] = ()
        self.witness: CtrlCWitness | None = None
        self.received = self.agreed = 0

    def note(self, number: int, _: object) -> None:
        """The handler: a second signal ends the process."""
        self.received = number
        signal.signal(number, signal.SIG_DFL)

    def came(self) -> bool:
        """Whether a signal has come to any process; all call this at the same time."""
        if self.received == signal.SIGTERM and self.witness is not None and self.witness.saw_it():
            self.received = signal.SIGINT
        self.agreed = largest(self.received, self.device)
        if not self.agreed:
            for number in self.numbers:  # data pipelines leave handlers of their own behind
                signal.signal(number, self.note)
        return self.agreed > 0

    @property
    def interruption(self) -> Interrupted:
        """What ends the process with the signal's status."""
        return Interrupted(f"stopped by {signal.Signals(self.agreed).name}; run the same command again to continue",
                           self.agreed)


class CtrlCWitness:
    """A process that waits beside this one: Ctrl-C on a terminal goes to both, and it dies of it.

    It is `cat` on a pipe of which this process alone holds the other end: when this one ends, in whatever way, it reads
    the end of file and ends too.
    """

    def __init__(self) -> None:
        self.process = None
        with suppress(OSError):  # no `cat`, no more processes: Ctrl-C then looks as SIGTERM does
            self.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL)

    def saw_it(self) -> bool:
        """Whether SIGINT came to the whole group of processes."""
        if self.process is None:
            return False
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.1)
        return self.process.returncode == -signal.SIGINT

    def close(self) -> None:
        """End the witness."""
        if self.process is not None:
            self.process.communicate()
