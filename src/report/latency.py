# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Latency of models, measured against each other.

All models are loaded in one process in graph mode, float32 on CPU, and called in turn (A, B, B, A, ...), so that a
slower moment of the machine meets all of them; the figure is the median over the rounds. A call takes one row of
`seq_length` random tokens in host memory and ends when the outputs are back there. Tokenisation is not included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import numpy as np

WARM_UP_CALLS = 3
MINIMUM_ROUNDS = 5
SECONDS = 5.0
"""For all models together, after the compilation."""


def measure(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Call each of `calls` in turn until `seconds` have passed, at least MINIMUM_ROUNDS times; returns their seconds.

    The order is turned round after each round, so that no call always follows the same other one.
    """
    for call in calls.values():
        for _ in range(WARM_UP_CALLS):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    names, end = list(calls), time.perf_counter() + seconds
    while len(times[names[0]]) < MINIMUM_ROUNDS or time.perf_counter() < end:
        for name in names:
            started = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - started)
        names.reverse()
    return times


def latencies(models: Mapping[str, Path], seq_length: int, device_target: str, seconds: float = SECONDS
              ) -> dict[str, float]:
    """Return name -> milliseconds of one row of checkpoint directories, by the protocol above.

    Raises:
        UserError: a model has fewer positions than `seq_length`, or cannot be loaded.
    """
    from src.checkpoints.checkpoint import cell_of, load_model
    from src.config import load_config
    from src.device import set_up_device
    from src.models.heads import arrays_of

    settings = load_config(device__device_target=device_target)
    device = set_up_device(settings.device, settings.seed)

    def call_of(folder: Path) -> Callable[[], object]:
        loaded = load_model(folder)
        loaded.check_length(seq_length)
        cell = cell_of(loaded, device.compute_type)
        ids = np.random.default_rng(0).integers(0, loaded.config.encoder.vocab_size, (1, seq_length)).astype(np.int32)
        row = (ids, np.ones_like(ids), np.zeros_like(ids))

        return lambda: arrays_of(cell, *row)

    times = measure({name: call_of(folder) for name, folder in models.items()}, seconds)
    return {name: median(found) * 1e3 for name, found in times.items()}
