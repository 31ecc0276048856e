# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs msrun until it ends; ends it and its workers when a signal asks for that, or when one of them has died.

msrun itself notices a dead worker and kills the others, but then waits for the scheduler to miss the dead one, which
takes half a minute; on SIGINT it kills its workers, which then save nothing. So its workers are watched here: a request
to stop goes to them, who save a checkpoint, and what is left when the job has failed is killed.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from src.common.errors import UserError, one_line
from src.common.signals import handled, signalled_with_parent
from src.launch.processes import alive, kill

STOP_SECONDS = 300
"""How long workers are given to save a checkpoint before they are killed; a second signal kills them at once."""
_POLL_SECONDS = 0.1
_LONGEST_LINE = 300
_REPORT = re.compile(rb"Worker process (\d+) exit with exception\. Error code: (-?\d+)")


def start(command: Sequence[str], environment: Mapping[str, str], log_dir: str | Path) -> int:
    """Run msrun, with `environment` added to this process's, until it ends; return the job's status.

    0 when all went well; 128 + n when signal n asked to stop; else that of the first worker that failed, or 1 when a
    signal killed it. What failed is said in one line on standard error. msrun's own messages go to
    LOG_DIR/msrun_HOST.log, since several hosts may share the folder.

    Raises:
        UserError: msrun is not installed.
    """
    log = Path(log_dir) / f"msrun_{socket.gethostname()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    requests: list[int] = []
    with handled(lambda number, _: requests.append(number), signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        try:
            with open(log, "wb") as stream:
                # A session of its own: Ctrl-C reaches this process only. When it is killed, SIGINT ends msrun, which
                # ends its workers.
                msrun = psutil.Popen(command, env={**os.environ, **environment}, start_new_session=True, stderr=stream,
                                     preexec_fn=partial(signalled_with_parent, signal.SIGINT))
        except FileNotFoundError as error:
            raise UserError(f"{command[0]} does not exist; run scripts/setup.sh and start this with .venv/bin/python"
                            ) from error
        workers = _Workers(msrun, log)
        try:
            while not (ended := msrun.poll() is not None) and not requests and workers.first_failed() is None:
                time.sleep(_POLL_SECONDS)
            if requests and not ended:
                workers.stop(requests)
                number = signal.Signals(requests[0])
                _say(f"stopped by {number.name}; run the same command again to continue")
                return 128 + number
            return workers.report() if msrun.returncode != 0 else 0
        finally:
            kill([msrun, *workers.processes.values()])
            msrun.wait()


class _Workers:
    """The processes of a job on this host.

    Attributes:
        processes: rank -> process.
        statuses: rank -> status of those that have ended, in the order in which they did; negative after a signal.
    """

    def __init__(self, msrun: psutil.Popen, log: Path):
        self.msrun, self.log = msrun, log
        self.processes: dict[str, psutil.Process] = {}
        self.statuses: dict[str, int] = {}

    def first_failed(self) -> str | None:
        """Look at all processes, and return the rank of the first that has failed."""
        with suppress(psutil.NoSuchProcess):
            for process in self.msrun.children():
                if rank := _rank(process):
                    self.processes[rank] = process
        # msrun, too, looks, says which one has failed, whose status is gone then, and kills the others: of those that
        # have ended since the last look the one that it names was the first.
        reports = {int(number): int(status) for number, status in _REPORT.findall(self.log.read_bytes())}
        for rank, process in sorted(self.processes.items(), key=lambda item: item[1].pid not in reports):
            status = reports.get(process.pid, _status(process.pid))
            if status is not None:
                self.statuses.setdefault(rank, status)
        return next((rank for rank, status in self.statuses.items() if status), None)

    def stop(self, requests: Sequence[int]) -> None:
        """Ask the workers to stop, and give them the time to save, unless another request comes."""
        asked: set[psutil.Process] = set()
        deadline = time.monotonic() + STOP_SECONDS
        while self.msrun.poll() is None and len(requests) == 1 and time.monotonic() < deadline:
            self.first_failed()
            running = alive(self.processes.values())
            if not running:
                break
            for process in set(running) - asked:
                with suppress(psutil.NoSuchProcess):
                    process.terminate()  # also for SIGINT, which MindSpore takes for itself while a graph runs
            asked.update(running)
            time.sleep(_POLL_SECONDS)

    def report(self) -> int:
        """Say what failed first, and return the status that stands for it."""
        rank = self.first_failed()
        if rank is None:
            _say(f"msrun failed; the last line of its log {self.log}: {_last_line(self.log)}")
            return max(self.msrun.returncode or 0, 1)
        status, log = self.statuses[rank], self.log.parent / f"worker_{rank}.log"
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        what = ("run the same command again to continue from the last checkpoint" if status != 2
                else "correct that, and run the same command again")
        _say(f"rank {rank} {how}; the last line of its log {log}: {_last_line(log)}; the other processes have been "
             f"ended; {what}")
        return max(status, 1)


def _rank(process: psutil.Process) -> str | None:
    """The rank of a worker; None for the scheduler, for what only copies a log, and for what has not begun."""
    try:
        environment = process.environ()
        is_worker = environment.get("MS_ROLE") == "MS_WORKER" and os.getsid(process.pid) == process.pid
        return environment.get("RANK_ID") if is_worker else None
    except (psutil.Error, ProcessLookupError):
        return None


def _status(pid: int) -> int | None:
    """Exit status of a process that has ended and not been waited for (the last field of its stat file on Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return os.waitstatus_to_exitcode(int(fields[-1])) if fields[0] == "Z" else None


def _say(text: str) -> None:
    print(f"launch: {text}", file=sys.stderr, flush=True)


def _last_line(log: Path) -> str:
    """The last line of a log that is not MindSpore's chatter."""
    try:
        text = log.read_bytes()[-65536:].decode("utf-8", "replace")
    except OSError:
        return "(there is none)"
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("[INFO]", "[WARNING]"))]
    return one_line(lines[-1])[:_LONGEST_LINE] if lines else "(empty)"


def check_port(address: str, port: int) -> None:
    """Raise `UserError` where another program listens on the scheduler's port of this host."""
    try:
        socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:  # others, such as an address that only a container's host has, may do
            raise UserError(f"port {port} of {address} is in use by another program; choose another for the "
                            "scheduler: --master_port, or MASTER_PORT in the scripts") from error
