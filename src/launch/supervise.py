# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs msrun until it ends; ends it and its workers when a signal asks for that, or when one of them has died.

msrun itself notices a dead worker and kills the others, but then waits for the scheduler to miss the dead one, which
takes half a minute; on SIGINT it kills its workers, which then save nothing. So its children are watched here: a
request to stop goes to the workers, which save a checkpoint, and what is left when the job has failed is killed.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from src.common.errors import UserError, one_line
from src.common.signals import handled, signalled_with_parent

STOP_SECONDS = 300
"""How long workers are given to save a checkpoint before they are killed; a second signal kills them at once."""
OTHERS_SECONDS = 3
"""How long the other workers are given for their own last words once one has failed."""
_POLL_SECONDS = 0.2
_LONGEST_LINE = 300
_REPORT = re.compile(rb"Worker process (\d+) exit with exception\. Error code: (-?\d+)")


def start(command: Sequence[str], environment: Mapping[str, str], log_dir: str | Path) -> int:
    """Run msrun until it ends and return the job's status.

    0 when all went well; 128 + n when signal n asked to stop; else that of the first worker that failed, or 1 when a
    signal killed it. What failed is said in one line on standard error.

    Args:
        command, environment: of msrun; the environment is added to this process's.
        log_dir: where it writes worker_RANK.log and scheduler.log; its own messages go to msrun_HOST.log there.

    Raises:
        UserError: msrun is not installed.
    """
    job = _Job(Path(log_dir))
    with handled(job.note, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        job.log_dir.mkdir(parents=True, exist_ok=True)
        try:
            with open(job.msrun_log, "wb") as log:
                # A session of its own: Ctrl-C reaches this process only. When it is killed, SIGINT ends msrun, which
                # ends its workers.
                process = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True,
                                           stderr=log, preexec_fn=partial(signalled_with_parent, signal.SIGINT))
            return job.wait(process)
        except FileNotFoundError as error:
            raise UserError(f"{command[0]} does not exist; run scripts/setup.sh and start this with .venv/bin/python"
                            ) from error


