# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is read from each step: progress, logs, and whether the run has diverged."""

from __future__ import annotations

import math
import sys
import time

import mindspore as ms
import numpy as np
from mindspore import Tensor
from tqdm import tqdm

from src.config import LoggingConfig
from src.device import Device
from src.train.metrics_log import MetricsLog
from src.train.stage import Progress, Stage


class Monitor:
    """Counts steps, shows progress with loss and ETA, writes the metrics, and sees that a run diverged.

    On a terminal it draws a bar; elsewhere it prints a line every `log_interval` steps, with `epoch:` and `step:`
    so that logs can be searched as those of the model zoo.

    What it finds is the same on all ranks: losses are means over them, and they skip the same steps. `progress` is
    changed in place; `see` gets the outputs of the last of `micro_steps_a_call` micro-steps.
    """

    def __init__(self, stage: Stage, progress: Progress, log: MetricsLog, settings: LoggingConfig, device: Device,
                 micro_steps_per_epoch: int, total: int, micro_steps_a_call: int = 1):
        self.stage, self.progress, self.log, self.settings = stage, progress, log, settings
        self.accumulation = stage.settings.gradient_accumulation_steps
        self.micro_steps_per_epoch, self.total = micro_steps_per_epoch, total
        self.micro_steps_a_call = micro_steps_a_call
        self.show, self.may_overflow = device.rank == 0, device.compute_type == ms.float16
        self.ranks = device.ranks
        self.began, self.first_micro_step = time.monotonic(), progress.micro_steps
        self.seconds_before = progress.seconds
        self.bar: tqdm | None = None
        if self.show and settings.progress and sys.stderr.isatty():
            self.bar = tqdm(total=total // self.accumulation, desc=stage.name, unit="step", dynamic_ncols=True,
                            initial=progress.micro_steps // self.accumulation)

    def see(self, outputs: tuple) -> str:
        """Collect the losses of a step (what `TrainStep` returns); at the end of an optimiser step log them.

        Returns:
            what is not finite, so that the stage cannot go on from here; "" where all is well.
        """
        total, terms, skipped, scale, rate = outputs
        progress = self.progress
        progress.losses += ((_number(total), *map(_number, terms)),)
        is_skipped = bool(skipped.asnumpy())
        if not self.may_overflow and (is_skipped or not math.isfinite(progress.losses[-1][0])):
            return self._not_finite()  # no smaller loss scale would make the next one finite
        progress.micro_steps += self.micro_steps_a_call
        progress.seconds = self.seconds_before + time.monotonic() - self.began
        if progress.micro_steps % self.accumulation:
            return ""
        loss, *parts = map(float, np.mean(progress.losses, axis=0))
        progress.losses = ()
        step = progress.micro_steps // self.accumulation
        progress.skipped = progress.skipped + 1 if is_skipped else 0
        if self.bar is not None:
            self.bar.update(step - self.bar.n)
            self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        if step % self.settings.log_interval == 0 or progress.micro_steps >= self.total or step == 1:
            self._write(step, loss, self._named(parts), _number(rate), _number(scale), is_skipped)
        if progress.skipped >= self.stage.settings.max_skipped_steps:
            return (f"the gradients of {progress.skipped} steps in a row, up to step {step}, are not finite (loss "
                    f"{loss}); lower loss_scale_value or learning_rate")
        return ""

    def _named(self, terms: list[float]) -> dict[str, float]:
        return dict(zip(self.stage.network.term_names, terms, strict=True))

    def _not_finite(self) -> str:
        total, *terms = self.progress.losses[-1]
        broken = [f"{name} is {value}" for name, value in self._named(terms).items() if not math.isfinite(value)]
        if not broken and not math.isfinite(total):
            broken = [f"total is {total}"]
        what = "loss" if broken else "gradient"
        return (f"the {what} of step {self.progress.micro_steps // self.accumulation + 1} is not finite"
                f"{': ' if broken else ''}{', '.join(broken)}; lower learning_rate, and look at the data and the "
                "teacher")

    def _write(self, step: int, loss: float, terms: dict[str, float], rate: float, scale: float, skipped: bool) -> None:
        epoch = (self.progress.micro_steps - 1) // self.micro_steps_per_epoch + 1
        is_finite = math.isfinite(loss)
        examples = self.progress.micro_steps * self.stage.settings.batch_size * self.ranks
        self.log.write(step, {"epoch": epoch, "examples": examples, "loss": _for_json(loss),
                              "terms": {name: _for_json(value) for name, value in terms.items()}, "learning_rate": rate,
                              "loss_scale": scale, "overflow": skipped, "seconds": round(self.progress.seconds, 3)})
        if self.bar is not None or not self.show:
            return
        shown = f"{loss:.6g}" if is_finite else "not finite"
        if len(terms) > 1 and is_finite:
            shown += "".join(f", {name}: {value:.6g}" for name, value in terms.items())
        overflow = ", overflow: step skipped" if skipped else ""
        print(f"{self.stage.name} epoch: {epoch}, step: {step}/{self.total // self.accumulation}, loss: {shown}, "
              f"learning rate: {rate:.3g}{overflow}, ETA {self._eta()}", flush=True)

    def _eta(self) -> str:
        done = self.progress.micro_steps - self.first_micro_step
        left = (time.monotonic() - self.began) / done * (self.total - self.progress.micro_steps)
        return tqdm.format_interval(left)

    def close(self) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


def _for_json(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN


def _number(value: Tensor) -> float:
    return float(value.asnumpy().reshape(()))
