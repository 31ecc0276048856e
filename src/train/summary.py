# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a stage is about to do, in a dozen lines: printed before the first step of each training, and by a dry run."""

from __future__ import annotations

from collections.abc import Iterable

import mindspore as ms
from mindspore import Parameter
from tqdm import tqdm

from src.checkpoints.run_folder import RunFolder
from src.common.typed import build
from src.config import Config
from src.dataset import PartlyLabelled, micro_steps_per_epoch
from src.device import Device
from src.records.reading import RecordSource
from src.train.forecast import Forecast, check_memory, compute_line, disk_line, forecast_of, memory_line, time_line
from src.train.lengths import Lengths
from src.train.optim import warmup_steps
from src.train.stage import Progress, Stage, steps_a_sink, total_micro_steps


def plan(stage: Stage, settings: Config, device: Device, run: RunFolder) -> str:
    """Check, without writing, what a run checks before its first step, and return the summary.

    Raises:
        UserError: the run would raise it.
    """
    run.check_place()
    forecast = forecast_of(stage, settings, device)
    check_memory(forecast, stage, settings)
    progress, found = Progress(), run.store.load() if run.continues else None
    if found is not None:
        model, state = found
        progress = build(Progress, state.values, "", f"{model.directory}/training/state.json")
    return summary(stage, settings, device, run, progress, forecast)


def summary(stage: Stage, settings: Config, device: Device, run: RunFolder, progress: Progress,
            forecast: Forecast) -> str:
    """Return the lines on a stage that has come as far as `progress`.

    Raises:
        UserError: there are fewer rows than a step takes.
    """
    own, source, accumulation = stage.settings, stage.source, stage.settings.gradient_accumulation_steps
    micro_steps = total_micro_steps(own, source, device.ranks)
    total, done = micro_steps // accumulation, progress.micro_steps // accumulation
    epoch = micro_steps_per_epoch(source, own.batch_size, device.ranks, accumulation) // accumulation
    lines = {
        "model": _models(stage),
        "objective": stage.network.learns,
        "rows": _rows(source, epoch * own.batch_size * device.ranks * accumulation),
        "batch": own.describe_batch(device.ranks, device.target),
        "steps": f"{total:,}, {epoch:,} an epoch (epoch_size {own.epoch_size}"
                 f"{f', train_steps {own.train_steps}' if own.train_steps else ''})"
                 f"{_done(progress, done, total)}",
        "lengths": _lengths(forecast.lengths, stage, settings),
        "schedule": _schedule(stage, total),
        "precision": _precision(stage, settings, device, micro_steps - progress.micro_steps),
        "evaluation": _evaluation(stage),
        "compute": compute_line(forecast),
        "memory": memory_line(forecast, settings),
        "disk": disk_line(forecast, stage, run, settings.checkpoint.max_ckpt_num),
        **_time(forecast, settings, device, 0 if progress.is_stopped else total - done),
        "results": f"model {run.model}; in {run.path}: checkpoints/ every {settings.checkpoint.save_checkpoint_step} "
                   f"steps, metrics.jsonl{', tensorboard/' if settings.logging.tensorboard else ''}",
        "stop": "Ctrl-C or SIGTERM saves a checkpoint, from which the same command continues; "
                + _time_left(progress, done, total),
    }
    return "\n".join([f"{stage.name}:", *(f"  {name:<11}{text}" for name, text in lines.items())])


def _models(stage: Stage) -> str:
    network = stage.network
    own = list(network.student.get_parameters())
    trained = _millions(parameter for parameter in own if parameter.requires_grad)
    described = f"{stage.model.encoder.size}, {_millions(own)} parameters, {trained} trained"
    if network.student.is_fake_quantized:
        described += " and evaluated as they compute in int8"
    if network.has_projection:
        described += f", and a projection of {_millions(network.projection.get_parameters())}"
    if network.has_teacher:
        return f"{described}; its teacher has {_millions(network.teacher.get_parameters())}"
    return f"{described}; the teacher's logits are read from where they are stored" if network.cached else described


def _millions(parameters: Iterable[Parameter]) -> str:
    return f"{sum(parameter.size for parameter in parameters) / 1e6:.2f} M"


def _rows(source: RecordSource, used: int) -> str:
    left = source.rows - used
    given = _place(source)
    if isinstance(source, PartlyLabelled):
        given = f"labelled {_place(source.labelled)}; unlabelled {_place(source.unlabelled)}; all shuffled together"
    return f"{given}{f'; {left:,} of them do not fill a step and sit out an epoch' if left else ''}"


def _place(source: RecordSource) -> str:
    files = len(source.files)
    return f"{source.rows:,} in {source.files[0].parent} ({files} file{'s' * (files > 1)})"


def _lengths(lengths: Lengths, stage: Stage, settings: Config) -> str:
    """The lengths that batches are padded to, and the share of the rows whose shortest such length each is."""
    if len(lengths.buckets) == 1:
        return f"all padded to {lengths.buckets[0]}"
    listed = ", ".join(f"{bucket} ({share:.0%})" for bucket, share in zip(lengths.buckets, lengths.rows, strict=True))
    of = f"the first {lengths.counted:,} rows" if lengths.counted < stage.source.rows else "the rows"
    is_sorted = settings.data.do_shuffle and stage.group_by_size
    return f"padded to {listed} of {of}{'' if is_sorted else '; a batch is as long as the longest of its rows'}"


def _done(progress: Progress, done: int, total: int) -> str:
    if progress.is_stopped:
        return f"; early stopping has ended it after {done:,}: nothing is left to do"
    if done == total:
        return "; all are done: nothing is left to do"
    return f"; {done:,} of them are done" if done else ""


def _schedule(stage: Stage, total: int) -> str:
    own = stage.settings
    warmup = warmup_steps(own, total)
    later = "constant" if own.lr_schedule == "constant" else (
        f"{'linear' if own.power == 1 else f'polynomial (power {own.power:g})'} decay to {own.end_learning_rate:g}")
    return f"{own.optimizer}, learning rate {own.learning_rate:g} after {warmup:,} steps of warm-up, then {later}"


def _precision(stage: Stage, settings: Config, device: Device, left: int) -> str:
    text = "float32"
    if device.compute_type == ms.float16:
        text = f"float16 matrix products, dynamic loss scale from {stage.settings.loss_scale_value:g}"
    if device.sink:
        text += f"; data sink of {steps_a_sink(left, settings.data.data_sink_steps)} micro-steps a call"
    return text


def _evaluation(stage: Stage) -> str:
    if stage.evaluate is None:
        return "none; the last student is kept"
    interval = stage.eval_interval
    when = {"end": "at the end", "epoch": "after each epoch"}.get(str(interval), f"every {interval} steps")
    kept = f"the best{f' {stage.metric}' if stage.metric else ''} is kept" if stage.keep_best else "the last is kept"
    patience = f"; ends after {stage.early_stopping} without a better one" if stage.early_stopping else ""
    return f"{when}; {kept}{patience}"


def _time(forecast: Forecast, settings: Config, device: Device, left: int) -> dict[str, str]:
    """The time of the steps left; on CPU it takes a second to measure, which a training does without."""
    given = settings.device.tflops
    return {"time": time_line(forecast, left, given)} if device.dry_run or given else {}


def _time_left(progress: Progress, done: int, total: int) -> str:
    if not done or not progress.seconds:
        return "time left: ETA in the log"
    a_step = progress.seconds / done
    return f"{a_step:.3g} s a step so far: {tqdm.format_interval((total - done) * a_step)} left"
