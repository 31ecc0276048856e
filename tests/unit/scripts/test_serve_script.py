# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""scripts/serve.sh exports what has been trained, once and again when it is trained again, and serves it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
# Notes what it is called with, and writes what the real one would.
PYTHON = """#!/usr/bin/env bash
echo "$*" >> calls
for ((i = 1; i < $#; i++)); do
    next=$((i + 1))
    [ "${!i}" != --output ] || case "$*" in
        export.py*) mkdir -p "${!next}"; touch "${!next}/bundle.json" ;;
        *) touch "${!next}" ;;
    esac
done
"""


def serve(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(folder / "scripts/serve.sh"), *arguments], capture_output=True, text=True,
                          check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with both environments."""
    (tmp_path / "scripts").mkdir()
    for name in ("common", "serve"):
        shutil.copy(REPOSITORY / f"scripts/{name}.sh", tmp_path / "scripts")
    shutil.copy(REPOSITORY / "requirements-serving.txt", tmp_path)
    for name in (".venv", ".venv-serving"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin/python").write_text(PYTHON)
        (tmp_path / name / "bin/python").chmod(0o755)
    digest = hashlib.sha256((tmp_path / "requirements-serving.txt").read_bytes()).hexdigest()
    (tmp_path / ".venv-serving/.installed").write_text(f"{tmp_path} {digest}  -\n")
    return tmp_path


def test_nothing_has_been_trained(folder: Path) -> None:
    ran = serve(folder)
    assert ran.returncode == 2 and "run bash scripts/quickstart.sh first" in ran.stderr and not ran.stdout
    assert not (folder / "calls").exists()


def test_models_are_exported_once_and_when_they_are_newer(folder: Path) -> None:
    models = [folder / f"output/quickstart/{run}/model" for run in ("int8", "task_distill", "finetune")]
    for model in models:
        model.mkdir(parents=True)

    def calls() -> list[str]:
        (folder / "calls").unlink(missing_ok=True)
        ran = serve(folder, "--port", "9000")
        assert ran.returncode == 0, ran.stderr
        return [line.split()[0] if line.startswith("export") else line.split()[1]
                for line in (folder / "calls").read_text().splitlines()]

    assert calls() == ["export.py"] * 3 + ["serving.examples", "serving"]
    assert (folder / "calls").read_text().endswith("--examples output/quickstart/serving/examples.json --port 9000\n")
    assert calls() == ["serving"]
    os.utime(models[1], (2**31, 2**31))
    assert calls() == ["export.py", "serving.examples", "serving"]
