# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every file of the repository has in common."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from src.config import load_config

REPOSITORY = Path(__file__).resolve().parents[2]
HEADER = ["# Copyright 2026 The MindSpore Distillation Authors.", "# SPDX-License-Identifier: Apache-2.0"]
TEXT = {".py", ".sh", ".md", ".yaml", ".toml", ".txt", ".json"}


def repository_files() -> list[Path]:
    """The files that are or would be committed."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY,
                            capture_output=True, text=True, check=True).stdout
    return sorted(path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file())


FILES = repository_files()
PYTHON = [path for path in FILES if path.suffix == ".py"]
SHELL = [path for path in FILES if path.suffix == ".sh" or path.parent.name == ".ci"]
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
RECIPES = sorted((REPOSITORY / "configs").rglob("*.yaml"))


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("path", [path for path in PYTHON + SHELL if path.stat().st_size], ids=name)
def test_licence_header(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    start = 1 if lines and lines[0].startswith("#!") else 0
    assert lines[start:start + 2] == HEADER


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix in TEXT or path in SHELL], ids=name)
def test_no_path_of_a_machine(path: Path) -> None:
    # Character classes, so that the patterns do not find themselves.
    machine_path = re.compile(r"(?<![\w.~-])/(?:wor[k]|far[m]|roo[t]|hom[e]/\w+|User[s]/\w+|opt/pyp[i])/")
    found = [f"{number}: {line.strip()}" for number, line in
             enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if machine_path.search(line)]
    assert not found


@pytest.mark.parametrize("path", SHELL, ids=name)
def test_shell_script(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    checked = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_of_documents_exist(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    files = [target.split("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    missing = [file for file in files if file and not (path.parent / file).exists()]
    assert not missing


@pytest.mark.parametrize("path", RECIPES, ids=name)
def test_recipe_is_valid(path: Path) -> None:
    assert load_config(path) != load_config(), "a recipe that changes nothing"


DISTRIBUTIONS = {"yaml": "PyYAML", "sklearn": "scikit-learn", "google": "protobuf", "google_crc32c": "google-crc32c"}
"""Modules whose distribution has another name."""

OPTIONAL = {"torch", "transformers", "sentence_transformers", "acl", "mindspore_lite", "pyarrow"}
"""Imported inside the one function that needs them, which does without or says what to install."""


def requirements_of(file: str) -> list[Requirement]:
    lines = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    unbounded = [str(r) for r in requirements if not re.search(r"<|==", str(r.specifier))]
    assert not unbounded, "give each requirement an upper bound"
    return requirements


def test_requirements_of_serving() -> None:
    training = {each.name: each.specifier for each in requirements_of("requirements.txt")}
    shared = {each.name: each.specifier for each in requirements_of("requirements-serving.txt")}
    assert {name: shared[name] for name in ("onnxruntime", "tokenizers")} == {
        name: training[name] for name in ("onnxruntime", "tokenizers")}


def test_requirements_name_what_is_imported() -> None:
    requirements = requirements_of("requirements.txt")
    modules = set()
    for path in PYTHON:
        if {REPOSITORY / folder for folder in ("tests", "benchmarks", "serving")} & set(path.parents):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module.split(".")[0])
    ours = {"serving", "src", "experiments", "maintenance", *(path.stem for path in REPOSITORY.glob("*.py"))}
    needed = {DISTRIBUTIONS.get(module, module) for module in modules - ours - OPTIONAL - sys.stdlib_module_names}
    given = {requirement.name for requirement in requirements}
    assert needed <= given, f"requirements.txt lacks {sorted(needed - given)}"
    # Not imported: a limit on what TensorFlow brings, TensorFlow's name on x86-64, what Dask makes certificates with.
    unused = given - needed - {"ml-dtypes", "tensorflow-cpu", "cryptography"}
    assert not unused, f"requirements.txt names {sorted(unused)}, which nothing imports"
