# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Milliseconds per training step of each phase and length, with PyTorch's beside them in the same run.

python benchmarks/step_time.py [--batch_size 32] [--lengths 128,64,32] [--phases general_distill,...] [--repeats 7]

Teacher 12 x 768, vocabulary 30522, float32, CPU, dropout 0.1 in the student, which is 4 x 312 (TinyBERT), or 6 x 768
(DistilBERT) in the phase `distil`: 5 ce + 2 mlm + cos, AdamW, batches of 16 lines of running text, the same for both.
The two frameworks run in processes of their own and take turns, the waiting one stopped, so that a drift of the
machine's speed meets both; the smallest time of each is compared. The task phases also replay batches with the lengths
of short sentences: ours go to buckets, PyTorch's are padded to the full length as the reference implementations do,
and, for fairness, to our buckets too. --short_batches and --distil_batches say how many. Needs torch
(requirements-dev.txt).
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
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from common import arguments, encoder, in_turn

TEACHER, STUDENT = (30522, 12, 768, 12, 3072), (30522, 4, 312, 12, 1200)
DISTILBERT, DISTIL_ROWS = (30522, 6, 768, 12, 3072), 16
PHASES = ("general_distill", "task_distill_phase1", "task_distill_phase2", "distil")
BUCKETS = (32, 64, 96, 128)


