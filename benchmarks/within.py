# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Run a command in as much memory as a smaller machine has, and print the most that it took with all its processes.

python3 benchmarks/within.py 8G bash scripts/quickstart.sh
python3 benchmarks/within.py 8G bash scripts/run_tests.sh

The limit is a control group's, without swap: made by systemd where it runs, else, as root, below the group of this
process. The kernel ends a process that would go beyond it, and the command fails. What is counted is the memory of
programs and of /dev/shm; what files are cached in, the kernel gives back when it is wanted.

Where neither can be had, each process gets an address space of the limit and 4 GB (MindSpore reserves 3 GB and more
that it never touches): no bound of what they take together, but the peak shows it. Needs Python alone.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

RESERVED = 4 << 30
"""Bytes of addresses that MindSpore takes without memory behind them."""
INSIDE = "--inside"  # the process that systemd has put into a group
ROOT = Path("/sys/fs/cgroup")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def numbers(file: Path) -> dict[str, int]:
    """The lines `name number` of a file of the kernel; none of one that is not there."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    return {name: int(number.split()[0]) for name, _, number in (line.partition(" ") for line in lines)
            if number.strip()[:1].isdigit()}


def groups() -> Mapping[str, str]:
    """Controllers of the control groups of this process, "" for version 2, and the group of each."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    return {name: group for _, names, group in lines for name in names.split(",")}


def taken_in(group: Path) -> int:
    """Bytes that the processes of a group take, without cached files."""
    found = numbers(group / "memory.stat")
    if "anon" in found:
        return found["anon"] + found.get("shmem", 0)
    return found.get("total_rss", 0) + found.get("total_shmem", 0)


def taken_by(pid: int) -> int:
    """Bytes of a process and its descendants; what they share is counted several times."""
    pids, found = [pid], 0
    while pids:
        each = Path(f"/proc/{pids.pop()}")
        try:
            found += numbers_of_status(each / "status")
            pids += [int(child) for file in each.glob("task/*/children") for child in file.read_text().split()]
        except OSError:  # it has ended
            continue
    return found


def numbers_of_status(file: Path) -> int:
    """Resident anonymous and shared memory of a process, in bytes."""
    return 1024 * sum(map(int, re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+)", file.read_text(), re.MULTILINE)))


def made_group(limit: int) -> Path | None:
    """Make a group with the limit below the one of this process; None where that cannot be."""
    own = groups()
    if "memory" in own:
        around, names = ROOT / "memory" / own["memory"].strip("/"), ("limit_in_bytes", "memsw.limit_in_bytes")
    else:
        around, names = ROOT / own.get("", "").strip("/"), ("max", "swap.max")
    group = around / f"within-{os.getpid()}"
    most, with_swap = (group / f"memory.{name}" for name in names)
    try:
        if "memory" not in own:
            (around / "cgroup.subtree_control").write_text("+memory")
        group.mkdir()
        most.write_text(str(limit))
    except OSError:
        if group.is_dir():
            group.rmdir()
        return None
    if with_swap.exists():
        with_swap.write_text(str(limit) if "memory" in own else "0")
    return group


def watched(command: list[str], taken: Callable[[int], int], prepare: Callable[[], object]) -> tuple[int, int]:
    """Run a command whose process calls `prepare` first; return its status, and the most of `taken(pid)`."""
    peak, ended = 0, threading.Event()
    process = subprocess.Popen(command, preexec_fn=prepare)

    def look() -> None:
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, taken(process.pid))

    thread = threading.Thread(target=look)
    thread.start()
    while True:
        try:
            status = process.wait()
            break
        except KeyboardInterrupt:  # which the command gets too, and ends by
            continue
    ended.set()
    thread.join()
    return status, peak


def run_in(group: Path, command: list[str], is_ours: bool) -> tuple[int, int]:
    """Run a command in a group; return its status and the most that the group took."""
    def enter() -> None:
        (group / "cgroup.procs").write_text(str(os.getpid()))

    status, peak = watched(command, lambda _: taken_in(group), enter if is_ours else lambda: None)
    killed = {**numbers(group / "memory.oom_control"), **numbers(group / "memory.events")}.get("oom_kill", 0)
    if killed:
        print(f"within: {killed} process(es) killed at the limit", file=sys.stderr)
    if is_ours:
        group.rmdir()
    return status or int(killed > 0), peak  # a killed child may not have been missed


def main(words: list[str]) -> int:
    """Run the command; returns its status."""
    is_inside = words[:1] == [INSIDE]
    size, *command = words[is_inside:] or [""]
    given = re.fullmatch(r"(\d+)([KMG]?)", size)
    if not given or not command:
        print("usage: python3 benchmarks/within.py 8G COMMAND...", file=sys.stderr)
        return 2
    limit = int(given[1]) * UNITS[given[2]]
    if not is_inside and Path("/run/systemd/system").is_dir() and shutil.which("systemd-run"):
        scope = ["systemd-run", *([] if os.geteuid() == 0 else ["--user"]), "--scope", "--quiet", "-p",
                 f"MemoryMax={limit}", "-p", "MemorySwapMax=0", "--"]
        if subprocess.run([*scope, "true"], capture_output=True, check=False).returncode == 0:
            return subprocess.run([*scope, sys.executable, __file__, INSIDE, *words], check=False).returncode
    group = ROOT / groups()[""].strip("/") if is_inside else made_group(limit)
    if group:
        how = "control group"
        status, peak = run_in(group, command, not is_inside)
    else:
        how = f"address space of each process {(limit + RESERVED) / 1e9:.1f} GB"
        bound = (limit + RESERVED, limit + RESERVED)
        status, peak = watched(command, taken_by, lambda: resource.setrlimit(resource.RLIMIT_AS, bound))
    status = status if status >= 0 else 128 - status
    print(f"within: peak {peak / 1e9:.2f} GB, limit {limit / 1e9:.2f} GB ({how}), status {status}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
