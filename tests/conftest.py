# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all tests share: an environment set before the heavy libraries are imported, folders, and the shared data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

# `python -m pytest` and pyproject.toml put the repository on the path; plain `pytest tests/unit/x.py` from elsewhere
# does not.
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

from src.versions import choose_protobuf  # noqa: E402

# Read by the libraries when they are loaded, and inherited by the processes that tests start.
os.environ.setdefault("GLOG_v", "3")  # MindSpore: errors only
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow: errors only
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # without its notice on rounding
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that would download fails at once
os.environ.setdefault("PYTHONUNBUFFERED", "1")
choose_protobuf(os.environ)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument, not spelt out: packed data may hold the time it was packed at (gzip's header
    does), and the processes of pytest-xdist must all collect the same names."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test without a marker of its size is small."""
    for item in items:
        if not any(map(item.get_closest_marker, ("small", "medium", "large"))):
            item.add_marker(pytest.mark.small)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """A function from a path under ../shared/data to its place; the test is skipped when it is not there."""

    def find(relative: str) -> Path:
        path = SHARED_DATA / relative
        if not path.exists():
            pytest.skip(f"../shared/data/{relative} is not on this machine")
        return path

    return find


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A folder for a run (--save_ckpt_path) that does not exist yet."""
    return tmp_path / "run"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny world (tests/tiny.py), which costs seconds: once for all tests of a file."""
    from tests.tiny import make_world

    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one during the test."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def pynative_mode() -> None:
    """Every test begins without graphs, which is MindSpore's default: entry points that ran before in the same process
    set graph mode, and where nothing is run twice, compiling would take most of the time."""
    if "mindspore" in sys.modules:  # not loaded for the tests that need no framework
        import mindspore as ms

        ms.set_context(mode=ms.PYNATIVE_MODE)


@pytest.fixture
def graph_mode(pynative_mode: None) -> None:
    """With graphs, as the entry points run; the next test begins without them again."""
    import mindspore as ms

    ms.set_context(mode=ms.GRAPH_MODE)
