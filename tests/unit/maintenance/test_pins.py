# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""constraints.txt, and how uv is asked for it. Resolving itself needs a package index."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from maintenance import pins, platforms
from maintenance.platforms import MACHINES, PYTHON_VERSIONS
from tests.refusals import refused

TARGETS = {f"{machine}-{version}": {
    "platform_machine": machine, "python_version": version, "python_full_version": f"{version}.5",
    "sys_platform": "linux", "platform_python_implementation": "CPython"}
    for machine in MACHINES for version in PYTHON_VERSIONS}


def requirements(*names: str) -> list[Requirement]:
    lines = "\n".join((pins.REPOSITORY / name).read_text(encoding="utf-8") for name in names).splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_constraints_are_exact_and_within_the_requirements(target: dict[str, str]) -> None:
    pinned: dict[str, str] = {}
    for line in requirements("constraints.txt"):
        assert re.fullmatch(r"==[\w.+!]+", str(line.specifier)) and not line.extras and not line.url, line
        if line.marker is None or line.marker.evaluate(target):
            assert line.name not in pinned, f"constraints.txt has two versions of {line.name}"
            pinned[line.name] = str(line.specifier).removeprefix("==")
    for requirement in requirements(*(f"requirements{kind}.txt" for kind in ("", "-dev", "-serving", "-parquet"))):
        if requirement.marker is None or requirement.marker.evaluate(target):
            name = canonicalize_name(requirement.name)
            assert name in pinned, f"constraints.txt lacks {name}; make it again: {pins.COMMAND}"
            assert requirement.specifier.contains(pinned[name]), name


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of uv, which answers with one distribution, or fails."""
    commands: list[list[str]] = []

    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        failed = any("absent" in word for word in command)
        return subprocess.CompletedProcess(command, int(failed), "# made by uv\nmindspore==2.10.0\n", "no\nsuch file")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "run", answer)
    return commands


def test_versions_stay_unless_newer_ones_are_asked_for(asked: list[list[str]], tmp_path: Path) -> None:
    pins.main(["--output", str(tmp_path / "a.txt")])
    pins.main(["--output", str(tmp_path / "a.txt"), "--upgrade"])
    assert "--universal" in asked[0] and str(tmp_path / "a.txt") in asked[0] and "--upgrade" not in asked[0]
    assert "--upgrade" in asked[1] and asked[1][-1] == "requirements-dev.txt"
    refused("uv cannot resolve .*: no such file", pins.compile_requirements, "absent.txt")


def test_only_wheels_of_the_target_are_taken(asked: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    platforms.main(["--machine", "aarch64", "--file", str(pins.REPOSITORY / "requirements.txt")])
    printed = capsys.readouterr().out.splitlines()
    assert printed[2] == "aarch64, Python 3.12: 1 distributions: mindspore==2.10.0" and len(printed) == 3
    for command, version in zip(asked, PYTHON_VERSIONS, strict=True):
        options = dict(zip(command, command[1:], strict=False))
        assert options["--python-platform"] == "aarch64-manylinux_2_28" and options["--python-version"] == version
        assert options["--only-binary"] == ":all:" and options["--constraint"] == "constraints.txt"
    refused("is not there", platforms.main, ["--file", "nowhere.txt"])


def test_without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused("uv is not installed", pins.main, [])
