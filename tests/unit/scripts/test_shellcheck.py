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


def shellcheck() -> str:
    """The program, which pip puts beside Python."""
    found = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not installed")
    return found


def test_scripts() -> None:
    result = subprocess.run([shellcheck(), *map(str, SCRIPTS)], cwd=REPOSITORY,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_it_finds_what_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("#!/usr/bin/env bash\nrm $1\n")
    result = subprocess.run([shellcheck(), str(tmp_path / "a.sh")], capture_output=True, text=True, check=False)
    assert "SC2086" in result.stdout
