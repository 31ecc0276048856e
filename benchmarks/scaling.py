# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Steps per second of general distillation in one process and in several, on the same total batch, on CPU.

python benchmarks/scaling.py [--workers 1,2] [--batch_size 16] [--length 64] [--steps 8] [--repeats 2]
    [--teacher 6x384x1536] [--student 3x312x1200] [--json FILE]

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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from common import REPOSITORY, bert, command_line

HEADS = 12


def main() -> None:
    """Start the jobs and print the table; with --result be one of their processes."""
    arguments = parse_arguments()
    if arguments.result:
        measure(arguments)
        return
    counts = [int(number) for number in arguments.workers.split(",")]
    for number in counts:
        if number < 1 or arguments.batch_size % number or number > (os.cpu_count() or 1):
            sys.exit(f"--workers {number}: expected a divisor of --batch_size {arguments.batch_size}, at most the "
                     f"{os.cpu_count()} cores")
    turns: dict[int, list[dict]] = {number: [] for number in counts}
    for _ in range(arguments.repeats):
        for number in counts:
            turns[number].append(run_job(number))
    best = {number: min(found, key=lambda result: result["step_seconds"]) for number, found in turns.items()}
    first = best[counts[0]]["step_seconds"]
    print("workers rows each  steps/s speed-up of ideal all-reduce  share")
    for number, result in best.items():
        seconds, reduce = result["step_seconds"], result["reduce_seconds"]
        speed_up = first / seconds
        print(f"{number:>7} {arguments.batch_size // number:>9} {1 / seconds:>8.3f} {speed_up:>8.2f} "
              f"{speed_up * counts[0] / number:>8.0%} {reduce * 1000:>7.0f} ms {reduce / seconds:>6.0%}")
    print(f"{best[counts[0]]['trained'] / 1e6:.1f} million trained parameters, {arguments.batch_size} rows of "
          f"{arguments.length} tokens a step")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"settings": vars(arguments), "results": turns}, indent=1) + "\n",
                                        encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = command_line(__doc__)
    parser.add_argument("--workers", default="1,2", help="numbers of processes; the first one is compared with")
    parser.add_argument("--batch_size", type=int, default=16, help="rows a step, over all processes")
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--steps", type=int, default=8, help="steps that are timed in a turn")
    parser.add_argument("--repeats", type=int, default=2, help="turns")
    parser.add_argument("--teacher", default="6x384x1536", help="layers x width x inner width")
    parser.add_argument("--student", default="3x312x1200")
    parser.add_argument("--json", help="write all turns here too")
    parser.add_argument("--result", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, default=1, help=argparse.SUPPRESS)
    return parser.parse_args()


def run_job(number: int) -> dict:
    """Run one job of so many processes and return what its first one measured."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        worker = [str(Path(__file__).resolve()), *sys.argv[1:], "--number", str(number), "--result", str(result)]
        launcher = ["-m", "src.launch.launch", "--device_target", "CPU", "--device_num", str(number), "--log_dir",
                    f"{folder}/log"] if number > 1 else []
        done = subprocess.run([sys.executable, *launcher, *worker], cwd=REPOSITORY, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "OMP_NUM_THREADS": "1", "GLOG_v": "3"})
        if done.returncode:
            sys.exit(f"{number} workers failed:\n{done.stdout}")
        return json.loads(result.read_text(encoding="utf-8"))


def measure(arguments: argparse.Namespace) -> None:
    """Time steps and all-reduce in this process; the first one writes the result."""
    rank = int(os.environ.get("RANK_ID", "0")) if arguments.number > 1 else 0
    # Before MindSpore is loaded, whose threads inherit it. msrun's scheduler does not compute.
    if os.environ.get("MS_ROLE") != "MS_SCHED":
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    from mindspore import Tensor

    from src.device import barrier

    step, device = make_step(arguments)
    columns = [Tensor(column) for column in make_columns(arguments)]

    def timed(action: Callable[[], object], repeats: int) -> float:
        action()  # compiles
        barrier(device)
        began = time.perf_counter()
        for _ in range(repeats):
            action()
        return (time.perf_counter() - began) / repeats

    count = iter(range(1 << 30))
    seconds = timed(lambda: step(Tensor(np.int32(next(count))), *columns)[0].asnumpy(), arguments.steps)
    variables = step.update.optimizer.parameters
    reduce = 0.0
    if device.ranks > 1:
        gradients = tuple(Tensor(np.ones(variable.shape, np.float32)) for variable in variables)
        reduce = timed(lambda: [part.asnumpy() for part in step.update.reducer(gradients)], arguments.steps)
    if device.rank == 0:
        trained = sum(variable.size for variable in variables)
        Path(arguments.result).write_text(json.dumps({"step_seconds": seconds, "reduce_seconds": reduce,
                                                      "trained": trained}), encoding="utf-8")


def make_step(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Return the train step of general distillation, dropout as by default, and the device."""
    from src.config import HeadConfig, ModelConfig, load_config
    from src.device import set_up_device, share_parameters
    from src.distill.cell import DistillationCell, make_projection
    from src.distill.layer_map import resolve_layer_map
    from src.distill.objectives import objective_of
    from src.models.dropout import make_dropout_stateless
    from src.models.heads import build_model
    from src.train.optim import make_optimizer
    from src.train.step import TrainStep

    config = load_config(device__device_target="CPU", device__distribute=arguments.number > 1,
                         device__device_num=arguments.number)
    device = set_up_device(config.device, config.seed)
    encoders = []
    for shape in (arguments.student, arguments.teacher):
        layers, width, inner = map(int, shape.split("x"))
        encoders.append(bert(layers, width, HEADS, inner))
    student, teacher = (build_model(ModelConfig(encoder), device.compute_type) for encoder in encoders)
    settings = config.general_distill
    pairs = resolve_layer_map("uniform", encoders[0].num_hidden_layers, encoders[1].num_hidden_layers)
    objective = objective_of(settings, HeadConfig(), pairs)
    projection = make_projection(objective, encoders[0], encoders[1], settings.projection)
    network = DistillationCell(student, objective, teacher, projection)
    make_dropout_stateless(student, device.rank)
    step = TrainStep(network, make_optimizer(settings, network.trainable_params(), 1000), settings, device)
    step.set_train()
    share_parameters(step.get_parameters(), device)
    return step, device


def make_columns(arguments: argparse.Namespace) -> list[np.ndarray]:
    """Return a micro-batch of rows without padding, as src/dataset/training.py makes them."""
    rows, length = arguments.batch_size // arguments.number, arguments.length
    ids = np.random.default_rng(0).integers(1000, 30000, (rows, length)).astype(np.int32)
    counts = np.array([rows * length, rows * length * length, rows], np.float32)
    return [ids, np.ones_like(ids), np.zeros_like(ids), np.zeros((rows, 1), np.int32), *counts]


if __name__ == "__main__":
    main()
