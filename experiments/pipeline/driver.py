# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs the stages of a study: what is finished is skipped, what was cut off continues, all output is kept in a log.

OUTPUT/stamps/STAGE.json says what a stage ran with and what it left:

    {"key", "finished": bool, "started": s since 1970, "seconds": float, "commands": [str], "results": {path: digest}}

A finished stage is skipped while its key and its results are as they were; a change runs it and all after it again.
MindSpore and TensorFlow are not imported here, so that a run with nothing to do ends at once.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from experiments.pipeline.stages import REPOSITORY, Stage, remove, shown
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, fail
from src.common.files import alone, write_json
from src.common.signals import handled, signalled_with_parent
from src.common.untrusted import parse_json
from src.config import load_config

GRACE_SECONDS = 60.0  # how long an interrupted command may take to leave
AT_ONCE = 2  # commands that run beside one another; more would not fit in the memory of a small machine
CONTINUE = "run the same command again to continue"


@dataclass(frozen=True)
class Study:
    """A recipe, and the stages that it becomes; their paths are relative to the repository's folder."""

    script: str  # scripts/`script`.sh starts it
    about: str
    recipe: Path
    output: Path
    minutes: float  # what training with the recipe's `train_steps` takes on two slow cores
    stages: Callable[..., list[Stage]]  # config, share of the `train_steps` to train, device target, and `paths`
    summary: Callable[[Path], None]  # prints what a finished run in a folder has shown
    paths: Mapping[str, str] = field(default_factory=dict)  # further options, paths that may be left out: name -> help

    def run(self, argv: Sequence[str]) -> None:
        """Run what is not finished, then print the summary and how long this call took."""
        began = time.monotonic()
        parser = OneLineParser(
            description=self.about, prog=f"bash scripts/{self.script}.sh",
            epilog=f"Settings of the stages are in {self.recipe}; results are written to {self.output}.")
        parser.add_argument("--minutes", type=float, default=self.minutes,
                            help="training budget on two slow CPU cores; scales the number of training steps "
                                 "(default: %(default)g)")
        parser.add_argument("--fresh", action="store_true",
                            help="start over: remove everything but the downloads, whose hashes are checked")
        add_device_target(parser)
        for name, text in self.paths.items():
            parser.add_argument(f"--{name}", type=_absolute, default="", help=text)
        options = parser.parse_args(argv)
        if not 0 < options.minutes <= 100_000:
            raise UserError(f"--minutes is {options.minutes:g}; expected a number above 0, such as {self.minutes:g}")
        stages = self.stages(load_config(REPOSITORY / self.recipe), options.minutes / self.minutes,
                             options.device_target, **{name: getattr(options, name) for name in self.paths})
        drive(stages, self.output, options.fresh)
        self.summary(self.output)
        print(f"This call took {time.monotonic() - began:.0f} s.")


def _absolute(given: str) -> str:
    return os.path.abspath(given) if given else ""


def drive(stages: Sequence[Stage], output: Path, fresh: bool) -> None:
    """Run what is not finished of `stages`, alone in `output`; leaves the process when a stage fails.

    With `fresh` what is in `output` is removed first, except for its downloads.
    """
    os.chdir(REPOSITORY)
    with alone(output, output, "folder"):
        for path in sorted(output.iterdir()) if fresh else ():
            if path.name not in ("download", ".lock"):
                remove(path)
        run_stages(stages, output)


def run_stages(stages: Sequence[Stage], output: Path) -> None:
    """Run what is not finished, in order."""
    key, is_old, began = "", False, time.monotonic()
    for number, stage in enumerate(stages, start=1):
        heading = f"[{number}/{len(stages)}] {stage.title}"
        # The key is taken now, after the stages before this one have written its inputs.
        key = stage.key(key)
        path, log = output / f"stamps/{stage.name}.json", output / f"logs/{stage.name}.txt"
        stamp = read_stamp(path)
        if not is_old and stamp.get("finished") and stamp.get("key") == key and stamp.get("results") == stage.found():
            print(f"{heading}: finished before ({stamp['seconds']:.0f} s), skipped", flush=True)
            continue
        # What comes after this stage is out of date now, even if this call should end before it gets there.
        is_old = True
        for later in stages[number:]:
            (output / f"stamps/{later.name}.json").unlink(missing_ok=True)
        spent = 0.0
        if stage.resumable and stamp.get("key") == key and stamp.get("finished") is False:
            # A killed call ran up to the last line of its log.
            last = log.stat().st_mtime if log.exists() else stamp["started"]
            spent = stamp["seconds"] + max(0.0, last - stamp["started"])
            heading += f": continues after {spent:.0f} s"
        else:
            for made in (*stage.outputs, log):
                remove(made)
        print(f"\n{heading} ({(time.monotonic() - began) / 60:.1f} min so far)", flush=True)
        stamp = {"key": key, "finished": False, "started": time.time(), "seconds": round(spent, 2),
                 "commands": [shown(command) for command in stage.commands], "results": {}}
        write_json(path, stamp)
        run_stage(stage, log)
        results = stage.found()
        if missing := [name for name, found in results.items() if found == "missing"]:
            raise UserError(f"stage {stage.name} ended without an error but did not write {missing[0]}; see {log}")
        seconds = round(spent + time.time() - stamp["started"], 2)
        write_json(path, {**stamp, "finished": True, "seconds": seconds, "results": results})


