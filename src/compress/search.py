# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What has been decided and found so far, in RUN/search.json: a run that is continued takes it from there.

Nothing that was measured is measured again, and no number of steps is chosen twice: what is continued goes the way that
it would have gone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from src.common.errors import UserError
from src.common.files import read_json, write_json
from src.common.typed import build, to_plain
from src.compress.budget import Measured

NAME = "search.json"


@dataclass
class Cost:
    """What the distillation of a candidate takes: seconds a step, and seconds of a call besides (compilation,
    evaluation, checkpoints)."""

    step: float
    call: float


@dataclass
class Rung:
    """One rung of the search.

    Attributes:
        steps: optimiser steps that each of its candidates has done at its end, those of earlier rungs included.
        names: of its candidates.
        metrics: name -> the best metric on dev so far, of those that are done.
    """

    steps: int
    names: tuple[str, ...]
    metrics: dict[str, float] = field(default_factory=dict)

    def best(self, count: int) -> tuple[str, ...]:
        """Return the names of the best candidates, the best first; of equal ones the earlier."""
        return tuple(sorted(self.names, key=lambda name: -self.metrics[name])[:count])


@dataclass
class Facts:
    """What search.json holds.

    Attributes:
        teacher: its float32 file.
        candidates: shapes within the budget, and what files of them take.
        costs: by the candidates' names; estimated before a candidate's first rung.
        rungs: so far.
        seconds: that the run has taken up to the last time that this was written.
        file_seconds: what writing, quantizing, loading and timing one file took.
    """

    teacher: Measured
    candidates: tuple[Measured, ...]
    costs: dict[str, Cost]
    rungs: tuple[Rung, ...] = ()
    seconds: float = 0.0
    file_seconds: float = 0.0


class Search:
    """The facts of a run, and the time that it has taken, in all sessions."""

    def __init__(self, run: Path, facts: Facts):
        self.path, self.facts = run / NAME, facts
        self._before, self._began = facts.seconds, time.monotonic()

    @classmethod
    def found_in(cls, run: Path) -> Search | None:
        """Return the search that an earlier session has begun; None without one.

        Raises:
            UserError: what is there cannot be read.
        """
        path = run / NAME
        if not path.is_file():
            return None
        try:
            return cls(run, build(Facts, read_json(path), "", str(path)))
        except UserError as error:
            raise UserError(f"{error}; start over with --resume false, or choose another --save_ckpt_path") from error

    @property
    def seconds(self) -> float:
        """Seconds of all sessions."""
        return self._before + time.monotonic() - self._began

    def add_seconds(self, seconds: float) -> None:
        """Count what was done before this was made."""
        self._before += seconds

    def save(self) -> None:
        """Write what is known, all at once."""
        self.facts.seconds = round(self.seconds, 1)
        values = {**to_plain(self.facts), "costs": {name: to_plain(cost) for name, cost in self.facts.costs.items()}}
        write_json(self.path, values)


def rung_sizes(candidates: int) -> list[int]:
    """Return the number of candidates of each rung: half of them go on, the last one is the winner.

    Successive halving: Jamieson and Talwalkar, arXiv:1502.07943.
    """
    sizes = [candidates]
    while sizes[-1] > 1:
        sizes.append(sizes[-1] // 2)
    return sizes if len(sizes) > 1 else [candidates]


def shares(rungs: int) -> list[float]:
    """Return the share of the time of each rung: half of it is the last one's, the rest is divided evenly."""
    return [1.0] if rungs == 1 else [0.5 / (rungs - 1)] * (rungs - 1) + [0.5]


def steps_within(seconds: float, costs: Sequence[Cost]) -> int:
    """Return how many steps of each candidate fit into the time of a rung; below 1 where none does."""
    return int((seconds - sum(each.call for each in costs)) / sum(each.step for each in costs))
