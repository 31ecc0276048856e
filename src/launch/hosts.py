# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The hosts of a distributed run and their devices: from a rank table, from a list of addresses, or this one alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from src.common.typed import require
from src.launch.addresses import LOCAL_HOST
from src.launch.rank_table import Server

VISIBLE_DEVICES = {"Ascend": "ASCEND_RT_VISIBLE_DEVICES", "GPU": "CUDA_VISIBLE_DEVICES"}
"""The variable that says which devices of a host a process may use."""


@dataclass(frozen=True)
class Host:
    """One server's share of a job; `devices` are in the order of their ranks, and empty on CPU."""

    address: str
    node_rank: int
    local_worker_num: int
    devices: tuple[str, ...]

    @property
    def first_rank(self) -> int:
        """The lowest rank on this host; the others follow it."""
        return self.node_rank * self.local_worker_num


def hosts_of_table(servers: Sequence[Server], source: str) -> tuple[Host, ...]:
    """Return the hosts of a rank table in the order of their ranks; `source` names the table in messages.

    msrun numbers the processes of a host 0, 1, ... (DEVICE_ID, an index into the visible devices) and gives them the
    consecutive ranks node_rank * local_worker_num + index. A rank table with another order is refused (`UserError`),
    rather than started with ranks that HCCL and MindSpore understand differently.
    """
    each = len(servers[0].devices)
    for node_rank, (server_id, ranks) in enumerate(servers):
        require(len(ranks) == each, f"{source}: server {server_id} has {len(ranks)} devices and "
                f"{servers[0].server_id} has {each}; give each server the same number")
        first, devices = node_rank * each, list(ranks.values())
        require(list(ranks) == list(range(first, first + each)) and devices == sorted(devices),
                f"{source}: server {server_id} has the ranks {list(ranks)} on the devices {devices}; number its "
                f"devices in rising order from rank {first}")
    return tuple(Host(server_id, node_rank, each, tuple(map(str, ranks.values())))
                 for node_rank, (server_id, ranks) in enumerate(servers))


def hosts_of_list(text: str, device_target: str, device_num: int, visible: str | None) -> tuple[Host, ...]:
    """Return the hosts of a list such as `10.0.0.1,10.0.0.2`, with an equal number of devices each.

    Args:
        text: addresses or host names with commas between; the first is where the processes meet.
        device_num: number of devices of all hosts.
        visible: the value of the variable in `VISIBLE_DEVICES` on this machine, which in a dry run stands for all.

    Raises:
        UserError: not a list of hosts, unequal shares of devices, or too few devices visible.
    """
    addresses = [part.strip() for part in text.split(",")]
    for address in addresses:
        require(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?", address) is not None,
                f"--hosts holds {address!r}; expected addresses or names with commas between, as 10.0.0.1,10.0.0.2")
        require(addresses.count(address) == 1, f"--hosts names {address} twice; list each host once")
    each, rest = divmod(device_num, len(addresses))
    require(rest == 0, f"{device_num} devices cannot be shared equally by the {len(addresses)} hosts of --hosts; give "
            "each host the same number")
    devices: tuple[str, ...] = ()
    if device_target in VISIBLE_DEVICES:
        devices = check_visible(device_target, visible) if visible else tuple(map(str, range(each)))
        require(len(devices) >= each, f"{VISIBLE_DEVICES[device_target]} is {visible!r}, fewer devices than the {each} "
                "asked for; change one of the two")
    return tuple(Host(address, node_rank, each, devices[:each]) for node_rank, address in enumerate(addresses))


def check_visible(device_target: str, visible: str) -> tuple[str, ...]:
    """Return the devices that a value of the variable in `VISIBLE_DEVICES` names, or raise `UserError`.

    Both drivers stop reading at the first device that they do not understand, without a word; CANN also demands rising
    numbers (its documentation of ASCEND_RT_VISIBLE_DEVICES). CUDA knows the names GPU-... and MIG-... besides numbers.
    """
    is_ascend = device_target == "Ascend"
    pattern = r"\d+" if is_ascend else r"\d+|(GPU|MIG)-[0-9A-Za-z/-]+"
    devices = visible.split(",")
    is_readable = (all(re.fullmatch(pattern, device, re.ASCII) for device in devices)
                   and len(set(devices)) == len(devices)
                   and (not is_ascend or [*map(int, devices)] == sorted(map(int, devices))))
    require(is_readable, f"{VISIBLE_DEVICES[device_target]} is {visible!r}; write it without spaces and each device "
            f"once, {'in rising order, as 0,1,2' if is_ascend else 'as 0,1 or GPU-8932f937'}")
    return tuple(devices)


def check_table_is_visible(host: Host, visible: str | None, source: str) -> None:
    """Raise `UserError` where the rank table gives this host a device that its environment does not let it use."""
    allowed = check_visible("Ascend", visible) if visible else host.devices
    missing = next((device for device in host.devices if device not in allowed), None)
    require(missing is None, f"{source}: device {missing} of {host.address} is not in {VISIBLE_DEVICES['Ascend']}, "
            f"which is {visible!r}; change one of the two")


def find_host(hosts: Sequence[Host], addresses: Sequence[str], source: str,
              resolve: Callable[[str], str] = str) -> Host:
    """Return the host that has one of this machine's `addresses` (or its name), as it is written or as it resolves.

    The only host is this one whatever its address: inside a container the table's address is often not to be seen.
    It is returned with the loopback address then, where msrun can start its scheduler. None of several: `UserError`.
    """
    for host in hosts:
        if host.address in addresses or resolve(host.address) in addresses:
            return host
    require(len(hosts) == 1, f"{source}: this machine ({', '.join(addresses) or 'no address'}) is none of the servers "
            f"{', '.join(host.address for host in hosts)}; run it on each of them, or say which this is with "
            "--node_rank (NODE_RANK=1 bash scripts/...)")
    return replace(hosts[0], address=LOCAL_HOST)
