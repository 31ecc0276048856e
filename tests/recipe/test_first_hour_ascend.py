# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The first hour of an engineer with eight Ascend devices, and then two servers of them: a dry run of all, before any
device is taken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from src.launch.rank_table import generate, merge
from tests.unit.launch.test_launch import run_script

pytestmark = pytest.mark.medium

RECIPE = """
data: {{data_dir: {data}, schema_dir: {data}/schema.json}}
teacher: {{load_teacher_ckpt_path: {teacher}}}
student: {{vocab_size: 53, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 32,
          max_position_embeddings: 64}}
general_distill: {{batch_size: 4}}
"""


@pytest.fixture(scope="module")
def folder(world: Path) -> Path:
    """Records with the names that Google's programs give, a recipe, and the rank tables of 8 and of 2 x 8 devices."""
    data = world / "wiki"
    data.mkdir()
    shutil.copy(world / "records/corpus/schema.json", data)
    record = next((world / "records/corpus").glob("*.tfrecord"))
    for shard in range(2):
        shutil.copy(record, data / f"wiki.tfrecord-0000{shard}-of-00002")
    (world / "my.yaml").write_text(RECIPE.format(data=data, teacher=world / "pretrained"))
    tables = [(f"server{n}.json", generate(f"10.0.0.{n}", {device: f"192.{n}.27.{device + 6}" for device in range(8)}))
              for n in (1, 2)]
    (world / "one.json").write_text(json.dumps(tables[0][1]))
    (world / "two.json").write_text(json.dumps(merge(tables)))
    return world


def dry_run(folder: Path, devices: int, table: str, *options: str):
    return run_script("run_distributed_gd_ascend.sh", str(devices), "2", str(folder / table), "--dry_run", *options,
                      cwd=folder, CONFIG="my.yaml", MASTER_PORT="8118")


@pytest.mark.parametrize(("devices", "table"), [(8, "one.json"), (16, "two.json")])
def test_a_dry_run_says_all(devices: int, table: str, folder: Path) -> None:
    result = dry_run(folder, devices, table)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{devices} Ascend processes on {devices // 8} host")
    assert sum("run_general_distill.py" in line for line in lines) == 1  # the command, once
    ranks = [line.split() for line in lines if line.startswith("  rank ")]
    assert [(rank[1], rank[3]) for rank in ranks] == [(f"{n}:", f"{n % 8},") for n in range(devices)]
    said = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[lines.index("general_distill:") + 1:]}
    rows, step = int(said["rows"].split()[0]), 4 * devices
    assert f"in {folder / 'wiki'} (2 files)" in said["rows"]
    assert said["steps"] == f"{2 * (rows // step)}, {rows // step} an epoch (epoch_size 2)"
    assert said["batch"] == f"{step} rows a step = 4 x {devices} Ascend devices x 1 accumulated"
    assert said["lengths"] == "all padded to 16" and said["precision"].startswith("float16 matrix products")
    assert "model output/distributed_gd_ascend/model" in said["results"]
    assert "tensorboard/" in said["results"] and "the same command continues" in said["stop"]
    assert "output/distributed_gd_ascend/log.txt" in said["log:"] and "scripts/stop.sh" in said["log:"]
    assert result.stderr.count("\n") == 0


@pytest.mark.parametrize(("settings", "message"), [
    (("--batch_size", "400"), "fewer than the 3200 of an optimiser step"),
    (("--data_dir", "none"), "none"),
    (("--student.num_attention_heads", "2"), "set student.num_attention_heads 4"),
])
def test_what_does_not_fit_is_one_line(settings: tuple[str, ...], message: str, folder: Path) -> None:
    result = dry_run(folder, 8, "one.json", "--", *settings)
    assert result.returncode == 2 and result.stdout == ""
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_offline_says_what_was_not_checked(folder: Path) -> None:
    result = dry_run(folder, 16, "two.json", "--offline", "--", "--load_teacher_ckpt_path", "/elsewhere/teacher")
    assert result.returncode == 0, result.stderr
    assert "64 rows a step = 4 x 16 Ascend devices x 1 accumulated, epoch_size 2" in result.stdout
    unchecked = next(line for line in result.stdout.splitlines() if line.startswith("not checked (--offline): "))
    assert "load_teacher_ckpt_path /elsewhere/teacher" in unchecked and f"data_dir {folder / 'wiki'}" in unchecked