def batch(rows: int, length: int, lengths: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """Return input_ids, input_mask, segment_ids, int32 (rows, length)."""
    generator = np.random.default_rng(0)
    lengths = np.full(rows, length) if lengths is None else lengths
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    return generator.integers(1000, 30000, (rows, length)).astype(np.int32) * mask, mask, np.zeros_like(mask)


def short_sentences(rows: int, batches: int) -> list[np.ndarray]:
    """Lengths of sentences as in SST-2's training set (mean 13 tokens, longest 66): sorted windows, as ours are cut."""
    generator = np.random.default_rng(1)
    drawn = np.clip(generator.lognormal(np.log(11), 0.6, rows * batches), 4, 66).astype(int)
    return list(np.sort(drawn).reshape(batches, rows))


def real_sequences(rows: int, batches: int) -> list[np.ndarray]:
    """Lengths of lines of running text, one or a few sentences (median 45 tokens), grouped by size."""
    generator = np.random.default_rng(2)
    drawn = np.clip(generator.lognormal(np.log(45), 0.6, rows * batches), 12, BUCKETS[-1]).astype(int)
    return list(np.sort(drawn).reshape(batches, rows))


def predicted_batch(lengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return a batch of its bucket's length, the labels int32, and the predicted tokens (15 %) bool."""
    ids, mask, types = batch(len(lengths), next(b for b in BUCKETS if b >= lengths.max()), lengths)
    places = np.flatnonzero(mask)
    predicted = np.zeros(mask.size, bool)
    predicted[np.random.default_rng(3).permutation(places)[: math.ceil(0.15 * len(places))]] = True
    predicted = predicted.reshape(mask.shape)
    return np.where(predicted, 103, ids).astype(np.int32), mask, types, ids, predicted


def make_ours(phase: str, sizes: dict | None = None) -> Callable[..., float]:
    """Return a function (ids, mask, types, ...) -> loss that runs one of our steps.

    With `sizes` (see benchmarks/vocabulary_cost.py) what follows the types are the finished label columns.
    """
    import mindspore as ms
    from mindspore import Tensor

    from src.config import load_config
    from src.device import set_up_device
    from src.models.dropout import make_dropout_stateless
    from src.train.optim import make_optimizer
    from src.train.step import TrainStep

    config = load_config(objective="tokens" if phase == "distil" else "layers", device__device_target="CPU",
                         device__compile_cache=False)
    device = set_up_device(config.device, config.seed)
    stage, network = make_network(config, phase, sizes)
    make_dropout_stateless(network.student, 0)
    step = TrainStep(network, make_optimizer(stage, network.trainable_params(), 1000), stage, device)
    step.set_train()
    counter = iter(range(1 << 30))

    def run(ids: np.ndarray, mask: np.ndarray, types: np.ndarray, *rest: np.ndarray) -> float:
        labels = rest or (np.zeros((len(ids), 1), np.int32),)
        if rest and sizes is None:
            labels = label_columns(mask, *rest)
        outputs = step(Tensor(next(counter), ms.int32), *map(Tensor, (ids, mask, types, *labels)))
        return float(outputs[0])

    return run


def label_columns(mask: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, ...]:
    """What src/dataset/language_model.py makes: places, labels, and weights of ce, mlm and cos."""
    places = np.flatnonzero(mask)
    tokens, chosen = mask.astype(np.float32), predicted.astype(np.float32).ravel()[places]
    return (places.astype(np.int32), labels.ravel()[places], np.full(len(places), 1 / len(places), np.float32),
            chosen / chosen.sum(), tokens / tokens.sum())


def make_network(config: Any, phase: str, sizes: dict | None) -> tuple[Any, Any]:
    """Return the stage and the cell of a phase; of `distil` with other models than DistilBERT's with `sizes`."""
    from src.config import HeadConfig, ModelConfig
    from src.distill.cell import DistillationCell, make_projection
    from src.distill.layer_map import resolve_layer_map
    from src.distill.objectives import objective_of
    from src.models.heads import build_model

    shapes, others = [TEACHER, STUDENT], [dict[str, Any](), {}]
    stage, head = config.task_distill.phase1, HeadConfig("classification", ("0", "1"))
    pairs: tuple[tuple[int, int], ...] = ()
    if phase == "distil":
        shapes, others = [TEACHER, DISTILBERT], [{"type_vocab_size": types, "pooler": "none"} for types in (2, 0)]
        if sizes:
            shapes = [(sizes["vocabulary"], int(layers), sizes["hidden"], sizes["heads"], 4 * sizes["hidden"])
                      for layers in sizes["layers"].split(",")]
        head = HeadConfig("masked_lm")
        stage = replace(config.token_distill, gradient_accumulation_steps=1, batch_size=DISTIL_ROWS, alpha_ce=5.0,
                        alpha_mlm=2.0, alpha_clm=0.0, alpha_cos=1.0)
    elif phase == "task_distill_phase2":
        stage = config.task_distill.phase2
    else:
        stage = config.general_distill if phase == "general_distill" else stage
        pairs = resolve_layer_map("uniform", STUDENT[1], TEACHER[1])
    encoders = [encoder(layers, hidden, inner, heads, vocab, **more)
                for (vocab, layers, hidden, heads, inner), more in zip(shapes, others, strict=True)]
    teacher, student = (build_model(ModelConfig(made, head)) for made in encoders)
    objective = objective_of(stage, head, pairs)
    return stage, DistillationCell(student, objective, teacher, make_projection(objective, encoders[1], encoders[0],
                                                                                "shared"))


def make_torch(phase: str) -> Callable[..., float]:
    """Return the same of PyTorch."""
    import torch
    from torch_step import DistilStep, Step

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    step = DistilStep(TEACHER, DISTILBERT) if phase == "distil" else Step(phase, TEACHER, STUDENT)

    def run(ids: np.ndarray, mask: np.ndarray, types: np.ndarray, *rest: np.ndarray) -> float:
        labels = (torch.tensor(rest[0]).long(), torch.tensor(rest[1])) if rest else ()
        return step(torch.tensor(ids).long(), torch.tensor(mask), torch.tensor(types).long(), *labels)

    return run


def work(kind: str, phase: str, sizes: dict | None, pipe: Any) -> None:
    """Run steps on demand and send back their seconds and the peak memory of the process in MB."""
    os.environ["GLOG_v"] = "4"
    run = make_torch(phase) if kind == "torch" else make_ours(phase, sizes)
    while (arrays := pipe.recv()) is not None:
        began = time.perf_counter()
        loss = run(*arrays)
        assert np.isfinite(loss)
        pipe.send((time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


class Worker:
    """A process that is stopped whenever it is not asked."""

    def __init__(self, kind: str, phase: str, sizes: dict | None = None):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(kind, phase, sizes, theirs), daemon=True)
        self.process.start()
        self.pid = int(self.process.pid or 0)
        self.peak = 0.0

    def step(self, arrays: tuple[np.ndarray, ...]) -> float:
        """Return the milliseconds of one step."""
        os.kill(self.pid, signal.SIGCONT)
        self.pipe.send(arrays)
        seconds, self.peak = self.pipe.recv()
        os.kill(self.pid, signal.SIGSTOP)
        return seconds * 1000

    def close(self) -> None:
        """End the process."""
        os.kill(self.pid, signal.SIGCONT)
        self.pipe.send(None)
        self.process.join()


def measure(ours: Worker, theirs: Worker, pairs: list[tuple[tuple, tuple]], repeats: int) -> list[list[float]]:
    """Return milliseconds of both by repeat, each the mean over the (ours, theirs) pairs of batches, in turn."""
    steps = {place: partial(mean_step, worker, [pair[place] for pair in pairs])
             for place, worker in enumerate((ours, theirs))}
    in_turn(steps, 1)  # compile, allocate
    return list(in_turn(steps, repeats).values())


def mean_step(worker: Worker, batches: list[tuple]) -> float:
    """The milliseconds of a step over some batches."""
    return statistics.mean(map(worker.step, batches))


def row(name: str, ours: list[float], theirs: list[float]) -> str:
    """One line of the table."""
    return (f"{name:<44} {min(ours):>9.0f} {statistics.median(ours):>9.0f} {min(theirs):>11.0f} "
            f"{statistics.median(theirs):>9.0f} {min(ours) / min(theirs):>8.2f}")


def measure_tinybert(phase: str, ours: Worker, theirs: Worker, options: argparse.Namespace) -> None:
    """Print full batches of each length and, in a task, batches of short sentences."""
    rows = options.batch_size
    for length in map(int, options.lengths.split(",")):
        arrays = batch(rows, length)
        print(row(f"{phase}, {rows} x {length}", *measure(ours, theirs, [(arrays, arrays)], options.repeats)),
              flush=True)
    if not phase.startswith("task"):
        return
    lengths = short_sentences(rows, options.short_batches)
    cut = [batch(rows, next(b for b in BUCKETS if b >= part.max()), part) for part in lengths]
    full = [batch(rows, BUCKETS[-1], part) for part in lengths]
    for name, other in (("padded", full), ("bucketed", cut)):
        results = measure(ours, theirs, list(zip(cut, other, strict=True)), max(2, options.repeats // 2))
        print(row(f"{phase}, short sentences, PyTorch {name}", *results), flush=True)


def measure_distil(ours: Worker, theirs: Worker, options: argparse.Namespace) -> None:
    """Print batches of running text, the same for both."""
    batches = [predicted_batch(lengths) for lengths in real_sequences(DISTIL_ROWS, options.distil_batches)]
    results = measure(ours, theirs, [(arrays, arrays) for arrays in batches], max(2, options.repeats // 2))
    print(row(f"distil, {DISTIL_ROWS} x {min(len(b[0][0]) for b in batches)}..{max(len(b[0][0]) for b in batches)}, "
              "bucketed", *results), flush=True)


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, batch_size=32, lengths="128,64,32", phases=",".join(PHASES), repeats=7,
                        short_batches=8, distil_batches=8)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, mindspore "
          f"{version('mindspore')}, torch {version('torch')}, batch {options.batch_size} (distil: {DISTIL_ROWS}), "
          "seed 0")
    print(f"{'':<44} {'ours, ms':>9} {'median':>9} {'PyTorch, ms':>11} {'median':>9} {'ratio':>8}")
    for phase in options.phases.split(","):
        ours, theirs = Worker("ours", phase), Worker("torch", phase)
        if phase == "distil":
            measure_distil(ours, theirs, options)
        else:
            measure_tinybert(phase, ours, theirs, options)
        print(f"{phase}: peak memory {ours.peak:.0f} MB ours, {theirs.peak:.0f} MB PyTorch", flush=True)
        ours.close()
        theirs.close()


if __name__ == "__main__":
    main()
