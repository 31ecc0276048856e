# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""HCCL rank tables: which Ascend device of which server has which rank.

    python -m src.launch.rank_table generate --devices "[0,8)" --server_ip 10.0.0.1 --output server1.json
    python -m src.launch.rank_table merge server1.json server2.json --output hccl.json
    python -m src.launch.rank_table validate hccl.json --device_num 16

The file is the one that HCCL reads (format 1.0; numbers are strings):

    {"version": "1.0", "server_count": "1", "status": "completed",
     "server_list": [{"server_id": "10.0.0.1", "host_nic_ip": "reserve",
                      "device": [{"device_id": "0", "device_ip": "192.1.27.6", "rank_id": "0"}, ...]}]}

`host_nic_ip` may be absent; other keys, which some tools write, are not looked at.
"""

from __future__ import annotations

import ipaddress
import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from src.common.arguments import OneLineParser
from src.common.errors import UserError, one_line, run
from src.common.files import write_text
from src.common.untrusted import MAX_JSON_BYTES, parse_json
from src.launch.addresses import addresses_of_devices, local_addresses, only_address, parse_devices

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
    return parse(read(path), str(path))


def read(path: str | Path) -> Any:
    """Return the JSON value that a file holds, whatever it is.

    Raises:
        UserError: one line on why it cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_JSON_BYTES + 1)
        _require(len(content) <= MAX_JSON_BYTES, str(path), "is far too large for a rank table; give another file")
        return parse_json(content)
    except OSError as error:
        raise UserError(f"cannot read the rank table {path}: {error.strerror}; give the path of an hccl.json"
                        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not text; expected a rank table in JSON") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno} is not valid JSON ({error.msg}); correct it") from error
    except ValueError as error:
        raise UserError(f"{path}: is no rank table of the format {VERSION} ({one_line(error)[:200]})") from error


def parse(table: Any, source: str) -> RankTable:
    """Validate the content of a rank table; `source` names it in messages.

    Raises:
        UserError: as in `load`.
    """
    version = _text(table, "version", source, "the rank table")
    _require(version == VERSION, source, f"version is {_short(version)}; write the table in the format {VERSION!r}")
    status = _text(table, "status", source, "the rank table")
    _require(status == "completed", source, f"status is {_short(status)}; wait until it is 'completed'")
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


def generate(server_ip: str, devices: Sequence[int], device_ips: Mapping[int, str]) -> dict[str, Any]:
    """Return the table of one server, whose devices have the ranks 0, 1, ... in their order.

    Raises:
        UserError: an address that is none, or one that two devices have.
    """
    server = {"server_id": server_ip, "host_nic_ip": "reserve",
              "device": [{"device_id": str(device), "device_ip": device_ips[device]} for device in devices]}
    return _numbered([server], "the new rank table")


