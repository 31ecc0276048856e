# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The cost of a stage in words, before it is spent, and the refusal of one that does not fit into memory."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import mindspore as ms

from src.checkpoints.run_folder import RunFolder
from src.common.errors import UserError
from src.common.memory import described, free_memory, resident_memory
from src.config import Config
from src.device import Device
from src.models.cost import BatchShape
from src.train.cost import (
    Memory,
    Network,
    Work,
    forward_products,
    memory_of,
    network_of,
    parts_of,
    update_of,
    with_graphs,
    work_of,
)
from src.train.lengths import Lengths, lengths_of, longest_shape, shapes_of
from src.train.rates import other_rates, product_rate
from src.train.stage import Stage


@dataclass(frozen=True)
class Forecast:
    """What is expected of the steps of a stage.

    Attributes:
        network: what is trained.
        lengths: of the rows.
        shapes: of the micro-batches of a device, each with its share.
        longest: the largest of them.
        accumulation: micro-steps an optimiser step.
        device: where.
        before: operations of a teacher whose logits of all rows are computed and stored before the first step.
    """

    network: Network
    lengths: Lengths
    shapes: Sequence[tuple[float, BatchShape]]
    longest: BatchShape
    accumulation: int
    device: Device
    before: float = 0.0

    @cached_property
    def work(self) -> Work:
        """The mean work of a micro-step."""
        found = [(share, work_of(self.network, shape)) for share, shape in self.shapes]
        return Work(*(sum(share * each[place] for share, each in found) for place in range(len(Work._fields))))

    @property
    def step_products(self) -> float:
        """Operations of the matrix products of an optimiser step, on one device."""
        return self.work.products * self.accumulation

    def memory(self, shape: BatchShape) -> Memory:
        """The memory of a device, on CPU without what the process has already."""
        if self.device.target != "CPU":
            return memory_of(self.network, shape, self.accumulation, 2 if self.device.compute_type == ms.float16 else 4)
        shorter = [other._replace(rows=shape.rows, places=other.places * shape.rows / other.rows)
                   for _, other in self.shapes if other.length < shape.length]
        return with_graphs(self.network, shape, shorter, self.accumulation)

    def step_seconds(self) -> tuple[float, float]:
        """Seconds of an optimiser step on this machine's CPU, which all processes of the run share, as fast as it is
        now; and the operations a second of its matrix products."""
        rows = max(1, round(sum(share * shape.tokens for share, shape in self.shapes)))
        own = product_rate(rows, *parts_of(self.network.student, self.longest).largest)
        its = product_rate(rows, *parts_of(self.network.teacher, self.longest).largest) if self.network.teacher else own
        moved, curved, dropped = other_rates()
        work = self.work
        micro = (work.teacher / its + (work.forward + work.backward) / own + work.moved / moved + work.curved / curved
                 + work.dropped / dropped)
        seconds = self.accumulation * micro + update_of(self.network, self.accumulation) / moved
        return self.device.ranks * seconds, its


def forecast_of(stage: Stage, settings: Config, device: Device) -> Forecast:
    """Return the forecast of a stage, whose first rows are read.

    Raises:
        UserError: they cannot be read, or are too long.
    """
    lengths = lengths_of(stage, settings.data, device)
    shapes, teacher, before = shapes_of(lengths, stage, device), stage.stored_teacher, 0.0
    if teacher is not None:
        passes = sum(share * forward_products(teacher, shape) for share, shape in shapes)
        before = passes * stage.source.rows / stage.settings.batch_size
    return Forecast(network_of(stage.network), lengths, shapes, longest_shape(lengths, stage, device),
                    stage.settings.gradient_accumulation_steps, device, before)


def compute_line(forecast: Forecast) -> str:
    """Operations of a step."""
    work, times = forecast.work, forecast.accumulation
    parts = [f"teacher {_operations(times * work.teacher)}"] if forecast.network.teacher else []
    parts += [f"student {_operations(times * work.forward)} forward and {_operations(times * work.backward)} backward"]
    first = f"; before, the teacher's logits, unless they are stored already: {_operations(forecast.before)}"
    whose = " of a device" if forecast.device.ranks > 1 else ""
    return (f"{_operations(forecast.step_products)} a step{whose}: {', '.join(parts)}"
            f"{first if forecast.before else ''}")


