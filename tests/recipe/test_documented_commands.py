# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Commands of the documents run as they are written, after the README's own steps."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import run_finetune
import run_task_distill
from src.checkpoints.checkpoint import load_model
from tests.tiny import lines

pytestmark = pytest.mark.large

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = {"run_task_distill.py": run_task_distill, "run_finetune.py": run_finetune}


@pytest.mark.parametrize("program, folder", [("run_task_distill.py", "bilstm"), ("run_finetune.py", "bilstm_alone")])
def test_the_bilstm_students(world, tmp_path, monkeypatch, program, folder):
    """The README has left runs/teacher/model, sst2/train and sst2/dev, without augmented rows."""
    (tmp_path / "runs/teacher").mkdir(parents=True)
    for name, there in {"configs": REPOSITORY / "configs", "sst2": world / "records/task",
                        "runs/teacher/model": world / "teacher"}.items():
        (tmp_path / name).symlink_to(there)
    monkeypatch.chdir(tmp_path)
    page = (REPOSITORY / "docs/TASKS.md").read_text(encoding="utf-8")
    (line,) = (line for line in page.splitlines() if line.startswith(f"python {program} ") and "bilstm" in line)
    # It trains on 96 rows: fewer of them a step, and fewer epochs.
    PROGRAMS[program].main([*shlex.split(line)[2:], "--device_target", "CPU", "--batch_size", "24", "--epoch_size", "2",
                            "--tensorboard", "false", "--log_interval", "1"])
    student = load_model(tmp_path / "runs" / folder / "model")
    assert student.config.encoder.kind == "bilstm" and student.config.head.labels == ("0", "1")
    logged = lines(tmp_path / "runs" / folder / ("phase2" if "distill" in program else ""))
    # The recipe's rate holds for both: the two are compared.
    assert next(line["learning_rate"] for line in logged if "loss" in line) == pytest.approx(1e-3)
