# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The launcher and the scripts: what they refuse, and how they run a program. No device is needed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from src.launch import launch
from tests.refusals import refused
from tests.unit.launch.test_rank_table import table

REPOSITORY = Path(__file__).resolve().parents[3]


def run_script(name: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items()
                 if key not in ("CONFIG", "DEVICE_CONFIG", "HOSTS", "NODE_RANK", "MASTER_PORT",
                                *launch.VISIBLE_DEVICES.values()) and not key.startswith(("HCCL_", "NCCL_"))}
    return subprocess.run(["bash", str(REPOSITORY / "scripts" / name), *arguments], cwd=cwd, capture_output=True,
                          text=True, check=False, timeout=60,
                          env={**inherited, "PYTHON": sys.executable, **environment})


@pytest.mark.medium
def test_ascend_script_checks_the_table_first(tmp_path: Path) -> None:
    (tmp_path / "hccl.json").write_text(json.dumps(table([0, 1])))
    result = run_script("run_distributed_gd_ascend.sh", "8", "1", "hccl.json", "--dry_run", cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert f"{tmp_path}/hccl.json: holds 2 devices but DEVICE_NUM is 8" in result.stderr


@pytest.mark.parametrize(("name", "arguments", "message"), [
    ("run_distributed_gd_ascend.sh", ("8", "1"), "expected 3 arguments, got 2"),
    ("run_distributed_gd_ascend.sh", ("eight", "1", "a.json"), "DEVICE_NUM is 'eight'"),
    ("run_distributed_gd_ascend.sh", ("8", "-1", "a.json"), "EPOCH_SIZE is '-1'"),
    ("run_distributed_gd_gpu.sh", ("8", "1.5", "data", "schema.json", "teacher"), "EPOCH_SIZE is '1.5'"),
    ("run_distributed_gd_cpu.sh", ("2", "1"), "expected 5 arguments, got 2"),
    ("run_distributed_td_cpu.sh", ("two", "1"), "WORKERS is 'two', expected a whole number from 1"),
    ("run_distributed_finetune_cpu.sh", ("2", "1", "--no_bind"), "unknown option --no_bind"),
    ("run_standalone_gd.sh", ("a.yaml", "b.yaml"), "expected at most one argument, got 2"),
    ("run_standalone_gd.sh", ("--seed", "1"), "unknown option --seed (settings of the training stand behind"),
    ("run_standalone_gd.sh", ("--offline",), "--offline belongs to --dry_run"),
    ("run_distributed_gd_ascend.sh", ("8", "1", ""), "expected a path, got an empty argument"),
])
def test_wrong_arguments_give_one_line_of_usage(name: str, arguments: tuple[str, ...], message: str,
                                                tmp_path: Path) -> None:
    result = run_script(name, *arguments, cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"error: {message}") and f"usage: bash scripts/{name} " in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "program", "recipe"), [
    ("run_standalone_gd.sh", "run_general_distill.py", "tinybert_gd.yaml"),
    ("run_standalone_td.sh", "run_task_distill.py", "tinybert_td.yaml"),
    ("run_standalone_compress.sh", "run_compress.py", "compress.yaml"),
])
def test_standalone_scripts(name: str, program: str, recipe: str, tmp_path: Path) -> None:
    (tmp_path / "我的 own.yaml").write_text("seed: 1\n")
    default = run_script(name, "--dry_run", "--offline", cwd=tmp_path)
    own = run_script(name, "--offline", "--dry_run", "我的 own.yaml", cwd=tmp_path)
    command, *said = default.stdout.splitlines()
    assert command.split()[1:] == [program, "--config_path", f"{REPOSITORY}/configs/{recipe}"]
    assert "not checked (--offline): " in said[-2] and "load_teacher_ckpt_path output/quickstart/" in said[-2]
    assert said[-1].endswith(f"/{recipe[:-5]}/log.txt; started with --background, it is stopped with bash "
                             f"scripts/stop.sh '{recipe[:-5]}'")
    assert shlex.split(own.stdout.splitlines()[0])[1:] == [program, "--config_path", f"{tmp_path}/我的 own.yaml"]


@pytest.mark.parametrize(("name", "arguments"), [
    ("run_standalone_gd.sh", ()),
    ("run_distributed_gd_gpu.sh", ("2", "1", "data", "schema.json", "teacher", "--no_bind")),
])
@pytest.mark.parametrize(("recipe", "message"), [
    ("data: {seq_lenght: 64}", "unknown setting data.seq_lenght; did you mean 'data.seq_length'?"),
    ("data: {seq_length: long}", "data.seq_length is 'long' (str); expected a whole number"),
    (None, "cannot read"),
])
def test_a_dry_run_checks_the_recipe(name: str, arguments: tuple[str, ...], recipe: str | None, message: str,
                                     tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    if recipe is not None:
        path.write_text(recipe)
    standalone = (str(path),) if "standalone" in name else ()
    result = run_script(name, *arguments, *standalone, "--dry_run", cwd=tmp_path, CONFIG=str(path))
    assert result.returncode == 2 and result.stdout == ""
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_settings_are_read_once_before_any_process_starts(tmp_path: Path) -> None:
    arguments = ["--device_target", "CPU", "--device_num", "2", "--log_dir", str(tmp_path / "log"),
                 "run_general_distill.py", "--learnig_rate", "1e-3"]
    refused("unknown setting --learnig_rate; did you mean 'learning_rate'", launch.main, arguments)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder with the scripts, and a training program that says what it was given and leaves with status 2."""
    folder = tmp_path / "repository"
    (folder / "scripts").mkdir(parents=True)
    for name in ("common.sh", "run_standalone_gd.sh"):
        shutil.copy(REPOSITORY / "scripts" / name, folder / "scripts" / name)
    (folder / "run_general_distill.py").write_text(
        "import os, sys\nprint('arguments', *sys.argv[1:])\nprint('folder', os.getcwd(), file=sys.stderr)\n"
        "sys.exit(2)\n")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / ".venv/bin/python").chmod(0o755)
    return folder


def run_stand_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(folder / "scripts/run_standalone_gd.sh"), *arguments], cwd=folder.parent,
                          capture_output=True, text=True, check=False, timeout=60)


def test_standalone_run_logs_and_keeps_the_status(stand_in: Path) -> None:
    result = run_stand_in(stand_in, "mine.yaml")
    assert result.returncode == 2
    log = (stand_in / "output/mine/log.txt").read_text().splitlines()
    assert sorted(log) == [f"arguments --config_path {stand_in.parent}/mine.yaml", f"folder {stand_in}"]
    assert set(log) <= set(result.stdout.splitlines())
    assert f"logs to {stand_in}/output/mine/log.txt; stop it with Ctrl-C" in result.stdout
    assert "bash scripts/quickstart.sh" in result.stderr
    (stand_in / "output/quickstart").mkdir()
    again = run_stand_in(stand_in)
    assert again.returncode == 2 and again.stderr == ""


def test_standalone_run_in_the_background(stand_in: Path) -> None:
    result = run_stand_in(stand_in, "--background")
    assert result.returncode == 0
    assert "stop it with bash scripts/stop.sh 'tinybert_gd'" in result.stdout and "arguments" not in result.stdout
    log = stand_in / "output/tinybert_gd/log.txt"
    deadline = time.monotonic() + 20
    while "folder" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert f"arguments --config_path {stand_in}/configs/tinybert_gd.yaml" in log.read_text()
