# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""scripts/setup.sh on requirements without packages: what it makes, skips, repairs and refuses; help of the scripts."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from src.common.errors import run

REPOSITORY = Path(__file__).resolve().parents[3]
TOOLS = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
         for room in ("src", "experiments", "maintenance") for path in sorted((REPOSITORY / room).rglob("*.py"))
         if any(call in path.read_text(encoding="utf-8") for call in ("\n    run(main)\n", "\n    run_entry("))]

pytestmark = pytest.mark.medium


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository that requires nothing."""
    (tmp_path / "scripts").mkdir()
    for name in ("common", "setup"):
        shutil.copy(REPOSITORY / f"scripts/{name}.sh", tmp_path / "scripts")
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return tmp_path


def set_up(folder: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(folder / "scripts/setup.sh"), *arguments], capture_output=True, text=True,
                          check=False, timeout=120, env={**os.environ, "PYTHON": python, "ISOLATED": "1"})


def test_made_once_then_skipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has changed since is installed into the same .venv: for the tests, other versions, other requirements."""
    first = set_up(folder)
    assert first.returncode == 0, first.stderr
    assert "making .venv with" in first.stderr and ".venv is ready" in first.stderr
    assert subprocess.run([folder / ".venv/bin/python", "-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)"],
                          check=False).returncode == 0

    def installs(*arguments: str) -> bool:
        again = set_up(folder, *arguments)
        assert again.returncode == 0 and again.stdout == "" and "making .venv" not in again.stderr
        assert not again.stderr or f"installing requirements{'-dev' * bool(arguments)}.txt" in again.stderr
        return bool(again.stderr)

    assert not installs()
    assert installs("--dev")
    assert not installs() and not installs("--dev")  # the tests' requirements include those of the runtime
    (folder / "requirements-dev.txt").write_text("-r requirements.txt\n# changed\n")
    assert not installs() and installs("--dev")

    (folder / "constraints.txt").write_text("pip>=1\n")
    assert installs() and not installs()
    (folder / "no-such-package").mkdir()
    (folder / "constraints.txt").write_text("./no-such-package\n")  # pip reads it, and refuses it
    with monkeypatch.context() as patch:
        patch.setenv("UNPINNED", "1")
        assert installs() and not installs()
    failed = set_up(folder)
    assert failed.returncode == 1 and "no-such-package" in (folder / ".venv/pip.log").read_text()


def test_begins_anew_after_a_failure_or_a_move(folder: Path) -> None:
    (folder / "requirements.txt").write_text("./no-such-package\n")
    failed = set_up(folder)
    assert failed.returncode == 1
    assert "ERROR" in failed.stderr and "pip could not install requirements.txt" in failed.stderr

    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / ".venv/left-over").touch()
    assert "making .venv" in set_up(folder).stderr
    assert not (folder / ".venv/left-over").exists()

    moved = folder.parent / (folder.name + "-moved")
    folder.rename(moved)
    assert "making .venv" in set_up(moved).stderr
    assert set_up(moved).stderr == ""


def image(folder: Path, version: str) -> Path:
    """An environment that has MindSpore, as an image for Ascend does; it is first on the PATH, not named."""
    venv.create(folder, with_pip=False)
    package = next(folder.glob("lib/python3*/site-packages")) / "mindspore"
    package.mkdir()
    (package / "__init__.py").write_text("from .version import __version__\n")
    (package / "version.py").write_text(f"__version__ = '{version}'\n")
    return folder


def set_up_in(image: Path, folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "ISOLATED")}
    return subprocess.run(["bash", str(folder / "scripts/setup.sh")], capture_output=True, text=True, check=False,
                          timeout=120, env={**inherited, "PATH": f"{image}/bin:{os.environ['PATH']}", **changes})


