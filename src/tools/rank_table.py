# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""HCCL rank tables: which Ascend device of which server has which rank.

    python -m src.tools.rank_table validate hccl.json --device_num 8

The file is the one that HCCL reads (format 1.0; numbers are strings):

    {"version": "1.0", "server_count": "1", "status": "completed",
     "server_list": [{"server_id": "10.0.0.1", "host_nic_ip": "reserve",
                      "device": [{"device_id": "0", "device_ip": "192.1.27.6", "rank_id": "0"}, ...]}]}

`host_nic_ip` may be absent; other keys, which some tools write, are not looked at.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.errors import UserError, run

VERSION = "1.0"


@dataclass(frozen=True)
class Device:
    """One Ascend device: its number on its server, its own network address, and its rank in the job."""

    device_id: int
    device_ip: str
    rank_id: int


@dataclass(frozen=True)
class Server:
    """One host with its devices in the order of their ranks."""

    server_id: str
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class RankTable:
    """The servers in the order of their lowest rank: the first holds rank 0."""

    servers: tuple[Server, ...]

    @property
    def device_num(self) -> int:
        """Number of devices on all servers, which is the number of ranks."""
        return sum(len(server.devices) for server in self.servers)


def load(path: str | Path) -> RankTable:
    """Read and validate a rank table.

    Raises:
        UserError: one line that names the file, what is wrong in it, and what to change.
    """
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the rank table {path}: {error.strerror}; give the path of an hccl.json"
                        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not text; expected a rank table in JSON") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno} is not valid JSON ({error.msg}); correct it") from error
    return parse(table, str(path))


def parse(table: Any, source: str) -> RankTable:
    """Validate the content of a rank table; `source` names it in messages.

    Raises:
        UserError: as in `load`.
    """
    version = _text(table, "version", source, "the rank table")
    _require(version == VERSION, source, f"version is {version!r}; write the table in the format {VERSION!r}")
    status = _text(table, "status", source, "the rank table")
    _require(status == "completed", source, f"status is {status!r}; wait until the table is complete: 'completed'")
    listed = _list(table, "server_list", source, "the rank table")
    servers = [_server(entry, f"server_list[{index}]", source) for index, entry in enumerate(listed)]

    count = _number(table, "server_count", source, "the rank table")
    _require(count == len(servers), source,
             f"server_count is {count} but server_list holds {len(servers)}; set server_count to \"{len(servers)}\"")
    _require_unique([server.server_id for server in servers], "server_id", source, "the table",
                    "put all devices of a server into one entry")
    devices = [device for server in servers for device in server.devices]
    _require_unique([device.device_ip for device in devices], "device_ip", source, "the table",
                    "each device has an address of its own")
    ranks = [device.rank_id for device in devices]
    _require_unique(ranks, "rank_id", source, "the table", f"number the devices from 0 to {len(ranks) - 1}")
    missing = sorted(set(range(len(ranks))) - set(ranks))
    _require(not missing, source, f"rank_id {missing[0] if missing else ''} is missing; "
             f"number the {len(ranks)} devices from 0 to {len(ranks) - 1} without gaps")
    return RankTable(tuple(sorted(servers, key=lambda server: server.devices[0].rank_id)))


def check_device_num(table: RankTable, device_num: int, source: str) -> None:
    """Raise `UserError` unless the table holds as many devices as the job asks for."""
    _require(table.device_num == device_num, source,
             f"holds {table.device_num} devices but DEVICE_NUM is {device_num}; "
             f"use {table.device_num}, or a table of {device_num} devices")


def _server(entry: Any, where: str, source: str) -> Server:
    server_id = _address(entry, "server_id", source, where)
    if isinstance(entry.get("host_nic_ip"), str) and entry["host_nic_ip"] != "reserve":
        _address(entry, "host_nic_ip", source, where)
    devices = [
        Device(_number(device, "device_id", source, f"{where}.device[{index}]"),
               _address(device, "device_ip", source, f"{where}.device[{index}]"),
               _number(device, "rank_id", source, f"{where}.device[{index}]"))
        for index, device in enumerate(_list(entry, "device", source, where))
    ]
    _require_unique([device.device_id for device in devices], "device_id", source, f"server {server_id}",
                    "list each device of a server once")
    return Server(server_id, tuple(sorted(devices, key=lambda device: device.rank_id)))


def _require(condition: bool, source: str, message: str) -> None:
    if not condition:
        raise UserError(f"{source}: {message}")


def _require_unique(values: list[Any], key: str, source: str, where: str, change: str) -> None:
    repeated = next((value for index, value in enumerate(values) if value in values[:index]), None)
    _require(repeated is None, source, f"{key} {repeated} occurs twice in {where}; {change}")


def _get(entry: Any, key: str, source: str, where: str) -> Any:
    _require(isinstance(entry, dict), source, f"{where} is not a JSON object; expected one with {key!r}")
    _require(key in entry, source, f"{where} has no {key!r}; add it")
    return entry[key]


def _text(entry: Any, key: str, source: str, where: str) -> str:
    value = _get(entry, key, source, where)
    _require(isinstance(value, str), source, f"{key} of {where} is {value!r}; write it as a string: \"{value}\"")
    return value


def _number(entry: Any, key: str, source: str, where: str) -> int:
    value = _text(entry, key, source, where)
    _require(value.isascii() and value.isdigit(), source, f"{key} of {where} is {value!r}; expected digits, as \"0\"")
    return int(value)


def _address(entry: Any, key: str, source: str, where: str) -> str:
    value = _text(entry, key, source, where)
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise UserError(f"{source}: {key} of {where} is {value!r}; expected an IP address, as \"192.1.27.6\""
                        ) from error
    return value


def _list(entry: Any, key: str, source: str, where: str) -> list[Any]:
    value = _get(entry, key, source, where)
    _require(isinstance(value, list) and bool(value), source, f"{key} of {where} must be a list with one entry or more")
    return value


def main(argv: list[str]) -> None:
    """Command line: `validate FILE [--device_num N]` prints one line, or fails with one."""
    parser = argparse.ArgumentParser(prog="python -m src.tools.rank_table", description="HCCL rank tables")
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="check a rank table")
    validate.add_argument("file", help="path of the rank table (hccl.json)")
    validate.add_argument("--device_num", type=int, help="number of devices that the job asks for")
    arguments = parser.parse_args(argv)

    table = load(arguments.file)
    if arguments.device_num is not None:
        check_device_num(table, arguments.device_num, arguments.file)
    print(f"{arguments.file}: valid, {table.device_num} devices on {len(table.servers)} servers "
          f"({', '.join(server.server_id for server in table.servers)})")


if __name__ == "__main__":
    run(main)
