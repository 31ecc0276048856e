# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows to copies of rows with some of their words replaced (TinyBERT); runs in the worker processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from src.augmentation.candidates import Slot


class Row(NamedTuple):
    """One row of the training set."""

    number: int  # its place in the file, from 0, which with the seed is all that its random numbers depend on
    texts: tuple[str, ...]  # one or two
    label: str
    slots: tuple[Sequence[Slot], ...] = ()  # of each text, what may be replaced in it


class Made(NamedTuple):
    """Lines of a file, each with its end, and counts for the report."""

    lines: str
    counts: Counter


class RowCopies:
    """Rows and their copies, row by row; a copy that is there already is dropped."""

    def __call__(self, rows: Sequence[Row]) -> Made:
        lines, counts = "", Counter[str]()
        for row in rows:
            made = {row.texts: Counter[str]()}
            for texts, changes in self.copies_of(row):
                counts["duplicates"] += texts in made
                made.setdefault(texts, changes)
            counts.update(rows=1, copies=len(made) - 1)
            for texts, changes in made.items():
                lines += "\t".join((*texts, row.label)) + "\n"
                counts.update(changes)
        return Made(lines, counts)

    def copies_of(self, row: Row) -> Iterator[tuple[tuple[str, ...], Counter]]:
        """Yield the texts of each copy, and what was changed in them."""
        raise NotImplementedError


@dataclass(frozen=True)
class ReplacedCopies(RowCopies):
    """Each row and its copies: in every copy each word is replaced with a probability by one of its candidates.

    The two texts of a pair are augmented independently of each other, each from its original, and copy n of the row
    holds copy n of both. (TinyBERT's code augments the second text with the first one's copies in its place.)
    """

    seed: int
    copies: int  # of each row; fewer come out, because a copy that is there already is dropped
    probability: float  # that a word is replaced

    def copies_of(self, row: Row) -> Iterator[tuple[tuple[str, ...], Counter]]:
        generator = np.random.default_rng((self.seed, row.number))
        fields = [self._texts(text, slots, generator) for text, slots in zip(row.texts, row.slots, strict=True)]
        for number in range(self.copies):
            changes = Counter(f"replaced: {slots[index].means}"
                              for slots, (_, replaced) in zip(row.slots, fields, strict=True)
                              for index in np.flatnonzero(replaced[number]).tolist())
            yield tuple(made[number] for made, _ in fields), changes

    def _texts(self, text: str, slots: Sequence[Slot], generator: np.random.Generator) -> tuple[list[str], np.ndarray]:
        """Copies of a text, and which of its words are replaced in each: bool (copies, slots)."""
        replaced = generator.random((self.copies, len(slots))) < self.probability
        numbers = np.array([len(slot.candidates) for slot in slots], np.int64)
        chosen = (generator.random((self.copies, len(slots))) * numbers).astype(np.int64).tolist()
        # Between the words the text stays as it is.
        bounds = [0, *(place for slot in slots for place in (slot.begin, slot.end)), len(text)]
        parts = [text[begin:end] for begin, end in zip(bounds[:-1], bounds[1:], strict=True)]
        made = []
        for number in range(self.copies):
            copy = list(parts)
            for index in np.flatnonzero(replaced[number]).tolist():
                copy[2 * index + 1] = slots[index].candidates[chosen[number][index]]
            made.append("".join(copy))
        return made, replaced
