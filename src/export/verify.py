# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Running an artefact and the model it was made from on the same batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from src.common.errors import UserError
from src.config import EncoderConfig
from src.export.artefacts import Batch, Runner


@dataclass(frozen=True)
class Difference:
    """Largest absolute difference over all outputs of one batch."""

    batch_size: int
    length: int
    value: float


def batches(config: EncoderConfig, longest: int, seed: int = 0) -> Iterator[Batch]:
    """Yield random batches: one row, several rows, the longest length, a single token, padded rows.

    The first row of each batch is full, the others end anywhere. Half of the tokens of a row are of the second segment
    where the model has one. What fills a row up stands at no real token: transformers numbers RoBERTa's positions, and
    finds the last token of GPT-2's rows, by it.
    """
    padding = max(config.position_offset - 1, 0)
    generator = np.random.default_rng(seed)
    shapes = [(1, longest), (2, longest), (7, max(1, longest // 4)), (4, max(1, longest // 7)), (1, 1)]
    for batch_size, length in dict.fromkeys(shapes):
        real = generator.integers(1, length + 1, (batch_size, 1))
        real[0] = length
        places = np.arange(length)[None, :]
        mask = (places < real).astype(np.int64)
        ids = generator.integers(0, config.vocab_size - 1, (batch_size, length), dtype=np.int64)
        ids = np.where(mask == 1, ids + (ids >= padding), padding)
        segments = ((places >= real // 2) & (mask == 1)).astype(np.int64) * min(1, max(config.type_vocab_size - 1, 0))
        yield {"input_ids": ids, "input_mask": mask, "segment_ids": segments}


def compare(reference: Runner, artefact: Runner, config: EncoderConfig, longest: int, limit: float) -> list[Difference]:
    """Run both on every batch; what has a value for each token is compared at the real ones.

    Raises:
        UserError: an output is missing, of another shape, not finite, or further off than `limit`.
    """
    differences = []
    for batch in batches(config, longest):
        batch_size, length = batch["input_ids"].shape
        expected, found = reference(batch), artefact(batch)
        shapes = [output.shape for output in expected], [output.shape for output in found]
        if shapes[0] != shapes[1]:
            raise UserError(f"the artefact returns shapes {shapes[1]} for {batch_size} x {length} tokens, the model "
                            f"{shapes[0]}; nothing was written")
        value = max(_difference(a, b, batch["input_mask"]) for a, b in zip(expected, found, strict=True))
        # Also true of NaN, which compares as false.
        if not value <= limit:
            raise UserError(f"the artefact's outputs differ from the model's by {value:.2e} for {batch_size} x "
                            f"{length} tokens, more than max_difference {limit:.0e}; nothing was written")
        differences.append(Difference(batch_size, length, value))
    return differences


def _difference(expected: np.ndarray, found: np.ndarray, mask: np.ndarray) -> float:
    difference = np.abs(expected - found)
    return float((difference[mask == 1] if difference.ndim == 3 else difference).max())