def test_an_images_mindspore_stays(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is not asked of pip, which would not find this version, and what pip says of the image ends nothing."""
    there = image(tmp_path_factory.mktemp("image"), "2.8.99")
    (folder / "requirements.txt").write_text("mindspore>=2.7,<2.11\n")
    (folder / "constraints.txt").write_text("mindspore==2.10.0 ; python_full_version < '3.13'\n")
    unhappy = next(there.glob("lib/python3*/site-packages")) / "own-1.0.dist-info"
    unhappy.mkdir()
    (unhappy / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\nRequires-Dist: absent\n")
    made = set_up_in(there, folder)
    assert made.returncode == 0, made.stderr
    assert f"on top of {there}/bin/python3 (Python 3" in made.stderr and "whose MindSpore 2.8.99 stays" in made.stderr
    assert "note: own 1.0 requires absent, which is not installed" in made.stderr
    printed = subprocess.run([folder / ".venv/bin/python", "-c", "import mindspore; print(mindspore.__version__)"],
                             capture_output=True, text=True, check=True)
    assert printed.stdout == "2.8.99\n"
    assert set_up_in(there, folder).stderr == ""
    # Another image, or none.
    package = next(there.glob("lib/python3*/site-packages/mindspore/version.py"))
    package.write_text("__version__ = '2.9.98'\n")
    assert "whose MindSpore 2.9.98 stays" in set_up_in(there, folder).stderr
    (folder / "requirements.txt").write_text("# nothing\n")
    assert "making .venv with" in set_up_in(there, folder, ISOLATED="1").stderr


def test_an_images_mindspore_that_will_not_do(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "requirements.txt").write_text("mindspore>=2.7,<2.11\n")
    there = image(tmp_path_factory.mktemp("image"), "2.6.0")
    for script in ("scripts/setup.sh", "scripts/run_standalone_gd.sh"):
        shutil.copy(REPOSITORY / script, folder / "scripts")
        for version, will_do in (("2.6.0", False), ("2.11.0", False), ("2.10.1", True)):
            next(there.glob("lib/python3*/site-packages/mindspore/version.py")).write_text(
                f"__version__ = '{version}'\n")
            called = f"source {REPOSITORY}/scripts/common.sh; will_do {version}"
            assert (subprocess.run(["bash", "-c", called], check=False).returncode == 0) is will_do
            if will_do:
                continue
            refused = subprocess.run(["bash", script], cwd=folder, capture_output=True, text=True, check=False,
                                     timeout=60, env={**os.environ, "PATH": f"{there}/bin:{os.environ['PATH']}"})
            assert refused.returncode == 2
            assert refused.stderr.startswith(f"error: {there}/bin/python3 has MindSpore {version}, and this needs")
            assert refused.stderr.count("\n") == 1 and not (folder / ".venv").exists()


def test_python_that_will_not_do(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for python in (str(old), "no-such-python"):
        refused = set_up(folder, python=python)
        assert refused.returncode == 2
        assert refused.stderr == (f"error: PYTHON={python} is not a Python 3.10, 3.11 or 3.12 with the venv module; "
                                  "name one that is\n")
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize("arguments", [("--test",), ("--dev", "--dev")])
def test_usage(folder: Path, arguments: tuple[str, ...]) -> None:
    refused = set_up(folder, *arguments)
    assert refused.returncode == 2 and refused.stderr == "usage: bash scripts/setup.sh [--dev]\n"


SCRIPTS = sorted(path.stem for path in (REPOSITORY / "scripts").glob("*.sh") if path.stem != "common")


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--minutes", "3", "--help")])
def test_help_begins_nothing(words: tuple[str, ...], folder: Path) -> None:
    for name in SCRIPTS:
        shutil.copy(REPOSITORY / f"scripts/{name}.sh", folder / "scripts")
        result = subprocess.run(["bash", f"scripts/{name}.sh", *words], cwd=folder, capture_output=True, text=True,
                                check=False, timeout=60)
        assert result.returncode == 0 and result.stderr == "", name
        assert f"  bash scripts/{name}.sh" in result.stdout and "set -euo" not in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["requirements-dev.txt", "requirements.txt", "scripts"]


@pytest.mark.parametrize("name", TOOLS)
def test_an_unknown_option_of_any_tool_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch,
                                                   capfd: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(name)
    monkeypatch.setattr(sys, "argv", [name, "--no_such_option"])
    with pytest.raises(SystemExit) as left:
        run(module.main)
    printed = capfd.readouterr()
    assert left.value.code == 2 and printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
