# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Starts a data-parallel run with MindSpore's `msrun`: one process a device, on this host or on each of several.

    python -m src.launch.launch --device_target CPU --device_num 2 --log_dir output/two/log run_general_distill.py --...
    python -m src.launch.launch --device_target Ascend --device_num 16 --rank_table hccl.json --log_dir ... SCRIPT ...
    python -m src.launch.launch --device_target GPU --device_num 16 --hosts 10.0.0.1,10.0.0.2 --log_dir ... SCRIPT ...

`--dry_run` prints the command, and what differs by host and rank; one process then checks teacher, records and settings
as the run would (with `--offline` the settings alone) and says what it would do. Nothing is started or written.
Without it the settings are read first, so that a mistake in them is one message and not one of each process. On several
hosts the same command is run on each; a host finds its place in the rank table or the list by its own addresses.

msrun writes what each process prints to LOG_DIR/worker_RANK.log, and on the first host LOG_DIR/scheduler.log.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("src.launch.launch")

import argparse
import os
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.paths import path_of
from src.common.typed import require
from src.launch import rank_table
from src.launch.addresses import LOCAL_HOST, local_addresses, resolve
from src.launch.dry_run import OFFLINE, check
from src.launch.hosts import (
    VISIBLE_DEVICES,
    Host,
    check_table_is_visible,
    find_host,
    hosts_of_list,
    hosts_of_table,
)
from src.launch.supervise import check_port, start
from src.versions import installed_version, msrun_knows

DEFAULT_PORT = 8118
"""The scheduler's port where several hosts have to agree on one."""

COMMUNICATION = {"Ascend": "HCCL_", "GPU": "NCCL_"}
"""How the variables of the communication libraries begin. msrun passes them on; a dry run shows those that are set."""

BIND = "--bind_core"
"""msrun's option for processes with cores of their own, next to their device."""

OF_RANK = ("RANK_ID", "DEVICE_ID", "MS_NODE_ID")
"""The variables of a process in which it differs from the others of its host."""


@dataclass(frozen=True)
class Job:
    """What is to be run: `device_num` processes of `script arguments...`, each on a device of kind `device_target`,
    and bound to cores of its own where msrun is to `bind` it."""

    device_target: str
    device_num: int
    script: str
    arguments: tuple[str, ...]
    log_dir: str
    master_port: int
    table_path: str | None = None
    bind: bool = False


def build_command(job: Job, host: Host, hosts: Sequence[Host], python: str) -> list[str]:
    """Return the msrun command of one host, which puts a bare `python` in front of the script, and copies the log of
    the host's first rank to the terminal."""
    return [str(Path(python).parent / "msrun"),
            f"--worker_num={job.device_num}", f"--local_worker_num={host.local_worker_num}",
            f"--master_addr={hosts[0].address}", f"--master_port={job.master_port}", f"--node_rank={host.node_rank}",
            f"--log_dir={job.log_dir}", "--join=True", f"--tail_worker_log={host.first_rank}",
            *([f"{BIND}=True"] if job.bind else []),
            *([f"--rank_table_file={job.table_path}"] if job.table_path else []), job.script, *job.arguments]


