# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Ends runs that scripts/*.sh started with --background.

    python -m src.launch.stop NAME

Such a run has left output/NAME/HOST.pid: its process, and when that began, so that a later process which happens to
have the same number is left alone. The process is asked to stop (SIGTERM): a training saves its checkpoint, a launcher
passes the request on to its workers. What is left of its children when it has gone, or when it takes too long, is
killed.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run

OUTPUT = Path("output")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SECONDS = 330
"""How long a run is given to save its checkpoint; a launcher gives its workers a little less."""
CHILDREN_SECONDS = 10
"""How long its children are given to end once it has gone."""


@dataclass(frozen=True)
class Run:
    """A run in the background: its name, its process and the file that says so."""

    name: str
    pid: int
    file: Path


def identity(pid: int) -> str:
    """Return the start of a process, in clock ticks since the boot, and the boot; "" where there is no such process.

    scripts/common.sh writes the same. A process that has ended but has not been waited for counts as none.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else f"{fields[19]} {BOOT_ID.read_text().strip()}"
    except OSError:
        return ""


def read_run(file: Path) -> Run | None:
    """Return the run of a process file; None where its process has ended, or the file is not one of ours."""
    try:
        pid, _, begun = file.read_text().strip().partition(" ")
    except (OSError, UnicodeDecodeError):
        return None
    if not (pid.isascii() and pid.isdigit() and len(pid) < 10 and begun) or identity(int(pid)) != begun:
        return None
    return Run(file.parent.name, int(pid), file)


def running(output: Path, host: str) -> list[Run]:
    """Return the runs of this host that go on, by name."""
    found = (read_run(file) for file in sorted(output.glob("*/*.pid")) if file.name == f"{host}.pid")
    return [run for run in found if run is not None]


def choose(runs: list[Run], name: str | None) -> Run | None:
    """Return the run to end; None where nothing goes on.

    Raises:
        UserError: several go on and none is named, or the named one does not.
    """
    names = ", ".join(run.name for run in runs)
    if name is None:
        if len(runs) > 1:
            raise UserError(f"{len(runs)} runs go on in the background: {names}; say which one to stop")
        return runs[0] if runs else None
    for found in runs:
        if found.name == name:
            return found
    raise UserError(f"no run {name!r} goes on in the background of this host (there: {names or 'none'}); one in the "
                    "foreground is stopped with Ctrl-C")


def end(chosen: Run, seconds: float, kill: bool) -> bool:
    """End a run and its children.

    Returns:
        Whether it ended by itself, which is when its checkpoint was saved.

    Raises:
        UserError: the process belongs to somebody else.
    """
    try:
        process = psutil.Process(chosen.pid)
        children = process.children(recursive=True)
        if read_run(chosen.file) is None:
            return True  # it has ended in the meantime
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied as error:
        raise UserError(f"process {chosen.pid} of {chosen.name} is another user's; stop it as that one"
                        ) from error
    in_time = _wait(process, children, seconds) and not kill
    # Workers have sessions of their own, and outlive a launcher that is killed.
    _wait_for_all(children, CHILDREN_SECONDS if in_time else 0)
    left = _alive([process, *children])
    for remaining in left:
        with suppress(psutil.NoSuchProcess):
            remaining.kill()
    _wait_for_all(left, CHILDREN_SECONDS)
    chosen.file.unlink(missing_ok=True)
    return in_time


def _wait(process: psutil.Process, children: list[psutil.Process], seconds: float) -> bool:
    """Wait for a process and return whether it ended in time; adds to `children` those that it starts meanwhile."""
    deadline = time.monotonic() + seconds
    while _alive([process]):
        if time.monotonic() > deadline:
            return False
        with suppress(psutil.NoSuchProcess):
            children += [child for child in process.children(recursive=True) if child not in children]
        time.sleep(0.1)
    return True


def _wait_for_all(processes: Sequence[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _alive(processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def _alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """The processes that go on; one that has ended, but that nobody has waited for, does not."""
    return [process for process in processes if process.is_running() and identity(process.pid)]


def main(argv: list[str]) -> None:
    """Command line."""
    parser = OneLineParser("src.launch.stop", "End a run that was started with --background.")
    parser.add_argument("name", nargs="?", help="name of the run; may be left out where there is only one")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long it is given to save its checkpoint")
    parser.add_argument("--kill", action="store_true", help="end it at once, without a checkpoint")
    arguments = parser.parse_args(argv)
    chosen = choose(running(OUTPUT, os.environ.get("HOSTNAME") or socket.gethostname()), arguments.name)
    if chosen is None:
        print("stop: nothing goes on in the background of this host")
        return
    print(f"stop: {chosen.name} (process {chosen.pid}) is asked to stop", flush=True)
    if end(chosen, arguments.seconds, arguments.kill):
        print(f"stop: {chosen.name} has ended; the same command as before continues from its last checkpoint")
    else:
        print(f"stop: {chosen.name} was killed; the same command as before continues from its last checkpoint")


if __name__ == "__main__":
    run(main)
