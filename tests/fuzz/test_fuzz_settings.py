# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of what a user writes: config files, command lines, rank tables; and of the log that curves come from."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from src.common.errors import UserError
from src.common.untrusted import parse_json, parse_yaml
from src.config import ENTRY_POINTS, dump_yaml, load_config, parse
from src.launch import rank_table
from src.report.curves import read_curves
from tests.fuzz.mutations import VALUES, accepts, change_value, files, fuzz, json_files, seeds

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = tuple(path.read_bytes() for path in sorted((REPOSITORY / "configs").glob("*.yaml")))
TREES = tuple(yaml.safe_load(text) for text in RECIPES)
NAMES = tuple(line.split(":")[0].strip() for line in (REPOSITORY / "default_config.yaml").read_text().splitlines()
              if ":" in line and not line.startswith("#"))
TABLE = {"version": "1.0", "server_count": "2", "status": "completed", "server_list": [
    {"server_id": f"10.0.0.{server}", "host_nic_ip": "reserve", "device": [
        {"device_id": str(device), "device_ip": f"192.1.{server}.{device}", "rank_id": str(2 * server + device)}
        for device in range(2)]} for server in range(2)]}
LOG = b"".join(json.dumps({"stage": "distil", "step": step, "loss": 1.5 / step, "terms": {"ce": 1.0}}).encode() + b"\n"
               for step in range(1, 6)) + b'{"stage": "distil", "step": 5, "eval": {"accuracy": 0.5}}\n'

pytestmark = pytest.mark.medium


yaml_files = st.one_of(
    st.builds(lambda tree, seed, count: yaml.safe_dump(change_value(tree, seed, count)).encode(),
              st.sampled_from(TREES), seeds(), st.integers(0, 4)),
    files(*RECIPES))


@fuzz(60)
@given(content=yaml_files)
def test_config_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content)

    def read() -> None:
        config = parse("run_general_distill.py", ["--config_path", str(path)])
        assert parse_yaml(dump_yaml(config))

    accepts(read)


@fuzz(40)
@given(content=files(*RECIPES, b"a: &a [x, y]\nb: &b [*a, *a]\nc: {<<: {d: *b}}", b"--- !!omap\n- a: 1\n...\n"))
def test_yaml(content: bytes) -> None:
    def read() -> None:
        try:
            parse_yaml(content.decode("utf-8", "surrogateescape"))
        except ValueError as error:
            raise UserError(str(error) or "empty") from error

    accepts(read)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    generator = random.Random(draw(seeds()))
    words = []
    for _ in range(draw(st.integers(0, 4))):
        name = generator.choice(NAMES)
        value = generator.choice([str(generator.choice(VALUES)), name, "true", "8,16", "1e-5", "[1, 2]", "0"])
        words += generator.choice([[f"--{name}", value], [f"--{name}={value}"], [f"--{name}"], [name],
                                   [f"--general_distill.{name}", value], [f"--{name[:-1]}", value]])
    return words + draw(st.lists(st.text(max_size=12), max_size=2))


@fuzz(60)
@given(entry=st.sampled_from(sorted(ENTRY_POINTS)), words=command_lines())
def test_command_line(entry: str, words: list[str]) -> None:
    words = [word for word in words if word not in ("-h", "--help")]
    accepts(lambda: parse(entry, words))


@fuzz(60)
@given(content=json_files(TABLE))
def test_rank_table(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hccl.json"
    path.write_bytes(content)
    accepts(lambda: rank_table.check_device_num(rank_table.load(path), 4, str(path)))


@fuzz(40)
@given(content=json_files(TABLE, [[]], {"a": "\ud83d\ude00"}))
def test_json(content: bytes) -> None:
    def read() -> None:
        try:
            json.dumps(parse_json(content), ensure_ascii=False).encode()
        except ValueError as error:
            raise UserError(str(error) or "empty") from error

    accepts(read)


@fuzz(30)
@given(content=files(LOG))
def test_curves(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "metrics.jsonl"
    path.write_bytes(content)
    accepts(lambda: read_curves([path]))


def test_valid_ones_are_accepted(tmp_path: Path) -> None:
    for text in RECIPES:
        (tmp_path / "a.yaml").write_bytes(text)
        assert accepts(lambda: load_config(tmp_path / "a.yaml"))
    (tmp_path / "hccl.json").write_text(json.dumps(TABLE))
    assert accepts(lambda: rank_table.load(tmp_path / "hccl.json"))
    assert not accepts(lambda: load_config(tmp_path / "hccl.json"))
