# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What happens between the steps: progress, logs, evaluation, checkpoints."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from mindspore import Tensor
from mindspore.train.callback import Callback, RunContext
from tqdm import tqdm

from src.common.errors import Diverged
from src.config import LoggingConfig
from src.train.metrics_log import MetricsLog


@dataclass
class Progress:
    """Where the run is; saved in each checkpoint.

    Attributes:
        micro_steps: micro-steps done.
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


def _number(value: Tensor) -> float:
    return float(value.asnumpy().reshape(()))


class Monitor(Callback):
    """Counts steps, shows progress with loss and ETA, writes the metrics, and stops a run that diverged.

    On a terminal it draws a bar; elsewhere it prints a line every `log_interval` steps, with `epoch:` and `step:`
    so that logs can be searched as those of the model zoo.

    What it decides is the same on all ranks: losses are means over them, and they skip the same steps.

    Attributes:
        is_inside: whether a step has begun whose results have not been seen: the parameters may be half updated.
    """

    def __init__(self, progress: Progress, log: MetricsLog, settings: LoggingConfig, term_names: tuple[str, ...],
                 accumulation: int, micro_steps_per_epoch: int, total_micro_steps: int, max_skipped_steps: int,
                 micro_steps_a_call: int = 1, show: bool = True, may_overflow: bool = False):
        super().__init__()
        self.progress, self.log, self.settings = progress, log, settings
        self.term_names, self.accumulation = term_names, accumulation
        self.micro_steps_per_epoch, self.total = micro_steps_per_epoch, total_micro_steps
        self.max_skipped_steps = max_skipped_steps
        self.micro_steps_a_call = micro_steps_a_call
        self.show, self.may_overflow = show, may_overflow
        self.is_inside = False
        self.bar: tqdm | None = None
        self.began = self.first_micro_step = 0.0
        self.seconds_before = progress.seconds

    def on_train_begin(self, run_context: RunContext) -> None:
        """Start the clock and the bar."""
        self.began, self.first_micro_step = time.monotonic(), self.progress.micro_steps
        if self.show and self.settings.progress and sys.stderr.isatty():
            self.bar = tqdm(total=self.total // self.accumulation, desc=self.log.stage, unit="step", dynamic_ncols=True,
                            initial=self.progress.micro_steps // self.accumulation)

    def on_train_step_begin(self, run_context: RunContext) -> None:
        """Note that the parameters are about to change."""
        self.is_inside = True

    def on_train_step_end(self, run_context: RunContext) -> None:
        """Collect the losses; at the end of an optimiser step log them."""
        total, terms, skipped, scale, rate = run_context.original_args().net_outputs
        self.progress.losses += ((_number(total), *map(_number, terms)),)
        is_skipped = bool(skipped.asnumpy())
        self.is_inside = False
        if not self.may_overflow and not math.isfinite(self.progress.losses[-1][0]):
            raise self._diverged()
        self.progress.micro_steps += self.micro_steps_a_call
        self.progress.seconds = self.seconds_before + time.monotonic() - self.began
        if self.progress.micro_steps % self.accumulation:
            return
        if is_skipped and not self.may_overflow:  # no smaller loss scale would make the next one finite
            self.progress.micro_steps -= self.micro_steps_a_call
            raise self._diverged()
        loss, *parts = map(float, np.mean(self.progress.losses, axis=0))
        self.progress.losses = ()
        step = self.progress.micro_steps // self.accumulation
        self.progress.skipped = self.progress.skipped + 1 if is_skipped else 0
        if self.bar is not None:
            self.bar.update(step - self.bar.n)
            self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        if step % self.settings.log_interval == 0 or self.progress.micro_steps >= self.total or step == 1:
            self._write(step, loss, dict(zip(self.term_names, parts, strict=True)),
                        _number(rate), _number(scale), is_skipped)
        if self.progress.skipped >= self.max_skipped_steps:
            raise Diverged(f"{self.log.stage}: the gradients of {self.progress.skipped} steps in a row, up to step "
                           f"{step}, are not finite (loss {loss}); lower loss_scale_value or learning_rate")

    def _diverged(self) -> Diverged:
        """Say what was not finite in the step that is not complete."""
        total, *terms = self.progress.losses[-1]
        values = dict(zip(self.term_names, terms, strict=True))
        broken = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if not broken and not math.isfinite(total):
            broken = [f"total is {total}"]
        what = "loss" if broken else "gradient"
        return Diverged(f"{self.log.stage}: the {what} of step {self.progress.micro_steps // self.accumulation + 1} is "
                        f"not finite{': ' if broken else ''}{', '.join(broken)}; lower learning_rate, and look at the "
                        "data and the teacher")

    def _write(self, step: int, loss: float, terms: dict[str, float], rate: float, scale: float, skipped: bool) -> None:
        epoch = (self.progress.micro_steps - 1) // self.micro_steps_per_epoch + 1
        if not math.isfinite(loss):  # JSON has no NaN
            loss, terms = None, {name: value if math.isfinite(value) else None for name, value in terms.items()}
        self.log.write(step, {"epoch": epoch, "loss": loss, "terms": terms, "learning_rate": rate, "loss_scale": scale,
                              "overflow": skipped, "seconds": round(self.progress.seconds, 3)})
        if self.bar is not None or not self.show:
            return
        shown = "not finite" if loss is None else f"{loss:.6g}"
        if len(terms) > 1 and loss is not None:
            shown += "".join(f", {name}: {value:.6g}" for name, value in terms.items())
        overflow = ", overflow: step skipped" if skipped else ""
        print(f"{self.log.stage} epoch: {epoch}, step: {step}/{self.total // self.accumulation}, loss: {shown}, "
              f"learning rate: {rate:.3g}{overflow}, ETA {self._eta()}", flush=True)

    def _eta(self) -> str:
        done = self.progress.micro_steps - self.first_micro_step
        left = (time.monotonic() - self.began) / done * (self.total - self.progress.micro_steps)
        return tqdm.format_interval(left)

    def close(self) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


class AtSteps(Callback):
    """Call `action` after every `interval`-th optimiser step and after the last one.

    Runs after Monitor, which counts the steps. The last one may be one that early stopping has made so.
    """

    def __init__(self, progress: Progress, action: Callable[[], None], interval: int, accumulation: int, total: int):
        super().__init__()
        self.progress, self.action, self.interval = progress, action, interval
        self.accumulation, self.total = accumulation, total
        self.last = progress.micro_steps // (accumulation * interval)

    def on_train_step_end(self, run_context: RunContext) -> None:
        """Call the action when another `interval` steps are complete."""
        done = self.progress.micro_steps
        if done % self.accumulation:
            return
        count = done // (self.accumulation * self.interval)
        if count > self.last or done >= self.total or self.progress.is_stopped:
            self.last = count
            self.action()


class EarlyStop(Callback):
    """End the training after the step whose evaluation has stopped it; runs after what is done at that step."""

    def __init__(self, progress: Progress):
        super().__init__()
        self.progress = progress

    def on_train_step_end(self, run_context: RunContext) -> None:
        """Ask MindSpore's loop to leave."""
        if self.progress.is_stopped:
            run_context.request_stop()
