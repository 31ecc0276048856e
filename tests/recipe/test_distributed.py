# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two processes on CPU, on one host or two, started by the launcher: the training of one process, and how it stops."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import run_general_distill
from src.config import ModelConfig, load_config
from src.dataset import open_records, read_rows
from tests.tiny import RUN_OPTIONS, STUDENT_OPTIONS, TEACHER, difference, lines, make_world, save_random

pytestmark = pytest.mark.large
REPOSITORY = Path(__file__).resolve().parents[2]
STEPS, EPOCH_STEPS = 20, 18
ADDRESSES = ("10.213.7.1", "10.213.7.2")
NO_DROPOUT = ("--hidden_dropout_prob", "0", "--attention_probs_dropout_prob", "0")

# Runs the training more than once in each process, and makes rank 1 alone do what one process may do.
WORKER = """
import json, os, signal, sys
sys.path.insert(0, {repository!r})
import numpy as np
from mindspore import Tensor, nn
import run_general_distill
from src.common.errors import Interrupted, TrainingError
from src.train.monitor import Monitor
from src.train.step import MeanOverRanks, TrainStep, Update

folder, plan, options = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
rank = int(os.environ["RANK_ID"])
log = open(f"{{folder}}/rank{{rank}}.jsonl", "w")
now = {{"step": 0}}


def note(**values):
    log.write(json.dumps(values) + "\\n")
    log.flush()


def happens(what):
    return rank == 1 and plan.get(what) == now["step"]


construct, whole = TrainStep.construct, Monitor.see


def see(self, step, ids, *columns):
    now["step"] = int(step) + 1
    if happens("dies"):
        print("rank 1 dies now", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    note(step=now["step"], rows=ids.asnumpy().tolist())
    return construct(self, step, ids, *columns)


def mean(self, total, *parts):
    return nn.Cell.__call__(self, total * float("nan") if happens("diverges") else total, *parts)


def update(self, step, *gradients):
    if happens("diverges") or happens("overflows"):
        gradients = (gradients[0] * float("inf"), *gradients[1:])
    return nn.Cell.__call__(self, step, *gradients)


def step_end(self, outputs):
    problem = whole(self, outputs)
    if happens("stops"):
        os.kill(os.getpid(), signal.SIGTERM)
    return problem


TrainStep.construct, MeanOverRanks.__call__, Update.__call__ = see, mean, update
Monitor.see = step_end
while True:
    try:
        run_general_distill.main(options)
        break
    except (TrainingError, Interrupted) as error:
        note(stopped=type(error).__name__, after=now["step"])
        plan.pop("stops" if isinstance(error, Interrupted) else "diverges", None)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """With a teacher of two layers, for a student of one: most of the time goes into compiling."""
    folder = make_world(tmp_path_factory.mktemp("world"))
    save_random(folder / "small", ModelConfig(replace(TEACHER, num_hidden_layers=2)), folder / "vocab")
    return folder


def options(world: Path, run: Path, *more: str) -> list[str]:
    return ["--load_teacher_ckpt_path", str(world / "small"), "--data_dir", str(world / "records/corpus"),
            "--save_ckpt_path", str(run), "--learning_rate", "1e-3", "--epoch_size", "2", *STUDENT_OPTIONS, *NO_DROPOUT,
            *RUN_OPTIONS, "--num_hidden_layers", "1", "--buckets", "16", *more]


def in_two_processes(folder: Path, plan: dict[str, int], arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the training in two processes, where rank 1 does at the planned steps what stands in the plan."""
    (folder / "worker.py").write_text(WORKER.format(repository=str(REPOSITORY)))
    process = subprocess.Popen(
        [sys.executable, "-m", "src.launch.launch", "--device_target", "CPU", "--device_num", "2", "--log_dir",
         str(folder / "log"), str(folder / "worker.py"), str(folder), json.dumps(plan), *arguments,
         "--distribute", "true", "--device_num", "2"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, error = process.communicate(timeout=900)
    finally:
        if process.poll() is None:
            process.terminate()
            time.sleep(1)
            process.terminate()  # a second time: at once
            process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, error)


def notes(folder: Path, rank: int) -> list[dict]:
    return [json.loads(line) for line in (folder / f"rank{rank}.jsonl").read_text().splitlines()]


def test_two_processes_train_as_one_does_through_a_stop_and_a_divergence(world, tmp_path):
    """A signal to rank 1, later a loss of rank 1 that is not finite: both stop at the same step, and go on from the
    same checkpoint; in the end losses and parameters are those of one process with all the rows."""
    one, two = tmp_path / "one", tmp_path / "two"
    run_general_distill.main(options(world, one, "--batch_size", "8", "--train_steps", str(STEPS)))
    result = in_two_processes(tmp_path, {"stops": 7, "diverges": 14},
                              options(world, two, "--batch_size", "4", "--train_steps", str(STEPS),
                                      "--save_checkpoint_step", "5", "--max_rewinds", "0"))
    assert result.returncode == 0, result.stdout + result.stderr

    straight, other = lines(one), lines(two)
    assert [line["step"] for line in other] == list(range(1, STEPS + 1))
    for line, expected in zip(other, straight, strict=True):
        assert line["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert line["terms"] == pytest.approx(expected["terms"], rel=1e-5)
    assert difference(one / "model", two / "model") < 1e-5

    seen = [notes(tmp_path, rank) for rank in range(2)]
    for own in seen:
        assert [note for note in own if "stopped" in note] == [{"stopped": "Interrupted", "after": 7},
                                                               {"stopped": "TrainingError", "after": 14}]
        assert [note["step"] for note in own if "step" in note] == [*range(1, 15), *range(11, STEPS + 1)]
    # What was done again were the same rows, and an epoch holds each row of the records once.
    steps = [{note["step"]: note["rows"] for note in own if "step" in note} for own in seen]
    assert all(note["rows"] == step[note["step"]] for own, step in zip(seen, steps, strict=True)
               for note in own if "step" in note)
    epoch = Counter(tuple(row) for step in steps for number in range(1, EPOCH_STEPS + 1) for row in step[number])
    every = Counter(tuple(row) for chunk in read_rows(open_records(str(world / "records/corpus"), load_config().data,
                                                                   "data_dir", "corpus")) for row in
                    chunk.input_ids.tolist())
    assert epoch.total() == EPOCH_STEPS * 8 == every.total() // 8 * 8
    assert not epoch - every


def test_a_dead_process_ends_the_job_and_the_resumed_run_is_the_straight_one(world, tmp_path):
    """In float16, with a gradient of rank 1 that overflows: the step is skipped everywhere."""
    straight, run = tmp_path / "straight", tmp_path / "run"
    more = ("--batch_size", "4", "--train_steps", "6", "--compute_type", "float16", "--save_checkpoint_step", "1")
    result = in_two_processes(tmp_path, {"overflows": 2}, options(world, straight, *more))
    assert result.returncode == 0, result.stdout + result.stderr

    result = in_two_processes(tmp_path, {"overflows": 2, "dies": 5}, options(world, run, *more))
    died = (tmp_path / "rank1.jsonl").stat().st_mtime
    assert result.returncode == 1
    assert time.time() - died < 20
    last = [line for line in result.stderr.splitlines() if line.startswith("launch:")]
    assert len(last) == 1
    assert last[0].startswith(f"launch: rank 1 was killed by SIGKILL; the last line of its log {tmp_path}/log/"
                              "worker_1.log: rank 1 dies now;")
    assert last[0].endswith("run the same command again to continue from the last checkpoint")
    assert (run / "checkpoints/latest").read_text().strip() == "step-00000004"
    assert [note["step"] for note in notes(tmp_path, 1)] == [1, 2, 3, 4]

    result = in_two_processes(tmp_path, {}, options(world, run, *more))
    assert result.returncode == 0, result.stdout + result.stderr
    assert [note["step"] for note in notes(tmp_path, 1)] == [5, 6]
    logged, expected = lines(run), lines(straight)
    assert [line["overflow"] for line in logged] == [False, True, False, False, False, False]
    assert logged[2]["loss_scale"] == logged[0]["loss_scale"] / 2
    assert [(line["step"], line["loss"], line["terms"]) for line in logged] == \
        [(line["step"], line["loss"], line["terms"]) for line in expected]
    assert difference(run / "model", straight / "model") == 0


# Two hosts: network namespaces of this machine, with a cable between them


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[tuple[str, ...]]:
    """The names of two network namespaces that reach each other, and nothing else."""
    if shutil.which("ip") is None:
        pytest.skip("needs the program ip (iproute2)")
    names = tuple(f"distil{os.getpid()}-{number}" for number in range(2))
    cable = tuple(f"v{os.getpid()}-{number}" for number in range(2))
    try:
        try:
            for name in names:
                ip("netns", "add", name)
            ip("link", "add", cable[0], "netns", names[0], "type", "veth", "peer", "name", cable[1], "netns", names[1])
        except subprocess.CalledProcessError as error:
            pytest.skip(f"cannot make network namespaces: {error.stderr.strip()}")
        for name, device, address in zip(names, cable, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", device)
            ip("-n", name, "link", "set", device, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def launch(name: str, folder: Path, options: list[str]) -> subprocess.Popen[str]:
    """The same command on each host; which one it is is found by the address."""
    return subprocess.Popen(
        ["ip", "netns", "exec", name, sys.executable, "-m", "src.launch.launch", "--device_target", "CPU",
         "--device_num", "2", "--hosts", ",".join(ADDRESSES), "--log_dir", str(folder / "log"),
         "run_general_distill.py", *options, "--distribute", "true", "--device_num", "2"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_two_hosts_train_as_one_process_does(hosts, world, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    processes = [launch(name, tmp_path, options(world, two, "--batch_size", "4", "--train_steps", "8"))
                 for name in hosts]
    try:
        outputs = [process.communicate(timeout=600)[0] for process in processes]
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
    assert "step: 8/8" in outputs[0] and "step:" not in outputs[1]

    run_general_distill.main(options(world, one, "--batch_size", "8", "--train_steps", "8"))
    together, alone = lines(two), lines(one)
    assert len(together) == 8
    assert [line["loss"] for line in together] == pytest.approx([line["loss"] for line in alone], rel=1e-5)
    assert difference(two / "model", one / "model") < 1e-5
