# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The distillation of candidates, rung by rung: each goes on from where it is, with the teacher's stored logits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

from src.checkpoints.checkpoint import LoadedModel, cell_of
from src.checkpoints.store import CheckpointStore
from src.common.errors import UserError
from src.common.untrusted import parse_json
from src.compress.candidates import Candidate, rows_of, start_of
from src.compress.search import Cost, Facts, Rung, Search, rung_sizes, shares, steps_within
from src.config import CompressConfig, Config, HeadConfig, ModelConfig
from src.dataset import micro_steps_per_epoch, with_unlabelled
from src.device import Device
from src.distill.cell import DistillationCell
from src.distill.objectives import objective_of
from src.models.heads import build_model
from src.records.reading import RecordSource
from src.runs.records import TaskRecords
from src.runs.task_distill import PHASE_2, Setting, Student, run_phase
from src.runs.teachers import Teachers
from src.tasks import Task
from src.train.forecast import forecast_of
from src.train.stage import Stage

CALL_SECONDS = 15.0
"""Expected of a candidate's compilation, evaluations and checkpoints in its first rung."""
LEAST_STEPS, FEW_STEPS = 10, 200
"""Fewer steps than the first tell nothing about a candidate, fewer than the second little: then fewer are distilled."""
TRAINING = ("train", "unlabelled")
"""Names of the training rows below RUN/vocabularies/N."""
_LOGGED = 50
"""Lines of the log that tell how fast steps are."""


@dataclass(frozen=True)
class Ground:
    """What all candidates are distilled on."""

    config: Config
    run: Path
    device: Device
    teacher: LoadedModel
    task: Task
    head: HeadConfig
    train: RecordSource
    held_out: RecordSource
    unlabelled: RecordSource | None = None

    @property
    def training(self) -> tuple[RecordSource, ...]:
        """The labelled rows, and the unlabelled ones where there are some."""
        return (self.train,) if self.unlabelled is None else (self.train, self.unlabelled)

    @property
    def described_rows(self) -> str:
        """How many there are, for people."""
        if self.unlabelled is None:
            return f"{self.train.rows} training rows"
        return f"{self.train.rows} labelled and {self.unlabelled.rows} unlabelled training rows"


def expected_cost(ground: Ground, student: ModelConfig) -> Cost:
    """Estimate what the distillation of a student takes, before there is one."""
    config, objective = ground.config, objective_of(ground.config.compress.distill, ground.head)
    cell = build_model(student, ground.device.compute_type)
    stage = Stage(name=PHASE_2, settings=config.compress.distill, source=with_unlabelled(*ground.training),
                  model=student, network=DistillationCell(cell, objective, cached=True), tokenizer_path=None)
    seconds, _ = forecast_of(stage, config, ground.device).step_seconds()
    return Cost(seconds, CALL_SECONDS)


def distil(ground: Ground, candidate: Candidate, steps: int, expected: Cost) -> tuple[float, Cost | None]:
    """Distil a candidate up to so many steps in RUN/candidates/NAME, from where it is.

    Args:
        expected: what it takes, by what is known so far.

    Returns:
        the best metric on dev so far (-1 for what is not a number), and what it took; None where it was done already.
    """
    began = time.monotonic()
    config, run, device, teacher = ground.config, ground.run, ground.device, ground.teacher
    start = start_of(run, candidate)
    is_smaller = start.vocab_hash != teacher.vocab_hash
    train, *others = (rows_of(run, candidate, rows, name, ground.task, teacher, config.data)
                      for name, rows in zip(TRAINING, ground.training, strict=False))
    held_out = rows_of(run, candidate, ground.held_out, "dev", ground.task, teacher, config.data)
    phase = config.compress.distill
    epoch = micro_steps_per_epoch(with_unlabelled(train, *others), phase.batch_size, device.ranks,
                                  phase.gradient_accumulation_steps)
    epochs = math.ceil(steps * phase.gradient_accumulation_steps / epoch)
    phase = replace(phase, train_steps=steps, epoch_size=epochs, train_data_dir="", aug_train=False,
                    cache_teacher_logits="true")
    its_rows = [str(rows.files[0].parent) if is_smaller else "" for rows in ground.training]
    its = replace(
        config, task_distill=replace(config.task_distill, phases="2", phase2=phase),
        data=replace(config.data, data_dir="", train_data_dir=str(train.files[0].parent)),
        teacher=replace(config.teacher, train_data_dir=its_rows[0], unlabelled_data_dir=(*its_rows, "")[1]),
        checkpoint=replace(config.checkpoint, resume=True, extend="continue"))
    path = run / "candidates" / candidate.name
    done = _steps_done(path / PHASE_2)
    setting = Setting(its, path, device, Teachers((teacher,), (), (1.0,)), ground.task, ground.head,
                      TaskRecords(its, path, teacher, device), {PHASE_2: train}, held_out, start, logits_path=run,
                      unlabelled=others[0] if others else None)
    student = Student(cell_of(start, device.compute_type), start.config, start, start.tokenizer_path)
    progress = run_phase(PHASE_2, setting, student, objective_of(phase, ground.head))
    assert progress is not None and progress.best_metric is not None, "no dry run, and with evaluation"
    best = progress.best_metric if math.isfinite(progress.best_metric) else -1.0
    if done == steps:
        return best, None
    whole, added = time.monotonic() - began, steps - done
    step = _step_seconds(path / PHASE_2 / "metrics.jsonl") or min(expected.step, whole / added)
    return best, Cost(step, max(0.0, whole - step * added))


