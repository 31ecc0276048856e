# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Some rows, and the lengths that they are padded to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from src.common.errors import UserError
from src.config.model import IGNORED


class Batch(NamedTuple):
    """int32 (B, S) three times, and labels: int32 (B, 1) classes, (B, 2) start and end, (B, S) tags, or float32 (B, 1)
    scores; zeros (B, 1) where the records have none. `index` is int64 (B,), the places of the rows in the records,
    where they were asked for."""

    input_ids: np.ndarray
    input_mask: np.ndarray
    segment_ids: np.ndarray
    label_ids: np.ndarray
    index: np.ndarray | None = None

    @property
    def columns(self) -> tuple[np.ndarray, ...]:
        """What a model and its losses take."""
        return self[:4]

    def rows(self, choice: slice | np.ndarray) -> Batch:
        """Return some of the rows."""
        return Batch(*(column if column is None else column[choice] for column in self))

    def fit(self, length: int) -> Batch:
        """Return rows of `length` tokens: cut off, or filled up with padding."""
        width, labels = self.input_ids.shape[1], self.label_ids
        if labels.shape[1] == width > 2:  # a label a token; rows are never as short as start and end
            labels = fit(labels, length, IGNORED)
        return Batch(*(fit(column, length) for column in self[:3]), labels, self.index)

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each row, int64 (B,): one past the last unmasked position."""
        width = self.input_mask.shape[1]
        return np.where(self.input_mask.any(1), width - np.argmax(self.input_mask[:, ::-1] != 0, axis=1), 0)


def fit(column: np.ndarray, length: int, fill: int = 0) -> np.ndarray:
    """Cut the rows of a column (B, S) off at `length`, or fill them up."""
    width = column.shape[1]
    if width >= length:
        return column[:, :length]
    return np.pad(column, ((0, 0), (0, length - width)), constant_values=fill)


def concatenate(parts: list[Batch]) -> Batch:
    """Join the rows of several batches, all padded to the widest."""
    width = max(part.input_ids.shape[1] for part in parts)
    columns = zip(*(part.fit(width) for part in parts), strict=True)
    return Batch(*(None if column[0] is None else np.concatenate(column) for column in columns))


def windows(chunks: Iterator[Batch], rows: int) -> Iterator[Batch]:
    """Regroup chunks into windows of `rows` rows; the last one may be smaller."""
    held: list[Batch] = []
    count = 0
    for chunk in chunks:
        held.append(chunk)
        count += len(chunk.input_ids)
        while count >= rows:
            joined = concatenate(held)
            yield joined.rows(slice(0, rows))
            held = [joined.rows(slice(rows, None))]
            count -= rows
    if count:
        yield concatenate(held)


def resolve_buckets(buckets: tuple[int, ...], seq_length: int) -> tuple[int, ...]:
    """Return the lengths that batches are padded to: the buckets below seq_length, then seq_length itself."""
    return (*(b for b in buckets if b < seq_length), seq_length)


def pad_length(longest: int, buckets: tuple[int, ...]) -> int:
    """Return the smallest bucket that holds `longest` tokens.

    Raises:
        UserError: a row is longer than the largest bucket, which only records of variable length can have.
    """
    for bucket in buckets:
        if bucket >= longest:
            return bucket
    raise UserError(f"a row has {longest} tokens, more than the longest that is taken, {buckets[-1]}; raise "
                    "--seq_length, or prepare the records again with a lower one")
