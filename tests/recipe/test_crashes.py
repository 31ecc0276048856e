# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trainings that are killed, find the disk full, meet a bad record or a loss that is not finite."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys

import mindspore as ms
import numpy as np
import pytest

import run_general_distill
from src.checkpoints.checkpoint import load_model
from src.checkpoints.store import CheckpointStore
from src.common.errors import TrainingError, UserError
from src.dataset import TrainingBatches
from src.train.monitor import Monitor
from tests.tiny import ONE_LAYER, RUN_OPTIONS, STUDENT_OPTIONS, difference, lines

pytestmark = [pytest.mark.large, pytest.mark.usefixtures("graph_mode")]


def command(world, run, *options) -> list[str]:
    return ["--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir", str(world / "records/corpus"),
            "--save_ckpt_path", str(run), "--batch_size", "4", "--learning_rate", "1e-3", *STUDENT_OPTIONS,
            *ONE_LAYER, *RUN_OPTIONS, "--buckets", "[]", "--progress", "false", "--save_checkpoint_step", "2", *options]


def train(world, run, *options) -> None:
    run_general_distill.main(command(world, run, *options))


def same_lines(one, other) -> bool:
    """All as logged, and the losses, which no gradient depends on, but for their last bit (see test_distil.py)."""
    ours, theirs = ([{**line, "seconds": None} for line in lines(run)] for run in (one, other))
    losses = [[(line.pop("loss"), *line.pop("terms").values()) for line in each] for each in (ours, theirs)]
    return ours == theirs and np.allclose(*losses, rtol=1e-6, atol=0)


def latest(run) -> str:
    return (run / "checkpoints/latest").read_text().strip()


def test_whatever_stops_a_run_it_goes_on_as_if_nothing_had_happened(world, tmp_path, monkeypatch):
    """A full disk, then a bad record in the middle of an accumulated step; AdamW, a loss scale that moves, dropout."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    options = ("--train_steps", "7", "--gradient_accumulation_steps", "2", "--optimizer", "adamw", "--compute_type",
               "float16", "--loss_scale_value", "256", "--scale_window", "2")
    train(world, straight, *options)
    assert [line["step"] for line in lines(straight)] == [1, 2, 3, 4, 5, 6, 7]
    assert len({line["loss_scale"] for line in lines(straight)}) > 2

    save, cut = CheckpointStore.save, TrainingBatches._micro_batches

    def full(self, step, write):
        if step == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))
        return save(self, step, write)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "save", full)
        with pytest.raises(TrainingError, match="No space left on device: .*step-00000002, is as it was"):
            train(world, broken, *options)
    assert latest(broken) == "step-00000002"

    def bad(self, number, rows):
        batches = cut(self, number, rows)
        yield next(batches)
        if number == 4:
            raise UserError("records/0.tfrecord: row 7 has no tokens; prepare the data again")
        yield from batches

    with monkeypatch.context() as patch:
        patch.setattr(TrainingBatches, "_micro_batches", bad)
        with pytest.raises(UserError, match="^records/0.tfrecord: row 7 has no tokens; prepare the data again$"):
            train(world, broken, *options)
    assert latest(broken) in ("step-00000002", "step-00000003", "step-00000004")  # batches are made ahead
    train(world, broken, *options)
    assert same_lines(broken, straight)
    assert difference(straight / "model", broken / "model") == 0


def test_a_loss_that_is_not_finite_takes_the_run_back(world, tmp_path, monkeypatch, capsys):
    run, whole = tmp_path / "run", Monitor.see
    poisoned = []

    def poison(self, outputs):
        problem = whole(self, outputs)
        if self.progress.micro_steps == 5 and not poisoned:
            query = next(p for p in self.stage.network.student.get_parameters() if p.name.endswith("query.weight"))
            query.set_data(ms.Tensor(np.full(query.shape, np.nan, np.float32)))
            poisoned.append(query.name)
        return problem

    with monkeypatch.context() as patch:
        patch.setattr(Monitor, "see", poison)
        train(world, run, "--train_steps", "8")
    out = capsys.readouterr().out
    assert ("note: general_distill: the loss of step 6 is not finite: attention_mse is nan, hidden_mse is nan; going "
            "back to step 4 (return 1 of 3), learning rate times 0.5") in out
    logged = lines(run)
    assert [line["step"] for line in logged] == [1, 2, 3, 4, 4, 5, 6, 7, 8]
    assert logged[4] == {"stage": "general_distill", "step": 4, "rewind": 1, "diverged_after_step": 5,
                         "learning_rate_factor": 0.5, "loss_scale": 1.0}
    rates = [line["learning_rate"] for line in logged if "loss" in line]
    # A straight line down to 0 at step 8, then at half of that.
    assert rates == pytest.approx([1e-3 * (8 - step) / 8 * (0.5 if step > 3 else 1) for step in range(8)])
    state = json.loads((run / "checkpoints" / latest(run) / "training/state.json").read_text())
    assert (state["rewinds"], state["micro_steps"]) == (1, 8)
    assert all(np.isfinite(value).all() for value in load_model(run / "model").parameters.values())

    # A damaged checkpoint is passed over, what is left of the run is not, and the result is made again.
    flipped = run / "checkpoints" / latest(run) / "model.safetensors"
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    with pytest.raises(UserError, match="holds no checkpoint that can be read: .*model.safetensors is not what was wr"):
        train(world, run, "--train_steps", "8")
    content[-1] ^= 1
    flipped.write_bytes(content)
    shutil.rmtree(run / "model")
    train(world, run, "--train_steps", "8")
    assert load_model(run / "model").parameters


def test_ctrl_c_ends_with_its_own_status(repository, world, tmp_path):
    """It reaches all processes of a terminal's group; MindSpore makes SIGTERM of it while a graph runs."""
    words = command(world, tmp_path / "run", "--train_steps", "100000", "--epoch_size", "100000")
    with subprocess.Popen([sys.executable, "run_general_distill.py", *words], cwd=repository, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, start_new_session=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:
        for line in process.stdout:
            if "step: 3/" in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1] == "stopped by SIGINT; run the same command again to continue"
    assert int(latest(tmp_path / "run").split("-")[1]) >= 3


def test_killed_twice_it_ends_as_undisturbed(repository):
    result = subprocess.run([sys.executable, "benchmarks/kill_training.py", "--kills", "2", "--seed", "1"],
                            cwd=repository, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "the killed run ended as the undisturbed one, to the bit" in result.stdout