def check_port(address: str, port: int) -> None:
    """Check that the scheduler can listen on a port of this host.

    Raises:
        UserError: another program listens there.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what an earlier run left in TIME_WAIT is free
        try:
            listener.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:  # others, such as an address that only a container's host has, may do
                raise UserError(f"port {port} of {address} is in use by another program; choose another for the "
                                "scheduler: --master_port, or MASTER_PORT in the scripts") from error


@dataclass
class _Child:
    """A process that msrun has started: a worker, or the scheduler.

    Attributes:
        process: its process.
        name: `rank 1`, or `the scheduler`.
        log: what it prints.
        ended: whether it has been seen to have ended.
        status: its status when it has, negative after a signal; None when that was not seen.
    """

    process: psutil.Process
    name: str
    log: Path
    ended: bool = False
    status: int | None = None

    @property
    def is_worker(self) -> bool:
        return self.name.startswith("rank")


@dataclass
class _Job:
    """One run of msrun."""

    log_dir: Path
    requested: int = 0
    requests: int = 0
    children: dict[int, _Child] = field(default_factory=dict)
    endings: list[_Child] = field(default_factory=list)
    has_failed: bool = False

    @property
    def msrun_log(self) -> Path:
        """Where msrun's own messages go; several hosts may share the folder."""
        return self.log_dir / f"msrun_{socket.gethostname()}.log"

    def note(self, number: int, _: object) -> None:
        """Note the signal that asks to stop."""
        self.requested = self.requested or number
        self.requests += 1

    def wait(self, msrun: subprocess.Popen) -> int:
        """Wait for the end, whatever brings it, and return the status."""
        try:
            while msrun.poll() is None:
                self._look(msrun.pid)
                if self.requested:
                    return self._stop(msrun)
                if self.has_failed:
                    return self._fail(msrun)
                time.sleep(_POLL_SECONDS)
            self._look(msrun.pid)
            return self._fail(msrun) if msrun.returncode else 0
        finally:
            self._kill(msrun)

    def _look(self, pid: int) -> None:
        """Find new children, and those that have ended, in the order in which they do."""
        try:
            for process in psutil.Process(pid).children():
                if process.pid not in self.children and (child := self._child(process)):
                    self.children[process.pid] = child
        except psutil.NoSuchProcess:
            pass
        ended = [child for child in self.children.values() if not child.ended and _has_ended(child.process)]
        for child in ended:
            child.status = _status(child.process.pid)
        # msrun looks once a second, says which one has failed, whose status may be gone by then, and kills the
        # others: of those that have ended since the last look the one that it names was the first.
        reports = {int(number): int(status) for number, status in _REPORT.findall(self.msrun_log.read_bytes())}
        for number, status in reports.items():
            if (child := self.children.get(number)) and child.status is None:
                child.status = status
                ended += [] if child.ended or child in ended else [child]
        for child in sorted(ended, key=lambda child: child.process.pid not in reports):
            child.ended = True
            self.endings.append(child)
        self.has_failed = bool(reports) or any(child.status for child in self.endings)

    def _child(self, process: psutil.Process) -> _Child | None:
        """The role that msrun has given a process; None for one that only copies a log, or has not begun."""
        try:
            environment = process.environ()
            if environment.get("MS_ROLE") == "MS_SCHED":
                return _Child(process, "the scheduler", self.log_dir / "scheduler.log")
            # Workers are in sessions of their own.
            if environment.get("MS_ROLE") == "MS_WORKER" and os.getsid(process.pid) == process.pid:
                rank = environment.get("RANK_ID", "?")
                return _Child(process, f"rank {rank}", self.log_dir / f"worker_{rank}.log")
        except (psutil.Error, ProcessLookupError):
            pass
        return None

    def _running_workers(self) -> list[_Child]:
        return [child for child in self.children.values() if child.is_worker and not child.ended]

    def _stop(self, msrun: subprocess.Popen) -> int:
        """Ask the workers to stop, give them the time to save, and return the status of an interruption."""
        asked: set[int] = set()
        deadline = time.monotonic() + STOP_SECONDS
        while msrun.poll() is None and time.monotonic() < deadline and self.requests == 1:
            self._look(msrun.pid)
            for child in self._running_workers():
                if child.process.pid not in asked:
                    asked.add(child.process.pid)
                    # SIGTERM also for SIGINT, which MindSpore takes for itself while a graph runs.
                    _send(child.process, signal.SIGTERM)
            if not self._running_workers():
                break
            time.sleep(_POLL_SECONDS)
        print(f"launch: stopped by {signal.Signals(self.requested).name}; run the same command again to continue",
              file=sys.stderr, flush=True)
        return 128 + self.requested

    def _fail(self, msrun: subprocess.Popen) -> int:
        """Say what failed first, and return the status that stands for it."""
        deadline = time.monotonic() + OTHERS_SECONDS
        while self._running_workers() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            self._look(msrun.pid)
        first = next((child for child in self.endings if child.status), None)
        if first is None:
            log = self.msrun_log
            print(f"launch: msrun failed; the last line of its log {log}: {_last_line(log)}", file=sys.stderr,
                  flush=True)
            return msrun.returncode if msrun.returncode and msrun.returncode > 0 else 1
        how = (f"was killed by {signal.Signals(-first.status).name}" if first.status < 0
               else f"ended with status {first.status}")
        what = ("run the same command again to continue from the last checkpoint" if first.status != 2
                else "correct that, and run the same command again")
        print(f"launch: {first.name} {how}; the last line of its log {first.log}: {_last_line(first.log)}; the other "
              f"processes have been ended; {what}", file=sys.stderr, flush=True)
        return first.status if first.status > 0 else 1

    def _kill(self, msrun: subprocess.Popen) -> None:
        """End msrun and everything that it has started."""
        found = {child.process for child in self.children.values() if not child.ended}
        if msrun.poll() is None:
            msrun.send_signal(signal.SIGSTOP)  # so that it starts nothing more
            found.update(psutil.Process(msrun.pid).children(recursive=True))
        for process in list(found):
            try:
                found.update(process.children(recursive=True))
            except psutil.NoSuchProcess:
                pass
        for process in found:
            _send(process, signal.SIGKILL)
        if msrun.poll() is None:
            msrun.kill()
            msrun.wait()


def _has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _status(pid: int) -> int | None:
    """Exit status of a process that has ended and not been waited for (the last field of its stat file on Linux)."""
    try:
        code = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").split()[-1])
    except (OSError, ValueError, IndexError):
        return None
    return os.waitstatus_to_exitcode(code)


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass


def _last_line(log: Path) -> str:
    """The last line of a log that is not MindSpore's chatter."""
    try:
        text = log.read_bytes()[-65536:].decode("utf-8", "replace")
    except OSError:
        return "(there is none)"
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("[INFO]", "[WARNING]"))]
    return one_line(lines[-1])[:_LONGEST_LINE] if lines else "(empty)"