def time_line(forecast: Forecast, steps: int, tflops: float) -> str:
    """Hours of the steps that are left, at a speed that is given, or measured now on CPU."""
    if not steps:
        return "none: nothing is left to do"
    products = forecast.step_products * steps + forecast.before
    if tflops:
        seconds, rate, at = forecast.step_products / (tflops * 1e12), tflops * 1e12, f"at {tflops:g} TFLOP/s a device"
    elif forecast.device.target == "CPU":
        seconds, rate = forecast.step_seconds()
        at = f"(measured just now: {rate / 1e12:.2g} TFLOP/s in matrix products)"
    else:
        return (f"{_operations(products)} a device; --tflops N, what a device sustains in TFLOP/s, turns that into "
                "hours")
    whole = _duration(steps * seconds + forecast.before / rate)
    return f"about {whole}, {seconds:.3g} s a step {at}; evaluations and checkpoints come on top"


def memory_line(forecast: Forecast, settings: Config) -> str:
    """What a device, or a process on CPU, takes at the longest batch."""
    need, there = _need(forecast, forecast.longest), _room(forecast.device, settings)
    memory = forecast.memory(forecast.longest)
    parts = [f"models {described(memory.weights)}", f"gradients and optimiser {described(memory.optimizer)}",
             f"a batch of {forecast.longest.rows} x {forecast.longest.length} {described(memory.batch)}"]
    if forecast.device.target == "CPU":
        lengths = len(forecast.shapes)
        parts.append(f"graphs of {lengths} length{'s' * (lengths > 1)} {described(memory.graphs)}")
        parts.append(f"the process as it is now {described(resident_memory())}")
    room = f" of {described(there)} that can be had" if there is not None else ""
    taker = "process" if forecast.device.target == "CPU" else "device"
    return f"about {described(need)} a {taker}{room}: {', '.join(parts)}"


def disk_line(forecast: Forecast, stage: Stage, run: RunFolder, kept: int) -> str:
    """What the records take, and what the run will."""
    model = parts_of(forecast.network.student, forecast.longest).parameters * 4
    training = forecast.network.trained * 4 * (2 + (forecast.accumulation > 1))
    place = next(folder for folder in (run.path.absolute(), *run.path.absolute().parents) if folder.is_dir())
    records = sum(file.stat().st_size for file in stage.source.files)
    return (f"{kept} checkpoint{'s' * (kept > 1)} of {described(model + training)}, and another while it is written; "
            f"model {described(model)}; {described(shutil.disk_usage(place).free)} are free there; records "
            f"{described(records)}")


def check_memory(forecast: Forecast, stage: Stage, settings: Config) -> None:
    """Check that the longest batch fits.

    Raises:
        UserError: it does not; naming the batch that does, or the length.
    """
    room = _room(forecast.device, settings)
    if room is None or not settings.device.check_memory:
        return
    need = _need(forecast, forecast.longest)
    if need <= room:
        return
    own, longest = stage.settings, forecast.longest
    micro = own.batch_size * own.gradient_accumulation_steps
    fits = next((rows for rows in range(own.batch_size - 1, 0, -1) if micro % rows == 0 and _need(
        forecast, longest._replace(rows=rows, places=longest.places * rows / longest.rows)) <= room), 0)
    advice = [f"set --batch_size {fits} --gradient_accumulation_steps {micro // fits}, which trains on the same rows"] \
        if fits else []
    alone = replace(forecast, shapes=[(1.0, longest)])
    if len(forecast.shapes) > 1 and _need(alone, longest) <= room:
        advice.append("pad all batches to one length (--buckets [])")
    lengths = [shape.length for _, shape in forecast.shapes
               if shape.length < longest.length and _need(forecast, shape) <= room]
    advice += [f"prepare records of at most {lengths[-1]} tokens (--seq_length)"] if lengths else []
    raise UserError(
        f"{stage.name}: batches of {longest.rows} x {longest.length} are expected to take {described(need)} of memory, "
        f"and {described(room)} can be had; {' or '.join(advice) or 'take a smaller teacher or student'}, or begin all "
        "the same with --check_memory false")


def _need(forecast: Forecast, shape: BatchShape) -> float:
    return forecast.memory(shape).total + (resident_memory() if forecast.device.target == "CPU" else 0)


def _room(device: Device, settings: Config) -> int | None:
    """Bytes that can be taken, with what is taken already; None where it is not known."""
    if device.target == "CPU":
        return free_memory() + resident_memory()
    return settings.device.memory_limit


def _operations(number: float) -> str:
    for unit, size in (("EFLOP", 1e18), ("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number / 1e6:.3g} MFLOP"


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
