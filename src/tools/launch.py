# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Starts a data-parallel run with MindSpore's `msrun`: one process a device, on this host or on each server of a table.

    python -m src.tools.launch --device_target CPU --device_num 2 --log_dir output/two/log run_general_distill.py --...
    python -m src.tools.launch --device_target Ascend --device_num 16 --rank_table hccl.json --log_dir ... SCRIPT ...

`--dry_run` prints the command of each host and the environment of each rank, and starts nothing. On several servers
the same command is run on each; a server finds its place in the rank table by its own addresses.

msrun numbers the processes of a host 0, 1, ... (DEVICE_ID, an index into the visible devices) and gives them the
consecutive ranks node_rank * local_worker_num + index. A rank table with another order cannot be expressed, and is
refused, rather than started with ranks that HCCL and MindSpore understand differently.
"""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from src.errors import UserError, run
from src.tools import rank_table
from src.tools.supervise import start

LOCAL_HOST = "127.0.0.1"
DEFAULT_PORT = 8118
"""The scheduler's port where several hosts have to agree on one."""

VISIBLE_DEVICES = {"Ascend": "ASCEND_RT_VISIBLE_DEVICES", "GPU": "CUDA_VISIBLE_DEVICES"}
"""The variable that says which devices of a host a process may use."""


@dataclass(frozen=True)
class Job:
    """What is to be run: `device_num` processes of `script arguments...`, each on a device of kind `device_target`."""

    device_target: str
    device_num: int
    script: str
    arguments: tuple[str, ...]
    log_dir: str
    master_port: int
    bind_core: bool = False


@dataclass(frozen=True)
class Host:
    """One server's share of a job. `devices` names its devices in the order of their ranks; empty on CPU."""

    address: str
    node_rank: int
    local_worker_num: int
    devices: tuple[str, ...]


def hosts_of_table(table: rank_table.RankTable, source: str) -> tuple[Host, ...]:
    """Return the hosts of a rank table in the order of their ranks; `source` names the table in messages.

    Raises:
        UserError: the order of the table's ranks cannot be expressed with msrun.
    """
    local_worker_num = len(table.servers[0].devices)
    hosts = []
    for node_rank, server in enumerate(table.servers):
        if len(server.devices) != local_worker_num:
            raise UserError(f"{source}: server {server.server_id} has {len(server.devices)} devices and "
                            f"{table.servers[0].server_id} has {local_worker_num}; give each server the same number")
        devices = [device.device_id for device in server.devices]
        ranks = [device.rank_id for device in server.devices]
        first = node_rank * local_worker_num
        if ranks != list(range(first, first + local_worker_num)) or devices != sorted(devices):
            raise UserError(f"{source}: server {server.server_id} has the ranks {ranks} on the devices {devices}; "
                            f"number its devices in rising order from rank {first}")
        hosts.append(Host(server.server_id, node_rank, local_worker_num, tuple(map(str, devices))))
    return tuple(hosts)


def single_host(device_target: str, device_num: int, visible: str | None) -> Host:
    """Return this host with its first `device_num` devices.

    Args:
        visible: the value of the variable in `VISIBLE_DEVICES`; None or "" where nothing limits what may be used.

    Raises:
        UserError: fewer devices are visible than asked for.
    """
    if device_target not in VISIBLE_DEVICES:
        return Host(LOCAL_HOST, 0, device_num, ())
    devices = tuple(visible.split(",")) if visible else tuple(map(str, range(device_num)))
    if len(devices) < device_num:
        raise UserError(f"{VISIBLE_DEVICES[device_target]} is {visible!r}, fewer devices than the {device_num} "
                        "asked for; change one of the two")
    return Host(LOCAL_HOST, 0, device_num, devices[:device_num])


def find_host(hosts: Sequence[Host], addresses: Sequence[str], source: str) -> Host:
    """Return the host that has one of this machine's `addresses`.

    The only host is this one whatever its address: inside a container the table's address is often not to be seen.
    It is returned with the loopback address then, where msrun can start its scheduler.

    Raises:
        UserError: none of several hosts has one of the addresses.
    """
    for host in hosts:
        if host.address in addresses:
            return host
    if len(hosts) == 1:
        return replace(hosts[0], address=LOCAL_HOST)
    raise UserError(f"{source}: this machine ({', '.join(addresses) or 'no address'}) is none of the servers "
                    f"{', '.join(host.address for host in hosts)}; run it on each of them, or say which this is "
                    "with --node_rank")


def build_command(job: Job, host: Host, hosts: Sequence[Host], python: str, table_path: str | None) -> list[str]:
    """Return the msrun command of one host.

    msrun takes the script's path and puts a bare `python` in front; `build_environment` says which one that is.
    Rank 0's log is copied to the terminal.
    """
    command = [str(Path(python).parent / "msrun"),
               f"--worker_num={job.device_num}", f"--local_worker_num={host.local_worker_num}",
               f"--master_addr={hosts[0].address}", f"--master_port={job.master_port}",
               f"--node_rank={host.node_rank}",
               f"--log_dir={job.log_dir}", "--join=True", f"--tail_worker_log={first_rank(host)}"]
    if job.bind_core:
        command.append("--bind_core=True")
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


