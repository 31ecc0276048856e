# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line of a study that a script starts, scaled to the time that the user has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.pipeline.driver import drive
from experiments.pipeline.stages import REPOSITORY, Stage
from src.common.arguments import OneLineParser, add_device_target
from src.common.errors import UserError
from src.config import Config, load_config


@dataclass(frozen=True)
class Study:
    """A recipe, and the stages that it becomes.

    Attributes:
        script: name of the script in scripts/.
        about: what it does, for --help.
        recipe: the settings of all stages.
        output: folder for everything that is written.
        minutes: what training with the recipe's `train_steps` takes on two slow cores.
        stages: (config, share of the recipe's `train_steps` to train, device target) -> stages. Their paths are
            relative to the repository's folder, where the commands run.
        summary: prints what a finished run in a folder has shown.
    """

    script: str
    about: str
    recipe: Path
    output: Path
    minutes: float
    stages: Callable[[Config, float, str], list[Stage]]
    summary: Callable[[Path], None]

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
        options = parser.parse_args(argv)
        if not 0 < options.minutes <= 100_000:
            raise UserError(f"--minutes is {options.minutes:g}; expected a number above 0, such as {self.minutes:g}")
        stages = self.stages(load_config(REPOSITORY / self.recipe), options.minutes / self.minutes,
                             options.device_target)
        drive(stages, self.output, options.fresh)
        self.summary(self.output)
        print(f"This call took {time.monotonic() - began:.0f} s.")


def scaled(steps: int, share: float) -> int:
    """Return a share of a number of steps; at least one."""
    return max(1, round(steps * share))