def merge(tables: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return one table of the servers of several, in the order given, the ranks numbered anew in that order.

    Args:
        tables: (name for messages, content) of each; keys that the format does not know are kept.

    Raises:
        UserError: a table is not valid, or a server or address occurs in two of them.
    """
    servers = []
    for source, table in tables:
        parse(table, source)
        servers += sorted(table["server_list"], key=lambda server: min(int(d["rank_id"]) for d in server["device"]))
    return _numbered(servers, " + ".join(source for source, _ in tables))


def _numbered(servers: Sequence[dict[str, Any]], source: str) -> dict[str, Any]:
    """Return a valid table of servers whose devices get new ranks in their order (of rank, where they had one)."""
    ranks = count()
    listed = []
    for server in servers:
        devices = sorted(server["device"], key=lambda device: int(device.get("rank_id", 0)))
        listed.append({**server, "device": [{**device, "rank_id": str(next(ranks))} for device in devices]})
    table = {"version": VERSION, "server_count": str(len(listed)), "status": "completed", "server_list": listed}
    parse(table, source)
    return table


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
    seen: set[Any] = set()
    repeated = next((value for value in values if value in seen or seen.add(value)), None)
    _require(repeated is None, source, f"{key} {repeated} occurs twice in {where}; {change}")


def _short(value: Any) -> str:
    """A value for a message, whatever was found and however large it is."""
    return reprlib.repr(value)


def _get(entry: Any, key: str, source: str, where: str) -> Any:
    _require(isinstance(entry, dict), source, f"{where} is not a JSON object; expected one with {key!r}")
    _require(key in entry, source, f"{where} has no {key!r}; add it")
    return entry[key]


def _text(entry: Any, key: str, source: str, where: str) -> str:
    value = _get(entry, key, source, where)
    _require(isinstance(value, str), source, f"{key} of {where} is {_short(value)}; "
             f'write it as a string: "{_short(value)}"')
    return value


def _number(entry: Any, key: str, source: str, where: str) -> int:
    value = _text(entry, key, source, where)
    _require(value.isascii() and value.isdigit() and len(value) <= 9, source,
             f"{key} of {where} is {_short(value)}; expected digits, as \"0\"")
    return int(value)


def _address(entry: Any, key: str, source: str, where: str) -> str:
    value = _text(entry, key, source, where)
    try:
        address = ipaddress.ip_address(value)
    except ValueError as error:
        raise UserError(f"{source}: {key} of {where} is {_short(value)}; expected an IP address, as \"192.1.27.6\""
                        ) from error
    _require(not address.is_unspecified, source, f"{key} of {where} is {value!r}, which is nobody's address; give the "
             "real one")
    return str(address)


def _list(entry: Any, key: str, source: str, where: str) -> list[Any]:
    value = _get(entry, key, source, where)
    _require(isinstance(value, list) and bool(value), source, f"{key} of {where} must be a list with one entry or more")
    return value


def save(table: Mapping[str, Any], path: Path, force: bool) -> RankTable:
    """Write a table all at once, and return what it says.

    Raises:
        UserError: there is a file already, or the place cannot be written.
    """
    if path.exists() and not force:
        raise UserError(f"{path} exists already; give another --output, or --force to replace it")
    try:
        write_text(path, json.dumps(table, indent=4) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another --output") from error
    return parse(table, str(path))


def summary(table: RankTable) -> str:
    """Return how many devices a table has, and on which servers."""
    return (f"{table.device_num} devices on {len(table.servers)} servers "
            f"({', '.join(server.server_id for server in table.servers)})")


def parser() -> OneLineParser:
    """Return the parser of the command line."""
    top = OneLineParser("src.launch.rank_table", "HCCL rank tables: generate, merge, validate.")
    top.add_argument("command", choices=("generate", "merge", "validate"), help="what to do")
    top.add_argument("files", nargs="*", help="tables to merge (the first holds rank 0), or the one to validate")
    top.add_argument("--devices", help="devices of this server (generate): [0,8), 0-7 or a list such as 0,2,5")
    top.add_argument("--server_ip", help="address of this server (generate); default: the only one it has")
    top.add_argument("--device_ips", help="addresses of the devices, with commas between; default: the driver's "
                     "/etc/hccn.conf, else hccn_tool")
    top.add_argument("--hccn_conf", type=Path, help="another file than /etc/hccn.conf")
    top.add_argument("--output", type=Path, default=Path("hccl.json"), help="file to write (generate, merge)")
    top.add_argument("--force", action="store_true", help="replace an existing file")
    top.add_argument("--device_num", type=int, help="number of devices that the job asks for (validate)")
    return top


def main(argv: list[str]) -> None:
    """Command line; prints one line, or fails with one."""
    arguments = parser().parse_intermixed_args(argv)
    command, files = arguments.command, arguments.files
    if command == "generate":
        if files or arguments.devices is None:
            raise UserError('generate needs --devices "[0,8)" and no file; --output names the file to write')
        devices = parse_devices(arguments.devices)
        addresses = addresses_of_devices(devices, arguments.device_ips, arguments.hccn_conf)
        server_ip = arguments.server_ip or only_address(local_addresses())
        table = save(generate(server_ip, devices, addresses), arguments.output, arguments.force)
        print(f"{arguments.output}: written, {summary(table)}")
    elif command == "merge":
        if len(files) < 2:
            raise UserError(f"merge needs two files or more, got {len(files)}; the first holds rank 0")
        table = save(merge([(file, read(file)) for file in files]), arguments.output, arguments.force)
        print(f"{arguments.output}: written, {summary(table)}")
    else:
        if len(files) != 1:
            raise UserError(f"validate needs one file, got {len(files)}")
        table = load(files[0])
        if arguments.device_num is not None:
            check_device_num(table, arguments.device_num, files[0])
        print(f"{files[0]}: valid, {summary(table)}")


if __name__ == "__main__":
    run(main)
