# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a dry run expects of a step on CPU, beside what it takes: milliseconds, and the peak memory of the process.

python benchmarks/forecast.py [--cases general_distill:32x128,task_distill_phase2:32x64,distil] [--repeats 5]

Phases, models and batches are those of benchmarks/step_time.py; `distil` is its lines of running text in four lengths.
Each case has a process of its own, which builds the models, expects, as the dry run does, and then trains.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from typing import Any

import numpy as np
import step_time

from common import arguments, machine, make_step


def batches_of(phase: str, shape: str) -> list[tuple[np.ndarray, ...]]:
    """Return the batches of a case."""
    if phase == "distil":
        drawn = step_time.drawn_lengths(step_time.DISTIL_ROWS, 2, 45, 12, step_time.BUCKETS[-1])
        return [step_time.with_columns(step_time.predicted_batch(lengths)) for lengths in drawn]
    rows, length = map(int, shape.split("x"))
    return [step_time.batch(np.full(rows, length), length)]


def forecast_of(network: Any, batches: list[tuple[np.ndarray, ...]], device: Any) -> Any:
    """Return the forecast of a cell that takes these batches."""
    from src.models.cost import BatchShape
    from src.train.cost import network_of
    from src.train.forecast import Forecast
    from src.train.lengths import Lengths

    found: dict[int, list[int]] = {}
    for arrays in batches:
        found.setdefault(arrays[0].shape[1], []).append(len(arrays[3]) if len(arrays) > 3 else 0)
    rows, lengths = len(batches[0][0]), tuple(sorted(found))
    shapes = [(len(found[length]) / len(batches), BatchShape(rows, length, statistics.mean(found[length])))
              for length in lengths]
    longest = BatchShape(rows, lengths[-1], max(found[lengths[-1]]))
    return Forecast(network_of(network), Lengths(lengths, (), (), (), 0), shapes, longest, 1, device)


def measure(case: str, repeats: int, pipe: Any) -> None:
    """Send seconds and bytes that are expected, and that are measured."""
    from src.common.memory import resident_memory

    phase, _, shape = case.partition(":")
    batches = batches_of(phase, shape)
    step, device = make_step(*step_time.setting_of(phase))
    forecast = forecast_of(step.gradients.network, batches, device)
    memory = resident_memory() + forecast.memory(forecast.longest).total
    seconds = forecast.step_seconds()[0]
    run, times = step_time.runner(phase, step), []
    for _ in range(repeats + 1):  # the first one compiles
        began = time.perf_counter()
        for arrays in batches:
            run(*arrays)
        times.append((time.perf_counter() - began) / len(batches))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pipe.send((seconds, statistics.median(times[1:]), memory, peak))


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, cases="general_distill:32x128,task_distill_phase2:32x64,distil", repeats=5)
    print(f"{machine()}\n{'':<32} {'expected, ms':>12} {'measured':>9} {'':>6} {'expected, MB':>13} {'measured':>9}")
    context = multiprocessing.get_context("spawn")
    for case in options.cases.split(","):
        here, there = context.Pipe()
        process = context.Process(target=measure, args=(case, options.repeats, there))
        process.start()
        there.close()
        expected, measured, memory, peak = here.recv()
        process.join()
        print(f"{case:<32} {expected * 1e3:>12.0f} {measured * 1e3:>9.0f} {expected / measured - 1:>+6.0%} "
              f"{memory / 1e6:>13.0f} {peak / 1e6:>9.0f} {memory / peak - 1:>+6.0%}", flush=True)


if __name__ == "__main__":
    main()
