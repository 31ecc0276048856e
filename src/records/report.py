# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is counted and timed while records are made."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from src.records.writers import Records

COUNTS = ("sentences", "tokens", "unknown", "places", "padding", "shortened", "dropped_short", "dropped_unknown")
TEXT_COUNTS = ("pages", "documents")
"""Counted in texts only."""
DROPPED, CLEANED = "dropped_", "cleaned_"
"""Before a reason, in what `Report.counts` returns."""


@dataclass
class Piece:
    """What a worker returns.

    Attributes:
        records: serialised rows.
        size: how much of the work this was.
        counts: by the names of COUNTS and TEXT_COUNTS, as in `Report`; what is left out is 0.
        seconds: processor time of each stage.
        token_ids, token_counts: int64 (n,) each: the ids that stand in sequences, and how often.
        dropped, cleaned: documents that were left out, and what was removed within others, by reason.
    """

    records: list[Records]
    size: int
    counts: dict[str, int]
    seconds: dict[str, float]
    token_ids: np.ndarray | None = None
    token_counts: np.ndarray | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    cleaned: dict[str, int] = field(default_factory=dict)


@dataclass
class Report:
    """What was done, for the summary and the manifest.

    Attributes:
        output_dir: the folder.
        is_packed: rows of one length; false for sequences.
        skipped: the folder was there already, made with the same settings.
        rows, sentences: records, and lines of text (for a task: examples).
        tokens: without special tokens and padding; `unknown` of them are [UNK].
        places: rows x seq_length, of sequences the sum of their lengths; `padding` of them are empty.
        shortened: sentences that were split (corpus), or examples that were cut (task).
        dropped_short, dropped_unknown: sequences that were left out: too short, or mostly unknown tokens.
        pages, documents: of texts: how many there are, and how many of them were kept.
        dropped, cleaned: documents that were left out, and what was removed within others, by reason.
        token_counts: int64 (vocab_size,) of sequences, special tokens included, before any is split or left out.
        seconds: stage -> processor time over all processes, in seconds; `elapsed` is the wall clock's.
        problems: the faulty rows of a task's file, and what is wrong with them.
        continued: how much of it an earlier preparation had done that was stopped; 0 to 1.
    """

    output_dir: Path | str
    is_packed: bool = True
    skipped: bool = False
    rows: int = 0
    sentences: int = 0
    tokens: int = 0
    unknown: int = 0
    places: int = 0
    padding: int = 0
    shortened: int = 0
    dropped_short: int = 0
    dropped_unknown: int = 0
    pages: int = 0
    documents: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    cleaned: Counter[str] = field(default_factory=Counter)
    token_counts: np.ndarray | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0
    problems: str = ""
    continued: float = 0.0

    def add(self, piece: Piece) -> None:
        """Count in the result of one piece of work."""
        self.rows += sum(map(len, piece.records))
        for name, number in piece.counts.items():
            setattr(self, name, getattr(self, name) + number)
        self.dropped.update(piece.dropped)
        self.cleaned.update(piece.cleaned)
        if self.token_counts is not None:
            self.token_counts[piece.token_ids] += piece.token_counts
        for stage, seconds in piece.seconds.items():
            self.spend(stage, seconds)

    def spend(self, stage: str, seconds: float) -> None:
        """Add to the time of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def counts(self) -> dict[str, int]:
        """The counts by name."""
        counts = {name: getattr(self, name) for name in COUNTS}
        counts |= {name: number for name in TEXT_COUNTS if (number := getattr(self, name))}
        counts |= {DROPPED + reason: number for reason, number in sorted(self.dropped.items())}
        return counts | {CLEANED + what: number for what, number in sorted(self.cleaned.items())}

    def state(self) -> dict[str, Any]:
        """All of it as JSON, for `restore`."""
        state = {name: getattr(self, name) for name in ("rows", *COUNTS, *TEXT_COUNTS, "seconds", "elapsed")}
        state |= {"dropped": dict(self.dropped), "cleaned": dict(self.cleaned)}
        if self.token_counts is not None:
            state["token_counts"] = self.token_counts.tolist()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting from what `state` returned."""
        for name, value in state.items():
            kind = type(getattr(self, name))
            setattr(self, name, np.array(value, np.int64) if name == "token_counts" else kind(value))

    def summary(self) -> str:
        """Several lines for the terminal."""
        if self.skipped:
            return f"{self.output_dir}: complete, made with the same settings ({self.rows} rows); nothing to do"
        stages = ", ".join(f"{stage} {seconds:.1f} s ({self.sentences / seconds:,.0f} sentences/s)"
                           for stage, seconds in self.seconds.items() if seconds)
        return "\n".join((
            f"{self.output_dir}: {self._rows_summary() if self.is_packed else self._sequences_summary()}",
            f"  {self.elapsed:.1f} s, {self.sentences / max(self.elapsed, 1e-9):,.0f} sentences/s; "
            f"processor time by stage: {stages}", *(f"  {line}" for line in self._further() if line)))

    def _further(self) -> tuple[str, ...]:
        """Lines of the summary that not every folder has."""
        listed = ", ".join(f"{reason} {number}" for reason, number in self.dropped.most_common())
        texts = f"{self.documents} documents" + (f" of {self.pages}" if self.pages != self.documents else "")
        cleaned = ", ".join(f"{what} {number}" for what, number in self.cleaned.most_common())
        return (f"{texts}{f'; dropped: {listed}' if listed else ''}" if self.pages else "",
                f"removed within documents: {cleaned}" if cleaned else "",
                f"continued at {self.continued:.0%}" if self.continued else "", self.problems)

    def _rows_summary(self) -> str:
        share = "{:.1%}".format
        return (f"{self.rows} rows of {self.places // max(self.rows, 1)}, {self.sentences} sentences, "
                f"{self.tokens} tokens, padding {share(self.padding / max(self.places, 1))}, unknown tokens "
                f"{share(self.unknown / max(self.tokens, 1))}, shortened {self.shortened}")

    def _sequences_summary(self) -> str:
        return (f"{self.rows} sequences of {self.places / max(self.rows, 1):.1f} tokens on average from "
                f"{self.sentences} lines of {self.tokens} tokens, unknown tokens "
                f"{self.unknown / max(self.tokens, 1):.1%}; too long {self.shortened}, dropped as too short "
                f"{self.dropped_short}, dropped as unknown {self.dropped_unknown}")


class Stopwatch:
    """Processor time of this process, stage by stage."""

    def __init__(self, seconds: dict[str, float] | None = None) -> None:
        """Go on from the `seconds` of an earlier one."""
        self.seconds: dict[str, float] = dict(seconds or {})
        self._last = time.process_time()

    def stage(self, name: str) -> None:
        """End a stage: what has passed since the last one belongs to `name`."""
        now = time.process_time()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now
