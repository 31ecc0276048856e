# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the launcher does when a process ends, dies or is asked to stop; a small program stands in for msrun."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from src.common.errors import UserError
from src.launch import supervise

REPOSITORY = Path(__file__).resolve().parents[3]

# Starts a process a piece of code as msrun does: ranks, logs, sessions; and like it says which has failed, and goes on.
MSRUN = """
import os, subprocess, sys, time
workers = []
for rank, code in enumerate(sys.argv[2:]):
    with open(f"{sys.argv[1]}/worker_{rank}.log", "w") as log:
        workers.append(subprocess.Popen([sys.executable, "-u", "-c", code], stdout=log, stderr=log,
                                        start_new_session=True,
                                        env={**os.environ, "MS_ROLE": "MS_WORKER", "RANK_ID": str(rank)}))
while any(worker.poll() is None for worker in workers) and not any(worker.poll() for worker in workers):
    time.sleep(0.1)
for worker in workers:
    if worker.poll():
        print(f"Worker process {worker.pid} exit with exception. Error code: {worker.poll()}.", file=sys.stderr)
        sys.stderr.flush()
        time.sleep(60)
"""
# No real worker ends before it has been seen: loading MindSpore takes seconds.
LATER = "import os, time; time.sleep(0.6); "
WAITS = "import time; time.sleep(60)"
SAVES = """
import pathlib, signal, sys, time
def save(*_):
    time.sleep(0.3)
    pathlib.Path("saved{rank}").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
pathlib.Path("began{rank}").touch()
time.sleep(60)
"""
IGNORES = SAVES.replace("signal.signal(signal.SIGTERM, save)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")


def command(folder: Path, *workers: str) -> list[str]:
    (folder / "log").mkdir(exist_ok=True)
    return [sys.executable, "-c", MSRUN, str(folder / "log"), *workers]


def left_over(folder: Path) -> list[psutil.Process]:
    """The processes that, ten seconds later, still have the folder on their command line, or as their current one."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if process.pid != os.getpid() and (str(folder) in " ".join(process.info["cmdline"] or ())
                                           or process.info["cwd"] == str(folder)):
            found.append(process)
    return psutil.wait_procs(found, timeout=10)[1]  # a signal takes its time where the cores are busy


def test_the_status_is_zero_when_all_goes_well(tmp_path: Path, capfd) -> None:
    assert supervise.start(command(tmp_path, "pass", "pass"), {}, tmp_path / "log") == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("code", "status", "says"), [
    ("print('error: no such file'); raise SystemExit(int(os.environ['STATUS']))", 3, "rank 1 ended with status 3"),
    ("print('error: no such file'); raise SystemExit(2)", 2, "rank 1 ended with status 2"),
    ("print('error: no such file'); os.kill(os.getpid(), 9)", 1, "rank 1 was killed by SIGKILL"),
])
def test_a_failed_worker_ends_the_job_in_one_line(code: str, status: int, says: str, tmp_path: Path, capfd) -> None:
    began = time.monotonic()
    assert supervise.start(command(tmp_path, WAITS, LATER + code), {"STATUS": "3"}, tmp_path / "log") == status
    assert time.monotonic() - began < 30
    line = capfd.readouterr().err
    assert line.startswith(f"launch: {says}; the last line of its log {tmp_path}/log/worker_1.log: error: no such file")
    assert "run the same command again" in line
    assert line.count("\n") == 1
    assert not left_over(tmp_path)


def test_msrun_itself_fails(tmp_path: Path, capfd) -> None:
    failing = [sys.executable, "-c", "import sys; print('bad option', file=sys.stderr); sys.exit(2)"]
    assert supervise.start(failing, {}, tmp_path / "log") == 2
    assert re.search(r"msrun failed; the last line of its log .*: bad option", capfd.readouterr().err)


def test_without_msrun(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no/msrun does not exist; run scripts/setup.sh"):
        supervise.start(["no/msrun"], {}, tmp_path / "log")


def start_in_background(folder: Path, number: signal.Signals, *workers: str) -> subprocess.Popen:
    """Start a job whose workers have begun."""
    code = textwrap.dedent("""
        import sys
        from src.launch.supervise import start
        sys.exit(start(sys.argv[2:], {}, sys.argv[1]))
    """)
    # Whoever runs the tests may ignore the signal, as nohup does SIGHUP, and children inherit that.
    process = subprocess.Popen([sys.executable, "-c", code, str(folder / "log"), *command(folder, *workers)],
                               cwd=folder, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE,
                               text=True, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    deadline = time.monotonic() + 120
    while not all((folder / f"began{rank}").exists() for rank in range(len(workers))):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_lets_the_workers_save(number: signal.Signals, tmp_path: Path) -> None:
    process = start_in_background(tmp_path, number, *(SAVES.replace("{rank}", str(rank)) for rank in range(2)))
    process.send_signal(number)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert (tmp_path / "saved0").exists() and (tmp_path / "saved1").exists()
    assert error == f"launch: stopped by {number.name}; run the same command again to continue\n"
    assert not left_over(tmp_path)


def test_a_second_request_ends_all_at_once(tmp_path: Path) -> None:
    process = start_in_background(tmp_path, signal.SIGTERM, IGNORES.replace("{rank}", "0"))
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143
    assert not left_over(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
@pytest.mark.medium
def test_a_killed_launcher_leaves_no_msrun(tmp_path: Path) -> None:
    process = start_in_background(tmp_path, signal.SIGTERM, IGNORES.replace("{rank}", "0"))
    msrun, = psutil.Process(process.pid).children()
    workers = msrun.children()
    process.kill()
    process.communicate(timeout=120)
    assert msrun.wait(timeout=120) in (None, -signal.SIGINT, 1)
    for worker in workers:  # msrun, unlike its stand-in, ends them then
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()


def test_a_port_in_use() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 is in use .* --master_port"):
            supervise.check_port("127.0.0.1", port)
    supervise.check_port("127.0.0.1", port)
