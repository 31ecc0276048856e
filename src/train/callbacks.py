# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What happens between the steps: progress, logs, evaluation, checkpoints."""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Tensor
from mindspore.train.callback import Callback, RunContext
from tensorboardX import SummaryWriter
from tqdm import tqdm

from src.config import LoggingConfig
from src.errors import Diverged, Interrupted, TrainingError
from src.train.device import Device, largest


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
    """

    micro_steps: int = 0
    best_metric: float | None = None
    seconds: float = 0.0
    skipped: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    metrics_step: int = 0
    without_improvement: int = 0
    is_stopped: bool = False


class MetricsLog:
    """metrics.jsonl and TensorBoard of a run; does nothing on ranks other than the first."""

    def __init__(self, path: Path, tensorboard: Path | None, stage: str, writer: bool):
        self.stage = stage
        self.file = open(path, "a", encoding="utf-8") if writer else None
        self.board = SummaryWriter(str(tensorboard)) if writer and tensorboard is not None else None

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Append one line, and one point of each number to TensorBoard."""
        if self.file is None:
            return
        self.file.write(json.dumps({"stage": self.stage, "step": step, **values}) + "\n")
        self.file.flush()
        if self.board is not None:
            for name, value in _numbers(values):
                self.board.add_scalar(f"{self.stage}/{name}", value, step)

    def close(self) -> None:
        """Flush and close both."""
        if self.file is not None:
            self.file.close()
        if self.board is not None:
            self.board.close()


def _numbers(values: dict[str, Any], prefix: str = ""):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, float(value)


def _number(value: Tensor) -> float:
    return float(value.asnumpy().reshape(()))


@dataclass
class StepRecord:
    """Losses of the micro-steps since the last optimiser step, and what that step returned."""

    totals: list[float] = field(default_factory=list)
    terms: list[list[float]] = field(default_factory=list)


class Monitor(Callback):
    """Counts steps, shows progress with loss and ETA, writes the metrics, and stops a run that diverged.

    On a terminal it draws a bar; elsewhere it prints a line every `log_interval` steps, with `epoch:` and `step:`
    so that logs can be searched as those of the model zoo.
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
        self.record = StepRecord()
        self.bar: tqdm | None = None
        self.began = self.first_micro_step = 0.0
        self.seconds_before = progress.seconds

    def on_train_begin(self, run_context: RunContext) -> None:
        """Start the clock and the bar."""
        self.began, self.first_micro_step = time.monotonic(), self.progress.micro_steps
        if self.show and self.settings.progress and sys.stderr.isatty():
            self.bar = tqdm(total=self.total // self.accumulation, desc=self.log.stage, unit="step", dynamic_ncols=True,
                            initial=self.progress.micro_steps // self.accumulation)

    def on_train_step_end(self, run_context: RunContext) -> None:
        """Collect the losses; at the end of an optimiser step log them."""
        total, terms, skipped, scale, rate = run_context.original_args().net_outputs
        self.record.totals.append(_number(total))
        self.record.terms.append([_number(term) for term in terms])
        if not self.may_overflow:
            self._check_finite()
        self.progress.micro_steps += self.micro_steps_a_call
        self.progress.seconds = self.seconds_before + time.monotonic() - self.began
        if self.progress.micro_steps % self.accumulation:
            return
        loss, parts = float(np.mean(self.record.totals)), np.mean(self.record.terms, axis=0)
        self.record = StepRecord()
        step = self.progress.micro_steps // self.accumulation
        is_skipped = bool(skipped.asnumpy())
        self.progress.skipped = self.progress.skipped + 1 if is_skipped else 0
        if self.bar is not None:
            self.bar.update(step - self.bar.n)
            self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        if step % self.settings.log_interval == 0 or self.progress.micro_steps >= self.total or step == 1:
            self._write(step, loss, dict(zip(self.term_names, map(float, parts), strict=True)),
                        _number(rate), _number(scale), is_skipped)
        if self.progress.skipped >= self.max_skipped_steps:
            raise TrainingError(f"{self.progress.skipped} steps in a row had gradients that are not finite (loss "
                                f"{loss}); lower learning_rate, or loss_scale_value with float16")

    def _check_finite(self) -> None:
        """Stop at the first loss that is not finite: with float32 no smaller loss scale would make the next one so."""
        if math.isfinite(self.record.totals[-1]):
            return
        values = dict(zip(self.term_names, self.record.terms[-1], strict=True))
        broken = {name: value for name, value in values.items() if not math.isfinite(value)} or {"total": float("nan")}
        done = self.progress.micro_steps // self.accumulation
        # The parameters are those after the last complete optimiser step, which the checkpoint continues from.
        self.progress.micro_steps = done * self.accumulation
        raise Diverged(f"{self.log.stage}: the loss of step {done + 1} is not finite: "
                       f"{', '.join(f'{name} is {value}' for name, value in broken.items())}; lower "
                       f"learning_rate, and look at the data and the teacher")

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

    def on_train_end(self, run_context: RunContext) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


class StopOnSignal(Callback):
    """Turn SIGINT and SIGTERM into an orderly stop at the end of a step; a second signal ends the process at once.

    While a graph runs MindSpore handles SIGINT itself, by sending the process SIGTERM: Ctrl-C then arrives as that.
    Data pipelines leave such a handler behind, so ours are put back at every step.

    Args:
        device: of several processes all stop at the same step when a signal has reached one of them.
    """

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device
        self.received = 0
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
            self._install()
        return self

    def _install(self) -> None:
        for number in self.previous:
            signal.signal(number, self._note)

    def __exit__(self, *_) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _) -> None:
        self.received = number
        signal.signal(number, signal.SIG_DFL)

    def on_train_step_end(self, run_context: RunContext) -> None:
        """Leave the training when a signal has come."""
        if received := largest(self.received, self.device):
            raise Interrupted(f"stopped by {signal.Signals(received).name}; run the same command again to continue",
                              received)
        self._install()


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
