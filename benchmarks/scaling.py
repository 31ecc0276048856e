# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Steps per second of general distillation in one process and in several, on the same total batch, on CPU.

python benchmarks/scaling.py [--workers 1,2] [--batch_size 16] [--length 64] [--steps 8] [--repeats 2]

Teacher 6 x 384, student 3 x 312. --batch_size is over all processes; --steps are timed in each of --repeats turns.
Each process is bound to a core of its own and computes in one thread, so that two have twice the cores of one. The
numbers of workers take turns, and the fastest turn of each counts. All-reduce is what the gradients alone take to be
summed up when all processes come at the same time; what a step waits for the slowest process is not in it. Start and
compilation are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from step_time import batch

from common import REPOSITORY, arguments, encoder, in_turn, make_step, seconds_of


def main() -> None:
    """Start the jobs and print the table; with --result be one of their processes."""
    options = arguments(__doc__, workers="1,2", batch_size=16, length=64, steps=8, repeats=2, result="", number=1)
    if options.result:
        measure(options)
        return
    counts = [int(number) for number in options.workers.split(",")]
    for number in counts:
        if number < 1 or options.batch_size % number or number > (os.cpu_count() or 1):
            sys.exit(f"--workers {number}: expected a divisor of --batch_size {options.batch_size}, at most the "
                     f"{os.cpu_count()} cores")
    turns = in_turn({number: partial(run_job, number) for number in counts}, options.repeats)
    best = {number: min(found, key=lambda result: result["step_seconds"]) for number, found in turns.items()}
    first = best[counts[0]]["step_seconds"]
    print("workers rows each  steps/s speed-up of ideal all-reduce  share")
    for number, result in best.items():
        seconds, reduce = result["step_seconds"], result["reduce_seconds"]
        speed_up = first / seconds
        print(f"{number:>7} {options.batch_size // number:>9} {1 / seconds:>8.3f} {speed_up:>8.2f} "
              f"{speed_up * counts[0] / number:>8.0%} {reduce * 1000:>7.0f} ms {reduce / seconds:>6.0%}")
    print(f"{best[counts[0]]['trained'] / 1e6:.1f} million trained parameters, {options.batch_size} rows of "
          f"{options.length} tokens a step")


def run_job(number: int) -> dict:
    """Run one job of so many processes and return what its first one measured."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        worker = [str(Path(__file__).resolve()), *sys.argv[1:], "--number", str(number), "--result", str(result)]
        launcher = ["-m", "src.launch.launch", "--device_target", "CPU", "--device_num", str(number), "--log_dir",
                    f"{folder}/log"] if number > 1 else []
        done = subprocess.run([sys.executable, *launcher, *worker], cwd=REPOSITORY, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode:
            sys.exit(f"{number} workers failed:\n{done.stdout}")
        return json.loads(result.read_text(encoding="utf-8"))


def measure(options: argparse.Namespace) -> None:
    """Time steps and all-reduce in this process; the first one writes the result."""
    rank = int(os.environ.get("RANK_ID", "0")) if options.number > 1 else 0
    # Before MindSpore is loaded, whose threads inherit it. msrun's scheduler does not compute.
    if os.environ.get("MS_ROLE") != "MS_SCHED":
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    from mindspore import Tensor

    from src.config import ModelConfig, load_config
    from src.device import barrier
    from src.distill.layer_map import resolve_layer_map

    config = load_config(device__device_target="CPU", device__distribute=options.number > 1,
                         device__device_num=options.number)
    student, teacher = ModelConfig(encoder(3, 312, 1200)), ModelConfig(encoder(6, 384))
    step, device = make_step(config, config.general_distill, student, teacher, resolve_layer_map("uniform", 3, 6))
    # A micro-batch of rows without padding, as src/dataset/training.py makes them.
    rows, length = options.batch_size // options.number, options.length
    counts = np.array([rows * length, rows * length * length, rows], np.float32)
    columns = [Tensor(column) for column in (*batch(np.full(rows, length), length), np.zeros((rows, 1), np.int32),
                                             *counts)]

    def timed(action: Callable[[], object], repeats: int) -> float:
        action()  # compiles
        barrier(device)
        return seconds_of(lambda: [action() for _ in range(repeats)]) / repeats

    count = iter(range(1 << 30))
    seconds = timed(lambda: step(Tensor(np.int32(next(count))), *columns)[0].asnumpy(), options.steps)
    variables = step.update.optimizer.parameters
    reduce = 0.0
    if device.ranks > 1:
        gradients = tuple(Tensor(np.ones(variable.shape, np.float32)) for variable in variables)
        reduce = timed(lambda: [part.asnumpy() for part in step.update.reducer(gradients)], options.steps)
    if device.rank == 0:
        trained = sum(variable.size for variable in variables)
        Path(options.result).write_text(json.dumps({"step_seconds": seconds, "reduce_seconds": reduce,
                                                      "trained": trained}), encoding="utf-8")


if __name__ == "__main__":
    main()
