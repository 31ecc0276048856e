# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""One training stage from its first step, or the last checkpoint, to its end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import mindspore as ms

from src.config import Config, ModelConfig, StageConfig
from src.dataset import (
    LanguageModelTargets,
    TeacherLogits,
    TrainingBatches,
    longest_row,
    resolve_buckets,
    steps_per_epoch,
)
from src.distill.cell import DistillationCell
from src.errors import Diverged, Interrupted, TrainingError, UserError, one_line
from src.models.dropout import make_dropout_stateless
from src.records.reading import RecordSource
from src.train.callbacks import AtSteps, EarlyStop, MetricsLog, Monitor, Progress, StopOnSignal
from src.train.checkpoint import (
    TrainingState,
    load_model,
    load_parameters,
    load_training_state,
    parameters_of,
    save_model,
)
from src.train.device import Device, agree, barrier, share_parameters
from src.train.optim import make_optimizer
from src.train.run_folder import RunFolder
from src.train.step import TrainStep
from src.typed import build

STUDENT, TEACHER = "student.", "teacher."
Evaluate = Callable[[dict], dict[str, float]]


@dataclasses.dataclass
class Stage:
    """What one stage trains, on what, and where it leaves the result.

    Attributes:
        name: stage name in logs: finetune, general_distill, task_distill_phase1, task_distill_phase2.
        settings: optimiser, batch size, length.
        network: student, teacher and objective.
        model: configuration of the student, for its checkpoints.
        source: training records.
        tokenizer_path: folder of the vocabulary that goes into the checkpoints.
        evaluate: called with the student's parameters, returns metrics; None: no evaluation.
        eval_interval: optimiser steps between evaluations; 0 = an epoch.
        metric: the metric that decides; "" takes the first one.
        early_stopping: evaluations without a better one after which the stage ends; 0 = never.
        keep_best: the result is the best student by the deciding metric; else, or without evaluation, the last one.
        targets: what a language model predicts in each batch; None where the rows have labels of their own, or none.
        group_by_size: batches of rows of similar length.
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
    eval_interval: int = 0
    metric: str = ""
    early_stopping: int = 0
    keep_best: bool = True
    targets: LanguageModelTargets | None = None
    group_by_size: bool = True
    teacher_logits: Callable[[], TeacherLogits] | None = None


def train(stage: Stage, config: Config, device: Device, run: RunFolder) -> Progress:
    """Run a stage, or what is left of it after its latest checkpoint; the result is `run.model`.

    Of several processes the first one reads and writes the run's folder; what it leaves is there when any returns.

    Raises:
        UserError: the data is smaller than a batch, or the checkpoint does not fit.
        TrainingError: the run diverged or MindSpore failed; a checkpoint of the last good step has been written.
        Interrupted: SIGINT or SIGTERM came; a checkpoint has been written.
    """
    session = _Session(stage, config, device, run)
    if session.is_done:
        print(f"{stage.name}: {session.done} are done already ({run.path})", flush=True)
        return session.progress
    try:
        with StopOnSignal(device) as stop:
            session.run(stop)
    except (TrainingError, Interrupted) as error:  # raised by all processes at the same step
        if isinstance(error, Diverged):
            session.step_cell.update.forget_gradients()
        session.save_checkpoint()
        barrier(device)  # the end of one process ends the others
        raise
    except RuntimeError as error:
        session.save_checkpoint()
        raise TrainingError(f"{stage.name}: MindSpore failed after step {session.step}: {one_line(error)[:400]}; the "
                            f"checkpoint {run.store.folder} was saved, run the same command to continue") from error
    barrier(device)
    return session.progress


def total_micro_steps(settings: StageConfig, source: RecordSource, ranks: int) -> int:
    """Micro-steps of a stage: whole optimiser steps, at most `train_steps` of them."""
    accumulation = settings.gradient_accumulation_steps
    total = steps_per_epoch(source, settings.batch_size, ranks, accumulation) * settings.epoch_size
    return min(total, settings.train_steps * accumulation) if settings.train_steps else total


def steps_a_sink(left: int, most: int) -> int:
    """Return how many of the steps left a device runs in one call: the largest number up to `most` without a rest.

    Steps that do not fill a call would not be run, and the stage would never end.
    """
    return next(size for size in range(max(1, min(most, left)), 0, -1) if left % size == 0)


class _Session:
    """The objects of one call of `train`."""

    def __init__(self, stage: Stage, config: Config, device: Device, run: RunFolder):
        settings = stage.settings
        self.stage, self.config, self.device, self.run_folder = stage, config, device, run
        self.accumulation = settings.gradient_accumulation_steps
        self.total = total_micro_steps(settings, stage.source, device.ranks)
        if device.target == "CPU":
            make_dropout_stateless(stage.network.student, config.seed + 1000 * device.rank)
        optimizer = make_optimizer(settings, stage.network.trainable_params(), self.total // self.accumulation)
        self.step_cell = TrainStep(stage.network, optimizer, settings, device)
        self.step_cell.set_train()
        self.progress = self._resume()
        # Also where the seeds are the same, and where the other processes do not see the first one's files.
        share_parameters((p for p in self.step_cell.get_parameters() if not p.name.startswith(TEACHER)), device)
        # Here, where a signal ends the process at once: nothing has been trained that would have to be saved.
        self.teacher_logits = stage.teacher_logits() if stage.teacher_logits and not self.has_ended else None

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return self.progress.micro_steps // self.accumulation

    @property
    def has_ended(self) -> bool:
        """Whether no step is left: all are done, or early stopping has ended the stage."""
        return self.progress.micro_steps >= self.total or self.progress.is_stopped

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return agree(self.has_ended and self.run_folder.model.is_dir(), self.device)

    @property
    def done(self) -> str:
        """The steps of a stage that has ended, for messages."""
        return f"{self.step} steps, up to early stopping," if self.progress.is_stopped else f"all {self.step} steps"

    def _resume(self) -> Progress:
        """Return where the run is; the first process reads its latest checkpoint, and tells the others."""
        progress = self._load() if self.run_folder.writer else Progress()
        return Progress(**agree(dataclasses.asdict(progress), self.device))

    def _load(self) -> Progress:
        latest = self.run_folder.store.latest()
        if latest is None:
            self.run_folder.trim_metrics(self.stage.name, -1)
            return Progress()
        loaded, state = load_model(latest), load_training_state(latest)
        load_parameters(self.stage.network.student, _prefixed(loaded.parameters), latest)
        rest = {p.name: p for p in self.step_cell.get_parameters() if not p.name.startswith((STUDENT, TEACHER))}
        if rest.keys() != state.tensors.keys():
            raise UserError(f"{latest} was written by a run with another optimiser or projection; start over with "
                            "--resume false")
        wrong = next((name for name, parameter in rest.items() if state.tensors[name].size != parameter.size), None)
        if wrong:
            raise UserError(f"{latest}: {wrong} has the shape {state.tensors[wrong].shape}; this run needs "
                            f"{tuple(rest[wrong].shape)}; start over with --resume false")
        for name, parameter in rest.items():
            parameter.set_data(ms.Tensor(state.tensors[name].reshape(parameter.shape), dtype=parameter.dtype))
        progress = build(Progress, state.values, "", f"{latest}/training/state.json")
        self.run_folder.trim_metrics(self.stage.name, progress.micro_steps // self.accumulation)
        print(f"{self.stage.name}: continuing after step {progress.micro_steps // self.accumulation} of "
              f"{self.total // self.accumulation} ({latest})", flush=True)
        return progress

    def run(self, stop: StopOnSignal) -> None:
        """Train the steps that are left."""
        run = self.run_folder
        if not self.has_ended:
            log = MetricsLog(run.metrics, run.path / "tensorboard" if self.config.logging.tensorboard else None,
                             self.stage.name, run.writer)
            try:
                self._fit(log, stop)
            finally:
                log.close()
        if (self.stage.evaluate is None or not self.stage.keep_best) and run.writer:
            save_model(run.model, self.stage.model, self._student(), self.stage.tokenizer_path)

    @cached_property
    def batches(self) -> TrainingBatches:
        """The micro-batches that are left."""
        data, settings, stage = self.config.data, self.stage.settings, self.stage
        # A sink takes one shape only.
        buckets = () if self.device.sink else data.buckets
        return TrainingBatches(
            stage.source, settings.batch_size, self.total, resolve_buckets(buckets, longest_row(
                stage.source, data.seq_length)), start=self.progress.micro_steps, seed=self.config.seed,
            shuffle=data.do_shuffle, group_by_size=stage.group_by_size, shuffle_buffer_size=data.shuffle_buffer_size,
            bucket_window=data.bucket_window, rank=self.device.rank, ranks=self.device.ranks,
            accumulation=self.accumulation, targets=stage.targets,
            teacher_logits=self.teacher_logits)

    def _fit(self, log: MetricsLog, stop: StopOnSignal) -> None:
        settings, writer, batches = self.stage.settings, self.run_folder.writer, self.batches
        sink_steps = steps_a_sink(len(batches), self.config.data.data_sink_steps) if self.device.sink else 1
        monitor = Monitor(self.progress, log, self.config.logging, self.stage.network.term_names, self.accumulation,
                          batches.steps_per_epoch, self.total, settings.max_skipped_steps, sink_steps, show=writer,
                          may_overflow=self.device.compute_type == ms.float16)
        callbacks = [monitor]
        if self.stage.evaluate is not None:
            interval = self.stage.eval_interval or max(1, batches.steps_per_epoch // self.accumulation)
            callbacks.append(AtSteps(self.progress, lambda: self._evaluate(log), interval, self.accumulation,
                                     self.total))
        if writer:
            callbacks.append(AtSteps(self.progress, self.save_checkpoint, self.config.checkpoint.save_checkpoint_step,
                                     self.accumulation, self.total))
        callbacks += [stop, EarlyStop(self.progress)]
        model = ms.Model(self.step_cell)
        if self.device.sink:
            model.train(len(batches) // sink_steps, batches.pipeline(), callbacks, dataset_sink_mode=True,
                        sink_size=sink_steps)
        else:
            model.train(1, batches.pipeline(), callbacks, dataset_sink_mode=False)

    def _student(self) -> dict:
        return parameters_of(self.step_cell, STUDENT)

    def _evaluate(self, log: MetricsLog) -> None:
        """Evaluate on held-out data; where the best student is wanted, keep this one when it is the best so far."""
        parameters = self._student()
        # The others wait, and take the first one's word: what follows from it must be the same on all.
        metrics = agree(self.stage.evaluate(parameters) if self.run_folder.writer else {}, self.device)
        log.write(self.step, {"epoch": -(-self.progress.micro_steps // self.batches.steps_per_epoch),
                              "eval": metrics, "seconds": round(self.progress.seconds, 3)})
        shown = ", ".join(f"{metric}: {number:.6f}" for metric, number in metrics.items())
        if self.run_folder.writer:
            print(f"{self.stage.name} evaluation after step {self.step}: {shown}", flush=True)
        if not self.stage.keep_best:
            self.progress.metrics, self.progress.metrics_step = metrics, self.step
            return
        name = self.stage.metric or next(iter(metrics))
        if name not in metrics:  # such as those of answers, where no row of dev has one
            raise UserError(f"metric is {name!r}, which these rows do not have; they have {', '.join(metrics)}")
        self._keep_best(parameters, name, metrics)
        self._stop_early(name)

    def _keep_best(self, parameters: dict, name: str, metrics: dict[str, float]) -> None:
        progress, value, writer = self.progress, metrics[name], self.run_folder.writer
        # What is not a number, such as the correlation of equal scores, is the worst.
        is_first = progress.best_metric is None or math.isnan(progress.best_metric)
        progress.without_improvement += 1
        if is_first or value > progress.best_metric:
            progress.best_metric, progress.without_improvement = value, 0
            progress.metrics, progress.metrics_step = metrics, self.step
            if writer:
                save_model(self.run_folder.model, self.stage.model, parameters, self.stage.tokenizer_path)
        if writer:
            print(f"The best acc is {progress.best_metric:.6f}" + ("" if name == "accuracy" else f" ({name})"),
                  flush=True)

    def _stop_early(self, name: str) -> None:
        """End the stage when the last evaluations have not been better than the best one."""
        progress, patience = self.progress, self.stage.early_stopping
        if not patience or progress.without_improvement < patience or self.has_ended:
            return
        progress.is_stopped = True
        if self.run_folder.writer:
            print(f"{self.stage.name}: early stopping after step {self.step} of {self.total // self.accumulation}: "
                  f"{patience} evaluation{'s' * (patience > 1)} without a better {name} than "
                  f"{progress.best_metric:.6f} (step {progress.metrics_step})", flush=True)

    def save_checkpoint(self) -> None:
        """Write a resumable checkpoint of the current step."""
        if not self.run_folder.writer:
            return
        tensors = {p.name: p.asnumpy() for p in self.step_cell.get_parameters()
                   if not p.name.startswith((STUDENT, TEACHER))}
        state = TrainingState(tensors, dataclasses.asdict(self.progress))
        self.run_folder.store.save(self.step, lambda directory: save_model(
            directory, self.stage.model, self._student(), self.stage.tokenizer_path, state))


def _prefixed(parameters: dict) -> dict:
    return {STUDENT + name: value for name, value in parameters.items()}
