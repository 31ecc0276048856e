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

import argparse
import ipaddress
import json
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from src.common.arguments import OneLineParser
from src.common.errors import UserError, one_line, run
from src.common.files import write_text
from src.common.typed import require
from src.common.untrusted import MAX_JSON_BYTES, parse_json
from src.launch.addresses import addresses_of_devices, local_addresses, only_address, parse_devices


class Server(NamedTuple):
    """One host: its address, and rank -> device number, in the order of the ranks."""

    server_id: str
    devices: dict[int, int]


def load(path: str | Path) -> tuple[Server, ...]:
    """Read a rank table; see `parse`."""
    return parse(read(path), str(path))


def read(path: str | Path) -> Any:
    """Return the JSON value that a file holds, whatever it is; raises `UserError` where it holds none."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_JSON_BYTES + 1)
        require(len(content) <= MAX_JSON_BYTES, f"{path}: is far too large for a rank table; give another file")
        return parse_json(content)
    except OSError as error:
        raise UserError(f"cannot read the rank table {path}: {error.strerror}; give the path of an hccl.json"
                        ) from error
    except ValueError as error:
        raise UserError(f"{path}: is no rank table in JSON ({one_line(error)[:200]}); correct it") from error


def parse(table: Any, source: str) -> tuple[Server, ...]:
    """Return the servers of a rank table in the order of their lowest rank: the first holds rank 0.

    Args:
        table: the content of the file.
        source: names it in messages.

    Raises:
        UserError: one line that names the file, what is wrong in it, and what to change.
    """
    for key, expected in (("version", "1.0"), ("status", "completed")):
        value = _text(table, key, f"{source}: ")
        require(value == expected, f"{source}: {key} is {reprlib.repr(value)}; expected {expected!r}")
    servers, taken = [], set()

    def once(key: str, value: Any, place: str, among: str = "the table") -> Any:
        require((key, value, among) not in taken, f"{place}{key} {value} occurs twice in {among}; give each its own")
        taken.add((key, value, among))
        return value

    for server, place in _entries(table, "server_list", f"{source}: "):
        server_id = once("server_id", _address(server, "server_id", place), place)
        if server.get("host_nic_ip", "reserve") != "reserve":
            _address(server, "host_nic_ip", place)
        devices = {}
        for device, at in _entries(server, "device", place):
            device_id = once("device_id", _number(device, "device_id", at), at, f"server {server_id}")
            once("device_ip", _address(device, "device_ip", at), at)
            devices[once("rank_id", _number(device, "rank_id", at), at)] = device_id
        servers.append(Server(server_id, dict(sorted(devices.items()))))
    number = _number(table, "server_count", f"{source}: ")
    require(number == len(servers), f"{source}: server_count is {number} but server_list holds {len(servers)}; set "
            f'server_count to "{len(servers)}"')
    ranks = {rank for server in servers for rank in server.devices}
    missing = next(rank for rank in count() if rank not in ranks)
    require(missing == len(ranks), f"{source}: rank_id {missing} is missing; number the {len(ranks)} devices from 0 to "
            f"{len(ranks) - 1} without gaps")
    return tuple(sorted(servers, key=lambda server: min(server.devices)))


def _entries(entry: dict[str, Any], key: str, place: str) -> Iterator[tuple[Any, str]]:
    """Yield each entry of a list, and its place for messages."""
    values = entry.get(key) or ()
    require(isinstance(values, list), f"{place}{key} must be a list with one entry or more")
    return ((value, f"{place}{key}[{index}].") for index, value in enumerate(values))


def _text(entry: Any, key: str, place: str) -> str:
    whole = place.rstrip(".: ")
    require(isinstance(entry, dict), f"{whole} is not a JSON object; expected one with {key!r}")
    require(key in entry, f"{whole} has no {key!r}; add it")
    shown = reprlib.repr(entry[key])  # whatever was found, and however large it is
    require(isinstance(entry[key], str), f'{place}{key} is {shown}; write it as a string: "{shown}"')
    return entry[key]


def _number(entry: Any, key: str, place: str) -> int:
    value = _text(entry, key, place)
    require(value.isascii() and value.isdigit() and len(value) <= 9,
            f'{place}{key} is {reprlib.repr(value)}; expected digits, as "0"')
    return int(value)


def _address(entry: Any, key: str, place: str) -> str:
    value = _text(entry, key, place)
    try:
        address = ipaddress.ip_address(value)
        require(not address.is_unspecified, f"{place}{key} is {value!r}, which is nobody's address; give the real one")
        return str(address)
    except ValueError:
        raise UserError(f'{place}{key} is {reprlib.repr(value)}; expected an IP address, as "192.1.27.6"') from None


def generate(server_ip: str, addresses: Mapping[int, str]) -> dict[str, Any]:
    """Return the table of one server, whose devices have the ranks 0, 1, ... in their order.

    Args:
        server_ip: its own address.
        addresses: number -> address of each of its devices.

    Raises:
        UserError: an address that is none, or one that two devices have.
    """
    devices = [{"device_id": str(device), "device_ip": address, "rank_id": str(rank)}
               for rank, (device, address) in enumerate(addresses.items())]
    return _table([{"server_id": server_ip, "host_nic_ip": "reserve", "device": devices}], "the new rank table")


def merge(tables: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return one table of the servers of several, in the order given, the ranks numbered anew in that order.

    Args:
        tables: (name for messages, content) of each; keys that the format does not know are kept.

    Raises:
        UserError: a table is not valid, or a server or address occurs in two of them.
    """
    servers, ranks = [], count()
    for source, table in tables:
        parse(table, source)
        for server in sorted(table["server_list"], key=lambda server: min(map(_rank, server["device"]))):
            devices = sorted(server["device"], key=_rank)
            servers.append({**server, "device": [{**device, "rank_id": str(next(ranks))} for device in devices]})
    return _table(servers, " + ".join(source for source, _ in tables))


