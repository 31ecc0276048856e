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

`host_nic_ip`, which HCCL reserves, and other keys that some tools write are not looked at.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from src.common.arguments import OneLineParser
from src.common.errors import UserError, one_line, run
from src.common.files import write_text
from src.common.paths import path_of
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
    checked = _walk(table, _TABLE, source, ": ")
    entries, number = checked["server_list"], checked["server_count"]
    devices = [device for entry in entries for device in entry["device"]]
    taken = Counter((key, record[key], "the table") for key, records in (
        ("server_id", entries), ("device_ip", devices), ("rank_id", devices)) for record in records)
    taken.update(("device_id", device["device_id"], f"server {entry['server_id']}")
                 for entry in entries for device in entry["device"])
    (key, value, place), times = taken.most_common(1)[0]
    require(times == 1, f"{source}: {key} {value} occurs twice in {place}; give each its own")
    require(number == len(entries), f"{source}: server_count is {number} but server_list holds {len(entries)}; set "
            f'server_count to "{len(entries)}"')
    missing = set(range(len(devices))).difference(device["rank_id"] for device in devices)
    require(not missing, f"{source}: rank_id {min(missing, default=0)} is missing; number the {len(devices)} devices "
            f"from 0 to {len(devices) - 1} without gaps")
    ranks = [dict(sorted((device["rank_id"], device["device_id"]) for device in entry["device"])) for entry in entries]
    servers = [Server(entry["server_id"], own) for entry, own in zip(entries, ranks, strict=True)]
    return tuple(sorted(servers, key=lambda server: min(server.devices)))


def _walk(value: Any, shape: Any, place: str, separator: str = ".") -> Any:
    """Return a JSON value as its shape in `_TABLE` says: of an object the keys that the shape has, of a text what it
    stands for."""
    shown = reprlib.repr(value)  # whatever was found, and however large it is
    if isinstance(shape, dict):
        require(isinstance(value, dict), f"{place} is not a JSON object; expected one with {next(iter(shape))!r}")
        for key in shape:
            require(key in value, f"{place} has no {key!r}; add it")
        return {key: _walk(value[key], part, f"{place}{separator}{key}") for key, part in shape.items()}
    if isinstance(shape, list):
        require(isinstance(value, list) and bool(value), f"{place} must be a list with one entry or more")
        return [_walk(entry, shape[0], f"{place}[{index}]") for index, entry in enumerate(value)]
    require(isinstance(value, str), f'{place} is {shown}; write it as a string: "{shown}"')
    expected, read_text = shape
    try:
        return read_text(value)
    except ValueError:
        raise UserError(f"{place} is {shown}; expected {expected}") from None


def _number(text: str) -> int:
    if re.fullmatch("[0-9]{1,9}", text) is None:
        raise ValueError
    return int(text)


def _address(text: str) -> str:
    address = ipaddress.ip_address(text)
    if address.is_unspecified:
        raise ValueError
    return str(address)


_NUMBER = ('digits, as "0"', _number)
_ADDRESS = ('the IP address of one machine or device, as "192.1.27.6"', _address)
_TABLE = {
    "version": ("'1.0'", ["1.0"].index),
    "status": ("'completed'", ["completed"].index),
    "server_count": _NUMBER,
    "server_list": [{
        "server_id": _ADDRESS,
        "device": [{"device_id": _NUMBER, "device_ip": _ADDRESS, "rank_id": _NUMBER}],
    }],
}
"""Of each key: what is expected, and what reads it or raises ValueError."""


def generate(server_ip: str, addresses: Mapping[int, str]) -> dict[str, Any]:
    """Return the table of one server, whose devices (number -> address) have the ranks 0, 1, ... in their order."""
    devices = [{"device_id": str(device), "device_ip": address, "rank_id": str(rank)}
               for rank, (device, address) in enumerate(addresses.items())]
    return _table([{"server_id": server_ip, "host_nic_ip": "reserve", "device": devices}])


def merge(tables: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return one table of the servers of several, in the order given, the ranks numbered anew in that order.

    Args:
        tables: (name for messages, content) of each; keys that the format does not know are kept.

    Raises:
        UserError: a table is not valid. Whether they go together is left to `parse`.
    """
    servers, ranks = [], count()
    for source, table in tables:
        parse(table, source)
        for server in sorted(table["server_list"], key=lambda server: min(map(_rank, server["device"]))):
            devices = sorted(server["device"], key=_rank)
            servers.append({**server, "device": [{**device, "rank_id": str(next(ranks))} for device in devices]})
    return _table(servers)


def _rank(device: dict[str, str]) -> int:
    return int(device["rank_id"])


def _table(servers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"version": "1.0", "server_count": str(len(servers)), "status": "completed", "server_list": servers}


def check_device_num(servers: Sequence[Server], device_num: int, source: str) -> None:
    """Raise `UserError` unless the table holds as many devices as the job asks for."""
    found = sum(len(server.devices) for server in servers)
    require(found == device_num, f"{source}: holds {found} devices but DEVICE_NUM is {device_num}; use {found}, or a "
            f"table of {device_num} devices")


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = OneLineParser("src.launch.rank_table", "HCCL rank tables: generate, merge, validate.")
    parser.add_argument("command", choices=("generate", "merge", "validate"), help="what to do")
    parser.add_argument("files", nargs="*", type=path_of,
                        help="tables to merge (the first holds rank 0), or the one to validate")
    parser.add_argument("--devices", help="devices of this server (generate): [0,8), 0-7 or a list such as 0,2,5")
    parser.add_argument("--server_ip", help="address of this server (generate); default: the only one it has")
    parser.add_argument("--device_ips", help="addresses of the devices, with commas between; default: the driver's "
                        "/etc/hccn.conf, else hccn_tool")
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
        source, table = files[0], read(files[0])
    elif command == "generate":
        require(not files and arguments.devices is not None,
                'generate needs --devices "[0,8)" and no file; --output names the file to write')
        devices = parse_devices(arguments.devices)
        addresses = addresses_of_devices(devices, arguments.device_ips)
        source = "the new rank table"
        table = generate(arguments.server_ip or only_address(local_addresses()), addresses)
    else:
        require(len(files) >= 2, f"merge needs two files or more, got {len(files)}; the first holds rank 0")
        source, table = " + ".join(files), merge((file, read(file)) for file in files)
    servers = parse(table, source)
    if arguments.device_num is not None:
        check_device_num(servers, arguments.device_num, source)
    if command != "validate":
        require(arguments.force or not output.exists(),
                f"{output} exists already; give another --output, or --force to replace it")
        try:
            write_text(output, json.dumps(table, indent=4) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {output}: {error.strerror}; choose another --output") from error
    print(f"{source}: valid" if command == "validate" else f"{output}: written", end=", ")
    print(f"{sum(len(server.devices) for server in servers)} devices on {len(servers)} servers "
          f"({', '.join(server.server_id for server in servers)})")


if __name__ == "__main__":
    run(main)
