# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a training stage is, how far it has come, and what an evaluation decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from src.common.errors import UserError
from src.config import EvalInterval, ModelConfig, StageConfig
from src.dataset import JoinedLogits, LanguageModelTargets, TeacherLogits, micro_steps_per_epoch
from src.distill.cell import DistillationCell
from src.records.reading import RecordSource

Evaluate = Callable[[Mapping[str, np.ndarray]], dict[str, float]]


@dataclass(kw_only=True)
class Stage:
    """What one stage trains, and on what."""

    name: str  # in logs, such as task_distill_phase1
    settings: StageConfig
    network: DistillationCell
    model: ModelConfig  # the student's, for its checkpoints, as is the vocabulary
    source: RecordSource
    tokenizer_path: Path | None
    evaluate: Evaluate | None = None  # called with the student's parameters, returns metrics
    evaluate_between: Evaluate | None = None  # the same between the steps, where it takes less data there
    eval_interval: EvalInterval = "epoch"  # optimiser steps, or "epoch", or "end"
    metric: str = ""  # which decides; "" takes the first one
    early_stopping: int = 0  # evaluations without a better one after which the stage ends; 0: never
    keep_best: bool = True  # the result is the best student; else, or without evaluation, the last one
    targets: LanguageModelTargets | None = None  # what a language model predicts in each batch
    group_by_size: bool = True
    # Opens or computes them, for a network without a teacher; not called when nothing is left to train.
    teacher_logits: Callable[[], TeacherLogits | JoinedLogits] | None = None
    stored_teacher: ModelConfig | None = None  # what they are computed by


@dataclass
class Progress:
    """Where a stage is; saved in each checkpoint."""

    micro_steps: int = 0
    best_metric: float | None = None  # None before the first evaluation
    seconds: float = 0.0  # of training, in all sessions of this run
    skipped: int = 0  # consecutive optimiser steps without an update
    # Of the best evaluation, or of the last one where the last model is kept.
    metrics: dict[str, float] = field(default_factory=dict)
    metrics_step: int = 0  # the optimiser step of that evaluation
    without_improvement: int = 0  # evaluations since the best one
    is_stopped: bool = False  # whether early stopping has ended the stage
    rewinds: int = 0  # how often the stage has returned to an earlier step because a loss was not finite
    schedule_start: int = 0  # the optimiser step that the schedule began at; above 0 in a run that was extended anew
    losses: tuple[tuple[float, ...], ...] = ()  # total and terms of each micro-step since the last optimiser step


def total_micro_steps(settings: StageConfig, source: RecordSource, ranks: int) -> int:
    """Micro-steps of a stage: whole optimiser steps, at most `train_steps` of them."""
    accumulation = settings.gradient_accumulation_steps
    total = micro_steps_per_epoch(source, settings.batch_size, ranks, accumulation) * settings.epoch_size
    return min(total, settings.train_steps * accumulation) if settings.train_steps else total


def steps_a_sink(left: int, most: int) -> int:
    """Return how many of the steps left a device runs in one call: the largest number up to `most` without a rest.

    Steps that do not fill a call would not be run, and the stage would never end.
    """
    return next(size for size in range(max(1, min(most, left)), 0, -1) if left % size == 0)


def best_line(name: str, value: float) -> str:
    """The line of the reference that tells the best value of a metric, which is named where it is not the accuracy."""
    return f"The best acc is {value:.6f}" + ("" if name == "accuracy" else f" ({name})")


def judge(progress: Progress, stage: Stage, metrics: dict[str, float], step: int, steps: int) -> str:
    """Note the metrics of the evaluation after optimiser step `step` of `steps` in `progress`; return what to print.

    Raises:
        UserError: the rows do not have the metric that decides.
    """
    if not stage.keep_best:
        progress.metrics, progress.metrics_step = metrics, step
        return ""
    name = stage.metric or next(iter(metrics))
    if name not in metrics:  # such as those of answers, where no row of dev has one
        raise UserError(f"metric is {name!r}, which these rows do not have; they have {', '.join(metrics)}")
    # What is not a number, such as the correlation of equal scores, is the worst.
    best, progress.without_improvement = progress.best_metric, progress.without_improvement + 1
    if best is None or math.isnan(best) or metrics[name] > best:
        best = progress.best_metric = metrics[name]
        progress.metrics, progress.metrics_step, progress.without_improvement = metrics, step, 0
    said = best_line(name, best)
    patience = stage.early_stopping
    if patience and progress.without_improvement >= patience and step < steps:
        progress.is_stopped = True
        said += (f"\n{stage.name}: early stopping after step {step} of {steps}: {patience} "
                 f"evaluation{'s' * (patience > 1)} without a better {name} than {best:.6f} (step "
                 f"{progress.metrics_step})")
    return said
