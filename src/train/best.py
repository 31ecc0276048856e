# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation decides: which student is the best so far, and whether a stage ends early."""

from __future__ import annotations

import math

from src.common.errors import UserError
from src.train.stage import Progress, Stage


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
