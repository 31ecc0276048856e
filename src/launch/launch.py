# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Starts a data-parallel run with MindSpore's `msrun`: one process a device, on this host or on each of several.

    python -m src.launch.launch --device_target CPU --device_num 2 --log_dir output/two/log run_general_distill.py --...
    python -m src.launch.launch --device_target Ascend --device_num 16 --rank_table hccl.json --log_dir ... SCRIPT ...
    python -m src.launch.launch --device_target GPU --device_num 16 --hosts 10.0.0.1,10.0.0.2 --log_dir ... SCRIPT ...

`--dry_run` prints the command of each host and the environment of each rank, and starts nothing. With it and without,
the settings are read first, so that a mistake in them is one message and not one of each process. On several hosts the
same command is run on each; a host finds its place in the rank table or the list by its own addresses.

msrun writes what each process prints to LOG_DIR/worker_RANK.log, and on the first host LOG_DIR/scheduler.log.
"""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.launch import rank_table
from src.launch.addresses import LOCAL_HOST, local_addresses, resolve
from src.launch.binding import bind
from src.launch.dry_run import check_settings
from src.launch.hosts import (
    VISIBLE_DEVICES,
    Host,
    check_table_is_visible,
    find_host,
    hosts_of_list,
    hosts_of_table,
    single_host,
)
from src.launch.supervise import check_port, start

DEFAULT_PORT = 8118
"""The scheduler's port where several hosts have to agree on one."""

COMMUNICATION = {"Ascend": "HCCL_", "GPU": "NCCL_"}
"""How the variables of the communication libraries begin. msrun passes them on; a dry run shows those that are set."""


@dataclass(frozen=True)
class Job:
    """What is to be run: `device_num` processes of `script arguments...`, each on a device of kind `device_target`."""

    device_target: str
    device_num: int
    script: str
    arguments: tuple[str, ...]
    log_dir: str
    master_port: int


def build_command(job: Job, host: Host, hosts: Sequence[Host], python: str, table_path: str | None) -> list[str]:
    """Return the msrun command of one host.

    msrun takes the script's path and puts a bare `python` in front; `build_environment` says which one that is.
    Rank 0's log is copied to the terminal.
    """
    command = [str(Path(python).parent / "msrun"),
               f"--worker_num={job.device_num}", f"--local_worker_num={host.local_worker_num}",
               f"--master_addr={hosts[0].address}", f"--master_port={job.master_port}",
               f"--node_rank={host.node_rank}",
               f"--log_dir={job.log_dir}", "--join=True", f"--tail_worker_log={host.first_rank}", *host.binding]
    if table_path:
        command.append(f"--rank_table_file={table_path}")
    return [*command, job.script, *job.arguments]