def build_environment(job: Job, host: Host, python: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what is added to the inherited environment of msrun, and so of all processes of a host."""
    path = os.pathsep.join(filter(None, (str(Path(python).parent), inherited.get("PATH"))))
    environment = {"PATH": path, "PYTHONUNBUFFERED": "1"}
    if host.devices:
        environment[VISIBLE_DEVICES[job.device_target]] = ",".join(host.devices)
    return environment


def rank_environment(job: Job, host: Host, hosts: Sequence[Host], index: int) -> dict[str, str]:
    """Return the variables that msrun sets for the `index`-th process of a host (as msrun 2.10 does it)."""
    rank = str(host.first_rank + index)
    environment = {"RANK_ID": rank, "RANK_SIZE": str(job.device_num), "DEVICE_ID": str(index),
                   "MS_ROLE": "MS_WORKER", "MS_NODE_ID": rank, "MS_WORKER_NUM": str(job.device_num),
                   "MS_SCHED_HOST": hosts[0].address, "MS_SCHED_PORT": str(job.master_port)}
    return {**environment, **({"RANK_TABLE_FILE": job.table_path} if job.table_path else {})}


def describe(job: Job, hosts: Sequence[Host], python: str, inherited: Mapping[str, str]) -> str:
    """Return what `--dry_run` prints of the processes: the command once, and what differs by host and by rank."""
    first, prefix = hosts[0], COMMUNICATION.get(job.device_target)
    visible = VISIBLE_DEVICES.get(job.device_target, "")
    of_host = [build_environment(job, host, python, inherited) for host in hosts]
    of_rank = [[rank_environment(job, host, hosts, index) for index in range(host.local_worker_num)] for host in hosts]
    common = {name: value for name, value in {**of_host[0], **of_rank[0][0]}.items()
              if name not in ("PATH", visible, *OF_RANK)}
    common.update((name, inherited[name]) for name in sorted(inherited) if prefix and name.startswith(prefix))
    # The whole PATH would hide the rest; its first folder is the one that decides.
    path = shlex.quote(of_host[0]["PATH"].split(os.pathsep)[0])
    lines = [f"{job.device_num} {job.device_target} process{'es' * (job.device_num > 1)} on {len(hosts)} "
             f"host{'s' * (len(hosts) > 1)}; scheduler log {job.log_dir}/scheduler.log",
             f"command: {shlex.join(build_command(job, first, hosts, python))}",
             f"environment: PATH={path}:$PATH {_assignments(common)}"]
    for host, variables, ranks in zip(hosts, of_host, of_rank, strict=True):
        own = f" {_assignments({visible: variables[visible]})}" if host.devices else ""
        same = "" if host == first else f"; the command has --node_rank={host.node_rank} " \
                                        f"--tail_worker_log={host.first_rank}"
        lines.append(f"host {host.address}:{own}{same}")
        for index, environment in enumerate(ranks):
            device = f"{job.device_target} {host.devices[index]}" if host.devices else job.device_target
            lines.append(f"  rank {host.first_rank + index}: {device}, "
                         f"{_assignments({name: environment[name] for name in OF_RANK})}, "
                         f"log {job.log_dir}/worker_{host.first_rank + index}.log")
    return "\n".join(lines)


def _assignments(environment: Mapping[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())


def free_port() -> int:
    """Return a port that nothing on this host listens to at the moment."""
    with socket.create_server((LOCAL_HOST, 0)) as listener:
        return listener.getsockname()[1]


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the launcher's own options; what follows the script belongs to the script."""
    parser = OneLineParser("src.launch.launch", "Start a distributed run with msrun.")
    parser.add_argument("--device_target", required=True, choices=("Ascend", "GPU", "CPU"))
    parser.add_argument("--device_num", required=True, type=int, help="number of devices on all hosts")
    parser.add_argument("--log_dir", required=True, type=path_of, help="folder of worker_RANK.log and scheduler.log")
    parser.add_argument("--rank_table", type=path_of, help="HCCL rank table (Ascend); it decides servers and devices")
    parser.add_argument("--hosts", help="addresses of the hosts with commas between, where there is no rank table")
    parser.add_argument("--node_rank", type=int, help="which of several hosts this is; default: found by address")
    parser.add_argument("--master_port", type=int,
                        help=f"port of the scheduler; default: a free one, or {DEFAULT_PORT} with several hosts")
    parser.add_argument("--bind", action="store_true", help="bind each process to CPU cores")
    parser.add_argument("--dry_run", action="store_true", help="check and print what would be started; start nothing")
    parser.add_argument(OFFLINE, action="store_true",
                        help="of a dry run: teacher, records and device are not on this machine")
    parser.add_argument("script", help="the training script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    return parser.parse_args(argv)


def read_hosts(arguments: argparse.Namespace, visible: str | None) -> tuple[Host, ...]:
    """Return the hosts that the options name, by default this one alone, or raise `UserError` for faulty options."""
    target, device_num, table, port = (arguments.device_target, arguments.device_num, arguments.rank_table,
                                       arguments.master_port)
    require(device_num >= 1, f"--device_num is {device_num}; it must be at least 1")
    require(not table or target == "Ascend", f"--rank_table is for Ascend; --device_target is {target}")
    require(not table or not arguments.hosts, f"--hosts is {arguments.hosts!r}, but the rank table {table} names the "
            "servers; leave one of the two out (HOSTS, in the scripts)")
    if table:
        servers = rank_table.load(table)
        rank_table.check_device_num(servers, device_num, table)
        hosts = hosts_of_table(servers, table)
    else:
        hosts = hosts_of_list(arguments.hosts or LOCAL_HOST, target, device_num, visible)
    require(arguments.node_rank is None or 0 <= arguments.node_rank < len(hosts), f"--node_rank is "
            f"{arguments.node_rank}; expected 0 to {len(hosts) - 1}, the place among the {len(hosts)} hosts")
    require(port is None or 1024 <= port <= 65535, f"--master_port is {port}; expected 1024 to 65535")
    return hosts


def main(argv: list[str]) -> None:
    """Command line; leaves with the job's status."""
    arguments = parse_arguments(argv)
    target, table = arguments.device_target, arguments.rank_table
    visible = os.environ.get(VISIBLE_DEVICES.get(target, ""))
    hosts = read_hosts(arguments, visible)
    require(arguments.dry_run or not arguments.offline, "--offline belongs to --dry_run; leave it out, or give both")
    python = sys.executable
    said = check(python, arguments.script, arguments.arguments, arguments.offline or not arguments.dry_run)
    job = Job(target, arguments.device_num, arguments.script, tuple(arguments.arguments), arguments.log_dir,
              arguments.master_port or (free_port() if len(hosts) == 1 else DEFAULT_PORT),
              str(Path(table).resolve()) if table else None, arguments.bind and msrun_knows(BIND))
    if arguments.bind and not job.bind:
        print(f"note: msrun of MindSpore {installed_version()} has no {BIND}: the processes are not bound "
              "to cores", flush=True)
    if arguments.dry_run:
        print(describe(job, hosts, python, os.environ), *filter(None, [said]), sep="\n")
        return
    host = (hosts[arguments.node_rank] if arguments.node_rank is not None
            else find_host(hosts, local_addresses(), table or "--hosts", resolve))
    if len(hosts) == 1:
        hosts = (host,)
    if table:
        check_table_is_visible(host, visible, table)
    if host.node_rank == 0:
        check_port(host.address, job.master_port)
    print(f"launch: {host.local_worker_num} of {job.device_num} {target} processes here, "
          f"{'bound to cores by msrun' if job.bind else 'not bound to cores'}; logs in "
          f"{job.log_dir}/worker_*.log; stop them with kill {os.getpid()}", flush=True)
    sys.exit(start(build_command(job, host, hosts, python), build_environment(job, host, python, os.environ),
                   job.log_dir))
