# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a Distil* step pays for its vocabulary: time and peak memory by where logits are computed.

python benchmarks/vocabulary_cost.py [--vocabulary 119547] [--layers 12,6] [--hidden 768] [--length 128] [--repeats 5]

all places: padding too, with weight 0. real tokens: what the default computes. predicted: masked places only
(restrict_ce_to_mask). Terms ce, mlm and cos; batch 16, float32, CPU. Each choice runs in a process of its own, the
others stopped, one after the other in every repeat.
"""

from __future__ import annotations

import statistics

import numpy as np
import step_time

from common import command_line, in_turns

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
    parser = command_line(__doc__)
    parser.add_argument("--vocabulary", type=int, default=30522)
    parser.add_argument("--layers", default="12,6", help="of teacher and student")
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--length", type=int, default=128, help="padded length; lines of text fill about two thirds")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    lengths = np.random.default_rng(4).integers(arguments.length // 3, arguments.length + 1, step_time.DISTIL_ROWS)
    lengths[0] = arguments.length
    arrays = step_time.predicted_batch(lengths)
    batches = {choice: (*arrays[:3], *columns(choice, arrays)) for choice in CHOICES}
    workers = {choice: step_time.Worker("ours", "distil", vars(arguments)) for choice in CHOICES}
    for choice, worker in workers.items():
        worker.step(batches[choice])  # compile
    times = in_turns({choice: lambda choice=choice, worker=worker: worker.step(batches[choice])
                      for choice, worker in workers.items()}, arguments.repeats)
    print(f"vocabulary {arguments.vocabulary}, layers {arguments.layers}, width {arguments.hidden}, "
          f"{len(lengths)} x {arrays[0].shape[1]}")
    print(f"{'logits at':<14} {'places':>7} {'ms':>8} {'median':>8} {'peak, MB':>9}")
    for choice, worker in workers.items():
        print(f"{choice:<14} {len(batches[choice][3]):>7} {min(times[choice]):>8.0f} "
              f"{statistics.median(times[choice]):>8.0f} {worker.peak:>9.0f}", flush=True)
        worker.close()


if __name__ == "__main__":
    main()
