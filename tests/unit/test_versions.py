# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which MindSpore will do, what its msrun knows, and what it says of CANN; with stand-ins for other versions."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from src import versions
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is found in place of MindSpore's."""
    folder = tmp_path / "mindspore"
    (folder / "parallel/cluster").mkdir(parents=True)
    package = ModuleSpec("mindspore", None, origin=str(folder / "__init__.py"))
    monkeypatch.setattr(versions, "find_spec", lambda name: package)
    return folder


def test_the_range_is_that_of_the_requirements() -> None:
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    required = Requirement(next(line for line in lines if line.startswith("mindspore")))
    oldest, too_new = (".".join(map(str, limit)) for limit in (versions.OLDEST, versions.TOO_NEW))
    assert str(required.specifier) == f"<{too_new},>={oldest}"


def test_the_installed_version() -> None:
    assert versions.installed_version() == importlib.metadata.version("mindspore")
    versions.check_version()


@pytest.mark.parametrize(("version", "will_do"), [
    ("2.6.0", False), ("2.7.0", True), ("2.7.0rc1", True), ("2.10.1", True), ("2.11.0", False), ("3.0", False),
    ("1.10.1", False),
])
def test_too_old_and_too_new(version: str, will_do: bool, stand_in: Path) -> None:
    (stand_in / "version.py").write_text(f"# made by the build\n__version__ = '{version}'\n")
    if will_do:
        versions.check_version()
    else:
        refused(f"MindSpore {version} is installed, and versions from 2.7 to below 2.11", versions.check_version)


@pytest.mark.parametrize(("version", "chosen"), [("2.9.0", {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}),
                                                ("2.10.0", {})])
def test_an_older_mindspore_needs_the_protobuf_in_python(version: str, chosen: dict[str, str], stand_in: Path) -> None:
    (stand_in / "version.py").write_text(f"__version__ = '{version}'\n")
    environment: dict[str, str] = {}
    versions.choose_protobuf(environment)
    assert environment == chosen


@pytest.mark.medium
def test_protobuf_may_be_loaded_before_mindspore() -> None:
    """As prepare_data.py and the tests load it."""
    code = "import google.protobuf.message, mindspore"
    environment = dict(os.environ)
    versions.choose_protobuf(environment)
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0


@pytest.mark.parametrize(("lines", "missing"), [
    (["# a comment", "", "pytest>=8", "mindspore>=2.7,<2.11", "tensorflow>=2.20"], []),
    (["no_such.package==1; python_version > '3'", "numpy", "nor-this>=2,<3", "never; python_version < '3'"],
     ["no_such.package", "nor-this"]),
])
def test_missing_packages_are_named(lines: list[str], missing: list[str]) -> None:
    assert versions.missing_packages(lines) == missing


def test_the_installed_packages_will_do() -> None:
    versions.main([])


@pytest.mark.parametrize(("options", "binds"), [('"--bind_core",', True), ('"--join",', False)])
def test_msrun_knows_what_its_source_names(options: str, binds: bool, stand_in: Path) -> None:
    (stand_in / "parallel/cluster/run.py").write_text(options)
    assert versions.msrun_knows("--bind_core") is binds


@pytest.mark.parametrize(("option", "since"), [("--bind_core", "2.7"), ("--bind_numa", "2.9")])
def test_what_the_installed_msrun_knows(option: str, since: str) -> None:
    assert versions.msrun_knows(option) == (Version(importlib.metadata.version("mindspore")) >= Version(since))


@pytest.mark.parametrize(("level", "version", "warns"), [("3", "7.0", True), ("3", "8.2", False), ("2", "7.0", False)])
def test_what_mindspore_says_of_cann(level: str, version: str, warns: bool, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own check of a stand-in for CANN; with its log at warnings it has said it already."""
    (tmp_path / "compiler").mkdir()
    (tmp_path / "compiler/version.info").write_text(f"Version={version}.0.1\n")
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path))
    monkeypatch.setenv("ASCEND_OPP_PATH", str(tmp_path / "opp"))  # 2.7.0 looks from there
    monkeypatch.setenv("GLOG_v", level)
    said = versions.cann_warning()
    assert (f"version {version} does not match" in said) is warns and "\n" not in said and bool(said) is warns


HIDE = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Without())
"""


@pytest.mark.medium
@pytest.mark.parametrize(("name", "entry", "shown"), [
    ("tokenizers", "run_finetune", "tokenizers"), ("yaml", "prepare_data", "PyYAML"), ("onnx", "export", "onnx"),
    ("psutil", "src.launch.launch", "psutil"), ("mindspore", "eval", "mindspore"),
])
def test_a_package_that_is_not_installed_is_named(name: str, entry: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(name=name))
    result = subprocess.run([sys.executable, "-m", entry, "--help"], cwd=REPOSITORY, capture_output=True, text=True,
                            check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: the package {shown} is needed here") and result.stderr.count("\n") == 1


@pytest.mark.medium
def test_entry_points_refuse_a_version_before_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "mindspore").mkdir()
    (tmp_path / "mindspore/__init__.py").write_text("raise RuntimeError('loaded')\n")
    (tmp_path / "mindspore/version.py").write_text("__version__ = '2.5.0'\n")
    for entry in sorted(path.name for path in REPOSITORY.glob("*.py")):
        result = subprocess.run([sys.executable, entry, "--help"], cwd=REPOSITORY, capture_output=True, text=True,
                                check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)})
        assert (result.returncode, result.stdout) == (2, ""), entry
        assert result.stderr.startswith("error: MindSpore 2.5.0 is installed") and result.stderr.count("\n") == 1
