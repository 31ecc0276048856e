# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The dry run for other platforms: that markers are the target's. Resolving itself needs a package index."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from maintenance.platforms import PIP_FOR_TARGET, distributions, pip_arguments

pytestmark = pytest.mark.small


@pytest.mark.parametrize(("machine", "version", "marker", "expected"), [
    ("aarch64", "3.11", 'platform_machine == "x86_64"', "False"),
    ("aarch64", "3.11", 'platform_machine != "x86_64"', "True"),
    ("x86_64", "3.12", 'platform_machine == "x86_64" and python_version >= "3.12"', "True"),
    ("x86_64", "3.10", 'python_full_version < "3.11"', "True"),
])
def test_markers_are_the_targets(machine: str, version: str, marker: str, expected: str) -> None:
    as_pip = 'runpy.run_module("pip", run_name="__main__")'
    assert as_pip in PIP_FOR_TARGET
    code = PIP_FOR_TARGET.replace(as_pip, "from packaging.markers import Marker\nprint(Marker(sys.argv[1]).evaluate())")
    result = subprocess.run([sys.executable, "-c", code, machine, version, marker], capture_output=True, text=True,
                            check=True)
    assert result.stdout.strip() == expected


def test_only_wheels_of_the_target_are_taken() -> None:
    arguments = pip_arguments("aarch64", "3.12", "requirements.txt")
    platforms = [value for option, value in zip(arguments, arguments[1:], strict=False) if option == "--platform"]
    assert "manylinux2014_aarch64" in platforms and "manylinux_2_28_aarch64" in platforms
    assert all(platform.endswith("_aarch64") for platform in platforms)
    assert "cp312" in arguments and "--only-binary=:all:" in arguments and "--dry-run" in arguments


def test_report() -> None:
    report = {"install": [{"metadata": {"name": "tensorflow", "version": "2.21.0"}},
                          {"metadata": {"name": "mindspore", "version": "2.10.0"}}]}
    assert distributions(json.dumps(report)) == ["mindspore==2.10.0", "tensorflow==2.21.0"]
