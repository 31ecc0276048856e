# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""One training stage from its first step, or the last checkpoint, to its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from src.checkpoints.checkpoint import is_whole, parameters_of, save_model
from src.checkpoints.run_folder import RunFolder
from src.common.errors import NotSaved, TrainingError, UserError, one_line
from src.config import Config
from src.dataset import TrainingBatches, longest_row, resolve_buckets
from src.device import Device, agree, barrier
from src.models.dropout import make_dropout_stateless
from src.train.forecast import Forecast, check_memory, forecast_of
from src.train.metrics_log import MetricsLog
from src.train.monitor import Monitor
from src.train.optim import make_optimizer
from src.train.pipeline import WatchedBatches
from src.train.signals import StopOnSignal, stop_on_signal
from src.train.stage import Progress, Stage, judge, steps_a_sink, total_micro_steps
from src.train.state import STUDENT, described, is_finite, restore, rewind, state_of
from src.train.step import TrainStep
from src.train.summary import plan, summary


def train(stage: Stage, settings: Config, device: Device, run: RunFolder) -> Progress | None:
    """Run a stage, or what is left of it after its last checkpoint; the result is `run.model`.

    A dry run prints what the stage would do, and returns None. Of several processes the first one reads and writes the
    run's folder; what it leaves is there when any returns.

    Raises:
        UserError: the data is smaller than a batch or has a bad record, there is less memory than a batch needs, no
            checkpoint fits or can be read, or the place cannot be written from the start.
        TrainingError: the run diverged again and again, MindSpore failed, or something could not be saved; the last
            checkpoint can be continued.
        Interrupted: SIGINT or SIGTERM came; a checkpoint has been written.
    """
    if device.dry_run:
        device.say(plan(stage, settings, device, run))
        return None
    forecast = None
    if device.rank == 0:
        forecast = forecast_of(stage, settings, device)
        check_memory(forecast, stage, settings)
    with run.open():
        barrier(device)
        trainer = Trainer(stage, settings, device, run, forecast)
        if trainer.has_ended and agree(run.writer and is_whole(run.model), device):
            done = "{} steps, up to early stopping," if trainer.progress.is_stopped else "all {} steps"
            device.say(f"{stage.name}: {done.format(trainer.step)} are done already ({run.path})")
            return trainer.progress
        with stop_on_signal(device) as stop:
            trainer.begin()
            with trainer.saving_on_failure():
                trainer.run(stop)
            stopped = stop.came()  # maybe after the last step
            if stopped and is_finite(trainer.step_cell):
                trainer.save_checkpoint()
            barrier(device)
            if stopped:
                raise stop.interruption
    return trainer.progress