def build_environment(job: Job, host: Host, python: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what is added to the inherited environment of msrun, and so of all processes of a host."""
    folder = str(Path(python).parent)
    path = os.pathsep.join(filter(None, (folder, inherited.get("PATH"))))
    environment = {"PATH": path, "PYTHONUNBUFFERED": "1"}
    if host.devices:
        environment[VISIBLE_DEVICES[job.device_target]] = ",".join(host.devices)
    return environment


def rank_environment(job: Job, host: Host, hosts: Sequence[Host], index: int, table_path: str | None) -> dict[str, str]:
    """Return the variables that msrun sets for the `index`-th process of a host (as msrun 2.10 does it)."""
    rank = str(host.first_rank + index)
    environment = {"RANK_ID": rank, "RANK_SIZE": str(job.device_num), "DEVICE_ID": str(index),
                   "MS_ROLE": "MS_WORKER", "MS_NODE_ID": rank, "MS_WORKER_NUM": str(job.device_num),
                   "MS_SCHED_HOST": hosts[0].address, "MS_SCHED_PORT": str(job.master_port)}
    if table_path:
        environment["RANK_TABLE_FILE"] = table_path
    return environment


def describe(job: Job, hosts: Sequence[Host], python: str, inherited: Mapping[str, str], table_path: str | None) -> str:
    """Return what `--dry_run` prints: each host's command, and each rank's device, environment, log and command."""
    lines = []
    for host in hosts:
        common = build_environment(job, host, python, inherited)
        shown = {name: value for name, value in common.items() if name != "PATH"}
        prefix = COMMUNICATION.get(job.device_target)
        shown.update((name, inherited[name]) for name in sorted(inherited) if prefix and name.startswith(prefix))
        lines.append(f"host {host.address} (node_rank {host.node_rank})")
        lines.append(f"  command: {shlex.join(build_command(job, host, hosts, python, table_path))}")
        # The whole PATH would hide the rest; its first folder is the one that decides.
        lines.append(f"  environment: PATH={shlex.quote(common['PATH'].split(os.pathsep)[0])}:$PATH "
                     + _assignments(shown))
        if host.node_rank == 0:
            lines.append(f"  scheduler: log {job.log_dir}/scheduler.log")
        for index in range(host.local_worker_num):
            rank = host.first_rank + index
            device = f"{job.device_target} {host.devices[index]}" if host.devices else job.device_target
            own = {name: value for name, value in common.items() if name in VISIBLE_DEVICES.values()}
            own.update(rank_environment(job, host, hosts, index, table_path))
            lines.append(f"  rank {rank}: device {device}, log {job.log_dir}/worker_{rank}.log")
            lines.append(f"    environment: {_assignments(own)}")
            lines.append(f"    command: {shlex.join(['python', job.script, *job.arguments])}")
    return "\n".join(lines)


def _assignments(environment: Mapping[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())


def free_port() -> int:
    """Return a port that nothing on this host listens to at the moment."""
    with socket.socket() as listener:
        listener.bind((LOCAL_HOST, 0))
        return listener.getsockname()[1]


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the launcher's own options; what follows the script belongs to the script."""
    parser = OneLineParser("src.launch.launch", "Start a distributed run with msrun.")
    parser.add_argument("--device_target", required=True, choices=("Ascend", "GPU", "CPU"))
    parser.add_argument("--device_num", required=True, type=int, help="number of devices on all hosts")
    parser.add_argument("--log_dir", required=True, help="folder of worker_RANK.log and scheduler.log")
    parser.add_argument("--rank_table", help="HCCL rank table (Ascend); it decides servers and devices")
    parser.add_argument("--hosts", help="addresses of the hosts with commas between, where there is no rank table")
    parser.add_argument("--node_rank", type=int, help="which of several hosts this is; default: found by address")
    parser.add_argument("--master_port", type=int,
                        help=f"port of the scheduler; default: a free one, or {DEFAULT_PORT} with several hosts")
    parser.add_argument("--bind", action="store_true", help="bind each process to CPU cores")
    parser.add_argument("--dry_run", action="store_true", help="print what would be started, and start nothing")
    parser.add_argument("script", help="the training script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    return parser.parse_args(argv)


def read_hosts(arguments: argparse.Namespace, visible: str | None) -> tuple[tuple[Host, ...], str | None]:
    """Return the hosts that the options name, and the rank table's absolute path where there is one.

    Raises:
        UserError: options that do not go together, or a table, list or number that does not fit.
    """
    target, device_num = arguments.device_target, arguments.device_num
    if device_num < 1:
        raise UserError(f"--device_num is {device_num}; it must be at least 1")
    if arguments.rank_table and target != "Ascend":
        raise UserError(f"--rank_table is for Ascend; --device_target is {target}")
    if arguments.rank_table and arguments.hosts:
        raise UserError(f"--hosts is {arguments.hosts!r}, but the rank table {arguments.rank_table} names the servers; "
                        "leave one of the two out (HOSTS, in the scripts)")
    table_path = None
    if arguments.rank_table:
        table = rank_table.load(arguments.rank_table)
        rank_table.check_device_num(table, device_num, arguments.rank_table)
        table_path = str(Path(arguments.rank_table).resolve())
        hosts = hosts_of_table(table, arguments.rank_table)
    elif arguments.hosts:
        hosts = hosts_of_list(arguments.hosts, target, device_num, visible)
    else:
        hosts = (single_host(target, device_num, visible),)
    if arguments.node_rank is not None and not 0 <= arguments.node_rank < len(hosts):
        raise UserError(f"--node_rank is {arguments.node_rank}; expected 0 to {len(hosts) - 1}, the place among the "
                        f"{len(hosts)} hosts")
    if arguments.master_port is not None and not 1024 <= arguments.master_port <= 65535:
        raise UserError(f"--master_port is {arguments.master_port}; expected 1024 to 65535")
    return hosts, table_path


def choose_host(arguments: argparse.Namespace, hosts: Sequence[Host]) -> Host:
    """Return which of the hosts this machine is."""
    if arguments.node_rank is not None:
        return hosts[arguments.node_rank]
    return find_host(hosts, local_addresses(), arguments.rank_table or "--hosts", resolve)


def main(argv: list[str]) -> None:
    """Command line; leaves with the job's status."""
    arguments = parse_arguments(argv)
    target = arguments.device_target
    visible = os.environ.get(VISIBLE_DEVICES.get(target, ""))
    hosts, table_path = read_hosts(arguments, visible)
    check_settings(arguments.script, arguments.arguments)
    bound = "processes are not bound to cores"
    if arguments.bind:
        hosts, bound = bind(hosts, target)
    job = Job(target, arguments.device_num, arguments.script, tuple(arguments.arguments), arguments.log_dir,
              arguments.master_port or (free_port() if len(hosts) == 1 else DEFAULT_PORT))
    python = sys.executable
    if arguments.dry_run:
        print(describe(job, hosts, python, os.environ, table_path))
        return
    host = choose_host(arguments, hosts)
    if len(hosts) == 1:
        hosts = (host,)
    if table_path:
        check_table_is_visible(host, visible, arguments.rank_table)
    if host.node_rank == 0:
        check_port(host.address, job.master_port)
    Path(job.log_dir).mkdir(parents=True, exist_ok=True)
    print(f"launch: {host.local_worker_num} of {job.device_num} {target} processes here, {bound}; logs in "
          f"{job.log_dir}/worker_*.log; stop them with kill {os.getpid()}", flush=True)
    sys.exit(start(build_command(job, host, hosts, python, table_path),
                   build_environment(job, host, python, os.environ), job.log_dir))


if __name__ == "__main__":
    run(main)
