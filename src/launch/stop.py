# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Ends runs that scripts/*.sh started with --background.

    python -m src.launch.stop NAME

Such a run has left its process's number in output/NAME/HOST.pid, and holds that file open (as descriptor 9), which a
later process that happens to have the same number does not. The process is asked to stop (SIGTERM): a training saves
its checkpoint, a launcher passes the request on to its workers. What is left of its children when it has gone, or when
it takes too long, is killed.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import psutil

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.launch.processes import kill, wait

OUTPUT = Path("output")
SECONDS = 330
"""How long a run is given to save its checkpoint; a launcher gives its workers a little less."""
CHILDREN_SECONDS = 10
"""How long its children are given to end once it has gone."""


def find_process(file: Path) -> psutil.Process | None:
    """Return the process of a file HOST.pid; None where it has ended, or the file is not one of ours."""
    try:
        number = file.read_text().strip()
        if re.fullmatch(r"[0-9]{1,9}", number) and os.path.samefile(f"/proc/{number}/fd/9", file):
            return psutil.Process(int(number))
    except (OSError, UnicodeDecodeError, psutil.NoSuchProcess):
        pass
    return None


def choose(output: Path, host: str, name: str | None) -> Path | None:
    """Return the process file of the run `name` to end, or of the only one on this host; None where nothing goes on.

    Raises:
        UserError: several go on and none is named, or the named one does not.
    """
    files = {file.parent.name: file for file in sorted(output.glob("*/*.pid"))
             if file.name == f"{host}.pid" and find_process(file)}
    if name is None and len(files) > 1:
        raise UserError(f"{len(files)} runs go on in the background: {', '.join(files)}; say which one to stop")
    if name is not None and name not in files:
        raise UserError(f"no run {name!r} of this user goes on in the background of this host (there: "
                        f"{', '.join(files) or 'none'}); one in the foreground is stopped with Ctrl-C")
    return files[name] if name is not None else next(iter(files.values()), None)


def end(file: Path, seconds: float, at_once: bool) -> bool:
    """End a run and its children; return whether it ended by itself, which is when its checkpoint was saved."""
    process = find_process(file)
    if process is None:
        return True  # it has ended in the meantime
    try:
        children = process.children(recursive=True)
        if not at_once:
            process.terminate()
    except psutil.NoSuchProcess:
        return True
    has_ended = not at_once and not wait([process], seconds)
    # Workers have sessions of their own, and outlive a launcher that is killed.
    kill([process, *wait(children, CHILDREN_SECONDS if has_ended else 0)])
    file.unlink(missing_ok=True)
    return has_ended


def main(argv: list[str]) -> None:
    """Command line."""
    parser = OneLineParser("src.launch.stop", "End a run that was started with --background.")
    parser.add_argument("name", nargs="?", help="name of the run; may be left out where there is only one")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long it is given to save its checkpoint")
    parser.add_argument("--kill", action="store_true", help="end it at once, without a checkpoint")
    arguments = parser.parse_args(argv)
    file = choose(OUTPUT, os.environ.get("HOSTNAME") or socket.gethostname(), arguments.name)
    if file is None:
        print("stop: nothing goes on in the background of this host")
        return
    name = file.parent.name
    print(f"stop: {name} (process {file.read_text().strip()}) is asked to stop", flush=True)
    how = "has ended" if end(file, arguments.seconds, arguments.kill) else "was killed"
    print(f"stop: {name} {how}; the same command as before continues from its last checkpoint")


if __name__ == "__main__":
    run(main)
