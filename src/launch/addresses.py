# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Addresses of this machine, and of its Ascend devices."""

from __future__ import annotations

import ipaddress
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

from src.common.errors import UserError, one_line
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
    """Return the one IPv4 address among this machine's `addresses` under which others can reach it.

    Raises:
        UserError: there is none, or more than one.
    """
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


def addresses_of_devices(devices: Sequence[int], given: str | None, conf: Path | None) -> dict[int, str]:
    """Return the network address of each device.

    Args:
        given: addresses with commas between, in the order of the devices; they come before all other sources.
        conf: the driver's settings file; None: `HCCN_CONF`, and the program hccn_tool for what that does not say.

    Raises:
        UserError: an address is missing, or there is no source of addresses.
    """
    if given is not None:
        listed = [part.strip() for part in given.split(",")]
        require(len(listed) == len(devices),
                f"--device_ips names {len(listed)} addresses for {len(devices)} devices; give one for each")
        return dict(zip(devices, listed, strict=True))
    try:
        text = (conf or HCCN_CONF).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        require(conf is None, f"cannot read --hccn_conf {conf}: {error.strerror}")
        text = ""
    known = dict(re.findall(r"^[ \t]*address_(\d+)[ \t]*=[ \t]*(\S+)", text, re.MULTILINE | re.ASCII))
    tool = shutil.which("hccn_tool") if conf is None else None
    missing = next((device for device in devices if str(device) not in known), None)
    require(missing is None or tool is not None,
            f"{conf or HCCN_CONF} has no address_{missing}{'' if conf else ', and there is no hccn_tool'}; give the "
            "addresses of the devices with --device_ips 192.1.27.6,192.1.27.7,...")
    return {device: known.get(str(device)) or query_device(device, str(tool)) for device in devices}


def query_device(device: int, tool: str) -> str:
    """Return the address that `hccn_tool -i N -ip -g` prints as `ipaddr:192.1.27.6`, or raise `UserError`."""
    try:
        result = subprocess.run([tool, "-i", str(device), "-ip", "-g"], capture_output=True, text=True,
                                errors="replace", timeout=TOOL_SECONDS, check=False)
        printed = result.stdout + "\n" + result.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        printed = str(error)
    found = re.search(r"^\s*ipaddr\s*:\s*(\S+)", printed, re.MULTILINE)
    if found is None:
        raise UserError(f"hccn_tool gives no address of device {device} ({one_line(printed)[:200]}); give the addresses"
                        " with --device_ips")
    return found[1]
