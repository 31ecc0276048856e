# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several seeds in one command: a process each, what is run again, failures, signals, mean and deviation."""

from __future__ import annotations

import json
import os
import signal
import statistics
import threading
import time

import pytest

import run_general_distill
from src.common.errors import Interrupted, UserError
from src.config import parse
from src.runs import results as seeds

ENTRY = "run_finetune.py"

# Stands for the entry point: notes that it ran, and leaves a result that depends on the seed.
SCRIPT = """
import json, os, pathlib, sys, time
sys.path.insert(0, os.environ["REPOSITORY"])
from src.config import parse
config = parse("run_finetune.py", sys.argv[1:])
run = pathlib.Path(config.checkpoint.save_ckpt_path)
run.mkdir(parents=True, exist_ok=True)
with open(run / "times", "a") as file:
    file.write("x")
assert config.seeds == () and run.name == f"seed-{config.seed}"
if config.seed == 13:
    sys.exit(3)
if config.seed == 99:
    time.sleep(60)
result = {"task": "SST-2", "metrics": {"accuracy": config.seed / 100, "f1": 0.5}, "step": 4, "seconds": 1.0}
(run / "result.json").write_text(json.dumps(result))
"""


@pytest.fixture
def entry(tmp_path, monkeypatch, repository):
    (tmp_path / ENTRY).write_text(SCRIPT)
    monkeypatch.setattr(seeds, "REPOSITORY", tmp_path)
    monkeypatch.setenv("REPOSITORY", str(repository))

    def start(*options):
        argv = ["--save_ckpt_path", str(tmp_path / "runs"), "--epoch_size", "2", *options]
        config = parse(ENTRY, argv)
        seeds.run_seeds(ENTRY, argv, config.seeds, config.device.distribute, tmp_path / "runs",
                        config.checkpoint.dry_run)

    return start


def times(folder) -> int:
    return len((folder / "times").read_text())


@pytest.mark.medium
def test_runs_each_seed_and_summarises(entry, tmp_path, capsys):
    entry("--seeds", "40,42,47")
    runs = tmp_path / "runs"
    summary = json.loads((runs / "seeds.json").read_text())
    assert summary["seeds"] == [40, 42, 47]
    accuracy = summary["metrics"]["accuracy"]
    assert accuracy["values"] == [0.40, 0.42, 0.47]
    assert accuracy["mean"] == pytest.approx(0.43)
    assert accuracy["std"] == pytest.approx(statistics.stdev([0.40, 0.42, 0.47]))
    assert summary["runs"]["42"]["folder"] == "seed-42"
    assert "mean over 3 seeds: accuracy 0.4300 +- 0.0361, f1 0.5000 +- 0.0000" in capsys.readouterr().out

    entry("--seeds", "42,50")
    # The run of a seed that is done finds that out itself, and whether its teacher and records are still the same.
    assert [times(runs / f"seed-{seed}") for seed in (40, 42, 47, 50)] == [1, 2, 1, 1]
    assert json.loads((runs / "seeds.json").read_text())["seeds"] == [42, 50]
    entry("--seeds", "50")
    assert json.loads((runs / "seeds.json").read_text())["metrics"]["f1"]["std"] is None
    assert "mean over 1 seed: accuracy 0.5000" in capsys.readouterr().out


@pytest.mark.medium
def test_a_dry_run_is_that_of_the_first_seed(entry, tmp_path):
    entry("--seeds", "40,42", "--dry_run")
    assert times(tmp_path / "runs/seed-40") == 1
    assert not (tmp_path / "runs/seed-42").exists() and not (tmp_path / "runs/seeds.json").exists()


@pytest.mark.medium
def test_a_failed_seed_ends_with_its_status(entry, tmp_path, capfd):
    with pytest.raises(SystemExit) as caught:
        entry("--seeds", "40,13,41")
    assert caught.value.code == 3
    assert "seed 13 failed with status 3" in capfd.readouterr().err
    runs = tmp_path / "runs"
    assert not (runs / "seeds.json").exists() and not (runs / "seed-41").exists()


@pytest.mark.medium
def test_a_signal_reaches_the_running_seed(entry, tmp_path):
    """And ends the command with the signal's status; the handlers are what they were."""
    before = signal.getsignal(signal.SIGTERM)
    mark = tmp_path / "runs/seed-99/times"

    def send():
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=send)
    thread.start()
    began = time.monotonic()
    with pytest.raises(Interrupted, match="stopped by SIGTERM in seed 99; run the same command again") as caught:
        entry("--seeds", "99,40")
    thread.join()
    assert caught.value.signal_number == signal.SIGTERM
    assert time.monotonic() - began < 60  # what the seed would have slept
    assert signal.getsignal(signal.SIGTERM) is before
    assert not (tmp_path / "runs/seed-40").exists()


@pytest.mark.parametrize(("options", "message"), [
    (["--seeds", "4,4"], "a seed twice"),
    (["--seeds", "4,5", "--distribute", "true"], "start a distributed run for each"),
])
def test_refused(entry, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        entry(*options)
    assert not (tmp_path / "runs").exists()


def test_general_distillation_has_no_metrics_to_average(tmp_path):
    with pytest.raises(UserError, match=r"seeds \[4, 5\] is for fine-tuning and task distillation.*--seed N"):
        run_general_distill.main(["--seeds", "4,5", "--save_ckpt_path", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()