def first_rank(host: Host) -> int:
    """Return the lowest rank on a host."""
    return host.node_rank * host.local_worker_num


def rank_environment(job: Job, host: Host, hosts: Sequence[Host], index: int, table_path: str | None) -> dict[str, str]:
    """Return the variables that msrun sets for the `index`-th process of a host (as msrun 2.10 does it)."""
    rank = str(first_rank(host) + index)
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
        lines.append(f"host {host.address} (node_rank {host.node_rank})")
        lines.append(f"  command: {shlex.join(build_command(job, host, hosts, python, table_path))}")
        # The whole PATH would hide the rest; its first folder is the one that decides.
        lines.append(f"  environment: PATH={common['PATH'].split(os.pathsep)[0]}:$PATH "
                     + _assignments({name: value for name, value in common.items() if name != "PATH"}))
        for index in range(host.local_worker_num):
            rank = first_rank(host) + index
            device = f"{job.device_target} {host.devices[index]}" if host.devices else job.device_target
            own = {name: value for name, value in common.items() if name in VISIBLE_DEVICES.values()}
            own.update(rank_environment(job, host, hosts, index, table_path))
            lines.append(f"  rank {rank}: device {device}, log {job.log_dir}/worker_{rank}.log")
            lines.append(f"    environment: {_assignments(own)}")
            lines.append(f"    command: {shlex.join(['python', job.script, *job.arguments])}")
    return "\n".join(lines)


def _assignments(environment: Mapping[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())


def local_addresses() -> list[str]:
    """Return the IP addresses of this machine's network interfaces, without the loopback's."""
    found = [address.address.split("%")[0] for interface in psutil.net_if_addrs().values() for address in interface
             if address.family in (socket.AF_INET, socket.AF_INET6)]
    return [address for address in found if address not in (LOCAL_HOST, "::1")]


def free_port() -> int:
    """Return a port that nothing on this host listens to at the moment."""
    with socket.socket() as listener:
        listener.bind((LOCAL_HOST, 0))
        return listener.getsockname()[1]


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the launcher's own options; what follows the script belongs to the script."""
    parser = argparse.ArgumentParser(prog="python -m src.tools.launch", allow_abbrev=False,
                                     description="Start a distributed run with msrun.")
    parser.add_argument("--device_target", required=True, choices=("Ascend", "GPU", "CPU"))
    parser.add_argument("--device_num", required=True, type=int, help="number of devices on all hosts")
    parser.add_argument("--log_dir", required=True, help="folder of worker_RANK.log and scheduler.log")
    parser.add_argument("--rank_table", help="HCCL rank table (Ascend); it decides servers and devices")
    parser.add_argument("--node_rank", type=int, help="which server of the table this is; default: found by address")
    parser.add_argument("--master_port", type=int,
                        help=f"port of the scheduler; default: a free one, or {DEFAULT_PORT} with several servers")
    parser.add_argument("--bind_core", action="store_true", help="bind each process to CPU cores of its own")
    parser.add_argument("--dry_run", action="store_true", help="print what would be started, and start nothing")
    parser.add_argument("script", help="the training script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Command line; leaves with msrun's status."""
    arguments = parse_arguments(argv)
    target, device_num = arguments.device_target, arguments.device_num
    if device_num < 1:
        raise UserError(f"--device_num is {device_num}; it must be at least 1")
    table_path = None
    if arguments.rank_table:
        if target != "Ascend":
            raise UserError(f"--rank_table is for Ascend; --device_target is {target}")
        table_path = str(Path(arguments.rank_table).resolve())
        table = rank_table.load(arguments.rank_table)
        rank_table.check_device_num(table, device_num, arguments.rank_table)
        hosts = hosts_of_table(table, arguments.rank_table)
    else:
        hosts = (single_host(target, device_num, os.environ.get(VISIBLE_DEVICES.get(target, ""))),)
    if arguments.node_rank is not None and not 0 <= arguments.node_rank < len(hosts):
        raise UserError(f"--node_rank is {arguments.node_rank}; expected 0 to {len(hosts) - 1}, the place in the table")

    job = Job(target, device_num, arguments.script, tuple(arguments.arguments), arguments.log_dir,
              arguments.master_port or (free_port() if len(hosts) == 1 else DEFAULT_PORT), arguments.bind_core)
    python = sys.executable
    if arguments.dry_run:
        print(describe(job, hosts, python, os.environ, table_path))
        return
    if arguments.node_rank is not None:
        host = hosts[arguments.node_rank]
    else:
        host = find_host(hosts, local_addresses(), arguments.rank_table or "this host")
    if len(hosts) == 1:
        hosts = (host,)
    Path(job.log_dir).mkdir(parents=True, exist_ok=True)
    print(f"launch: {host.local_worker_num} of {device_num} {target} processes here; logs in "
          f"{job.log_dir}/worker_*.log; stop them with kill {os.getpid()}", flush=True)
    status = start(build_command(job, host, hosts, python, table_path),
                   build_environment(job, host, python, os.environ))
    if status not in (0, 130):
        print(f"launch: a process failed; its message is in {job.log_dir}/worker_*.log", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    run(main)
