# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks a command without running it, and prints it as a shell takes it.

    python -m src.launch.dry_run PYTHON run_general_distill.py --config_path configs/tinybert_gd.yaml
    python -m src.launch.dry_run --offline PYTHON run_general_distill.py --config_path configs/tinybert_gd.yaml

The first has the program itself check all that it needs up to its first step (`--dry_run`), and prints what it would
do. With `--offline` the settings alone are read, for teacher and records that are not on this machine. A mistake is one
line on standard error, and status 2.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("src.launch.dry_run")

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from operator import attrgetter

from src.common.errors import UserError
from src.config import Config, StageConfig, parse
from src.config.described import settings
from src.config.entry_points import ENTRY_POINTS, VARIANTS, together
from src.config.reads import is_read

OFFLINE = "--offline"


def check(python: str, script: str, arguments: Sequence[str], offline: bool) -> str:
    """Check a command and return what is to be said of it; "" of a script that is none of ENTRY_POINTS.

    What the script itself says on standard error passes through, and its status ends this process.

    Raises:
        UserError: settings that cannot be read.
    """
    if script not in ENTRY_POINTS:
        return ""
    config = parse(script, list(arguments))  # at once: loading MindSpore takes seconds
    if offline:
        return "\n".join(_settings_alone(script, config))
    environment = {"GLOG_v": "3", "TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run([python, script, *arguments, "--dry_run", "true"], env=environment, stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.rstrip("\n")


def _settings_alone(script: str, config: Config) -> Iterator[str]:
    """What is known without the records, and what has not been checked."""
    sections = [section for group in _sections(script, config) for section in together(group)]
    for section in sections:
        stage = attrgetter(section)(config) if section else config
        if isinstance(stage, StageConfig):
            yield (f"{section}: {stage.describe_batch(config.device.device_num, config.device.device_target)}, "
                   f"epoch_size {stage.epoch_size}")
    named = {path: attrgetter(path)(config) for path, setting in settings().items()
             if setting.is_path and is_read(script, path) and path != "checkpoint.save_ckpt_path"}
    listed = ", ".join(f"{path.rpartition('.')[2]} {value if isinstance(value, str) else ','.join(value)}"
                       for path, value in named.items() if value)
    yield f"not checked ({OFFLINE}): {listed or 'paths'}; devices; number of rows and steps"


def _sections(script: str, config: Config) -> Sequence[str | tuple[str, ...]]:
    setting, value, sections = VARIANTS.get(script, ("", "", ()))
    is_variant = bool(setting) and str(attrgetter(setting)(config)).lower() == value
    return sections if is_variant else ENTRY_POINTS[script]


def main(argv: list[str]) -> None:
    """Command line."""
    offline = argv[:1] == [OFFLINE]
    command = argv[offline:]
    if len(command) < 2:
        raise UserError(f"expected a Python, a script and its settings, got {len(command)} argument(s)")
    said = check(command[0], command[1], command[2:], offline)
    print(shlex.join(command), said, sep="\n" if said else "")
