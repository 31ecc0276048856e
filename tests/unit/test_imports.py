# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The way of the data is the direction of the imports, and importing a module only defines things."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# A room of src imports only rooms of its own level and of those above it in this list, and never in a circle.
LEVELS = (
    ("common",),
    ("config", "parallel", "task_files"),
    ("device", "text", "versions"),
    ("corpus", "tasks", "models"),
    ("distill", "records", "checkpoints"),
    ("dataset", "launch", "report"),
    ("train", "convert", "augmentation"),
    ("evaluate", "export"),
    ("runs", "predict", "pruning"),
    ("compress",),
)
# Outside of src: the entry points and drivers of studies use src, which knows nothing of them. serving is used by src,
# of which it knows nothing: that folder alone answers for a bundle.
OUTSIDE = ("experiments", "maintenance", "benchmarks")


def module_name(path: Path) -> str:
    """`src/train/step.py` -> `src.train.step`; a package is named after its folder."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """`src.train.step` -> `train`."""
    return module.split(".")[1]


def level(module: str) -> int:
    """The place of a module's room in LEVELS."""
    for index, rooms in enumerate(LEVELS):
        if room(module) in rooms:
            return index
    raise AssertionError(f"{module} has no place in LEVELS; add its room where the data passes through it")


def imported(path: Path) -> set[str]:
    """All modules that a file imports, inside functions too. `from src import config` counts as src.config."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write it from src"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (REPOSITORY / full.replace(".", "/")).with_suffix(".py").is_file() or (
                    REPOSITORY / full.replace(".", "/")).is_dir()
                names.add(full if node.module.startswith("src") and is_module else node.module)
    return names


def library_statements(path: Path) -> set[str]:
    """The import statements at the top of a file that are for libraries."""
    statements = [node for node in ast.parse(path.read_text(encoding="utf-8")).body
                  if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module != "__future__")]
    return {text for text in map(ast.unparse, statements) if text.split()[1].split(".")[0] not in ("src", "serving")}


SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
MODULES = [path for path in SOURCES if module_name(path) != "src"]
ENTRY_POINTS = sorted(REPOSITORY.glob("*.py"))
SERVING = sorted((REPOSITORY / "serving").rglob("*.py"))
SERVED_WITH = {"serving", "numpy", "onnxruntime", "tokenizers", "fastapi", "starlette", "pydantic", "uvicorn"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_imports_only_what_stands_above_it_in_the_list(path: Path) -> None:
    own, names = level(module_name(path)), imported(path)
    below = sorted(name for name in names if name.startswith("src.") and level(name) > own)
    assert not below, f"{module_name(path)} must not import {', '.join(below)}"
    outside = sorted(name for name in names if name.split(".")[0] in OUTSIDE)
    assert not outside, f"{module_name(path)} must not import {', '.join(outside)}"


@pytest.mark.parametrize("path", SERVING, ids=module_name)
def test_serving_needs_nothing_else_of_the_repository(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names
    assert roots <= SERVED_WITH, f"{path.name} imports {sorted(roots - SERVED_WITH)}"


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    """Take away what imports nothing that is left, until nothing changes."""
    while free := [name for name, imports in graph.items() if not imports & (graph.keys() - {name})]:
        for name in free:
            del graph[name]
    assert not graph, f"these import each other in a circle: {sorted(graph)}"


def test_no_import_cycle() -> None:
    imports = {module_name(path): {name for name in imported(path) if name.startswith("src.")} for path in MODULES}
    assert_no_circle(dict(imports))
    rooms: dict[str, set[str]] = {}
    for module, names in imports.items():
        rooms.setdefault(room(module), set()).update(map(room, names))
    assert_no_circle(rooms)


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=lambda path: path.name)
def test_entry_point_imports_only_src(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names
    assert roots <= {"src", "mindspore"}, f"{path.name} should leave {sorted(roots)} to a module of src"


# Runs in a process of its own, in an empty folder, with a command line that no parser accepts. The libraries are
# imported first (some of them set variables and draw random numbers), so that only what our modules do is seen.
PROBE = """
import importlib, json, os, random, signal, sys
sys.argv = ["x", "--bogus"]
libraries, modules = json.load(sys.stdin)
import mindspore, numpy
exec("\\n".join(libraries), {})

def state():
    return {
        "the folder": sorted(os.listdir(".")),
        "the environment": dict(os.environ),
        "random": repr(random.getstate()),
        "numpy.random": repr([part.tolist() if hasattr(part, "tolist") else part for part in numpy.random.get_state()]),
        "MindSpore's seed": mindspore.get_seed(),
        "MindSpore's mode": mindspore.get_context("mode"),
        "sys.argv": list(sys.argv),
        "signal handlers": repr([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]),
    }

changes = []
for name in modules:
    before = state()
    try:
        importlib.import_module(name)
    except BaseException as error:
        changes.append(f"{name}: importing raises {error!r}")
    after = state()
    changes += [f"{name}: importing changes {key}" for key in before if before[key] != after[key]]
print("CHANGES" + json.dumps(changes))
"""


@pytest.mark.medium
def test_importing_only_defines(tmp_path: Path) -> None:
    # The server's packages are not the training's.
    served = [path for path in SERVING if "web" not in path.parts or find_spec("uvicorn")]
    modules = [module_name(path) for path in served + SOURCES] + [path.stem for path in ENTRY_POINTS]
    libraries = set().union(*(library_statements(path) for path in served + SOURCES + ENTRY_POINTS))
    result = subprocess.run([sys.executable, "-c", PROBE], input=json.dumps([sorted(libraries), modules]),
                            capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False,
                            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"})
    assert result.returncode == 0, result.stderr[-2000:]
    printed, _, changes = result.stdout.partition("CHANGES")
    assert not printed.strip(), f"importing prints: {printed}"
    assert not json.loads(changes)
    assert not list(tmp_path.iterdir())
