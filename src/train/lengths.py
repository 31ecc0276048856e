# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How long the batches of a stage are, and at how many places of them a language model predicts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from src.config import DataConfig
from src.dataset import LanguageModelTargets, longest_row, pad_length, read_training_rows, resolve_buckets
from src.device import Device
from src.models.cost import BatchShape
from src.train.stage import Stage

_MEASURED_ROWS = 8192
"""Rows whose lengths are looked at: a large corpus would be read for minutes."""


class Lengths(NamedTuple):
    """The lengths that batches are padded to, in rising order, and of each the share of the rows whose shortest such
    length it is, the share of the batches, and the mean number of tokens of a row there; how many rows were counted."""

    buckets: tuple[int, ...]
    rows: tuple[float, ...]
    batches: tuple[float, ...]
    tokens: tuple[float, ...]
    counted: int


def lengths_of(stage: Stage, data: DataConfig, device: Device) -> Lengths:
    """Read the first rows of a stage.

    Raises:
        UserError: a row cannot be read, or is longer than the longest length.
    """
    source = stage.source
    buckets = resolve_buckets(() if device.sink else data.buckets, longest_row(source, data.seq_length))
    if len(buckets) == 1 and stage.targets is None:
        return Lengths(buckets, (1.0,), (1.0,), (buckets[0],), 0)
    lengths = np.concatenate([chunk.lengths for chunk in read_training_rows(source, limit=_MEASURED_ROWS)])
    pad_length(int(lengths.max()), buckets)  # raises where a row is longer
    places = np.searchsorted(buckets, lengths)
    rows = np.bincount(places, minlength=len(buckets)) / len(lengths)
    if data.do_shuffle and stage.group_by_size:
        batches = rows
        tokens = np.bincount(places, lengths, len(buckets)) / np.maximum(np.bincount(places, minlength=len(buckets)), 1)
    else:  # as long as the longest of rows that are drawn alike
        batches = np.diff(np.cumsum(rows) ** (stage.settings.batch_size * device.ranks), prepend=0)
        tokens = np.full(len(buckets), lengths.mean())
    return Lengths(buckets, tuple(rows.tolist()), tuple(batches.tolist()), tuple(tokens.tolist()), len(lengths))


def shapes_of(lengths: Lengths, stage: Stage, device: Device) -> list[tuple[float, BatchShape]]:
    """Return the shapes of a device's micro-batches that occur, each with its share of them."""
    own = stage.settings
    step = own.batch_size * own.gradient_accumulation_steps * device.ranks
    return [(share, BatchShape(own.batch_size, length, _places(stage.targets, own.batch_size, length, tokens, step)))
            for length, share, tokens in zip(lengths.buckets, lengths.batches, lengths.tokens, strict=True) if share]


def longest_shape(lengths: Lengths, stage: Stage, device: Device) -> BatchShape:
    """Return the largest micro-batch of a device: the longest rows, without padding."""
    own, length = stage.settings, lengths.buckets[-1]
    step = own.batch_size * own.gradient_accumulation_steps * device.ranks
    return BatchShape(own.batch_size, length, _places(stage.targets, own.batch_size, length, length, step))


def _places(targets: LanguageModelTargets | None, rows: int, length: int, tokens: float, step: int) -> float:
    """Places where logits are needed in rows of so many tokens, padded to `length`; a step of the optimiser has `step`
    rows."""
    if targets is None:
        return 0.0
    if targets.constant_size:
        return min(targets.most_places(step * length), rows * length)
    if not targets.only_predicted:
        return rows * tokens
    return rows * (tokens - 1) if targets.causal else rows * tokens * targets.mlm_mask_prop
