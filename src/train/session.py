# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The objects of one stage while it is trained, and how they get from one checkpoint to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import mindspore as ms
import numpy as np

from src.checkpoints.checkpoint import TrainingState, is_whole, parameters_of, save_model
from src.checkpoints.run_folder import RunFolder
from src.common.errors import Diverged, NotSaved, TrainingError, UserError, one_line
from src.config import Config
from src.dataset import TrainingBatches, longest_row, resolve_buckets
from src.device import Device, agree
from src.models.dropout import make_dropout_stateless
from src.train.best import judge
from src.train.callbacks import AtSteps, EarlyStop, Monitor, Progress
from src.train.metrics_log import MetricsLog
from src.train.optim import make_optimizer
from src.train.pipeline import WatchedBatches
from src.train.rewind import described, rewind
from src.train.signals import StopOnSignal
from src.train.stage import Stage, steps_a_sink, total_micro_steps
from src.train.state import STUDENT, are_finite, restore, state_of
from src.train.step import TrainStep


class Session:
    """One call of `train`.

    Args:
        stage: what is trained.
        config: all settings.
        device: where.
        run: an open folder (RunFolder.open).

    Raises:
        UserError: the data is smaller than a batch, or no checkpoint fits or can be read.
        OSError: the disk is full or fails.
    """

    def __init__(self, stage: Stage, config: Config, device: Device, run: RunFolder):
        settings = stage.settings
        self.stage, self.config, self.device, self.run_folder = stage, config, device, run
        self.accumulation = settings.gradient_accumulation_steps
        self.total = total_micro_steps(settings, stage.source, device.ranks)
        if device.target == "CPU":
            make_dropout_stateless(stage.network.student, config.seed + 1000 * device.rank)
        optimizer = make_optimizer(settings, stage.network.trainable_params(), self.steps)
        self.step_cell = TrainStep(stage.network, optimizer, settings, device)
        self.step_cell.set_train()
        self.monitor: Monitor | None = None
        self.saved: dict[str, Any] = {}
        self.progress = self._resume()
        # Here, where a signal ends the process at once: nothing has been trained that would have to be saved.
        self.teacher_logits = stage.teacher_logits() if stage.teacher_logits and not self.has_ended else None

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return self.progress.micro_steps // self.accumulation

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole stage."""
        return self.total // self.accumulation

    @property
    def has_ended(self) -> bool:
        """Whether no step is left: all are done, or early stopping has ended the stage."""
        return self.progress.micro_steps >= self.total or self.progress.is_stopped

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.has_ended and agree(self.run_folder.writer and is_whole(self.run_folder.model), self.device)

    @property
    def done(self) -> str:
        """The steps of a stage that has ended, for messages."""
        return f"{self.step} steps, up to early stopping," if self.progress.is_stopped else f"all {self.step} steps"

    @property
    def is_inside_a_step(self) -> bool:
        """Whether the parameters may be half updated."""
        return self.monitor is not None and self.monitor.is_inside

    @property
    def keeps_best(self) -> bool:
        """Whether the result is the best student on dev, not the last one."""
        return self.stage.evaluate is not None and self.stage.keep_best

    def _resume(self) -> Progress:
        found = restore(self.run_folder.store, self.step_cell, self.stage.network, self.device)
        if found is None:
            return Progress()
        progress, directory = found
        if self.run_folder.writer:
            print(f"{self.stage.name}: continuing after step {progress.micro_steps // self.accumulation} of "
                  f"{self.steps} ({directory})", flush=True)
        self.saved = dataclasses.asdict(progress)
        return progress

    def start(self) -> None:
        """Save a stage that begins: there is a step to return to from the first one on, and room for a checkpoint."""
        if not self.saved:
            self.save_checkpoint()

    def run(self, stop: StopOnSignal) -> None:
        """Train the steps that are left, and leave the result."""
        run = self.run_folder
        if not self.has_ended:
            with self._writing():
                log = MetricsLog(run.metrics, run.path / "tensorboard" if self.config.logging.tensorboard else None,
                                 self.stage.name, run.writer, self.step, self.progress.rewinds)
            try:
                self._fit_to_the_end(log, stop)
            finally:
                log.close()
        self._leave_result()

    def _fit_to_the_end(self, log: MetricsLog, stop: StopOnSignal) -> None:
        while not self.has_ended:
            try:
                self._fit(log, stop)
            except Diverged as error:
                self._rewind(error, log)

    def _rewind(self, error: Diverged, log: MetricsLog) -> None:
        diverged = self.step
        self.progress = rewind(error, self.progress, self.stage, self.step_cell, self.run_folder.store,
                               self.config.checkpoint, self.device)
        self.saved = {}
        lowered = described(self.step_cell)
        with self._writing():
            log.cut(self.step, self.progress.rewinds - 1)
            log.write(self.step, {"rewind": self.progress.rewinds, "diverged_after_step": diverged, **lowered})
        if self.run_folder.writer:
            print(f"note: {one_line(error).split('; lower ')[0]}; going back to step {self.step} (return "
                  f"{self.progress.rewinds} of {self.config.checkpoint.max_rewinds}), learning rate times "
                  f"{lowered['learning_rate_factor']:g}"
                  + (f", loss scale {lowered['loss_scale']:g}" if self.step_cell.update.scaling else ""), flush=True)

    @cached_property
    def micro_steps_per_epoch(self) -> int:
        """Micro-steps of an epoch."""
        return self._batches().micro_steps_per_epoch

    def _batches(self) -> TrainingBatches:
        """The micro-batches that are left."""
        data, settings, stage = self.config.data, self.stage.settings, self.stage
        # A sink takes one shape only.
        buckets = () if self.device.sink else data.buckets
        return TrainingBatches(
            stage.source, settings.batch_size, self.total, resolve_buckets(buckets, longest_row(
                stage.source, data.seq_length)), start=self.progress.micro_steps, seed=self.config.seed,
            shuffle=data.do_shuffle, group_by_size=stage.group_by_size, shuffle_buffer_size=data.shuffle_buffer_size,
            bucket_window=data.bucket_window, rank=self.device.rank, ranks=self.device.ranks,
            accumulation=self.accumulation, targets=stage.targets, teacher_logits=self.teacher_logits)

    def _fit(self, log: MetricsLog, stop: StopOnSignal) -> None:
        batches = WatchedBatches(self._batches())
        sink_steps = steps_a_sink(len(batches), self.config.data.data_sink_steps) if self.device.sink else 1
        self.monitor = Monitor(
            self.progress, log, self.config.logging, self.stage.network.term_names, self.accumulation,
            self.micro_steps_per_epoch, self.total, self.stage.settings.max_skipped_steps, sink_steps,
            show=self.run_folder.writer, may_overflow=self.device.compute_type == ms.float16)
        callbacks = [self.monitor, *self._between_steps(log), stop, EarlyStop(self.progress)]
        model = ms.Model(self.step_cell)
        try:
            with batches.failures():
                if self.device.sink:
                    model.train(len(batches) // sink_steps, batches.pipeline(), callbacks, dataset_sink_mode=True,
                                sink_size=sink_steps)
                else:
                    model.train(1, batches.pipeline(), callbacks, dataset_sink_mode=False)
        finally:
            self.monitor.close()

    def _between_steps(self, log: MetricsLog) -> Iterator[AtSteps]:
        if self.stage.evaluate is not None:
            interval = self.stage.eval_interval
            if interval is None:
                interval = self.steps
            elif interval == 0:
                interval = max(1, self.micro_steps_per_epoch // self.accumulation)
            yield AtSteps(self.progress, lambda: self._evaluate(log), interval, self.accumulation, self.total)
        yield AtSteps(self.progress, lambda: self.save_checkpoint(log), self.config.checkpoint.save_checkpoint_step,
                      self.accumulation, self.total)

    def _student(self) -> dict[str, np.ndarray]:
        """The student's parameters.

        Raises:
            Diverged: one is not finite, which is the same on all ranks.
        """
        parameters = parameters_of(self.step_cell, STUDENT)
        self._check_finite(parameters)
        return parameters

    def _check_finite(self, tensors: dict[str, np.ndarray]) -> None:
        if not are_finite(tensors):
            raise Diverged(f"{self.stage.name}: a parameter is not finite after step {self.step}; lower learning_rate")

    def _evaluate(self, log: MetricsLog) -> None:
        """Evaluate on held-out data; where the best student is wanted, keep this one when it is the best so far."""
        parameters, progress = self._student(), self.progress
        # The others wait, and take the first one's word: what follows from it must be the same on all.
        evaluate = self.stage.evaluate if self.has_ended else self.stage.evaluate_between or self.stage.evaluate
        metrics = agree(evaluate(parameters) if self.run_folder.writer else {}, self.device)
        log.write(self.step, {"epoch": -(-progress.micro_steps // self.micro_steps_per_epoch),
                              "eval": metrics, "seconds": round(progress.seconds, 3)})
        shown = ", ".join(f"{metric}: {number:.6f}" for metric, number in metrics.items())
        said = f"{self.stage.name} evaluation after step {self.step}: {shown}"
        said = f"{said}\n{judge(progress, self.stage, metrics, self.step, self.steps)}".rstrip()
        if self.keeps_best and progress.metrics_step == self.step:
            # The checkpoint first: the result can be made of it, wherever this is cut off.
            self.save_checkpoint(log)
            self._save_result(parameters)
        if self.run_folder.writer:
            print(said, flush=True)

    def _leave_result(self) -> None:
        """See that the result is there: the last student, or the best one, which its evaluation has left.

        Raises:
            TrainingError: the best student has been lost or damaged since then.
        """
        if not self.run_folder.writer:
            return
        if not self.keeps_best:
            self._save_result(self._student())
        elif is_whole(self.run_folder.model):
            return
        elif self.progress.metrics_step == self.step:
            self._save_result(self._student())
        else:
            raise TrainingError(f"{self.run_folder.model}, the best student (of step {self.progress.metrics_step}), is "
                                "missing or damaged, and no checkpoint holds it any more; start over with "
                                "--resume false")

    def _save_result(self, parameters: dict[str, np.ndarray]) -> None:
        if self.run_folder.writer:
            with self._writing():
                save_model(self.run_folder.model, self.stage.model, parameters, self.stage.tokenizer_path)

    def save_checkpoint(self, log: MetricsLog | None = None) -> None:
        """Write a resumable checkpoint of the current step, unless it is there already.

        Raises:
            Diverged: a value is not finite: what is saved can always be returned to.
            NotSaved: it could not be written.
        """
        progress = dataclasses.asdict(self.progress)
        if progress == self.saved:
            return
        parameters, state = self._student(), state_of(self.step_cell, self.progress)
        self._check_finite(state.tensors)
        if self.run_folder.writer:
            with self._writing():
                self._write_checkpoint(parameters, state, log)
        self.saved = progress

    def _write_checkpoint(self, parameters: dict[str, np.ndarray], state: TrainingState,
                          log: MetricsLog | None) -> None:
        if not self.run_folder.is_there:
            raise UserError(f"{self.run_folder.path} has been removed while it was trained in")
        if log is not None:
            log.sync()
        self.run_folder.store.save(self.step, lambda directory: save_model(
            directory, self.stage.model, parameters, self.stage.tokenizer_path, state))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what goes wrong with a file into one line that says what is left."""
        try:
            yield
        except (OSError, UserError) as error:
            raise self.not_saved(error) from error

    def not_saved(self, error: OSError | UserError) -> NotSaved:
        """Say that something could not be written, and from where the run can be continued."""
        what = error
        if isinstance(error, OSError):
            what = f"{error.strerror or error}: {error.filename or self.run_folder.path}"
        newest = self.run_folder.store.newest()
        kept = f"the last checkpoint, {newest}, is as it was" if newest else "there is no checkpoint"
        return NotSaved(f"{self.stage.name}: {one_line(what)} (after step {self.step}); {kept}: make room or repair "
                        "the place, then run the same command to continue")