def _steps_done(folder: Path) -> int:
    """Optimiser steps of the newest checkpoint of a run; 0 without one."""
    newest = CheckpointStore(folder, keep=1).newest()
    return int(newest.name.rpartition("-")[2]) if newest else 0


def _step_seconds(log: Path) -> float:
    """The median seconds of a step, of what a run has logged; 0 where that is too little to tell."""
    lines = [row for row in map(parse_json, log.read_text(encoding="utf-8").splitlines()) if "loss" in row]
    times = [(row["step"], row["seconds"]) for row in lines[-_LOGGED:]]
    rates = [(after - before) / (next_step - step) for (step, before), (next_step, after) in pairwise(times)
             if next_step > step]
    return median(rates) if len(rates) > 2 else 0.0


def climb(ground: Ground, search: Search, candidates: Sequence[Candidate], reserve: float,
          report: Callable[[], None]) -> Candidate:
    """Run all rungs that are not done; return the winner.

    Args:
        reserve: seconds that are left for what follows.
        report: called at the end of each rung.

    Raises:
        UserError: there is no time for a first rung.
    """
    facts, settings, by_name = search.facts, ground.config.compress, {each.name: each for each in candidates}
    sizes = rung_sizes(len(candidates))
    for number, size in enumerate(sizes):
        if number == len(facts.rungs):
            names = facts.rungs[-1].best(size) if facts.rungs else tuple(by_name)
            before = facts.rungs[-1].steps if facts.rungs else 0
            left = settings.minutes * 60 - reserve - search.seconds
            steps = before + added_steps(settings, facts, names, number, len(sizes), left)
            facts.rungs += (Rung(steps, names),)
            search.save()
        rung = facts.rungs[number]
        for name in rung.names:
            if name in rung.metrics:
                continue
            ground.device.say(f"rung {number + 1} of {len(sizes)}: {name}, up to step {rung.steps}")
            rung.metrics[name], cost = distil(ground, by_name[name], rung.steps, facts.costs[name])
            if cost:
                facts.costs[name] = cost
            search.save()
        report()
    return by_name[facts.rungs[-1].names[0]]


def added_steps(settings: CompressConfig, facts: Facts, names: Sequence[str], number: int, rungs: int, left: float
                ) -> int:
    """Return how many steps the candidates of a rung do: `rung_steps`, or what fits into its share of the seconds left.

    Raises:
        UserError: too few for a first rung.
    """
    if settings.rung_steps:
        return settings.rung_steps[min(number, len(settings.rung_steps) - 1)]
    of_all = shares(rungs)[number:]
    costs = [facts.costs[name] for name in names]
    steps = steps_within(left * of_all[0] / sum(of_all), costs)
    if number == 0:
        check_time(settings, costs, steps, left, of_all[0])
    return max(steps, LEAST_STEPS)


def affordable(names: Sequence[str], costs: Mapping[str, Cost], left: float) -> int:
    """Return how many candidates, the first ones, have FEW_STEPS steps in a first rung; 1 where even that has not."""
    for count in range(len(names), 1, -1):
        share = shares(len(rung_sizes(count)))[0]
        if steps_within(left * share, [costs[name] for name in names[:count]]) >= FEW_STEPS:
            return count
    return 1


def check_time(settings: CompressConfig, costs: Sequence[Cost], steps: int, left: float, share: float) -> None:
    """Raise `UserError` where a first rung has no time."""
    if steps >= LEAST_STEPS:
        return
    need = sum(each.call + LEAST_STEPS * each.step for each in costs) / share
    minutes = settings.minutes + (need - left) / 60
    raise UserError(f"minutes is {settings.minutes:g}, of which {max(0.0, left) / 60:.1f} are left for "
                    f"distilling {len(costs)} candidates; a first rung of {LEAST_STEPS} steps each needs about "
                    f"{math.ceil(minutes)} in all: raise --minutes, or lower --candidates")
