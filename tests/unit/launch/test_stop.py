# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""scripts/stop.sh: which run it ends, and that it ends all of it and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from src.common.errors import UserError
from src.launch import stop
from src.launch.processes import alive
from src.launch.stop import choose, end, find_process
from tests.unit.launch.test_launch import REPOSITORY

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

SAVES = """
TIDY = False
import pathlib, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
def end(*_):
    if TIDY: child.kill()
    pathlib.Path("saved").write_text(str(child.pid))
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
pathlib.Path("ready").write_text(str(child.pid))
time.sleep(60)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def goes_on(pid: int | str) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(alive([psutil.Process(int(pid))]))
    return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Starts a program in a folder of its own, as a run; whatever is left of it is killed at the end."""
    processes: list[subprocess.Popen] = []

    def start_program(code: str, name: str = "run", host: str = "host") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        file = folder / f"{host}.pid"
        with open(file, "w") as held:
            process = subprocess.Popen(["bash", "-c", f'exec 9<&{held.fileno()} "$0" -c "$1"', sys.executable, code],
                                       cwd=folder, pass_fds=[held.fileno()])
            held.write(f"{process.pid}\n")
        processes.append(process)
        wait_for((folder / "ready").exists)
        return file

    yield start_program
    for process in processes:
        process.kill()
        process.wait()


def test_a_run_saves_and_ends_with_its_children(start: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "CHILDREN_SECONDS", 0.2)
    file = start(SAVES)
    pid = file.read_text()
    assert find_process(file) == psutil.Process(int(pid))
    assert end(file, 20, at_once=False)
    assert not goes_on((file.parent / "saved").read_text())
    assert not goes_on(pid) and not file.exists()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_run_that_does_not_end_is_killed(start: Callable[..., Path], at_once: bool) -> None:
    file = start(SAVES.replace("sys.exit(143)", "pass"))
    pid, child = file.read_text(), (file.parent / "ready").read_text()
    assert not end(file, 0.5, at_once)
    assert not goes_on(pid) and not goes_on(child)
    assert (file.parent / "saved").exists() is not at_once  # --kill asks nobody


@pytest.mark.parametrize("content", ["{pid}", "", "-1", "0", "99999999999", "1", "{pid}\n1\n", "self", "\udcff"])
def test_a_process_that_only_has_the_number_is_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "run/host.pid"
    file.parent.mkdir()
    file.write_text(content.format(pid=os.getpid()), errors="surrogateescape")
    received: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        assert find_process(file) is None and end(file, 1, at_once=False)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert received == []


def test_which_run(start: Callable[..., Path], tmp_path: Path) -> None:
    """Those of this host that go on; one that is not named only where there is no other."""
    waits = "import pathlib, time; pathlib.Path('ready').touch(); time.sleep(60)"
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/host.pid").write_text("1\n")
    start(waits, "c", "other")
    assert choose(tmp_path, "host", None) is None
    first = start(waits, "a")
    assert choose(tmp_path, "host", None) == first
    second = start(waits, "b")
    assert choose(tmp_path, "host", "b") == second
    with pytest.raises(UserError, match="2 runs go on in the background: a, b; say which"):
        choose(tmp_path, "host", None)
    for name in ("c", "gone", "../../etc"):
        with pytest.raises(UserError, match=r"no run .* goes on in the background of this host \(there: a, b\)"):
            choose(tmp_path, "host", name)


@pytest.mark.medium
def test_scripts_start_and_stop(tmp_path: Path) -> None:
    """In the background: one run of a name at a time, and stop.sh ends it."""
    folder = tmp_path / "repository"
    (folder / "scripts").mkdir(parents=True)
    for name in ("common.sh", "run_standalone_gd.sh", "stop.sh"):
        shutil.copy(REPOSITORY / "scripts" / name, folder / "scripts" / name)
    for name in ("src", "requirements.txt"):
        (folder / name).symlink_to(REPOSITORY / name)
    (folder / "run_general_distill.py").write_text(SAVES.replace("False", "True"))

    def script(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60,
                              env={**os.environ, "PYTHON": sys.executable, "HOSTNAME": "my-host"})

    begun = script("scripts/run_standalone_gd.sh", "my run.yaml", "--background")
    assert begun.returncode == 0 and "stop it with bash scripts/stop.sh 'my run'\n" in begun.stdout
    try:
        wait_for((folder / "ready").exists)
        again = script("scripts/run_standalone_gd.sh", "my run.yaml", "--background")
        assert again.returncode == 2 and "error: my run runs already (process " in again.stderr
    finally:
        ended = script("scripts/stop.sh")
    assert ended.returncode == 0, ended.stderr
    assert "stop: my run has ended; the same command as before continues" in ended.stdout
    assert not goes_on((folder / "saved").read_text())
    assert not list(folder.glob("output/*/*.pid"))
    nothing = script("scripts/stop.sh", "my run")
    assert nothing.returncode == 2 and nothing.stderr.count("\n") == 1
