# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The hosts of a distributed run and their devices: from a rank table, from a list of addresses, or this one alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from src.common.errors import UserError
from src.launch.addresses import LOCAL_HOST
from src.launch.rank_table import RankTable

VISIBLE_DEVICES = {"Ascend": "ASCEND_RT_VISIBLE_DEVICES", "GPU": "CUDA_VISIBLE_DEVICES"}
"""The variable that says which devices of a host a process may use."""


@dataclass(frozen=True)
class Host:
    """One server's share of a job.

    Attributes:
        devices: its devices in the order of their ranks; empty on CPU.
        binding: options of msrun that bind its processes to cores.
    """

    address: str
    node_rank: int
    local_worker_num: int
    devices: tuple[str, ...]
    binding: tuple[str, ...] = ()

    @property
    def first_rank(self) -> int:
        """The lowest rank on this host; the others follow it."""
        return self.node_rank * self.local_worker_num


def hosts_of_table(table: RankTable, source: str) -> tuple[Host, ...]:
    """Return the hosts of a rank table in the order of their ranks; `source` names the table in messages.

    msrun numbers the processes of a host 0, 1, ... (DEVICE_ID, an index into the visible devices) and gives them the
    consecutive ranks node_rank * local_worker_num + index. A rank table with another order cannot be expressed, and is
    refused, rather than started with ranks that HCCL and MindSpore understand differently.

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


def hosts_of_list(text: str, device_target: str, device_num: int, visible: str | None) -> tuple[Host, ...]:
    """Return the hosts of a list such as `10.0.0.1,10.0.0.2`, with an equal number of devices each.

    Args:
        text: addresses or host names with commas between; the first is where the processes meet.
        device_num: number of devices of all hosts.
        visible: as in `usable_devices`. A host's own value decides when the command runs there; that of this machine
            stands for all of them in a dry run.

    Raises:
        UserError: not a list of hosts, or the devices cannot be shared out equally.
    """
    addresses = [part.strip() for part in text.split(",")]
    for address in addresses:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?", address):
            raise UserError(f"--hosts holds {address!r}; expected addresses or names with commas between, as "
                            "10.0.0.1,10.0.0.2")
    repeated = next((address for address in addresses if addresses.count(address) > 1), None)
    if repeated:
        raise UserError(f"--hosts names {repeated} twice; list each host once")
    if device_num % len(addresses):
        raise UserError(f"{device_num} devices cannot be shared equally by the {len(addresses)} hosts of --hosts; "
                        f"give each host the same number")
    each = device_num // len(addresses)
    devices = usable_devices(device_target, each, visible)
    return tuple(Host(address, node_rank, each, devices) for node_rank, address in enumerate(addresses))


def single_host(device_target: str, device_num: int, visible: str | None) -> Host:
    """Return this host with its first `device_num` devices; see `usable_devices`."""
    return Host(LOCAL_HOST, 0, device_num, usable_devices(device_target, device_num, visible))


def usable_devices(device_target: str, count: int, visible: str | None) -> tuple[str, ...]:
    """Return the first `count` devices of a host; none on CPU.

    Args:
        visible: the value of the variable in `VISIBLE_DEVICES`; None or "" where nothing limits what may be used.

    Raises:
        UserError: `visible` is not a list that the device's driver reads, or has fewer devices than asked for.
    """
    if device_target not in VISIBLE_DEVICES:
        return ()
    if not visible:
        return tuple(map(str, range(count)))
    devices = check_visible(device_target, visible)
    if len(devices) < count:
        raise UserError(f"{VISIBLE_DEVICES[device_target]} is {visible!r}, fewer devices than the {count} "
                        "asked for; change one of the two")
    return devices[:count]


def check_visible(device_target: str, visible: str) -> tuple[str, ...]:
    """Return the devices that a value of the variable in `VISIBLE_DEVICES` names.

    Both drivers stop reading at the first device that they do not understand, without a word; CANN also demands rising
    numbers (its documentation of ASCEND_RT_VISIBLE_DEVICES). CUDA knows the names GPU-... and MIG-... besides numbers.

    Raises:
        UserError: an empty or repeated entry, or one that the driver does not read.
    """
    name = VISIBLE_DEVICES[device_target]
    pattern, example = (r"\d+", "0,1,2") if device_target == "Ascend" else (r"\d+|(GPU|MIG)-[0-9A-Za-z/-]+", "0,1 or "
                                                                            "GPU-8932f937")
    devices = tuple(visible.split(","))
    wrong = next((device for device in devices if not re.fullmatch(pattern, device, re.ASCII)), None)
    if wrong is not None:
        raise UserError(f"{name} is {visible!r}, of which {wrong!r} cannot be read; write it without spaces, as "
                        f"{example}")
    if len(set(devices)) < len(devices):
        raise UserError(f"{name} is {visible!r}; name each device once")
    if device_target == "Ascend" and [int(device) for device in devices] != sorted(map(int, devices)):
        raise UserError(f"{name} is {visible!r}; CANN needs the devices in rising order")
    return devices


def check_table_is_visible(host: Host, visible: str | None, source: str) -> None:
    """Raise `UserError` where the rank table gives this host a device that its environment does not let it use."""
    if not visible:
        return
    allowed = check_visible("Ascend", visible)
    missing = [device for device in host.devices if device not in allowed]
    if missing:
        raise UserError(f"{source}: device {missing[0]} of {host.address} is not in {VISIBLE_DEVICES['Ascend']}, which "
                        f"is {visible!r}; change one of the two")


def find_host(hosts: Sequence[Host], addresses: Sequence[str], source: str,
              resolve: Callable[[str], str] = str) -> Host:
    """Return the host that has one of this machine's `addresses` (or its name), as it is written or as it resolves.

    The only host is this one whatever its address: inside a container the table's address is often not to be seen.
    It is returned with the loopback address then, where msrun can start its scheduler.

    Raises:
        UserError: none of several hosts has one of the addresses.
    """
    for host in hosts:
        if host.address in addresses or resolve(host.address) in addresses:
            return host
    if len(hosts) == 1:
        return replace(hosts[0], address=LOCAL_HOST)
    raise UserError(f"{source}: this machine ({', '.join(addresses) or 'no address'}) is none of the servers "
                    f"{', '.join(host.address for host in hosts)}; run it on each of them, or say which this is "
                    "with --node_rank (NODE_RANK=1 bash scripts/...)")
