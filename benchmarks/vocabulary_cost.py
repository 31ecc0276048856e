# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a Distil* step pays for its vocabulary: time and peak memory by where logits are computed.

python benchmarks/vocabulary_cost.py [--vocabulary 119547] [--layers 12,6] [--hidden 768] [--length 128] [--repeats 5]

all places: padding too, with weight 0. real tokens: what the default computes. predicted: masked places only
(restrict_ce_to_mask). Terms ce, mlm and cos; batch 16, padded to --length (lines of text fill about two thirds of it),
float32, CPU. Each choice runs in a process of its own, the others stopped, one after the other in every repeat.
"""

from __future__ import annotations

import statistics
from functools import partial

import numpy as np
import step_time

from common import arguments, in_turn

CHOICES = ("all places", "real tokens", "predicted")


def columns(choice: str, arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return the label columns of a choice (see src/dataset/language_model.py)."""
    _, mask, _, labels, predicted = arrays
    tokens, chosen = (x.astype(np.float32) / x.sum() for x in (mask, predicted))
    counted = chosen if choice == "predicted" else tokens
    selected = {"all places": np.ones_like(mask), "real tokens": mask, "predicted": predicted}[choice]
    places = np.flatnonzero(selected).astype(np.int32)
    return places, labels.ravel()[places], counted.ravel()[places], chosen.ravel()[places], tokens


def main() -> None:
    """Print the table."""
    options = arguments(__doc__, vocabulary=30522, layers="12,6", hidden=768, heads=12, length=128, repeats=5)
    lengths = np.random.default_rng(4).integers(options.length // 3, options.length + 1, step_time.DISTIL_ROWS)
    lengths[0] = options.length
    arrays = step_time.predicted_batch(lengths)
    batches = {choice: (*arrays[:3], *columns(choice, arrays)) for choice in CHOICES}
    workers = {choice: step_time.Worker("ours", "distil", vars(options)) for choice in CHOICES}
    steps = {choice: partial(worker.step, batches[choice]) for choice, worker in workers.items()}
    in_turn(steps, 1)  # compile
    times = in_turn(steps, options.repeats)
    print(f"vocabulary {options.vocabulary}, layers {options.layers}, width {options.hidden}, "
          f"{len(lengths)} x {arrays[0].shape[1]}")
    print(f"{'logits at':<14} {'places':>7} {'ms':>8} {'median':>8} {'peak, MB':>9}")
    for choice, worker in workers.items():
        print(f"{choice:<14} {len(batches[choice][3]):>7} {min(times[choice]):>8.0f} "
              f"{statistics.median(times[choice]):>8.0f} {worker.peak:>9.0f}", flush=True)
        worker.close()


if __name__ == "__main__":
    main()
