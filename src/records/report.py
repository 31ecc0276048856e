# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is counted while records are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from src.records.writers import Dealt

COUNTS = ("sentences", "tokens", "unknown", "places", "padding", "shortened", "dropped_short", "dropped_unknown")
"""What is counted in all records:

sentences: lines of text, or examples of a task.
tokens: without special tokens and padding; `unknown` of them are [UNK].
places: rows x seq_length, of sequences the sum of their lengths; `padding` of them are empty.
shortened: sentences that were split (corpus), or examples that were cut (task).
dropped_short, dropped_unknown: sequences that were left out: too short, or mostly unknown tokens.

In texts also `pages` and `documents`: how many there are, and how many of them were kept; and by reason documents that
were left out (DROPPED) and what was removed within others (CLEANED).
"""
LISTED = 5
DROPPED, CLEANED = "dropped_", "cleaned_"
"""Before a reason."""


@dataclass
class Piece:
    """What a worker returns.

    Attributes:
        rows: serialised.
        size: how much of the work this was.
        counts: by the names of COUNTS and the others there; what is left out is 0.
        token_ids, token_counts: int64 (n,) each: the ids that stand in sequences, and how often.
    """

    rows: Dealt
    size: int
    counts: Mapping[str, int]
    token_ids: np.ndarray | None = None
    token_counts: np.ndarray | None = None


@dataclass
class Report:
    """What was done, for the summary and the manifest.

    Attributes:
        is_packed: rows of one length; false for sequences.
        skipped: the folder was there already, made with the same settings.
        token_counts: int64 (vocab_size,) of sequences, special tokens included, before any is split or left out.
        elapsed: in seconds, of what earlier preparations had done too.
        problems: the faulty rows of a task's file, and what is wrong with them.
        understood: lines that tell how a task's file was read.
        left_out: names of files that were found beside the texts, by the reason why they are none.
        continued: how much of it an earlier preparation had done that was stopped; 0 to 1.
    """

    output_dir: Path | str
    is_packed: bool = True
    skipped: bool = False
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    token_counts: np.ndarray | None = None
    elapsed: float = 0.0
    problems: str = ""
    understood: list[str] = field(default_factory=list)
    continued: float = 0.0
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, piece: Piece) -> None:
        """Count in the result of one piece of work."""
        self.rows += piece.rows.rows
        self.counts.update(piece.counts)
        if self.token_counts is not None:
            self.token_counts[piece.token_ids] += piece.token_counts

    def all_counts(self) -> dict[str, int]:
        """The counts in the order of the manifest."""
        others = sorted((name for name in self.counts if name not in COUNTS), key=lambda name: (
            name.startswith(CLEANED), name.startswith(DROPPED), name != "pages", name))
        return {name: self.counts[name] for name in (*COUNTS, *others)}

    def by_reason(self, prefix: str) -> str:
        """The counts whose names begin with DROPPED or CLEANED, the most frequent one first."""
        found = Counter({name.removeprefix(prefix): number for name, number in self.counts.items()
                         if name.startswith(prefix) and name not in COUNTS})
        return ", ".join(f"{reason} {number}" for reason, number in found.most_common())

    def state(self) -> dict[str, Any]:
        """All of it as JSON, for `restore`."""
        return {"rows": self.rows, "counts": self.counts, "elapsed": self.elapsed,
                "token_counts": None if self.token_counts is None else self.token_counts.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting from what `state` returned."""
        self.rows, self.elapsed, self.counts = state["rows"], state["elapsed"], Counter(state["counts"])
        if state["token_counts"] is not None:
            self.token_counts = np.array(state["token_counts"], np.int64)

    def summary(self) -> str:
        """Several lines for the terminal."""
        if self.skipped:
            return "\n  ".join((f"{self.output_dir}: complete, made with the same settings ({self.rows} rows); nothing "
                                "to do", *self._left_out(), *self.understood))
        speed = self.counts["sentences"] / max(self.elapsed, 1e-9)
        return "\n".join((
            f"{self.output_dir}: {self._rows_summary() if self.is_packed else self._sequences_summary()}",
            f"  {self.elapsed:.1f} s, {speed:,.0f} sentences/s", *(f"  {line}" for line in self._further() if line)))

    def _further(self) -> Sequence[str]:
        """Lines of the summary that not every folder has."""
        pages, documents = self.counts["pages"], self.counts["documents"]
        dropped, cleaned = self.by_reason(DROPPED), self.by_reason(CLEANED)
        texts = f"{documents} documents" + (f" of {pages}" if pages != documents else "")
        return (f"{texts}{f'; dropped: {dropped}' if dropped else ''}" if pages else "",
                f"removed within documents: {cleaned}" if cleaned else "",
                *self._left_out(), f"continued at {self.continued:.0%}" if self.continued else "", *self.understood,
                self.problems)

    def _left_out(self) -> list[str]:
        """A line for each reason why files are no texts."""
        return [f"left out, {reason}: {len(names)} file{'s' * (len(names) > 1)} ({', '.join(names[:LISTED])}"
                f"{', ...' * (len(names) > LISTED)})" for reason, names in self.left_out.items()]

    def _rows_summary(self) -> str:
        counts = self.counts
        padding, unknown = counts["padding"] / max(counts["places"], 1), counts["unknown"] / max(counts["tokens"], 1)
        return (f"{self.rows} rows of {counts['places'] // max(self.rows, 1)}, {counts['sentences']} sentences, "
                f"{counts['tokens']} tokens, padding {padding:.1%}, unknown tokens {unknown:.1%}, shortened "
                f"{counts['shortened']}")

    def _sequences_summary(self) -> str:
        counts = self.counts
        return (f"{self.rows} sequences of {counts['places'] / max(self.rows, 1):.1f} tokens on average from "
                f"{counts['sentences']} lines of {counts['tokens']} tokens, unknown tokens "
                f"{counts['unknown'] / max(counts['tokens'], 1):.1%}; too long {counts['shortened']}, dropped as too "
                f"short {counts['dropped_short']}, dropped as unknown {counts['dropped_unknown']}")
