# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Binding of the processes of a host to CPU cores near their devices, with what msrun 2.10 offers.

`--bind_core=True` divides the cores by the devices' NUMA nodes (npu-smi, lspci, lscpu) on Ascend, and in equal parts
elsewhere. It reads the cores of the host from a file that only control groups of version 1 have, and without it binds
nothing. There `--bind_numa={"device0": ["0"], ...}` is given, which starts each process with numactl on one node.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from src.launch.hosts import Host

CPU_SET = Path("/sys/fs/cgroup/cpuset/cpuset.cpus")
NODES = Path("/sys/devices/system/node")


def binding_options(host: Host, device_target: str, has_cpu_set: bool, nodes: Sequence[int],
                    has_command: Callable[[str], bool]) -> tuple[list[str], str]:
    """Return msrun's options that bind the processes of a host, and what they do (for the log).

    Args:
        has_cpu_set: whether `CPU_SET` can be read.
        nodes: numbers of the NUMA nodes that have memory and cores.
        has_command: whether a program (taskset, numactl) is there and may be used.
    """
    if has_cpu_set and has_command("taskset"):
        return ["--bind_core=True"], "each process on cores of its own (msrun --bind_core)"
    if len(nodes) > 1 and has_command("numactl"):
        # The keys are what msrun looks up: on Ascend the device's own number, elsewhere its place among the visible.
        keys = host.devices if device_target == "Ascend" else [str(i) for i in range(host.local_worker_num)]
        spread = {f"device{key}": [str(nodes[index * len(nodes) // len(keys)])] for index, key in enumerate(keys)}
        return [f"--bind_numa={json.dumps(spread)}"], "each process on a NUMA node (msrun --bind_numa)"
    return [], ("processes are not bound to cores: msrun needs taskset and control groups of version 1, or several "
                "NUMA nodes and a numactl that may bind memory")


def numa_nodes(folder: Path = NODES) -> list[int]:
    """Return the numbers of the NUMA nodes that have both cores and memory."""
    try:
        present = {int(entry.name[4:]) for entry in folder.iterdir() if re.fullmatch(r"node\d+", entry.name)}
        for name in ("has_cpu", "has_memory"):
            if (folder / name).is_file():
                present &= expand((folder / name).read_text())
    except OSError:
        return []
    return sorted(present)


def expand(ranges: str) -> set[int]:
    """Return the numbers of the kernel's list format: `0-3,8` -> {0, 1, 2, 3, 8}."""
    numbers: set[int] = set()
    for part in filter(None, ranges.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


@cache
def has_command(name: str) -> bool:
    """Return whether a program is there; for numactl also whether it may bind memory, which containers often forbid."""
    path = shutil.which(name)
    if path is None or name != "numactl":
        return path is not None
    try:
        return subprocess.run([path, "--membind=0", "true"], capture_output=True, timeout=10, check=False
                              ).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def bind(hosts: Sequence[Host], device_target: str) -> tuple[tuple[Host, ...], str]:
    """Return the hosts with their `binding`, and what it does. All are taken to be machines like this one."""
    try:
        has_cpu_set = bool(CPU_SET.read_text().strip())
    except OSError:
        has_cpu_set = False
    found = [binding_options(host, device_target, has_cpu_set, numa_nodes(), has_command) for host in hosts]
    return tuple(replace(host, binding=tuple(options)) for host, (options, _) in zip(hosts, found, strict=True)), (
        found[0][1])
