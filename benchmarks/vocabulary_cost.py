# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a Distil* step pays for its vocabulary: time and peak memory by where logits are computed.

python benchmarks/vocabulary_cost.py [--length 128] [--repeats 5]

all places: padding too, with weight 0. real tokens: what the default computes. predicted: masked places only
(restrict_ce_to_mask). Models and terms are those of the phase `distil` of benchmarks/step_time.py; batch 16, padded to
--length (lines of text fill about two thirds of it), float32, CPU. Each choice runs in a process of its own, the others
stopped, one after the other in every repeat.
"""

from __future__ import annotations

import statistics
from functools import partial

import numpy as np
from step_time import DISTIL_ROWS, Worker, make_ours, predicted_batch, with_columns

from common import arguments, in_turn

CHOICES = ("all places", "real tokens", "predicted")


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, length=128, repeats=5)
    lengths = np.random.default_rng(4).integers(options.length // 3, options.length + 1, DISTIL_ROWS)
    lengths[0] = options.length
    arrays = predicted_batch(lengths)
    batches = {choice: with_columns(arrays, choice) for choice in CHOICES}
    workers = {choice: Worker(make_ours, "distil") for choice in CHOICES}
    steps = {choice: partial(worker.step, batches[choice]) for choice, worker in workers.items()}
    in_turn(steps, 1)  # compile
    times = in_turn(steps, options.repeats)
    print(f"{DISTIL_ROWS} x {arrays[0].shape[1]}")
    print(f"{'logits at':<14} {'places':>7} {'ms':>8} {'median':>8} {'peak, MB':>9}")
    for choice, worker in workers.items():
        print(f"{choice:<14} {len(batches[choice][3]):>7} {min(times[choice]):>8.0f} "
              f"{statistics.median(times[choice]):>8.0f} {worker.peak:>9.0f}", flush=True)
        worker.close()


if __name__ == "__main__":
    main()
