# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rank tables: what is accepted, and that each fault gives one line that names the file and the fault."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.common.errors import UserError
from src.launch.rank_table import Server, check_device_num, load, parse

pytestmark = pytest.mark.small


def table(*servers: list[int], first_device: int = 0) -> dict[str, Any]:
    """A table with the given ranks on each server, devices numbered from `first_device`."""
    return {
        "version": "1.0", "server_count": str(len(servers)), "status": "completed",
        "server_list": [
            {"server_id": f"10.0.0.{s + 1}", "host_nic_ip": "reserve",
             "device": [{"device_id": str(first_device + d), "device_ip": f"192.{s + 1}.27.{d + 6}",
                         "rank_id": str(rank)} for d, rank in enumerate(ranks)]}
            for s, ranks in enumerate(servers)]}


def test_servers_and_devices_are_in_the_order_of_the_ranks() -> None:
    read = parse(table([3, 2], [1, 0]), "hccl.json")
    assert read == (Server("10.0.0.2", {0: 1, 1: 0}), Server("10.0.0.1", {2: 1, 3: 0}))
    assert [list(server.devices) for server in read] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("change", [
    lambda t: t["server_list"][0].pop("host_nic_ip"),
    lambda t: t["server_list"][0].update(container_ip="172.17.0.2", hardware_type="910B"),
    lambda t: t["server_list"][0]["device"][0].update(device_ip="fd00::1"),
])
def test_variants_of_tools_are_accepted(change: Callable[[dict[str, Any]], Any]) -> None:
    content = table([0, 1])
    change(content)
    check_device_num(parse(content, "hccl.json"), 2, "hccl.json")


def device(t: dict[str, Any], server: int = 0, index: int = 0) -> dict[str, Any]:
    return t["server_list"][server]["device"][index]


FAULTS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda t: t.pop("version"), "no 'version'"),
    (lambda t: t.update(version="1.2"), "version is '1.2'"),
    (lambda t: t.update(status="initializing"), "status is 'initializing'"),
    (lambda t: t.update(server_count="3"), 'server_count is 3 but server_list holds 2; set server_count to "2"'),
    (lambda t: t.update(server_count=2), "server_count is 2; write it as a string"),
    (lambda t: t.update(server_count="two"), "expected digits"),
    (lambda t: t.pop("server_list"), "no 'server_list'"),
    (lambda t: t.update(server_list=[]), "server_list must be a list"),
    (lambda t: t.update(server_list={"server_id": "10.0.0.1"}), "server_list must be a list"),
    (lambda t: t["server_list"].__setitem__(1, "10.0.0.2"), "server_list[1] is not a JSON object"),
    (lambda t: t["server_list"][0].update(server_id="node-a"), "server_list[0].server_id is 'node-a'"),
    (lambda t: t["server_list"][1].update(server_id="10.0.0.1"), "server_id 10.0.0.1 occurs twice"),
    (lambda t: t["server_list"][1].pop("device"), "server_list[1] has no 'device'"),
    (lambda t: device(t).pop("device_id"), "server_list[0].device[0] has no 'device_id'"),
    (lambda t: device(t, 1, 1).update(device_id="x"), "server_list[1].device[1].device_id is 'x'"),
    (lambda t: device(t).update(device_id=0), 'write it as a string: "0"'),
    (lambda t: device(t, 0, 1).update(device_id="0"), "device_id 0 occurs twice in server 10.0.0.1"),
    (lambda t: device(t).update(device_ip=""), "server_list[0].device[0].device_ip is ''"),
    (lambda t: device(t).update(device_ip="192.1.27.256"), "is '192.1.27.256'; expected the IP address"),
    (lambda t: device(t, 1, 0).update(device_ip="192.1.27.6"), "device_ip 192.1.27.6 occurs twice"),
    (lambda t: device(t, 1, 0).update(rank_id="-1"), "server_list[1].device[0].rank_id is '-1'"),
    (lambda t: device(t, 1, 0).update(rank_id="0"), "rank_id 0 occurs twice in the table"),
    (lambda t: device(t, 1, 1).update(rank_id="4"), "rank_id 3 is missing; number the 4 devices from 0 to 3"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_fault(change: Callable[[dict[str, Any]], Any], message: str) -> None:
    content = table([0, 1], [2, 3])
    change(content)
    with pytest.raises(UserError) as raised:
        parse(content, "cluster/hccl.json")
    assert str(raised.value).startswith("cluster/hccl.json")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_device_num() -> None:
    read = parse(table([0, 1], [2, 3]), "hccl.json")
    check_device_num(read, 4, "hccl.json")
    with pytest.raises(UserError, match=r"hccl.json: holds 4 devices but DEVICE_NUM is 8"):
        check_device_num(read, 8, "hccl.json")


@pytest.mark.parametrize(("content", "message"), [
    (None, "cannot read the rank table"),
    (b'{"version": "1.0",\n "status"', "is no rank table in JSON .*line 2"),
    (b"\xff\xfe", "is no rank table in JSON"),
])
def test_unreadable_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "hccl.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        load(path)
    assert str(path) in str(raised.value)


def test_command_line_leaves_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "hccl.json"
    path.write_text(json.dumps(table([0, 2])))
    result = subprocess.run([sys.executable, "-m", "src.launch.rank_table", "validate", str(path)],
                            cwd=Path(__file__).resolve().parents[3], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and f"error: {path}: rank_id 1 is missing" in result.stderr
