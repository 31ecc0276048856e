# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""MindSpore's log, with its warnings, says of nothing that is called that it is deprecated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import RUN_OPTIONS, STUDENT_OPTIONS

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.large

TRAIN_AND_EXPORT = """
import sys
import export, run_general_distill, mindspore
run, options = sys.argv[1], sys.argv[2:]
mindspore.log.warning("the log is shown")
run_general_distill.main([*options, "--save_ckpt_path", run, "--jit_level", "O1"])
assert mindspore.get_context("mode") == mindspore.GRAPH_MODE
for name in ("MINDIR", "ONNX"):
    export.main(["--checkpoint", run + "/model", "--file_format", name, "--output", run + "/" + name, "--device_target",
                 "CPU"])
"""


def test_training_and_export_call_nothing_deprecated(world: Path, tmp_path: Path) -> None:
    options = ["--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir", str(world / "records/corpus"),
               "--train_steps", "3", *STUDENT_OPTIONS, *RUN_OPTIONS]
    result = subprocess.run([sys.executable, "-c", TRAIN_AND_EXPORT, str(tmp_path / "run"), *options], cwd=REPOSITORY,
                            capture_output=True, text=True, check=False, env={**os.environ, "GLOG_v": "2"})
    assert result.returncode == 0, result.stderr[-2000:]
    printed = (result.stdout + result.stderr).lower()
    assert "the log is shown" in printed
    assert not [line for line in printed.splitlines() if "deprecat" in line or "will be removed" in line]
