# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Addresses of this machine, and of its Ascend devices."""

from __future__ import annotations

import ipaddress
import re
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

from src.common.typed import require

LOCAL_HOST = "127.0.0.1"
HCCN_CONF = Path("/etc/hccn.conf")
"""Where the driver of Ascend keeps the network settings of the devices: lines such as address_0=192.1.27.6."""
TOOL_SECONDS = 20


def local_addresses() -> list[str]:
    """Return the IP addresses of this machine's network interfaces, without the loopback's, and its name."""
    found = [address.address.split("%")[0] for interface in psutil.net_if_addrs().values() for address in interface
             if address.family in (socket.AF_INET, socket.AF_INET6)]
    return [*(address for address in found if address not in (LOCAL_HOST, "::1")), socket.gethostname()]


def resolve(name: str) -> str:
    """Return the IP address of a host name; the name itself where that is unknown."""
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return name


def only_address(addresses: Sequence[str]) -> str:
    """Return the one IPv4 address among `addresses` under which others can reach this machine, or raise `UserError`."""
    found = [address for address in addresses if re.fullmatch(r"[0-9.]+", address)
             and not ipaddress.ip_address(address).is_link_local]
    require(len(found) == 1, f"this machine has {len(found)} addresses ({', '.join(found) or 'none'}); say which one "
            "the other servers reach with --server_ip")
    return found[0]


def parse_devices(text: str) -> tuple[int, ...]:
    """Return the devices that `[0,8)`, `0-7`, `0,2,5` or a mixture of the last two names, in rising order.

    Raises:
        UserError: none of these forms, a range that does not rise, or a device twice.
    """
    # [0,8) is 0-7 in other words.
    plain = re.sub(r"^\s*\[(\d{1,4}),\s*(\d{1,4})\)\s*$", lambda ends: f"{ends[1]}-{int(ends[2]) - 1}", text)
    parts = [re.fullmatch(r"\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*", part, re.ASCII) for part in plain.split(",")]
    ranges = [range(int(part[1]), int(part[2] or part[1]) + 1) if part else range(0) for part in parts]
    devices = sorted(device for numbers in ranges for device in numbers)
    require(all(ranges) and len(set(devices)) == len(devices),
            f"--devices is {text!r}; expected [0,8), 0-7 or a list such as 0,2,5, with each device once")
    return tuple(devices)


def addresses_of_devices(devices: Sequence[int], given: str | None) -> dict[int, str]:
    """Return the network address of each device: the `given` ones (in the order of the devices, with commas between),
    else what the driver's settings say, else what hccn_tool prints; raise `UserError` where one is missing."""
    if given is not None:
        listed = [part.strip() for part in given.split(",")]
        require(len(listed) == len(devices),
                f"--device_ips names {len(listed)} addresses for {len(devices)} devices; give one for each")
        return dict(zip(devices, listed, strict=True))
    found = {device: address_in_settings(device) or address_of_tool(device) for device in devices}
    missing = [device for device, address in found.items() if not address]
    require(not missing, f"neither {HCCN_CONF} nor hccn_tool gives an address of the devices {missing}; give all "
            "addresses with --device_ips 192.1.27.6,192.1.27.7,...")
    return found


def address_in_settings(device: int) -> str:
    """Return the address of a device in `HCCN_CONF`, or ""."""
    text = HCCN_CONF.read_text(encoding="utf-8", errors="replace") if HCCN_CONF.is_file() else ""
    found = re.search(rf"^[ \t]*address_{device}[ \t]*=[ \t]*(\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def address_of_tool(device: int) -> str:
    """Return the address that `hccn_tool -i N -ip -g` prints as `ipaddr:192.1.27.6`, or ""."""
    try:
        printed = subprocess.run(["hccn_tool", "-i", str(device), "-ip", "-g"], capture_output=True, text=True,
                                 errors="replace", timeout=TOOL_SECONDS, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"^\s*ipaddr\s*:\s*(\S+)", printed, re.MULTILINE)
    return found[1] if found else ""