class Trainer:
    """The objects of one call of `train`, whose arguments it takes; the run's folder is open. The process that prints
    has the `forecast`."""

    def __init__(self, stage: Stage, settings: Config, device: Device, run: RunFolder, forecast: Forecast | None):
        self.stage, self.settings, self.device, self.run_folder = stage, settings, device, run
        self.accumulation = stage.settings.gradient_accumulation_steps
        self.total = total_micro_steps(stage.settings, stage.source, device.ranks)
        if device.target == "CPU":
            make_dropout_stateless(stage.network.student, settings.seed + 1000 * device.rank)
        optimizer = make_optimizer(stage.settings, stage.network.trainable_params(), self.steps)
        self.step_cell = TrainStep(stage.network, optimizer, stage.settings, device)
        self.step_cell.set_train()
        self.is_inside_a_step = False
        self.saved: dict[str, Any] = {}
        self.progress = self._resume()
        if forecast and not self.has_ended:
            device.say(summary(stage, settings, device, run, self.progress, forecast))
        # Here, where a signal ends the process at once: nothing has been trained that would have to be saved.
        self.teacher_logits = stage.teacher_logits() if stage.teacher_logits and not self.has_ended else None

    def _resume(self) -> Progress:
        extension = agree(self.run_folder.extension, self.device)
        found = restore(self.run_folder.store, self.step_cell, self.device, extension == "restart")
        if found is None:
            if extension:
                raise UserError(f"{self.run_folder.path} holds no checkpoint from which it could be extended; choose "
                                "another --save_ckpt_path, or start over there with --resume false")
            return Progress()
        progress, directory = found
        done = progress.micro_steps // self.accumulation
        if extension:
            self._extend(progress, done, extension)
        else:
            self.saved = dataclasses.asdict(progress)
        self.step_cell.update.optimizer.learning_rate.set_length(
            self.stage.settings, self.steps - progress.schedule_start)
        self.device.say(f"{self.stage.name}: continuing after step {done} of {self.steps} ({directory})")
        return progress

    def _extend(self, progress: Progress, done: int, extension: str) -> None:
        """Make a run longer whose last checkpoint is of step `done`; `begin` saves it before any step."""
        if done >= self.steps:
            raise UserError(f"{self.run_folder.path} has done {done} steps, and the settings ask for {self.steps}; to "
                            "extend it, raise train_steps or epoch_size above that")
        progress.is_stopped, progress.without_improvement = False, 0
        if extension == "restart":
            progress.schedule_start, progress.skipped = done, 0
        self.device.say(f"{self.stage.name}: extended to {self.steps} steps: " + (
            f"a fresh optimiser, and the schedule anew over the {self.steps - done} steps from the student after step "
            f"{done}" if extension == "restart" else
            f"optimiser kept, learning rate as of step {done} of a schedule of "
            f"{self.steps - progress.schedule_start} steps"))

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
    def keeps_best(self) -> bool:
        """Whether the result is the best student on dev, not the last one."""
        return self.stage.evaluate is not None and self.stage.keep_best

    @cached_property
    def batches(self) -> TrainingBatches:
        """The micro-batches of the whole stage."""
        data, stage = self.settings.data, self.stage
        # A sink takes one shape only.
        buckets = () if self.device.sink else data.buckets
        return TrainingBatches(
            stage.source, stage.settings.batch_size, self.total, resolve_buckets(buckets, longest_row(
                stage.source, data.seq_length)), seed=self.settings.seed, shuffle=data.do_shuffle,
            group_by_size=stage.group_by_size, shuffle_buffer_size=data.shuffle_buffer_size,
            bucket_window=data.bucket_window, rank=self.device.rank, ranks=self.device.ranks,
            accumulation=self.accumulation, targets=stage.targets, teacher_logits=self.teacher_logits)

    def begin(self) -> None:
        """Save a stage that begins: there is a step to return to from the first one on, and room for a checkpoint.

        Raises:
            UserError: it cannot be written; nothing is lost then.
            TrainingError: the student that the stage starts from is not finite.
        """
        if self.saved:
            return
        if not is_finite(self.step_cell):
            raise TrainingError(f"{self.stage.name}: {self._broken}")
        try:
            self.save_checkpoint()
            with self._writing():
                self.run_folder.note_length()
        except NotSaved as error:
            raise UserError(str(error)) from error

    def run(self, stop: StopOnSignal) -> None:
        """Train until the stage ends or a signal comes, going back where it diverges; leave the result at its end."""
        if not self.has_ended:
            run, tensorboard = self.run_folder, self.settings.logging.tensorboard
            with self._writing():
                log = MetricsLog(run.metrics, run.path / "tensorboard" if tensorboard else None, self.stage.name,
                                 run.writer, self.step, self.progress.rewinds)
            with closing(log):
                while not self.has_ended and not stop.agreed:
                    if problem := self._train(log, stop):
                        self._rewind(problem, log)
        if self.has_ended:
            self._leave_result()

    def _train(self, log: MetricsLog, stop: StopOnSignal) -> str:
        """Run the steps that are left, up to a signal or to what is not finite, which is returned."""
        progress, per_epoch = self.progress, self.batches.micro_steps_per_epoch
        watched = WatchedBatches(dataclasses.replace(self.batches, start=progress.micro_steps))
        sink_steps = steps_a_sink(len(watched), self.settings.data.data_sink_steps) if self.device.sink else 0
        monitor = Monitor(self.stage, progress, log, self.settings.logging, self.device, per_epoch, self.total,
                          max(1, sink_steps))
        with closing(monitor), watched.failures():
            train_step, batches = watched.feed(self.step_cell, sink_steps)
            for batch in batches:
                before, self.is_inside_a_step = self.step, True
                problem = monitor.see(train_step(*batch))
                self.is_inside_a_step = False
                if problem:
                    return problem
                evaluates = self._is_due(self._eval_interval, before)
                saves = self._is_due(self.settings.checkpoint.save_checkpoint_step, before)
                if (evaluates or saves) and not is_finite(self.step_cell):
                    return self._broken
                if evaluates:
                    self._evaluate(log)
                if saves or progress.is_stopped:
                    self.save_checkpoint(log)
                if stop.came() or self.has_ended:
                    break
        return ""

    def _is_due(self, interval: int, before: int) -> bool:
        """Whether another `interval` optimiser steps are complete since step `before`, or the last one is."""
        return interval > 0 and (self.step // interval > before // interval or self.progress.micro_steps >= self.total)

    @property
    def _eval_interval(self) -> int:
        """Optimiser steps between evaluations; 0: none."""
        if self.stage.evaluate is None:
            return 0
        interval = self.stage.eval_interval
        if interval == "end":
            return self.steps
        if interval == "epoch":
            return max(1, self.batches.micro_steps_per_epoch // self.accumulation)
        return interval

    @property
    def _broken(self) -> str:
        return f"a parameter is not finite after step {self.step}; lower learning_rate"

    def _rewind(self, problem: str, log: MetricsLog) -> None:
        """Go back to the last checkpoint, which `problem` has made necessary, and log it."""
        diverged, settings = self.step, self.settings.checkpoint
        self.progress = rewind(f"{self.stage.name}: {problem}", self.progress, self.step_cell, self.run_folder.store,
                               settings, self.device)
        self.saved = {}
        lowered = described(self.step_cell)
        with self._writing():
            log.cut(self.step, self.progress.rewinds - 1)
            log.write(self.step, {"rewind": self.progress.rewinds, "diverged_after_step": diverged, **lowered})
        scale = f", loss scale {lowered['loss_scale']:g}" if self.step_cell.update.scaling else ""
        self.device.say(f"note: {self.stage.name}: {problem.split('; lower ')[0]}; going back to step {self.step} "
                        f"(return {self.progress.rewinds} of {settings.max_rewinds}), learning rate times "
                        f"{lowered['learning_rate_factor']:g}{scale}")

    def _evaluate(self, log: MetricsLog) -> None:
        """Evaluate on held-out data; where the best student is wanted, keep this one when it is the best so far."""
        parameters, progress = parameters_of(self.step_cell, STUDENT), self.progress
        # The others wait, and take the first one's word: what follows from it must be the same on all.
        evaluate = self.stage.evaluate if self.has_ended else self.stage.evaluate_between or self.stage.evaluate
        metrics = agree(evaluate(parameters) if evaluate and self.run_folder.writer else {}, self.device)
        log.write(self.step, {"epoch": -(-progress.micro_steps // self.batches.micro_steps_per_epoch),
                              "eval": metrics, "seconds": round(progress.seconds, 3)})
        shown = ", ".join(f"{metric}: {number:.6f}" for metric, number in metrics.items())
        said = f"{self.stage.name} evaluation after step {self.step}: {shown}"
        said = f"{said}\n{judge(progress, self.stage, metrics, self.step, self.steps)}".rstrip()
        if self.keeps_best and progress.metrics_step == self.step:
            # The checkpoint first: the result can be made of it, wherever this is cut off.
            self.save_checkpoint(log)
            self._save_result(parameters)
        self.device.say(said)

    def _leave_result(self) -> None:
        """See that the result is there: the last student, or the best one, which its evaluation has left."""
        if not self.run_folder.writer or self.keeps_best and is_whole(self.run_folder.model):
            return
        if self.keeps_best and self.progress.metrics_step != self.step:
            raise TrainingError(f"{self.run_folder.model}, the best student (of step {self.progress.metrics_step}), is "
                                "missing or damaged, and no checkpoint holds it any more; start over with "
                                "--resume false")
        self._save_result(parameters_of(self.step_cell, STUDENT))

    def _save_result(self, parameters: Mapping[str, np.ndarray]) -> None:
        if self.run_folder.writer:
            with self._writing():
                save_model(self.run_folder.model, self.stage.model, parameters, self.stage.tokenizer_path)

    def save_checkpoint(self, log: MetricsLog | None = None) -> None:
        """Write a resumable checkpoint of the current step, unless it is there already."""
        progress, run = dataclasses.asdict(self.progress), self.run_folder
        if progress == self.saved:
            return
        if run.writer:
            with self._writing():
                if not run.described.exists():
                    raise UserError(f"{run.path} has been removed while it was trained in")
                if log is not None:
                    log.sync()
                run.store.save(self.step, lambda directory: save_model(
                    directory, self.stage.model, parameters_of(self.step_cell, STUDENT), self.stage.tokenizer_path,
                    state_of(self.step_cell, self.progress)))
        self.saved = progress

    @contextmanager
    def saving_on_failure(self) -> Iterator[None]:
        """Write a checkpoint of the last complete step when the block fails outside of a step.

        Not where something could not be saved: then the last checkpoint is what is left. What a stage that diverges
        has come to is worth nothing.
        """
        try:
            yield
        except NotSaved:
            raise
        except TrainingError:
            barrier(self.device)  # raised by all processes at the same step, and the end of one ends the others
            raise
        except (UserError, OSError, RuntimeError) as error:
            # MindSpore fails with a RuntimeError: within a step it may leave the parameters half updated.
            is_kept = not (isinstance(error, RuntimeError) and self.is_inside_a_step) and is_finite(self.step_cell)
            if is_kept:
                self.save_checkpoint()
            if isinstance(error, UserError):
                raise
            if isinstance(error, OSError):  # such as a log on a full disk, or a pipe that nobody reads any more
                raise self._not_saved(error) from error
            raise TrainingError(
                f"{self.stage.name}: MindSpore failed after step {self.step}: {one_line(error)[:400]}; the checkpoint "
                f"{self.run_folder.store.newest()} {'was saved' if is_kept else 'is as it was'}, run the same command "
                "to continue") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn an error of a file into `NotSaved`, which says from where the run can be continued."""
        try:
            yield
        except (OSError, UserError) as error:
            raise self._not_saved(error) from error

    def _not_saved(self, error: OSError | UserError) -> NotSaved:
        what: object = error
        if isinstance(error, OSError):
            what = f"{error.strerror or error}: {error.filename or self.run_folder.path}"
        newest = self.run_folder.store.newest()
        kept = f"the last checkpoint, {newest}, is as it was" if newest else "there is no checkpoint"
        return NotSaved(f"{self.stage.name}: {one_line(what)} (after step {self.step}); {kept}: make room or repair "
                        "the place, then run the same command to continue")
