# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rank tables: what is accepted, that each fault gives one line that names file and fault, and how they are made."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.common.errors import UserError
from src.launch import addresses
from src.launch.addresses import addresses_of_devices, only_address, parse_devices
from src.launch.rank_table import Server, check_device_num, generate, load, main, merge, parse
from tests.refusals import refused


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
    refused(r"hccl.json: holds 4 devices but DEVICE_NUM is 8", check_device_num, read, 8, "hccl.json")


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


HCCN_CONF = """# written by the driver
address_0=192.1.27.6
netmask_0=255.255.255.0
gateway_0=192.1.27.1
  address_1 = 192.2.27.6
IPv6address_1=fd00::1
#address_2=192.3.27.6
address_10=192.4.27.6
"""


@pytest.mark.parametrize(("text", "devices"), [
    ("[0,8)", tuple(range(8))), ("[4, 6)", (4, 5)), ("0-7", tuple(range(8))), ("0,2,5", (0, 2, 5)), ("5,2", (2, 5)),
    ("3", (3,)), ("0-1,6-7", (0, 1, 6, 7)), (" 0 , 1 ", (0, 1)),
])
def test_devices(text: str, devices: tuple[int, ...]) -> None:
    assert parse_devices(text) == devices


@pytest.mark.parametrize("text", ["", "[0,8]", "8)", "0..7", "-1", "0,a", "٣", "[3,3)", "[5,2)", "[0,0)", "7-0",
                                  "1,7-0", "0,1,1", "0-3,2", "0-999999", "[0,999999)", "0;reboot"])
def test_devices_that_are_refused(text: str) -> None:
    refused("--devices is .*; expected .* each device once", parse_devices, text)


def test_addresses_of_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those given come first, then the driver's settings, then what its program prints."""
    monkeypatch.setattr(addresses, "HCCN_CONF", tmp_path / "hccn.conf")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError, match=r"nor hccn_tool gives an address of the devices \[0\]; give .* --device_ips"):
        addresses_of_devices((0,), None)
    tool = tmp_path / "hccn_tool"
    tool.write_text("#!/bin/sh\n[ \"$1 $3 $4\" = '-i -ip -g' ] && [ $2 != 5 ] || exec echo 'no such device'\n"
                    "echo ipaddr:192.9.$2.1\necho netmask:255.255.255.0\n")
    tool.chmod(0o755)
    assert addresses_of_devices((3,), None) == {3: "192.9.3.1"}
    (tmp_path / "hccn.conf").write_text(HCCN_CONF)
    assert addresses_of_devices((0, 1, 2, 10), None) == {
        0: "192.1.27.6", 1: "192.2.27.6", 2: "192.9.2.1", 10: "192.4.27.6"}
    refused(r"address of the devices \[5\]", addresses_of_devices, (0, 5), None)
    assert addresses_of_devices((0, 1), "10.1.0.1, 10.1.0.2") == {0: "10.1.0.1", 1: "10.1.0.2"}
    refused("names 1 addresses for 2 devices", addresses_of_devices, (0, 1), "10.1.0.1")


def test_address_of_the_server() -> None:
    assert only_address(["10.0.0.1", "fd00::1", "169.254.3.4", "node-a"]) == "10.0.0.1"
    with pytest.raises(UserError, match=r"has 2 addresses \(10.0.0.1, 172.17.0.1\); say which .* --server_ip"):
        only_address(["10.0.0.1", "172.17.0.1"])
    refused(r"has 0 addresses \(none\)", only_address, ["fd00::1"])


@pytest.mark.parametrize(("server_ip", "device_ips", "message"), [
    ("10.0.0.1", {0: "192.1.27.6", 1: "x"}, "device.1..device_ip is 'x'; expected the IP address"),
    ("10.0.0.1", {0: "192.1.27.6", 1: "192.1.27.6"}, "device_ip 192.1.27.6 occurs twice"),
    ("10.0.0.1", {0: "0.0.0.0", 1: "192.1.27.6"}, "is '0.0.0.0'; expected the IP address of one machine"),
    ("10.0.0.1", {0: "fd00::1", 1: "fd00:0::1"}, "device_ip fd00::1 occurs twice"),
])
def test_generated_tables_are_validated(server_ip: str, device_ips: dict[int, str], message: str) -> None:
    refused(message, parse, generate(server_ip, device_ips), "the new rank table")


