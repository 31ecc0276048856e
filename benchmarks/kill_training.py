# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Kill a training again and again, and see whether its student comes out as if nothing had happened.

    python benchmarks/kill_training.py                  # 30 kills
    python benchmarks/kill_training.py --kills 2 --seed 7

General distillation of a tiny model on CPU, dropout 0, runs once undisturbed. Another run of the same command is killed
(SIGKILL) at instants drawn at random and started again, as often as asked for, then left to end. Three kinds of
instants: `save`, within a few milliseconds of the moment at which a checkpoint begins to be written; `step`, anywhere
after the first new step; `start`, before it, MindSpore's import and the compilation included. Checked: what a kill has
left aside is gone when the next start has trained a step, nothing is left aside at the end and no process stays behind;
the student and the last checkpoint (optimiser, schedule) are the same to the bit, metrics.jsonl has the same lines.
Prints a row for each kill and the verdict; status 1 where something is not as it should be.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from kills import differences, judge, last_line, launch, leftovers

from common import arguments, encoder, kill, save_random, write_vocabulary

KINDS = {"save": 0.6, "step": 0.25, "start": 0.15}
STEPS_A_KILL = 4
STUDENT = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4,
           "intermediate_size": 32, "max_position_embeddings": 32, "hidden_dropout_prob": 0,
           "attention_probs_dropout_prob": 0}
LENGTH = 16


def main() -> None:
    """Run all of it."""
    judge(arguments(__doc__, kills=30, seed=0), make_inputs, run_all,
          "the killed run ended as the undisturbed one, to the bit")


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


def start(run: Path, steps: int) -> subprocess.Popen:
    """Start the training; its output goes to a log beside the run."""
    folder = run.parent
    student = [word for name, value in STUDENT.items() for word in (f"--student.{name}", value)]
    return launch(folder, "run_general_distill.py", "--device_target", "CPU", "--load_teacher_ckpt_path",
                  folder / "teacher", "--data_dir", folder / "records", "--save_ckpt_path", run, "--batch_size", 8,
                  "--epoch_size", 1000, "--learning_rate", "1e-3", "--train_steps", steps, "--save_checkpoint_step", 1,
                  "--max_ckpt_num", 1, "--seq_length", LENGTH, "--buckets", "[]", "--log_interval", 1, "--tensorboard",
                  "false", *student)


def step_of(run: Path) -> int:
    """Steps in the last checkpoint, -1 without one."""
    try:
        return int((run / "checkpoints/latest").read_text().split("-")[1])
    except (FileNotFoundError, IndexError):
        return -1


def has_step(run: Path, step: int, deadline: float = math.inf) -> bool:
    """Whether a run has a checkpoint of a step, or the time is over."""
    return step_of(run) >= step or time.monotonic() >= deadline


def wait_for(process: subprocess.Popen, reached: Callable[[], bool]) -> bool:
    """Wait until something is so; whether it came to that before the process ended."""
    while not reached():
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    return True


def run_all(folder: Path, kills: int, generator: random.Random) -> list[str]:
    """Run the undisturbed training and the one that is killed; return what is not as it should be."""
    straight, killed, steps = folder / "straight", folder / "killed", STEPS_A_KILL * (kills + 2)
    faults = []
    began = time.monotonic()
    process = start(straight, steps)
    wait_for(process, partial(has_step, straight, 1))
    start_seconds = time.monotonic() - began
    process.wait()
    print(f"undisturbed: {steps} steps, {time.monotonic() - began:.1f} s, of which {start_seconds:.1f} until the first "
          f"step\n{'kill':>4} {'kind':5} {'from':>4} {'step':>4} {'after s':>7}  left aside", flush=True)
    aside: dict[Path, tuple[int, int]] = {}
    for number in range(1, kills + 1):
        kind = generator.choices(list(KINDS), list(KINDS.values()))[0]
        before, began = step_of(killed), time.monotonic()
        process = start(killed, steps)
        if kind == "start":
            # At the latest with the first step: the next start may be faster than the one that was measured.
            deadline = began + generator.uniform(0, start_seconds)
            wait_for(process, partial(has_step, killed, before + 1, deadline))
        else:
            faults += not_cleared(process, killed, before, aside)
            wanted = max(before, 0) + generator.randint(1, STEPS_A_KILL - 1)
            wait_for(process, partial(has_step, killed, wanted))
            if kind == "save":
                wait_for(process, lambda: any((killed / "checkpoints").glob(".*.partial")))
            time.sleep(generator.uniform(0, 0.015 if kind == "save" else 0.1))
        if process.poll() is not None:
            faults.append(f"kill {number}: the run had ended with status {process.returncode}: {last_line(folder)}")
            continue
        after = time.monotonic() - began
        faults += [f"kill {number}: a process of the killed one goes on" for _ in kill(process)]
        aside = leftovers(killed)
        print(f"{number:4} {kind:5} {before:4} {step_of(killed):4} {after:7.1f}  "
              f"{' '.join(sorted(path.name for path in aside)) or '-'}", flush=True)
    process = start(killed, steps)
    faults += not_cleared(process, killed, step_of(killed), aside)
    if process.wait():
        faults.append(f"the last start ended with status {process.returncode}: {last_line(folder)}")
    last = f"checkpoints/step-{steps:08d}"
    faults += differences(straight, killed, ("model/model.safetensors", f"{last}/model.safetensors",
                                             f"{last}/training/state.safetensors"))
    (ours, our_losses), (theirs, their_losses) = logged(straight), logged(killed)
    if ours != theirs or not np.allclose(our_losses, their_losses, rtol=1e-6, atol=0):
        faults.append("metrics.jsonl differs")
    return faults


def not_cleared(process: subprocess.Popen, run: Path, before: int, aside: dict) -> list[str]:
    """Wait for the first new step: return what the kill before had left aside and is not gone by then."""
    if not wait_for(process, partial(has_step, run, before + 1)):
        return []
    return [f"left aside through the next start: {path}" for path, file in leftovers(run).items()
            if aside.get(path) == file]


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


if __name__ == "__main__":
    main()
