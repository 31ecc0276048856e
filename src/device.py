# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Choosing and setting up the device; the only module that touches MindSpore's context.

And what the processes of a data-parallel run say to each other between the steps: `agree`, `largest`, `barrier`,
`first_makes`, `share_parameters`. All processes must call the same ones in the same order. On CPU, MindSpore 2.10's
collectives sum float32 and broadcast single tensors; there is no maximum, no barrier and no sum of integers, and the
second tensor of one broadcast arrives as garbage. These functions use nothing else, on any device.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, context, ops

from src.common.errors import UserError
from src.config import DeviceConfig
from src.versions import cann_warning

DEVICES = ("Ascend", "GPU", "CPU")
CPU_WAIT_SECONDS = 86_400
"""How long a process waits in a collective on CPU for one that evaluates, saves or prepares data; MindSpore's own limit
is 30 s, after which the run fails."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Device:
    """Where this process runs.

    Attributes:
        target: Ascend, GPU or CPU.
        compute_type: type of the matrix products.
        sink: whether the device takes batches in a sink.
        rank, ranks: place in, and size of, a distributed run.
        precision_mode: how Ascend may choose other types for operators than the graph says; "": as it does by default.
        dry_run: the run is only planned: this is its first process, and there are no others.
    """

    target: str
    compute_type: ms.Type
    sink: bool
    rank: int = 0
    ranks: int = 1
    precision_mode: str = ""
    dry_run: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process to talk to."""
        return self.ranks == 1 or self.dry_run

    @property
    def writes(self) -> bool:
        """Whether this process writes what the run leaves."""
        return self.rank == 0 and not self.dry_run

    def say(self, text: str) -> None:
        """Print a line, once for all processes of a run."""
        if self.rank == 0:
            print(text, flush=True)


def set_up_device(settings: DeviceConfig, seed: int, sink: bool = False, compile_cache: str = "",
                  dry_run: bool = False) -> Device:
    """Set graph mode, device, seeds and (where asked for) data-parallel training and the compile cache.

    Args:
        settings, seed: see default_config.yaml; the seed of MindSpore and NumPy.
        sink: whether a device that can takes its batches in a sink.
        compile_cache: where graphs may be kept; it must tell runs of other settings apart. "": nowhere.
        dry_run: only plan the run: the device, which need not be here, is left alone, and no other process is joined.

    Raises:
        UserError: the device is not there, or a distributed run was not started by a launcher.
    """
    if dry_run:
        return _plan(settings, seed, sink)
    target = _choose(settings.device_target, local_device(os.environ) if settings.distribute else settings.device_id)
    settings.require_supported(target)
    context.set_context(mode=context.GRAPH_MODE)
    _tune(settings)
    sink = sink and target != "CPU"
    if settings.compile_cache and sink and compile_cache:
        _use_compile_cache(compile_cache, target)
    rank, ranks = _join(settings.device_num) if settings.distribute else (0, 1)
    _set_seed(seed)
    device = Device(target, _compute_type(settings, target), sink, rank, ranks, settings.precision_mode)
    if target == "Ascend" and (warning := cann_warning()):
        device.say(f"MindSpore warns: {warning}")
    return device


def _plan(settings: DeviceConfig, seed: int, sink: bool) -> Device:
    """Return the device of a dry run, in which cells are built on the CPU."""
    there = _available()
    target = there[0] if settings.device_target == "auto" else settings.device_target
    settings.require_supported(target)
    if target not in there:
        print(f"note: this machine, or its MindSpore, has no {target}: the device is not checked", flush=True)
    context.set_context(mode=context.GRAPH_MODE)
    if ms.get_context("device_target") != "CPU":
        ms.set_device("CPU")
    _set_seed(seed)
    return Device(target, _compute_type(settings, target), sink and target != "CPU", 0, settings.device_num,
                  settings.precision_mode, dry_run=True)


def _set_seed(seed: int) -> None:
    ms.set_seed(seed)
    np.random.seed(seed)


def _compute_type(settings: DeviceConfig, target: str) -> ms.Type:
    half = settings.compute_type == "float16" or (settings.compute_type == "auto" and target != "CPU")
    return ms.float16 if half else ms.float32


def local_device(environment: Mapping[str, str]) -> int | None:
    """Return which of its host's devices a process of a distributed run takes; None: MindSpore's choice.

    msrun says it in DEVICE_ID, mpirun in OMPI_COMM_WORLD_LOCAL_RANK; both count the visible devices. `set_device` takes
    the number that it is given even where a launcher started the process: with 0 all would be on one device.
    """
    number = environment.get("OMPI_COMM_WORLD_LOCAL_RANK", environment.get("DEVICE_ID", ""))
    return int(number) if number.isdecimal() else None


def _tune(settings: DeviceConfig) -> None:
    """Set what is set of compilation, memory, precision and communication (not run on Ascend and GPU here).

    `require_supported` has seen to it that the device knows the settings.
    """
    if settings.jit_level:
        # Version 2.10 documents mindspore.jit in its place, and still takes this for all graphs, without a warning.
        context.set_context(jit_config={"jit_level": settings.jit_level})
    memory = {"max_size": settings.max_device_memory, "optimize_level": settings.memory_optimize_level}
    if any(memory.values()):
        ms.runtime.set_memory(**{name: value for name, value in memory.items() if value})
    if settings.precision_mode:
        ms.device_context.ascend.op_precision.precision_mode(settings.precision_mode)
    if settings.hccl_connect_timeout:
        # HCCL reads it when the processes join; what the environment says already has the last word.
        os.environ.setdefault("HCCL_CONNECT_TIMEOUT", str(settings.hccl_connect_timeout))


