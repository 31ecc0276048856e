# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs the stages of one output folder, under a lock; and the command line of those that a script starts."""

from __future__ import annotations

import argparse
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments.pipeline.process import StageFailed, run_stage
from experiments.pipeline.stages import REPOSITORY, Stage, remove, run_stages
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError, fail


@contextmanager
def locked(path: Path, name: str) -> Iterator[None]:
    """Hold the lock of a run called `name`; the system releases it with the process.

    Raises:
        UserError: another run holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another {name} is running in {path.parent.resolve()}; wait for it or stop it "
                            "first") from error
        yield


def drive(stages: Callable[[], list[Stage]], output: Path, fresh: bool, name: str) -> None:
    """Run what is not finished of `stages` under the lock of `output`; leaves the process when a stage fails.

    Args:
        stages: returns the stages, once the current folder is the repository's.
        fresh: remove what is in `output` first, except for its downloads.
        name: what the run is called.
    """
    os.chdir(REPOSITORY)
    with locked(output / ".lock", name):
        if fresh:
            for path in sorted(output.iterdir()):
                if path.name not in ("download", ".lock"):
                    remove(path)
        try:
            run_stages(stages(), output, run_stage)
        except StageFailed as error:
            fail(f"error: {error}", error.status)


def scaled(steps: int, minutes: float, default_minutes: float) -> int:
    """Scale the recipe's `train_steps` to a training budget; at least one step."""
    return max(1, round(steps * minutes / default_minutes))


def parse_run_options(argv: Sequence[str], script_name: str, about: str, recipe: Path, output: Path,
                      default_minutes: float) -> argparse.Namespace:
    """Read --minutes, --fresh and --device_target of a run that `bash scripts/SCRIPT_NAME.sh` starts.

    Raises:
        UserError: a wrong option, or a budget that is not positive.
    """
    parser = OneLineParser(
        description=about, prog=f"bash scripts/{script_name}.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Settings of the stages are in {recipe}; results are written to {output}.")
    parser.add_argument("--minutes", type=float, default=default_minutes,
                        help="training budget on two slow CPU cores; scales the number of training steps "
                             "(default: %(default)g)")
    parser.add_argument("--fresh", action="store_true",
                        help="start over: remove everything but the downloads, whose hashes are checked")
    add_device_target(parser)
    arguments = parser.parse_args(argv)
    if not 0 < arguments.minutes <= 100_000:
        raise UserError(f"--minutes is {arguments.minutes:g}; expected a number above 0, such as {default_minutes:g}")
    return arguments


def drive_and_print(stages: Callable[[], list[Stage]], output: Path, fresh: bool, name: str,
                    print_summary: Callable[[Path], None]) -> None:
    """Run what is not finished, as `drive` does, then print the summary and how long this call took."""
    began = time.monotonic()
    drive(stages, output, fresh, name)
    print_summary(output)
    print(f"This call took {time.monotonic() - began:.0f} s.")
