# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hosts and devices of distributed runs. Nothing is started."""

from __future__ import annotations

import pytest

from src.common.errors import UserError
from src.launch.hosts import Host, check_table_is_visible, find_host, hosts_of_list, hosts_of_table
from src.launch.rank_table import parse
from tests.refusals import refused
from tests.unit.launch.test_rank_table import table


def test_hosts_of_a_table_begin_with_that_of_rank_0() -> None:
    hosts = hosts_of_table(parse(table([2, 3], [0, 1], first_device=4), "hccl.json"), "hccl.json")
    assert hosts == (Host("10.0.0.2", 0, 2, ("4", "5")), Host("10.0.0.1", 1, 2, ("4", "5")))


@pytest.mark.parametrize(("servers", "message"), [
    (([0, 1], [2]), "server 10.0.0.2 has 1 devices and 10.0.0.1 has 2"),
    (([0, 2], [1, 3]), r"server 10.0.0.1 has the ranks \[0, 2\]"),
    (([1, 0],), r"ranks \[0, 1\] on the devices \[1, 0\]; number its devices in rising order from rank 0"),
])
def test_tables_that_msrun_cannot_express(servers: tuple[list[int], ...], message: str) -> None:
    refused(message, hosts_of_table, parse(table(*servers), "hccl.json"), "hccl.json")


@pytest.mark.parametrize(("target", "visible", "devices"), [
    ("GPU", None, ("0", "1")),
    ("GPU", "", ("0", "1")),
    ("GPU", "3,2,5", ("3", "2")),
    ("GPU", "GPU-8d1e,MIG-GPU-77aa/1/0", ("GPU-8d1e", "MIG-GPU-77aa/1/0")),
    ("Ascend", "2,10", ("2", "10")),
    ("CPU", None, ()),
])
def test_devices_of_a_host(target: str, visible: str | None, devices: tuple[str, ...]) -> None:
    assert hosts_of_list("127.0.0.1", target, 2, visible) == (Host("127.0.0.1", 0, 2, devices),)


@pytest.mark.parametrize(("target", "visible", "message"), [
    ("GPU", "0", "CUDA_VISIBLE_DEVICES is '0', fewer devices than the 2 asked for"),
    ("GPU", "0,-1", "CUDA_VISIBLE_DEVICES is '0,-1'; write it without spaces"),
    ("GPU", "1,1", "each device once"),
    ("GPU", "$(reboot),1", "without spaces"),
    ("Ascend", "1, 2", "without spaces and each device once, in rising order, as 0,1,2"),
    ("Ascend", "7,2", "ASCEND_RT_VISIBLE_DEVICES is '7,2'; .* in rising order"),
    ("Ascend", "٣,4", "as 0,1,2"),
])
def test_visible_devices_that_no_driver_reads(target: str, visible: str, message: str) -> None:
    refused(message, hosts_of_list, "127.0.0.1", target, 2, visible)


def test_the_table_and_the_environment_agree() -> None:
    host = Host("10.0.0.1", 0, 2, ("4", "5"))
    for visible in (None, "", "4,5", "3,4,5"):
        check_table_is_visible(host, visible, "hccl.json")
    with pytest.raises(UserError, match="hccl.json: device 5 of 10.0.0.1 is not in ASCEND_RT_VISIBLE_DEVICES, which"):
        check_table_is_visible(host, "3,4", "hccl.json")


def test_hosts_of_a_list() -> None:
    assert hosts_of_list("10.0.0.1, node-b.local", "GPU", 4, "2,3,4") == (
        Host("10.0.0.1", 0, 2, ("2", "3")), Host("node-b.local", 1, 2, ("2", "3")))
    assert hosts_of_list("fd00::1,fd00::2", "CPU", 2, None) == (Host("fd00::1", 0, 1, ()), Host("fd00::2", 1, 1, ()))
    assert hosts_of_list("10.0.0.1", "GPU", 3, None) == (Host("10.0.0.1", 0, 3, ("0", "1", "2")),)


@pytest.mark.parametrize(("text", "device_num", "message"), [
    ("10.0.0.1,10.0.0.2", 5, "5 devices cannot be shared equally by the 2 hosts"),
    ("10.0.0.1,10.0.0.1", 2, "names 10.0.0.1 twice"),
    ("10.0.0.1,,10.0.0.2", 3, "holds ''"),
    ("10.0.0.1;rm -rf x", 1, "holds '10.0.0.1;rm -rf x'"),
    ("--join=False", 1, "holds '--join=False'"),
    ("a\nb", 1, r"holds 'a\\nb'"),
])
def test_lists_of_hosts_that_are_refused(text: str, device_num: int, message: str) -> None:
    refused(message, hosts_of_list, text, "GPU", device_num, None)


def test_find_host() -> None:
    hosts = (Host("10.0.0.1", 0, 2, ("0", "1")), Host("node-b", 1, 2, ("0", "1")))
    assert find_host(hosts, ["172.17.0.1", "10.0.0.1"], "hccl.json") is hosts[0]
    assert find_host(hosts, ["node-b"], "hccl.json") is hosts[1]
    names = {"node-b": "10.0.0.2"}
    assert find_host(hosts, ["10.0.0.2"], "--hosts", lambda name: names.get(name, name)) is hosts[1]
    with pytest.raises(UserError, match=r"json: this machine \(172.17.0.1\) is none of the servers 10.0.0.1, node-b"):
        find_host(hosts, ["172.17.0.1"], "hccl.json")


def test_the_only_host_is_this_one_even_inside_a_container() -> None:
    host = Host("10.0.0.1", 0, 2, ("0", "1"))
    assert find_host((host,), ["10.0.0.1"], "hccl.json") is host
    assert find_host((host,), ["172.17.0.2"], "hccl.json") == Host("127.0.0.1", 0, 2, ("0", "1"))
