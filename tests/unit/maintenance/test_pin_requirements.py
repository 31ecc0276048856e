# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""constraints.txt: made of what pip resolves for each platform, and what the requirements allow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from maintenance import pins as pin_requirements
from maintenance.platforms import MACHINES, PYTHON_VERSIONS, SOURCE_ONLY, without_source_only

REPOSITORY = Path(__file__).resolve().parents[3]
TARGETS = [(machine, version) for machine in MACHINES for version in PYTHON_VERSIONS]

pytestmark = pytest.mark.small


def chosen(lines: list[str], machine: str, version: str) -> dict[str, str]:
    """What pip takes of the lines on a platform."""
    environment = {"platform_machine": machine, "python_version": version, "python_full_version": f"{version}.0"}
    requirements = [Requirement(line) for line in lines]
    return {r.name: str(r.specifier) for r in requirements
            if r.marker is None or Marker(str(r.marker)).evaluate(environment)}


def test_platforms_that_differ() -> None:
    found = {}
    for machine, version in TARGETS:
        networkx = "3.4" if version == "3.10" else "3.6"
        odd = "2" if (machine, version) == ("aarch64", "3.12") else "1"
        tensorflow = "tensorflow-cpu" if machine == "x86_64" else "tensorflow"
        found[machine, version] = ["Same_Name==1.0", f"networkx=={networkx}", f"{tensorflow}==2.21.0", f"odd=={odd}",
                                   f"by-machine=={1 if machine == 'x86_64' else 2}", "torch==2.13.0+cpu"]
    lines = pin_requirements.constraints(found)
    assert "same-name==1.0" in lines and "tensorflow==2.21.0" in lines and "torch==2.13.0" in lines
    assert 'networkx==3.4 ; python_version == "3.10"' in lines
    assert 'by-machine==2 ; platform_machine == "aarch64"' in lines
    for target, distributions in found.items():
        taken = chosen(lines, *target)
        for distribution in distributions:
            name, _, version = distribution.partition("==")
            assert taken[re.sub("_", "-", name).lower()] == f"=={version.partition('+')[0]}"


def test_files_that_are_resolved() -> None:
    text = "-r requirements.txt\njieba>=0.42.1,<0.43\nnumpy>=1.26 # a comment\nseqeval>=1.2.2\n"
    assert without_source_only(text) == "numpy>=1.26 # a comment\n"
    development = (REPOSITORY / "requirements-dev.txt").read_text(encoding="utf-8")
    assert len(pin_requirements.TORCH.findall(development)) == 1


def test_constraints_are_within_the_requirements() -> None:
    lines = [line for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
             if line and not line.startswith("#")]
    assert set(SOURCE_ONLY) <= set(lines) and lines == sorted(lines)
    text = "".join((REPOSITORY / name).read_text(encoding="utf-8") for name in ("requirements.txt",
                                                                               "requirements-dev.txt"))
    required = [Requirement(line) for line in text.splitlines() if line and not line.startswith(("#", "-"))]
    for machine, version in TARGETS:
        pinned = chosen(lines, machine, version)
        environment = {"platform_machine": machine, "python_version": version}
        for requirement in required:
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if name == "torch" or (requirement.marker and not requirement.marker.evaluate(environment)):
                continue  # torch has its exact version in requirements-dev.txt
            assert name in pinned, f"constraints.txt lacks {name}; make it again: python -m maintenance.pins"
            assert requirement.specifier.contains(pinned[name].removeprefix("==")), name
