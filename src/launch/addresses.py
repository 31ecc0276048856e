# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Addresses of this machine, and of its Ascend devices."""

from __future__ import annotations

import ipaddress
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from src.common.errors import UserError, one_line

LOCAL_HOST = "127.0.0.1"
HCCN_CONF = Path("/etc/hccn.conf")
"""Where the driver of Ascend keeps the network settings of the devices: lines such as address_0=192.1.27.6."""

TOOL_SECONDS = 20
MAX_DEVICES = 1024
"""More devices than any server has; a range beyond it is a slip of the pen."""


def local_addresses() -> list[str]:
    """Return the IP addresses of this machine's network interfaces, without the loopback's, and its name."""
    found = [address.address.split("%")[0] for interface in psutil.net_if_addrs().values() for address in interface
             if address.family in (socket.AF_INET, socket.AF_INET6)]
    return [*(address for address in found if address not in (LOCAL_HOST, "::1")), socket.gethostname()]


def resolve(name: str) -> str:
    """Return the IP address of a host name; the name itself where that is unknown."""
    try:
        return socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        return name


def only_address(addresses: Sequence[str]) -> str:
    """Return the one IPv4 address among this machine's `addresses` under which others can reach it.

    Raises:
        UserError: there is none, or more than one.
    """
    found = [address for address in addresses if re.fullmatch(r"[0-9.]+", address)
             and not ipaddress.ip_address(address).is_link_local]
    if len(found) != 1:
        raise UserError(f"this machine has {len(found)} addresses ({', '.join(found) or 'none'}); say which one the "
                        "other servers reach with --server_ip")
    return found[0]


def parse_devices(text: str) -> tuple[int, ...]:
    """Return the devices that `[0,8)`, `0-7`, `0,2,5` or a mixture of the last two names, in rising order.

    Raises:
        UserError: none of these forms, an empty range, or a device twice.
    """
    half_open = re.fullmatch(r"\[(\d{1,6}),\s*(\d{1,6})\)", text.strip(), re.ASCII)
    if half_open:
        devices = list(range(int(half_open[1]), min(int(half_open[2]), int(half_open[1]) + MAX_DEVICES + 1)))
    else:
        devices = []
        for part in text.split(","):
            closed = re.fullmatch(r"\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*", part, re.ASCII)
            if not closed:
                raise UserError(f"--devices is {text!r}; expected [0,8), 0-7 or a list such as 0,2,5")
            first, last = int(closed[1]), int(closed[2] or closed[1])
            if last < first:
                raise UserError(f"--devices is {text!r}, whose range {part.strip()} ends before it begins")
            devices += range(first, min(last, first + MAX_DEVICES) + 1)
    if not devices:
        raise UserError(f"--devices is {text!r}, which holds no device; [0,8) means 0 to 7")
    if len(devices) > MAX_DEVICES:
        raise UserError(f"--devices is {text!r}, more than {MAX_DEVICES} devices; give those of one server")
    if len(set(devices)) < len(devices):
        raise UserError(f"--devices is {text!r}; name each device once")
    return tuple(sorted(devices))


def addresses_of_devices(devices: Sequence[int], given: str | None, conf: Path | None) -> dict[int, str]:
    """Return the network address of each device.

    Args:
        given: addresses with commas between, in the order of the devices; they have the first word.
        conf: the driver's settings file; None: `HCCN_CONF` where it can be read, else the program hccn_tool.

    Raises:
        UserError: an address is missing, or there is no source of addresses.
    """
    if given is not None:
        listed = [part.strip() for part in given.split(",")]
        if len(listed) != len(devices):
            raise UserError(f"--device_ips names {len(listed)} addresses for {len(devices)} devices; give one for each")
        return dict(zip(devices, listed, strict=True))
    tool = shutil.which("hccn_tool")
    try:
        text = (conf or HCCN_CONF).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if conf is not None:
            raise UserError(f"cannot read --hccn_conf {conf}: {error.strerror}") from error
        if tool is None:
            raise UserError(f"there is no {HCCN_CONF} that can be read and no hccn_tool on this machine; give the "
                            "addresses of the devices with --device_ips 192.1.27.6,192.1.27.7,...") from error
        return {device: query_device(device, tool) for device in devices}
    known = parse_hccn_conf(text)
    missing = [device for device in devices if device not in known]
    if missing and (tool is None or conf is not None):
        raise UserError(f"{conf or HCCN_CONF} has no address_{missing[0]}; add it, or give the addresses with "
                        "--device_ips")
    return {device: known[device] if device in known else query_device(device, str(tool)) for device in devices}


def parse_hccn_conf(text: str) -> dict[int, str]:
    """Return {device: address} of the lines `address_N=A`; other lines are not looked at."""
    return {int(number): address for number, address in
            re.findall(r"^[ \t]*address_(\d{1,6})[ \t]*=[ \t]*(\S+)", text, re.MULTILINE | re.ASCII)}


def query_device(device: int, tool: str, run: Callable[..., subprocess.CompletedProcess] = subprocess.run) -> str:
    """Return the address that `hccn_tool -i N -ip -g` prints, as `ipaddr:192.1.27.6`.

    Raises:
        UserError: the program failed, or printed no address.
    """
    try:
        result = run([tool, "-i", str(device), "-ip", "-g"], capture_output=True, text=True, errors="replace",
                     timeout=TOOL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"hccn_tool says nothing of device {device} ({one_line(error)[:200]}); give the addresses with "
                        "--device_ips") from error
    found = re.search(r"^\s*ipaddr\s*:\s*(\S+)", result.stdout, re.MULTILINE)
    if found is None:
        printed = one_line(result.stdout + " " + result.stderr)[:200]
        raise UserError(f"hccn_tool knows no address of device {device} ({printed}); give the addresses with "
                        "--device_ips")
    return found[1]