def _rank(device: dict[str, str]) -> int:
    return int(device["rank_id"])


def _table(servers: list[dict[str, Any]], source: str) -> dict[str, Any]:
    table = {"version": "1.0", "server_count": str(len(servers)), "status": "completed", "server_list": servers}
    parse(table, source)
    return table


def check_device_num(servers: Sequence[Server], device_num: int, source: str) -> None:
    """Raise `UserError` unless the table holds as many devices as the job asks for."""
    found = sum(len(server.devices) for server in servers)
    require(found == device_num, f"{source}: holds {found} devices but DEVICE_NUM is {device_num}; use {found}, or a "
            f"table of {device_num} devices")


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = OneLineParser("src.launch.rank_table", "HCCL rank tables: generate, merge, validate.")
    parser.add_argument("command", choices=("generate", "merge", "validate"), help="what to do")
    parser.add_argument("files", nargs="*", help="tables to merge (the first holds rank 0), or the one to validate")
    parser.add_argument("--devices", help="devices of this server (generate): [0,8), 0-7 or a list such as 0,2,5")
    parser.add_argument("--server_ip", help="address of this server (generate); default: the only one it has")
    parser.add_argument("--device_ips", help="addresses of the devices, with commas between; default: the driver's "
                        "/etc/hccn.conf, else hccn_tool")
    parser.add_argument("--hccn_conf", type=Path, help="another file than /etc/hccn.conf")
    parser.add_argument("--output", type=Path, default=Path("hccl.json"), help="file to write (generate, merge)")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument("--device_num", type=int, help="number of devices that the job asks for (validate)")
    return parser.parse_intermixed_args(argv)


def main(argv: list[str]) -> None:
    """Command line; prints one line, or fails with one."""
    arguments = parse_arguments(argv)
    command, files, output = arguments.command, arguments.files, arguments.output
    if command == "validate":
        require(len(files) == 1, f"validate needs one file, got {len(files)}")
        source, done, table = files[0], "valid", read(files[0])
        if arguments.device_num is not None:
            check_device_num(parse(table, source), arguments.device_num, source)
    elif command == "generate":
        require(not files and arguments.devices is not None,
                'generate needs --devices "[0,8)" and no file; --output names the file to write')
        devices = parse_devices(arguments.devices)
        addresses = addresses_of_devices(devices, arguments.device_ips, arguments.hccn_conf)
        source, done = output, "written"
        table = generate(arguments.server_ip or only_address(local_addresses()), addresses)
    else:
        require(len(files) >= 2, f"merge needs two files or more, got {len(files)}; the first holds rank 0")
        source, done, table = output, "written", merge([(file, read(file)) for file in files])
    servers = parse(table, str(source))
    if command != "validate":
        require(arguments.force or not output.exists(),
                f"{output} exists already; give another --output, or --force to replace it")
        try:
            write_text(output, json.dumps(table, indent=4) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {output}: {error.strerror}; choose another --output") from error
    print(f"{source}: {done}, {sum(len(server.devices) for server in servers)} devices on {len(servers)} servers "
          f"({', '.join(server.server_id for server in servers)})")


if __name__ == "__main__":
    run(main)
