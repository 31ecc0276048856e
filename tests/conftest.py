# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all tests share: an environment set before the heavy libraries are imported, folders, and the shared data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

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


@lru_cache
def compute_at_once() -> None:
    """Have each operator done when its call returns. MindSpore would hand it on from thread to thread; for tiny tensors
    their waiting for each other takes five times what all else does."""
    import mindspore as ms

    ms.runtime.launch_blocking()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests run operator by operator, and so do the entry points that they call, except where a test asks for
    `graph_mode`: of a tiny model's few steps, compiling is nine tenths of the time. That a graph computes what its
    operators do is tested for each kind of head (tests/unit/distill/test_terms.py), and the golden runs compile. Runs
    of language models ask for graphs: without, MindSpore 2.10 was seen to overwrite terms and to fail in ops.Custom.
    """
    if "mindspore" not in sys.modules:  # not loaded for the tests that need no framework
        return
    from mindspore import context

    from src import device

    compute_at_once()
    mode = context.GRAPH_MODE if "graph_mode" in getattr(item, "fixturenames", ()) else context.PYNATIVE_MODE
    context.set_context(mode=mode)
    device.context = SimpleNamespace(GRAPH_MODE=mode, set_context=context.set_context)


@pytest.fixture
def graph_mode() -> None:
    """With graphs, as users' runs are; see `pytest_runtest_setup`."""