def _choose(wanted: str, device_id: int | None) -> str:
    """Return the device to use; `auto` takes the first of DEVICES that is there."""
    there = _available()
    target = there[0] if wanted == "auto" else wanted
    if target not in there:
        raise UserError(f"device_target is {wanted}, which this machine or its MindSpore does not have (there: "
                        f"{', '.join(there)}); choose one of these, or auto")
    if target == "CPU" and ms.get_context("device_target") == "CPU":
        return target  # setting it again is refused once anything has run
    try:
        ms.set_device(target, 0 if target == "CPU" else device_id)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"device_id {device_id} of {target} cannot be used: {error}; change --device_id") from error
    return target


def _available() -> list[str]:
    """Return those of DEVICES that this machine has and its MindSpore can use."""
    logging.disable(logging.ERROR)  # the probes log a page about drivers that are not installed
    try:
        return [target for target in DEVICES if getattr(ms.device_context, target.lower()).is_available()]
    finally:
        logging.disable(logging.NOTSET)


def _join(device_num: int) -> tuple[int, int]:
    """Join the other processes of a data-parallel run and return (rank, ranks)."""
    from mindspore.communication import get_group_size, get_rank, init

    if not any(name in os.environ for name in ("MS_ROLE", "RANK_SIZE", "OMPI_COMM_WORLD_SIZE")):
        raise UserError("distribute is true but no launcher started this process; use scripts/run_distributed_*.sh "
                        "or msrun, or set --distribute false")
    os.environ.setdefault("MS_CPU_COMM_OP_TIMEOUT", str(CPU_WAIT_SECONDS))
    init()
    rank, ranks = get_rank(), get_group_size()
    if ranks != device_num:
        raise UserError(f"device_num is {device_num} but the launcher started {ranks} processes; make them equal")
    # MindSpore's own data-parallel mode is not set: the gradients are averaged by src/train/step.py, and the first
    # parameters are broadcast by `share_parameters`. Its broadcast, at each compilation, would wait for all processes
    # where one of them evaluates alone.
    return rank, ranks


def agree(value: Value, device: Device) -> Value:
    """Return the first process's value on all; it must be what JSON can hold. The others' own are not looked at."""
    if device.is_alone:
        return value
    text = json.dumps(value).encode() if device.rank == 0 else b""
    length = int(_broadcast(np.array([len(text)], np.float32))[0])
    characters = np.zeros(length, np.float32)  # bytes and lengths below 2^24 are exact
    if device.rank == 0:
        characters[:] = np.frombuffer(text, np.uint8)
    return json.loads(_broadcast(characters).astype(np.uint8).tobytes())


def largest(number: int, device: Device) -> int:
    """Return the largest number, from 0, that any process gives."""
    if device.is_alone:
        return number
    given = np.zeros(device.ranks, np.float32)
    given[device.rank] = number
    return int(ops.AllReduce()(Tensor(given)).asnumpy().max())


def barrier(device: Device) -> None:
    """Return when all processes have come here."""
    largest(0, device)


def first_makes(make: Callable[[], object], device: Device) -> None:
    """Call `make` on the first process; the others return when it is done."""
    if device.rank == 0:
        make()
    barrier(device)


def share_parameters(parameters: Iterable[Parameter], device: Device) -> None:
    """Set parameters, the same ones on all processes, to the first one's values."""
    if device.is_alone:
        return
    for parameter in parameters:
        set_value(parameter, _broadcast(np.ascontiguousarray(parameter.asnumpy()).reshape(-1)))


def set_value(parameter: Parameter, value: np.ndarray) -> None:
    """Set a parameter, which compiled graphs may use already, to values of its number of elements.

    In place: MindSpore 2.7.0 corrupts its memory where an optimiser's state that a graph updates gets other data by
    `set_data`.
    """
    ops.assign(parameter, Tensor(value.reshape(parameter.shape), dtype=parameter.dtype))


def _broadcast(values: np.ndarray) -> np.ndarray:
    return ops.Broadcast(0)((Tensor(values),))[0].asnumpy()


def _use_compile_cache(cache: str, target: str) -> None:
    """Let MindSpore keep compiled graphs.

    It finds a graph by the number of the compilation in the process and checks neither shapes nor constants. So only
    runs that compile in the same order each time may use the cache, those whose batches have one length, and each
    combination of settings, source code and version has a folder of its own.
    """
    sources = hashlib.sha256()
    for path in sorted(Path(__file__).resolve().parent.rglob("*.py")):
        sources.update(path.read_bytes())
    os.environ["MS_COMPILER_CACHE_ENABLE"] = "1"
    os.environ["MS_COMPILER_CACHE_PATH"] = f"{cache}-{sources.hexdigest()[:12]}-{ms.__version__}-{target}"
