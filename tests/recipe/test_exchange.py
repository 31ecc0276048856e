# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run that was begun with one version of MindSpore is continued with another; maintenance/version_matrix.sh names it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import RUN_OPTIONS, STUDENT_OPTIONS, difference, losses

REPOSITORY = Path(__file__).resolve().parents[2]
OTHER = os.environ.get("OTHER_PYTHON", "")

pytestmark = [pytest.mark.large, pytest.mark.skipif(not OTHER, reason="OTHER_PYTHON names no other MindSpore's Python")]

TRAIN = """
import sys
from contextlib import nullcontext
import run_general_distill
from tests.tiny import killed_after
with killed_after(int(sys.argv[1])) if int(sys.argv[1]) else nullcontext():
    run_general_distill.main(sys.argv[2:])
"""


def train(python: str, world: Path, run: Path, killed: int = 0) -> None:
    arguments = ["--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir", str(world / "records/corpus"),
                 "--train_steps", "10", "--save_checkpoint_step", "4", "--save_ckpt_path", str(run), "--learning_rate",
                 "1e-3", *STUDENT_OPTIONS, *RUN_OPTIONS]
    result = subprocess.run([python, "-c", TRAIN, str(killed), *arguments], cwd=REPOSITORY, capture_output=True,
                            text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize(("first", "second"), [(OTHER, sys.executable), (sys.executable, OTHER)],
                         ids=["begun by the other", "continued by the other"])
def test_a_run_begun_with_one_version_continues_with_another(first: str, second: str, world: Path,
                                                             tmp_path: Path) -> None:
    straight, killed, continued = (tmp_path / name for name in ("straight", "killed", "continued"))
    train(first, world, straight)
    train(first, world, killed, killed=6)
    assert len(losses(killed)) == 6
    shutil.copytree(killed, continued)
    train(second, world, continued)
    assert losses(continued) == pytest.approx(losses(straight), rel=1e-5)
    assert difference(continued / "model", straight / "model") < 1e-5
