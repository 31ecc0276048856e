# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Kill a training again and again, and see whether its student comes out as if nothing had happened.

    python benchmarks/kill_training.py                  # 30 kills
    python benchmarks/kill_training.py --kills 2 --seed 7 [--save_every 1] [--max_ckpt_num 1]

General distillation of a tiny model on CPU, dropout 0, runs once undisturbed. Another run of the same command is killed
(SIGKILL) at instants drawn at random and started again, as often as asked for, then left to end. Three kinds of
instants: `save`, within a few milliseconds of the moment at which a checkpoint begins to be written; `step`, anywhere
after the first new step; `start`, before it, MindSpore's import and the compilation included. Checked: what a kill has
left aside is gone when the next start has trained a step, nothing is left aside at the end and no process stays behind;
the student and the last checkpoint (optimiser, schedule) are the same to the bit, metrics.jsonl has the same lines.
Prints a row for each kill and the verdict; status 1 where something is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from common import REPOSITORY, arguments, encoder, save_random, write_vocabulary

KINDS = {"save": 0.6, "step": 0.25, "start": 0.15}
STEPS_A_KILL = 4
GRACE_SECONDS = 10
"""How long a killed process's own may take to notice."""
STUDENT = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4,
           "intermediate_size": 32, "max_position_embeddings": 32, "hidden_dropout_prob": 0,
           "attention_probs_dropout_prob": 0}
LENGTH = 16


def main() -> None:
    """Run all of it."""
    options = arguments(__doc__, kills=30, seed=0, save_every=1, max_ckpt_num=1)
    with tempfile.TemporaryDirectory(prefix="kill_training.") as folder:
        faults = Loop(options, Path(folder)).run()
    for fault in faults:
        print(f"FAULT: {fault}")
    verdict = f"{len(faults)} faults" if faults else "the killed run ended as the undisturbed one, to the bit"
    print(f"verdict: {verdict}")
    sys.exit(bool(faults))


def make_inputs(folder: Path) -> None:
    """Write a vocabulary, records of random words and a teacher with random weights."""
    import mindspore as ms

    from src.config import ModelConfig
    from src.records.prepare import CorpusOptions, prepare_texts
    from src.text.tokenization import load_tokenizer

    words = write_vocabulary(folder / "vocab", STUDENT["vocab_size"])
    generator = np.random.default_rng(0)
    lines = [" ".join(generator.choice(words, 10)) for _ in range(400)]
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n")
    prepare_texts([folder / "corpus.txt"], load_tokenizer(folder / "vocab"), folder / "records",
                  CorpusOptions(seq_length=LENGTH))
    ms.set_seed(0)
    others = {name: STUDENT[name] for name in ("vocab_size", "max_position_embeddings", "hidden_dropout_prob",
                                               "attention_probs_dropout_prob")}
    save_random(folder / "teacher", ModelConfig(encoder(2, 32, heads=4, inner=64, initializer_range=0.05, **others)),
                folder / "vocab")


def leftovers(run: Path) -> dict[Path, tuple[int, int]]:
    """What is aside in a run's folder, hidden files and *.part, and what tells it from a later one of that name."""
    found = {}
    for folder, _, names in os.walk(run):  # which may be changing: a running training passes over what is gone
        entries = [Path(folder)] + [Path(folder, name) for name in names]
        for path in entries:
            if path.name.startswith(".") or path.suffix == ".part":
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    found[path] = status.st_ino, status.st_ctime_ns
    return found


def logged(run: Path) -> tuple[list[dict], list[list[float]]]:
    """The lines of metrics.jsonl without their seconds and losses, and the losses.

    MindSpore's CPU kernels sum the losses, which no gradient depends on, over a number of threads that they choose
    while they run: the last bit may differ.
    """
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [[line.pop("loss"), *line.pop("terms").values()] for line in lines]
    for line in lines:
        del line["seconds"]
    return lines, losses


