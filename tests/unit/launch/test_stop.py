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
from pathlib import Path

import pytest

from src.common.errors import UserError
from src.launch import stop
from src.launch.stop import Run, choose, end, identity, read_run, running
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


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    """Starts a program in a folder of its own, as a run; whatever is left of it is killed at the end."""
    processes: list[subprocess.Popen] = []

    def start_program(code: str) -> Run:
        folder = tmp_path / f"run{len(processes)}"
        folder.mkdir()
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder)
        processes.append(process)
        wait_for((folder / "ready").exists)
        file = folder / "host.pid"
        file.write_text(f"{process.pid} {identity(process.pid)}\n")
        return Run(folder.name, process.pid, file)

    yield start_program
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.small
def test_a_run_saves_and_ends_with_its_children(start: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "CHILDREN_SECONDS", 0.2)
    run = start(SAVES)
    assert read_run(run.file) == run
    assert end(run, 20, kill=False)
    assert identity(int((run.file.parent / "saved").read_text())) == ""
    assert identity(run.pid) == "" and not run.file.exists()


@pytest.mark.small
def test_a_run_that_does_not_end_is_killed(start: Callable[[str], Run]) -> None:
    run = start(SAVES.replace("sys.exit(143)", "pass"))
    child = int((run.file.parent / "ready").read_text())
    assert not end(run, 0.5, kill=False)
    assert identity(run.pid) == "" and identity(child) == ""
    assert (run.file.parent / "saved").exists()


@pytest.mark.small
def test_kill_asks_nobody(start: Callable[[str], Run]) -> None:
    run = start(SAVES)
    assert not end(run, 20, kill=True)
    assert identity(run.pid) == "" and not (run.file.parent / "saved").exists()


@pytest.mark.small
@pytest.mark.parametrize("content", [
    "{pid} 1 {boot}",          # began at another time: the number has been used again
    "{pid} {ticks} other-boot",
    "{pid}", "", "{pid} {ticks}", "-1 {ticks} {boot}", "0 {ticks} {boot}", "99999999999 {ticks} {boot}",
    "1 {ticks} {boot}", "x y z", "{pid}\n{ticks} {boot}\n",
])
def test_a_process_that_only_has_the_number_is_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "run/host.pid"
    file.parent.mkdir()
    ticks, boot = identity(os.getpid()).split()
    file.write_text(content.format(pid=os.getpid(), ticks=ticks, boot=boot))
    assert read_run(file) is None and running(tmp_path, "host") == []


@pytest.mark.small
def test_end_looks_again_before_it_acts(tmp_path: Path) -> None:
    file = tmp_path / "host.pid"
    file.write_text(f"{os.getpid()} 1 boot\n")
    received: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        assert end(Run("run", os.getpid(), file), 1, kill=False)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert received == []


@pytest.mark.small
def test_runs_are_those_of_this_host(tmp_path: Path) -> None:
    own = f"{os.getpid()} {identity(os.getpid())}\n"
    for name in ("a/host.pid", "b/other.pid", "c/host.pid", "d/host.pid"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(own if name[0] != "d" else "1 2 3")
    (tmp_path / "e").mkdir()
    (tmp_path / "e/host.pid").write_bytes(b"\xff")
    assert [run.name for run in running(tmp_path, "host")] == ["a", "c"]


@pytest.mark.small
def test_which_run() -> None:
    runs = [Run("a", 1, Path("a")), Run("b", 2, Path("b"))]
    assert choose([], None) is None
    assert choose(runs[:1], None) is runs[0]
    assert choose(runs, "b") is runs[1]
    with pytest.raises(UserError, match="2 runs go on in the background: a, b; say which"):
        choose(runs, None)
    with pytest.raises(UserError, match=r"no run 'c' goes on in the background of this host \(there: a, b\)"):
        choose(runs, "c")
    with pytest.raises(UserError, match="there: none"):
        choose([], "../../etc")


@pytest.mark.medium
def test_scripts_start_and_stop(tmp_path: Path) -> None:
    """In the background: one run of a name at a time, and stop.sh ends it."""
    folder = tmp_path / "repository"
    (folder / "scripts").mkdir(parents=True)
    for name in ("common.sh", "run_standalone_gd.sh", "stop.sh"):
        shutil.copy(REPOSITORY / "scripts" / name, folder / "scripts" / name)
    (folder / "src").symlink_to(REPOSITORY / "src")
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
    assert identity(int((folder / "saved").read_text())) == ""
    assert not list(folder.glob("output/*/*.pid"))
    nothing = script("scripts/stop.sh", "my run")
    assert nothing.returncode == 2 and nothing.stderr.count("\n") == 1
