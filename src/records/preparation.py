# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The rows of a folder: pieces of work to workers, what they return to shards, and how far that is to the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from src.common.errors import UserError
from src.corpus.storage import name_of
from src.parallel.ordered import map_ordered
from src.records.columns import Column, Kind
from src.records.journal import Duplicates, Journal, Stop, stopping
from src.records.mindrecord import convert_shards
from src.records.options import Options
from src.records.report import DROPPED, Piece, Report
from src.records.writers import RecordWriter
from src.tasks import Task
from src.text.tokenization import Tokenizer


@dataclass(frozen=True)
class RecordsPlan:
    """One folder of records to make.

    Attributes:
        settings: what the rows depend on, without the tokenizer.
        job: turns each item of `work` into rows, in the workers; see `map_ordered`.
        work: the same items at every preparation.
        total: how many `unit`s of work there are.
        empty: the message when no row was made, completed by `Report.all_counts`.
        max_unknown: largest share of unknown tokens.
        left_out: names of files that lie beside the texts, by the reason why they are none.
        beside: writes further files into the folder, and returns their names.
        understood: how a task's file was read, for the manifest.
    """

    output: str | Path
    kind: Kind
    columns: Sequence[Column]
    tokenizer: Tokenizer
    options: Options
    settings: dict[str, Any]
    job: Callable[[Any], Piece] | Any
    work: Iterable[Any]
    total: int
    unit: str
    num_workers: int = 1
    task: Task | None = None
    split: str = ""
    empty: str = "the input holds no text; expected one sentence a line"
    max_unknown: float = 1.0
    beside: Callable[[Path], Sequence[str]] | None = None
    understood: dict[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Preparation:
    """The rows of a folder, from their beginning or from where an earlier preparation was stopped."""

    def __init__(self, plan: RecordsPlan, journal: Journal, report: Report, began: float):
        self.plan, self.journal, self.report, self.began = plan, journal, report, began
        options = plan.options
        self.makes_mindrecord = options.dataset_type == "mindrecord"
        self.writer = RecordWriter(journal.rows if self.makes_mindrecord else journal.folder, options.num_shards)
        found = journal.found or {"pieces": 0, "size": 0, "documents": 0}
        self.pieces, self.size = found["pieces"], found["size"]
        if journal.found:
            self.writer.resume(**found["written"])
            report.restore(found["report"])
            report.continued = self.size / max(1, plan.total)
        self.earlier = report.elapsed
        is_deduplicated = getattr(options, "deduplicate", "none") != "none"
        self.duplicates = Duplicates(journal.folder, found["documents"]) if is_deduplicated else None

    def run(self, progress: bool) -> dict[str, int]:
        """Write the shards; return the rows of each file."""
        with stopping() as stop, closing(self.writer), closing(self.duplicates) if self.duplicates else nullcontext():
            counts = self._write(stop, progress)
            return self._convert(counts, stop, progress) if self.makes_mindrecord else counts

    def _write(self, stop: Stop, progress: bool) -> dict[str, int]:
        plan, options = self.plan, self.plan.options
        bar = tqdm(total=plan.total, initial=self.size, unit=plan.unit, unit_scale=True, desc=name_of(plan.output),
                   disable=not progress)
        work = takewhile(lambda _: not stop.received, islice(plan.work, self.pieces, None))
        with bar, closing(map_ordered(plan.job, work, plan.num_workers, options.scheduler, self.duplicates,
                                      self.journal.scratch)) as made:
            for piece in made:
                self._add(piece)
                if self.journal.is_due or stop.received:
                    self._note()
                bar.update(piece.size)
                if stop.received:
                    break
        share = self.size / max(1, plan.total)
        stop.check(f"{name_of(plan.output)} is done to {share:.0%}")
        if not self.report.rows:
            listed = self.report.by_reason(DROPPED)
            dropped = f"; of {self.report.counts['pages']} documents were dropped: {listed}" if listed else ""
            raise UserError(plan.empty.format(**self.report.all_counts()) + dropped)
        counts = self.writer.finish()
        self._note()
        return counts

    def _convert(self, shards: Mapping[str, int], stop: Stop, progress: bool) -> dict[str, int]:
        """Turn the shards into MindRecord files."""
        name, journal = name_of(self.plan.output), self.journal
        with tqdm(total=self.report.rows, unit="rows", unit_scale=True, desc=f"{name}, MindRecord",
                  disable=not progress) as bar:
            def done(rows: int) -> None:
                bar.update(rows)
                stop.check(f"the rows of {name} are made and {bar.n / max(1, self.report.rows):.0%} of them are in "
                           "MindRecord files")

            return convert_shards(shards, self.plan.columns, journal.rows, journal.scratch, journal.folder, done)

    def _add(self, piece: Piece) -> None:
        self.writer.write(piece.rows)
        self.report.add(piece)
        self.pieces += 1
        self.size += piece.size
        if self.duplicates:
            self.duplicates.piece_is_done()

    def _note(self) -> None:
        """Write the journal, once what it speaks of is on the disk."""
        began = time.monotonic()
        written = self.writer.sync()
        if not written["files"]:
            return
        if self.duplicates:
            self.duplicates.sync()
        self.report.elapsed = self.earlier + time.perf_counter() - self.began
        self.journal.write(began, {
            "pieces": self.pieces, "size": self.size, "written": written, "report": self.report.state(),
            "documents": self.duplicates.number if self.duplicates else 0})
        self.report.elapsed = self.earlier