def read_stamp(path: Path) -> dict[str, Any]:
    """Return a stamp, or an empty one; an unreadable stamp (a crash of the machine) counts as none."""
    try:
        stamp = parse_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def run_stage(stage: Stage, log: Path) -> None:
    """Run the commands of a stage; leaves the process with their status when one fails or is interrupted."""
    log.parent.mkdir(parents=True, exist_ok=True)
    status, interrupted = run_commands(stage.commands, log, AT_ONCE if stage.at_once else 1)
    # Of a progress bar, which draws itself again after a carriage return, the log keeps the last state.
    log.write_bytes(re.sub(rb"(?m)^[^\n]*\r(?=[^\r\n])", b"", log.read_bytes()))
    if interrupted:
        fail(f"error: interrupted in stage {stage.name}; {CONTINUE} (log: {log})", 128 + interrupted)
    if status != 0:
        # A negative status is the signal that ended the process; shells report it as 128 + signal.
        code = status if status > 0 else 128 - status
        fail(f"error: stage {stage.name} failed with status {code}; its log is {log}; {CONTINUE}", code)


class Running:
    """A command that runs, in a session of its own, and adds what it writes to a file."""

    def __init__(self, command: Sequence[str], path: Path, at_once: int):
        # Libraries' start-up notices are left out, and commands beside one another divide the processors; a user who
        # wants it otherwise sets the variables.
        shared = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // at_once))} if at_once > 1 else {}
        environment = {"GLOG_v": "3", "TF_CPP_MIN_LOG_LEVEL": "3", **shared, **os.environ, "PYTHONUNBUFFERED": "1"}
        self.path = path
        with path.open("ab") as file:
            self.written = path.open("rb")
            self.written.seek(file.tell())
            file.write(f"$ {shown(command)}\n".encode())
            file.flush()
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, preexec_fn=partial(signalled_with_parent, signal.SIGKILL))

    def send(self, number: int) -> None:
        """Send a signal to its session."""
        with suppress(ProcessLookupError):  # it has just left
            os.killpg(self.process.pid, number)

    def show(self) -> bool:
        """Show what it has written since; returns whether it has left."""
        has_left = self.process.poll() is not None  # first, so that the last read is after the last write
        sys.stdout.buffer.write(self.written.read())
        sys.stdout.buffer.flush()
        return has_left

    def close(self, log: Path) -> None:
        """Move what it has written to the end of the log, if that is another file."""
        self.written.close()
        if self.path != log:
            with log.open("ab") as file:
                file.write(self.path.read_bytes())
            self.path.unlink()


def run_commands(commands: Sequence[Sequence[str]], log: Path, at_once: int) -> tuple[int, int]:
    """Run commands, `at_once` of them beside one another, and show what they write in the order of the commands.

    None starts after one has failed. Ctrl-C and SIGTERM reach this process, which passes them on and waits for the
    commands to leave. The second signal, or no exit in time, kills them; so does the death of this process.

    Returns:
        the first status that is not 0, and the signal that stopped them (0: none).
    """
    waiting, running = deque(commands), deque[Running]()
    status, received, deadline = 0, list[int](), float("inf")

    def pass_on(number: int, _frame: object) -> None:
        nonlocal deadline
        received.append(number)
        deadline = time.monotonic() + GRACE_SECONDS
        for each in running:
            each.send(number if len(received) == 1 else signal.SIGKILL)

    with handled(pass_on, signal.SIGINT, signal.SIGTERM):
        while waiting or running:
            states = [each.process.poll() for each in running]
            if status or received or any(states):
                waiting.clear()
            if running and running[0].show():
                ended = running.popleft()
                ended.close(log)
                status = status or ended.process.returncode
            elif waiting and states.count(None) < at_once:
                path = log.with_suffix(f".{len(waiting)}.part") if running else log
                if running:
                    path.unlink(missing_ok=True)  # of a call that was killed
                running.append(Running(waiting.popleft(), path, at_once))
                if received:  # before it was there to be told
                    running[-1].send(received[-1])
            else:
                if time.monotonic() > deadline:
                    for each in running:
                        each.send(signal.SIGKILL)
                time.sleep(0.1)
    return status, received[0] if received else 0