def test_merge_numbers_the_ranks_in_the_order_given() -> None:
    first, second, third = table([0, 1]), table([1, 0]), table([0])
    second["server_list"][0].update(server_id="10.0.0.2", container_ip="172.17.0.2")
    third["server_list"][0].update(server_id="10.0.0.3")
    for number, content in enumerate((second, third), start=2):
        for device in content["server_list"][0]["device"]:
            device["device_ip"] = device["device_ip"].replace("192.1.", f"192.{number}.")
    before = copy.deepcopy([third, second, first])
    merged = merge([("c.json", third), ("b.json", second), ("a.json", first)])
    assert [third, second, first] == before
    assert merged["server_count"] == "3"
    assert [server["server_id"] for server in merged["server_list"]] == ["10.0.0.3", "10.0.0.2", "10.0.0.1"]
    assert [[(d["device_id"], d["rank_id"]) for d in server["device"]] for server in merged["server_list"]] == [
        [("0", "0")], [("1", "1"), ("0", "2")], [("0", "3"), ("1", "4")]]
    assert merged["server_list"][1]["container_ip"] == "172.17.0.2"
    check_device_num(parse(merged, "merged"), 5, "merged")


@pytest.mark.parametrize(("second", "message"), [
    (table([0, 1]), r"a.json \+ b.json: server_id 10.0.0.1 occurs twice"),
    (table([0, 2]), "b.json: rank_id 1 is missing"),
    ([], "b.json is not a JSON object"),
])
def test_merge_of_tables_that_do_not_fit(second: Any, message: str) -> None:
    refused(message, lambda: parse(merge([("a.json", table([0, 1])), ("b.json", second)]), "a.json + b.json"))


@pytest.mark.parametrize("content", [
    b"[" * 100_000, b'{"server_list":' * 50_000 + b"1" + b"}" * 50_000, b"9" * 100_000, b"", b"null", b'"text"', b"NaN",
    b'{"version": "1.0", "status": "completed", "server_count": "' + b"9" * 10_000 + b'", "server_list": [1]}',
    b'{"version": {"1": [0]}}', b'{"version": "1.0\\n2"}', b'{"version": "\\ud800"}', b"\xef\xbb\xbf{}", b"\x00" * 1000,
    json.dumps({**table([0, 1]), "server_count": {"a": ["b"] * 10_000}}).encode(),
])
def test_hostile_files_give_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hccl.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        load(path)
    message = str(raised.value)
    assert message.startswith(str(path)) and "\n" not in message and len(message) < len(str(path)) + 500


def test_files_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.launch.rank_table.MAX_JSON_BYTES", 1000)
    refused("/dev/zero: is far too large for a rank table", load, "/dev/zero")
    refused("cannot read the rank table .*: Is a directory", load, tmp_path)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for server in (1, 2):
        given = ",".join(f"192.{server}.27.{d + 6}" for d in range(8))
        main(["generate", "--devices", "[0,8)", "--server_ip", f"10.0.0.{server}", "--device_ips", given, "--output",
              str(tmp_path / f"server{server}.json")])
    main(["merge", "--output", str(tmp_path / "hccl.json"), str(tmp_path / "server2.json"),
          str(tmp_path / "server1.json")])
    main(["validate", str(tmp_path / "hccl.json"), "--device_num", "16"])
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/server1.json: written, 8 devices on 1 servers (10.0.0.1)",
        f"{tmp_path}/server2.json: written, 8 devices on 1 servers (10.0.0.2)",
        f"{tmp_path}/hccl.json: written, 16 devices on 2 servers (10.0.0.2, 10.0.0.1)",
        f"{tmp_path}/hccl.json: valid, 16 devices on 2 servers (10.0.0.2, 10.0.0.1)"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hccl.json", "server1.json", "server2.json"]


def test_an_existing_table_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "hccl.json"
    path.write_text("mine")
    command = ["generate", "--devices", "0", "--server_ip", "10.0.0.1", "--device_ips", "192.1.27.6", "--output",
               str(path)]
    refused("exists already; give another --output, or --force", main, command)
    assert path.read_text() == "mine"
    main([*command, "--force"])
    check_device_num(load(path), 1, "hccl.json")


@pytest.mark.parametrize(("argv", "message"), [
    (["generate"], "generate needs --devices"),
    (["generate", "--devices", "0", "a.json"], "generate needs --devices .* and no file"),
    (["merge", "a.json"], "merge needs two files or more, got 1"),
    (["validate"], "validate needs one file, got 0"),
    (["frobnicate"], "invalid choice"),
    (["generate", "--devices", "0", "--server_ip", "10.0.0.1", "--device_ips", "192.1.27.6", "--output", "/proc/x/y"],
     "cannot write /proc/x/y"),
])
def test_wrong_command_lines(argv: list[str], message: str) -> None:
    refused(message, main, argv)