class Loop:
    """The runs and what was found out about them."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.killed, self.straight = folder / "killed", folder / "straight"
        self.steps = STEPS_A_KILL * (options.kills + 2)
        self.faults: list[str] = []
        self.aside: dict[Path, tuple[int, int]] = {}
        self.start_seconds = 10.0

    def run(self) -> list[str]:
        """Return what is not as it should be."""
        make_inputs(self.folder)
        began = time.monotonic()
        process = self.start(self.straight)
        self.wait_for(process, lambda: self.step_of(self.straight) >= 1)
        self.start_seconds = time.monotonic() - began
        if process.wait():
            return [f"the undisturbed run ended with status {process.returncode}: {self.log()}"]
        print(f"undisturbed: {self.steps} steps, a checkpoint every {self.options.save_every}, "
              f"{time.monotonic() - began:.1f} s, of which {self.start_seconds:.1f} until the first step\n"
              f"{'kill':>4} {'kind':5} {'from':>4} {'step':>4} {'after s':>7}  left aside", flush=True)
        for number in range(1, self.options.kills + 1):
            self.kill(number)
        process = self.start(self.killed)
        self.check_cleared(process, self.step_of(self.killed))
        if process.wait():
            self.faults.append(f"the last start ended with status {process.returncode}: {self.log()}")
        self.compare()
        return self.faults

    def start(self, run: Path) -> subprocess.Popen:
        """Start the training."""
        command = [sys.executable, str(REPOSITORY / "run_general_distill.py"), "--device_target", "CPU",
                   "--load_teacher_ckpt_path", str(self.folder / "teacher"), "--data_dir", str(self.folder / "records"),
                   "--save_ckpt_path", str(run), "--batch_size", "8", "--epoch_size", "1000", "--learning_rate", "1e-3",
                   "--train_steps", str(self.steps), "--save_checkpoint_step", str(self.options.save_every),
                   "--max_ckpt_num", str(self.options.max_ckpt_num), "--seq_length", str(LENGTH), "--buckets", "[]",
                   "--log_interval", "1", "--tensorboard", "false"]
        for name, value in STUDENT.items():
            command += [f"--student.{name}", str(value)]
        with open(self.folder / "log", "w") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=REPOSITORY,
                                    start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def log(self) -> str:
        """The last line of the last start's output."""
        return ((self.folder / "log").read_text(errors="replace").strip().splitlines() or ["(no output)"])[-1]

    def step_of(self, run: Path) -> int:
        """Steps in the last checkpoint, -1 without one."""
        try:
            return int((run / "checkpoints/latest").read_text().split("-")[1])
        except (FileNotFoundError, IndexError):
            return -1

    def wait_for(self, process: subprocess.Popen, reached: Callable[[], bool]) -> bool:
        """Wait until something is so; whether it came to that before the process ended."""
        while not reached():
            if process.poll() is not None:
                return False
            time.sleep(0.001)
        return True

    def kill(self, number: int) -> None:
        """Start, let it train some steps, kill it."""
        kind = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        before, began = self.step_of(self.killed), time.monotonic()
        process = self.start(self.killed)
        if kind == "start":
            # At the latest with the first step: the next start may be faster than the one that was measured.
            deadline = began + self.random.uniform(0, self.start_seconds)
            self.wait_for(process, lambda: time.monotonic() >= deadline or self.step_of(self.killed) > before)
        else:
            self.check_cleared(process, before)
            wanted = max(before, 0) + self.random.randint(1, STEPS_A_KILL - 1)
            self.wait_for(process, lambda: self.step_of(self.killed) >= wanted)
            if kind == "save":
                checkpoints = self.killed / "checkpoints"
                self.wait_for(process, lambda: any(checkpoints.glob(".*.partial")))
            time.sleep(self.random.uniform(0, 0.015 if kind == "save" else 0.1))
        if process.poll() is not None:
            self.faults.append(f"kill {number}: the run had ended with status {process.returncode}: {self.log()}")
            return
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        after = time.monotonic() - began
        self.check_alone(process.pid, number)
        self.aside = leftovers(self.killed)
        print(f"{number:4} {kind:5} {before:4} {self.step_of(self.killed):4} {after:7.1f}  "
              f"{' '.join(sorted(path.name for path in self.aside)) or '-'}", flush=True)

    def check_cleared(self, process: subprocess.Popen, before: int) -> None:
        """Wait for the first new step: what the kill before had left aside must be gone by then."""
        if not self.wait_for(process, lambda: self.step_of(self.killed) > before):
            return
        still = [path for path, file in leftovers(self.killed).items() if self.aside.get(path) == file]
        if still:
            self.faults.append(f"left aside through the next start: {', '.join(map(str, still))}")

    def check_alone(self, group: int, number: int) -> None:
        """See that nothing that the killed process had started goes on."""
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            time.sleep(0.01)
        self.faults.append(f"kill {number}: a process of the killed one goes on")

    def compare(self) -> None:
        """Compare what the two runs have left."""
        if leftovers(self.killed):
            self.faults.append(f"left aside at the end: {', '.join(map(str, leftovers(self.killed)))}")
        last = f"checkpoints/step-{self.steps:08d}"
        for name in ("model/model.safetensors", f"{last}/model.safetensors", f"{last}/training/state.safetensors"):
            one, other = self.straight / name, self.killed / name
            if not other.is_file() or one.read_bytes() != other.read_bytes():
                self.faults.append(f"{name} differs")
        (ours, our_losses), (theirs, their_losses) = logged(self.straight), logged(self.killed)
        if ours != theirs or not np.allclose(our_losses, their_losses, rtol=1e-6, atol=0):
            self.faults.append("metrics.jsonl differs")
        if {path.name for path in self.killed.iterdir()} != {path.name for path in self.straight.iterdir()}:
            self.faults.append("the folders hold other files")


if __name__ == "__main__":
    main()
