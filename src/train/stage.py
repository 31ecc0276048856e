# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a training stage is, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from src.config import CheckpointConfig, DataConfig, EvalInterval, LoggingConfig, ModelConfig, StageConfig
from src.dataset import LanguageModelTargets, TeacherLogits, micro_steps_per_epoch
from src.distill.cell import DistillationCell
from src.records.reading import RecordSource

Evaluate = Callable[[Mapping[str, np.ndarray]], dict[str, float]]


@dataclass(kw_only=True)
class Stage:
    """What one stage trains, and on what.

    Attributes:
        name: stage name in logs, such as task_distill_phase1.
        model, tokenizer_path: the student's configuration and vocabulary, for its checkpoints.
        source: training records.
        evaluate: called with the student's parameters, returns metrics; None: no evaluation.
        evaluate_between: the same between the steps, where it takes less data there; None: `evaluate`.
        eval_interval: optimiser steps between evaluations, or "epoch", or "end".
        metric: the metric that decides; "" takes the first one.
        early_stopping: evaluations without a better one after which the stage ends; 0 = never.
        keep_best: the result is the best student by the deciding metric; else, or without evaluation, the last one.
        targets: what a language model predicts in each batch; None where the rows have labels of their own, or none.
        teacher_logits: opens, or computes, what the teacher says of the training records, for a network without one;
            not called when nothing is left to train.
    """

    name: str
    settings: StageConfig
    network: DistillationCell
    model: ModelConfig
    source: RecordSource
    tokenizer_path: Path | None
    evaluate: Evaluate | None = None
    evaluate_between: Evaluate | None = None
    eval_interval: EvalInterval = "epoch"
    metric: str = ""
    early_stopping: int = 0
    keep_best: bool = True
    targets: LanguageModelTargets | None = None
    group_by_size: bool = True
    teacher_logits: Callable[[], TeacherLogits] | None = None


@dataclass(frozen=True)
class LoopSettings:
    """What the loop reads beside the stage: the seed, and these sections."""

    seed: int
    data: DataConfig
    checkpoint: CheckpointConfig
    logging: LoggingConfig


@dataclass
class Progress:
    """Where a stage is; saved in each checkpoint.

    Attributes:
        best_metric: best evaluation so far, None before the first.
        seconds: training time of all sessions of this run.
        skipped: consecutive optimiser steps without an update.
        metrics: all metrics of the result: of the best evaluation, or of the last one where the last model is kept.
        metrics_step: the optimiser step of that evaluation.
        without_improvement: evaluations since the best one.
        is_stopped: whether early stopping has ended the stage.
        rewinds: how often the stage has returned to an earlier step because a loss was not finite.
        losses: total and terms of each micro-step since the last optimiser step.
    """

    micro_steps: int = 0
    best_metric: float | None = None
    seconds: float = 0.0
    skipped: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    metrics_step: int = 0
    without_improvement: int = 0
    is_stopped: bool = False
    rewinds: int = 0
    losses: tuple[tuple[float, ...], ...] = ()


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
