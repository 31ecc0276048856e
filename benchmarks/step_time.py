# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per training step of each phase and length, with PyTorch's beside them in the same run.

python benchmarks/step_time.py [--batch_size 32] [--lengths 128,64,32] [--phases general_distill,...] [--repeats 7]

Teacher 12 x 768, vocabulary 30522, float32, CPU, dropout 0.1 in the student, which is 4 x 312 (TinyBERT), or 6 x 768
(DistilBERT) in the phase `distil`: 5 ce + 2 mlm + cos, AdamW, batches of 16 lines of running text, the same for both;
and 6 x 384 (MiniLMv2) in the phase `relations`: configs/minilm_gd.yaml, 48 relation heads.
The two frameworks run in processes of their own and take turns, the waiting one stopped, so that a drift of the
machine's speed meets both; the smallest time of each is compared. The task phases also replay batches with the lengths
of short sentences: ours go to buckets, PyTorch's are padded to the full length as the reference implementations do,
and, for fairness, to our buckets too. Needs torch (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import platform
import resource
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from common import REPOSITORY, VOCABULARY, arguments, encoder, in_turn, make_step

TEACHER, STUDENT = (12, 768, 3072), (4, 312, 1200)
"""Layers, width, inner width."""
STUDENTS = {"distil": (6, 768, 3072), "relations": (6, 384, 1536)}
PHASES = ("general_distill", "task_distill_phase1", "task_distill_phase2", "distil", "relations")
BUCKETS = (32, 64, 96, 128)
BATCHES, DISTIL_ROWS = 8, 16


def batch(lengths: np.ndarray, width: int = 0) -> tuple[np.ndarray, ...]:
    """Return input_ids, input_mask, segment_ids, int32 (rows, width), by default as wide as their bucket."""
    width = width or next(bucket for bucket in BUCKETS if bucket >= lengths.max())
    mask = (np.arange(width) < lengths[:, None]).astype(np.int32)
    ids = np.random.default_rng(0).integers(min(1000, VOCABULARY // 2), min(30000, VOCABULARY), mask.shape)
    ids = ids.astype(np.int32)
    return ids * mask, mask, np.zeros_like(mask)


def drawn_lengths(rows: int, seed: int, median: int, shortest: int, longest: int) -> list[np.ndarray]:
    """Lengths of the rows of some batches, log-normal, in sorted windows, as ours are cut."""
    drawn = np.random.default_rng(seed).lognormal(np.log(median), 0.6, rows * BATCHES)
    return list(np.sort(np.clip(drawn, shortest, longest).astype(int)).reshape(BATCHES, rows))


def predicted_batch(lengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return a batch of its bucket's length, the labels int32, and the predicted tokens (15 %) bool."""
    ids, mask, types = batch(lengths)
    places = np.flatnonzero(mask)
    predicted = np.zeros(mask.size, bool)
    predicted[np.random.default_rng(3).permutation(places)[: math.ceil(0.15 * len(places))]] = True
    predicted = predicted.reshape(mask.shape)
    return np.where(predicted, min(103, VOCABULARY - 1), ids).astype(np.int32), mask, types, ids, predicted


def with_columns(arrays: tuple[np.ndarray, ...], choice: str = "real tokens") -> tuple[np.ndarray, ...]:
    """Return a batch with the label columns of src/dataset/language_model.py instead of labels and predicted tokens:
    places, labels, and weights of ce, mlm and cos, where logits are computed at a choice of places."""
    ids, mask, types, labels, predicted = arrays
    tokens, chosen = (x / x.sum() for x in (mask.astype(np.float32), predicted.astype(np.float32)))
    selected = {"all places": np.ones_like(mask), "real tokens": mask, "predicted": predicted}[choice]
    places = np.flatnonzero(selected).astype(np.int32)
    counted = (chosen if choice == "predicted" else tokens).ravel()
    return ids, mask, types, places, labels.ravel()[places], counted[places], chosen.ravel()[places], tokens


def setting_of(phase: str) -> tuple[Any, Any, Any, Any, tuple]:
    """Return all settings, those of the stage, the student, the teacher, and the layers that are compared."""
    from src.config import HeadConfig, ModelConfig, load_config
    from src.distill.layer_map import resolve_layer_map

    config = load_config(objective="tokens" if phase == "distil" else "layers", device__device_target="CPU",
                         device__compile_cache=False)
    stage: Any
    pairs: tuple[tuple[int, int], ...] = ()
    if phase == "distil":
        stage = replace(config.token_distill, gradient_accumulation_steps=1, batch_size=DISTIL_ROWS, alpha_ce=5.0,
                        alpha_mlm=2.0, alpha_clm=0.0, alpha_cos=1.0)
        encoders = [encoder(*shape, type_vocab_size=types, pooler="none")
                    for shape, types in ((STUDENTS[phase], 0), (TEACHER, 2))]
        head = HeadConfig("masked_lm")
    elif phase == "relations":
        stage = load_config(REPOSITORY / "configs/minilm_gd.yaml").general_distill
        stage = replace(stage, gradient_accumulation_steps=1)
        encoders, head = [encoder(*STUDENTS[phase]), encoder(*TEACHER)], HeadConfig()
    else:
        stage = (config.general_distill if phase == "general_distill"
                 else getattr(config.task_distill, phase.removeprefix("task_distill_")))
        encoders = [encoder(*STUDENT), encoder(*TEACHER)]
        head = HeadConfig("classification", ("0", "1"))
        if phase != "task_distill_phase2":
            pairs = resolve_layer_map("uniform", STUDENT[0], TEACHER[0])
    student, teacher = (ModelConfig(made, head) for made in encoders)
    return config, stage, student, teacher, pairs


def make_ours(phase: str) -> Callable[..., float]:
    """Return a function (ids, mask, types, labels...) -> loss that runs one of our steps."""
    return runner(phase, make_step(*setting_of(phase))[0])


def runner(phase: str, step: Any) -> Callable[..., float]:
    """The same of a step that has been made."""
    import mindspore as ms
    from mindspore import Tensor

    counter = iter(range(1 << 30))

    def run(*arrays: np.ndarray) -> float:
        labels = () if phase == "distil" else (np.zeros((len(arrays[0]), 1), np.int32),)
        return float(step(Tensor(next(counter), ms.int32), *map(Tensor, (*arrays, *labels)))[0])

    return run


def make_torch(phase: str) -> Callable[..., float]:
    """Return the same of PyTorch."""
    import torch
    import torch_step

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    step = torch_step.make_step(phase, TEACHER, STUDENTS.get(phase, STUDENT))

    def run(*arrays: np.ndarray) -> float:
        return step(*(torch.tensor(array) if array.dtype == bool else torch.tensor(array).long() for array in arrays))

    return run


def work(make: Callable[[str], Callable[..., float]], phase: str, pipe: Any) -> None:
    """Run steps on demand and send back their seconds and the peak memory of the process in MB."""
    os.environ["GLOG_v"] = "4"
    run = make(phase)
    while (arrays := pipe.recv()) is not None:
        began = time.perf_counter()
        loss = run(*arrays)
        assert np.isfinite(loss)
        pipe.send((time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


class Worker:
    """A process that runs the steps of a phase, and is stopped whenever it is not asked."""

    def __init__(self, make: Callable[[str], Callable[..., float]], phase: str):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(make, phase, theirs), daemon=True)
        self.process.start()
        self.pid = int(self.process.pid or 0)
        self.peak = 0.0

    def step(self, *batches: tuple[np.ndarray, ...]) -> float:
        """Return the milliseconds of a step, the mean over some batches."""
        os.kill(self.pid, signal.SIGCONT)
        milliseconds = []
        for arrays in batches:
            self.pipe.send(arrays)
            seconds, self.peak = self.pipe.recv()
            milliseconds.append(seconds * 1000)
        os.kill(self.pid, signal.SIGSTOP)
        return statistics.mean(milliseconds)

    def close(self) -> None:
        """End the process."""
        os.kill(self.pid, signal.SIGCONT)
        self.pipe.send(None)
        self.process.join()


def cases(phase: str, options: argparse.Namespace) -> Iterator[tuple[str, list[tuple], list[tuple], int]]:
    """Yield what is measured: its name, our batches, PyTorch's, and how often."""
    rows, fewer = options.batch_size, max(2, options.repeats // 2)
    if phase == "distil":
        theirs = [predicted_batch(lengths) for lengths in drawn_lengths(DISTIL_ROWS, 2, 45, 12, BUCKETS[-1])]
        widths = [arrays[0].shape[1] for arrays in theirs]
        name = f"distil, {DISTIL_ROWS} x {min(widths)}..{max(widths)}, bucketed"
        yield name, [with_columns(arrays) for arrays in theirs], theirs, fewer
        return
    for length in map(int, options.lengths.split(",")):
        arrays = batch(np.full(rows, length), length)
        yield f"{phase}, {rows} x {length}", [arrays], [arrays], options.repeats
    if phase.startswith("task"):
        short = drawn_lengths(rows, 1, 11, 4, 66)  # as in SST-2's training set: mean 13 tokens, longest 66
        cut, full = [batch(lengths) for lengths in short], [batch(lengths, BUCKETS[-1]) for lengths in short]
        yield f"{phase}, short sentences, PyTorch padded", cut, full, fewer
        yield f"{phase}, short sentences, PyTorch bucketed", cut, cut, fewer


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, batch_size=32, lengths="128,64,32", phases=",".join(PHASES), repeats=7)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, mindspore "
          f"{version('mindspore')}, torch {version('torch')}, batch {options.batch_size} (distil: {DISTIL_ROWS}), "
          "seed 0")
    print(f"{'':<44} {'ours, ms':>9} {'median':>9} {'PyTorch, ms':>11} {'median':>9} {'ratio':>8}")
    for phase in options.phases.split(","):
        workers = ours, theirs = Worker(make_ours, phase), Worker(make_torch, phase)
        for name, our_batches, their_batches, repeats in cases(phase, options):
            steps = {"ours": partial(ours.step, *our_batches), "PyTorch": partial(theirs.step, *their_batches)}
            in_turn(steps, 1)  # compile, allocate
            own, its = in_turn(steps, repeats).values()
            print(f"{name:<44} {min(own):>9.0f} {statistics.median(own):>9.0f} {min(its):>11.0f} "
                  f"{statistics.median(its):>9.0f} {min(own) / min(its):>8.2f}", flush=True)
        print(f"{phase}: peak memory {ours.peak:.0f} MB ours, {theirs.peak:.0f} MB PyTorch", flush=True)
        for worker in workers:
            worker.close()


if __name__ == "__main__":
    main()
