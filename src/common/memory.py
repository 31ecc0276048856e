# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How much memory this process takes, and how much more it may take."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
# Of version 2 and 1: where the groups lie, their limit, what they take, and the name of what of it can be given back.
_VERSIONS = (("", "memory.max", "memory.current", "inactive_file"),
             ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))


def resident_memory() -> int:
    """Bytes of this process that are in memory."""
    return int(psutil.Process().memory_info().rss)


def free_memory() -> int:
    """Bytes that this process can still take: the least of what the machine has left, its control groups (a container's
    or a job's limit) and its own limit of addresses (`ulimit -v`)."""
    found = [int(psutil.virtual_memory().available), *_left_in_groups(Path("/proc/self/cgroup"), _CGROUPS)]
    addresses = resource.getrlimit(resource.RLIMIT_AS)[0]
    if addresses != resource.RLIM_INFINITY:
        found.append(addresses - int(psutil.Process().memory_info().vms))
    return max(0, min(found))


def _left_in_groups(own: Path, root: Path) -> list[int]:
    """What each control group of this process, and each that holds one, leaves; [] where none has a limit.

    A line of `own` is number:controllers:path. In a container the path may be one of the host's, which is not there:
    its own group is the root then.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    left = []
    for controller, limit, taken, reclaimable in _VERSIONS:
        path = next((path for _, names, path in lines if controller in names.split(",")), None)
        if path is None:
            continue
        group = root / controller / path.strip("/")
        for folder in (group, *group.parents):
            if (folder / limit).is_file() and (room := _room(folder, limit, taken, reclaimable)) is not None:
                left.append(room)
            if folder == root:
                break
    return left


def _room(folder: Path, limit: str, taken: str, reclaimable: str) -> int | None:
    try:
        most = (folder / limit).read_text(encoding="utf-8").strip()
        if most == "max":
            return None
        stated = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
        return int(most) - int((folder / taken).read_text(encoding="utf-8")) + int(stated.get(reclaimable, 0))
    except (OSError, ValueError):  # a kernel that tells it otherwise: the other limits count
        return None


def described(size: float) -> str:
    """Return a size for people: 12.3 GB, 45 MB (10^9 and 10^6)."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
