# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The scripts under shellcheck: above all, that every argument is quoted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPTS = [REPOSITORY / ".ci/run", *sorted((REPOSITORY / "scripts").glob("*.sh"))]

pytestmark = pytest.mark.medium


def test_scripts() -> None:
    # pip puts the program beside Python.
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed")
    result = subprocess.run([program, *map(str, SCRIPTS)], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
