# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compare the losses of a run with those of a baseline run, step by step.

    python -m src.report.compare_losses A B [--term mlm] [--stage distil]

A is the run under test, B the baseline. Each is the folder of a run or its metrics.jsonl, or a text file: one number a
line; or `step loss` lines (a run's loss.txt); or any log with `loss: 1.23` or `loss=1.23` in its lines, where
`step: 7` or `step=7` beside it gives the step and lines without one are counted from 1. Steps that both have are
compared:

    mean relative error = mean( |A - B| / |B| ),   mean absolute error = mean( |A - B| )

and A passes when the first is at most 0.05 or the second at most 0.0002. Four lines are printed, in the form of the
`loss.py` that the DistilBERT recipe of the Tecorigin model zoo compares its logs with. That one averages the signed
differences, which cancel, and its third line prints the relative error under the name of the absolute one.

Status: 0 pass, 1 fail, 2 logs that cannot be compared. A loss of A that is not finite fails; one of B cannot be
compared with.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, nearest, run
from src.common.paths import path_of
from src.report.loss_curves import curves_of

RELATIVE, ABSOLUTE = 0.05, 0.0002
NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf(?:inity)?)(?![\w.])"
_NUMBERS = re.compile(rf"\s*(?:(\d+)[\s,;]+)?({NUMBER})\s*", re.IGNORECASE)
_STEP = re.compile(r"\bstep['\"]?\s*[:=]?\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Comparison:
    """Errors of a run against a baseline over `steps` steps; `relative` is infinite where B is 0 and A is not."""

    relative: float
    absolute: float
    steps: int

    @property
    def passes(self) -> bool:
        """Whether one of the errors is within its bound; NaN is not."""
        return self.relative <= RELATIVE or self.absolute <= ABSOLUTE

    def lines(self) -> list[str]:
        """Return the four lines that are printed."""
        verdict = "pass" if self.passes else "fail"
        return [f"MeanRelativeError:{self.relative}", f"MeanAbsoluteError:{self.absolute}",
                f"Rule,mean_absolute_error {self.absolute}",
                f"{verdict} mean_relative_error={self.relative} <={RELATIVE} or "
                f"mean_absolute_error={self.absolute} <={ABSOLUTE}"]


def compare(tested: dict[int, float], baseline: dict[int, float]) -> Comparison:
    """Compare the losses of the steps that both runs have; both are step -> loss.

    Raises:
        UserError: no step in common, or a baseline loss that is not finite.
    """
    steps = sorted(tested.keys() & baseline.keys())
    if not steps:
        raise UserError(f"the logs have no step in common (A has {_extent(tested)}, B has {_extent(baseline)}); log "
                        "both runs at the same interval")
    if unusable := [step for step in steps if not math.isfinite(baseline[step])]:
        raise UserError(f"the baseline's loss at step {unusable[0]} is {baseline[unusable[0]]}; give the log of a run "
                        "that did not diverge")
    absolute = [abs(tested[step] - baseline[step]) for step in steps]
    relative = [error / abs(baseline[step]) if baseline[step] else error and error * math.inf
                for step, error in zip(steps, absolute, strict=True)]
    return Comparison(sum(relative) / len(steps), sum(absolute) / len(steps), len(steps))


def _extent(losses: dict[int, float]) -> str:
    return f"{len(losses)} from step {min(losses)} to {max(losses)}"


def read_losses(place: Path | str, term: str = "loss", stage: str = "") -> dict[int, float]:
    """Return step -> loss, or one of its terms, of a run's folder, a .jsonl file or a text log; NaN where it was not
    finite. `stage` is needed for a run that has several.

    Raises:
        UserError: not readable, or without any loss.
    """
    place = Path(place)
    if place.is_dir() or place.suffix == ".jsonl":
        name, curves = curves_of(place, stage)
        if term not in curves.series:
            raise UserError(f"stage {name} of {place} has no term {term!r}, only {', '.join(curves.series)}"
                            f"{nearest(term, curves.series)}")
        return dict(zip(curves.steps, curves.series[term], strict=True))
    try:
        lines = [line for line in place.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"cannot read the log {place}: {error.strerror}") from error
    losses = _plain(lines) or _searched(lines, term)
    if not losses:
        raise UserError(f"{place} has no losses; expected one number a line, or lines with `{term}: 1.23`")
    return losses


def _plain(lines: list[str]) -> dict[int, float]:
    """Read `loss` or `step loss` lines; nothing when a line is of another form."""
    matches = [_NUMBERS.fullmatch(line) for line in lines]
    found = [match.groups() for match in matches if match]
    has_steps = {step is not None for step, _ in found}
    if len(found) < len(lines) or len(has_steps) > 1:
        return {}
    return {int(step or number): float(loss) for number, (step, loss) in enumerate(found, start=1)}


def _searched(lines: list[str], term: str) -> dict[int, float]:
    """Find the term in the lines of a log; a step that is logged again, by a resumed run, counts the second time."""
    pattern = re.compile(rf"\b{re.escape(term)}['\"]?\s*[:=]\s*({NUMBER})", re.IGNORECASE)
    losses: dict[int, float] = {}
    number = 0
    for line in lines:
        if match := pattern.search(line):
            number += 1
            step = _STEP.search(line)
            losses[int(step[1]) if step else number] = float(match[1])
    return losses


def main(argv: list[str]) -> None:
    """Command line: compare two logs."""
    parser = OneLineParser("src.report.compare_losses", __doc__.splitlines()[0],
                           epilog="status: 0 pass, 1 fail, 2 logs that cannot be compared")
    parser.add_argument("tested", type=path_of, metavar="A",
                        help="run under test: its folder, metrics.jsonl, or a text log")
    parser.add_argument("baseline", type=path_of, metavar="B", help="the run that it is compared with")
    parser.add_argument("--term", default="loss", help="term of the loss that is compared (default: %(default)s)")
    parser.add_argument("--stage", default="", help="stage of runs that have several")
    arguments = parser.parse_args(argv)
    tested, baseline = (read_losses(place, arguments.term, arguments.stage)
                        for place in (arguments.tested, arguments.baseline))
    result = compare(tested, baseline)
    if result.steps < max(len(tested), len(baseline)):
        print(f"note: {result.steps} steps are common; A has {_extent(tested)}, B has {_extent(baseline)}",
              file=sys.stderr)
    print("\n".join(result.lines()))
    if not result.passes:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
