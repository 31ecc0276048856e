# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the scripts for several processes on CPU would start, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.medium


def run(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items()
                 if key not in ("CONFIG", "DEVICE_CONFIG", "HOSTS", "NODE_RANK", "MASTER_PORT", "OMP_NUM_THREADS")}
    return subprocess.run(["bash", str(REPOSITORY / f"scripts/run_distributed_{name}_cpu.sh"), *arguments],
                          cwd="/", capture_output=True, text=True, check=False, timeout=60,
                          env={**inherited, "PYTHON": sys.executable, **environment})


@pytest.mark.parametrize(("name", "arguments", "program", "options"), [
    ("gd", ("2", "3", "/data/", "/data/schema.json", "/teacher", "--", "--batch_size", "4"),
     "run_general_distill.py --config_path {root}/configs/tinybert_gd.yaml",
     "--data_dir /data --schema_dir /data/schema.json --load_teacher_ckpt_path /teacher --batch_size 4"),
    ("td", ("2", "3"), "run_task_distill.py --config_path {root}/configs/tinybert_td.yaml", ""),
    ("finetune", ("2", "3"), "run_finetune.py --config_path {root}/configs/tinybert_finetune.yaml", ""),
])
def test_two_workers_of_the_recipe(name: str, arguments: tuple[str, ...], program: str, options: str) -> None:
    result = run(name, *arguments, "--dry_run") if "--" not in arguments else run(name, "--dry_run", *arguments)
    assert result.returncode == 0, result.stderr
    command = (f"python {program.format(root=REPOSITORY)} --distribute true --device_num 2 --device_target CPU "
               f"--save_ckpt_path output/distributed_{name}_cpu --epoch_size 3 {options}").strip()
    assert [line.strip() for line in result.stdout.splitlines()].count(f"command: {command}") == 2
    for rank in range(2):
        assert f"rank {rank}: device CPU, log output/distributed_{name}_cpu/log/worker_{rank}.log" in result.stdout


@pytest.mark.parametrize(("name", "arguments", "message"), [
    ("gd", ("0", "1", "d", "s", "t"), "WORKERS is '0', expected a whole number from 1"),
    ("td", ("two", "1"), "WORKERS is 'two', expected a whole number from 1"),
    ("finetune", ("2", "0"), "EPOCH_SIZE is '0', expected a whole number from 1"),
    ("gd", ("2", "1"), "expected 5 arguments, got 2"),
])
def test_wrong_arguments(name: str, arguments: tuple[str, ...], message: str) -> None:
    result = run(name, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
