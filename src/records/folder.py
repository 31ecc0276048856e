# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder of records, made in one go: pieces of work to worker processes, their rows to shards, then the manifest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from src.errors import UserError
from src.files import atomic_folder, sha256_of
from src.records import token_counts
from src.records.columns import Column, Kind, schema, write_schema
from src.records.manifest import FileEntry, Manifest, load_manifest, verify, write_manifest
from src.records.options import Options
from src.records.parallel import map_ordered
from src.records.report import Piece, Report, Stopwatch
from src.records.writers import RecordWriter
from src.tasks import Task
from src.tokenization import Tokenizer


@dataclass(frozen=True)
class Plan:
    """One folder of records to make.

    Attributes:
        settings: what the rows depend on, without the tokenizer.
        job: turns each item of `work` into rows, in the workers.
        total: how many `unit`s of work there are.
        empty: the message when no row was made, completed by `Report.counts`.
        max_unknown: largest share of unknown tokens.
        beside: writes further files into the folder, and returns their names.
    """

    output: Path
    kind: Kind
    columns: Sequence[Column]
    tokenizer: Tokenizer
    options: Options
    settings: dict[str, Any]
    job: Callable[[Any], Piece]
    work: Iterable[Any]
    total: int
    unit: str
    task: Task | None = None
    split: str = ""
    empty: str = "the input holds no text; expected one sentence a line"
    max_unknown: float = 1.0
    beside: Callable[[Path], Sequence[str]] | None = None


def make_folder(plan: Plan, force: bool, progress: bool) -> Report:
    """Make a folder of records: shards, tokenizer, schema.json, manifest.json, and token counts for sequences.

    Args:
        plan: what to make.
        force: replace a folder of records that was made with other settings.
        progress: show a bar with the remaining time on standard error.

    Raises:
        UserError: the place is taken (see `_may_write`), no row was made, or too many tokens are unknown. What the
            job raises is raised here.
    """
    began = time.perf_counter()
    tokenizer, task = plan.tokenizer, plan.task
    settings = {**plan.settings, "vocab_hash": tokenizer.vocab_hash, "lower_case": tokenizer.lower_case}
    report = Report(plan.output, is_packed=plan.kind != "sequences")
    if not report.is_packed:
        report.token_counts = np.zeros(tokenizer.vocab_size, np.int64)
    if not _may_write(plan, settings, force, report):
        return report
    with atomic_folder(plan.output, replace=force) as folder:
        counts = _write_records(folder, plan, report, progress)
        _check_unknown(report, plan)
        watch = Stopwatch()
        tokenizer.save(folder)
        counts.update(dict.fromkeys(plan.beside(folder) if plan.beside else (), 0))
        write_schema(folder, plan.columns, report.rows)
        if report.token_counts is not None:
            token_counts.write(folder, report.token_counts, tokenizer.vocab_hash)
            counts[token_counts.NAME] = 0
        entries = {name: FileEntry(rows, (folder / name).stat().st_size, sha256_of(folder / name))
                   for name, rows in counts.items()}
        write_manifest(folder, Manifest(
            kind=plan.kind, dataset_type=plan.options.dataset_type, rows=report.rows, files=entries,
            columns=schema(plan.columns, 0)["columns"], seq_length=plan.options.seq_length,
            vocab_size=tokenizer.vocab_size, vocab_hash=tokenizer.vocab_hash, lower_case=tokenizer.lower_case,
            task_name=task.name if task else "", labels=task.labels if task else (),
            is_regression=bool(task and task.is_regression), split=plan.split, settings=settings,
            summary=report.counts()))
        watch.stage("finish")
    report.spend("finish", watch.seconds["finish"])
    report.elapsed = time.perf_counter() - began
    return report


def _check_unknown(report: Report, plan: Plan) -> None:
    """Refuse a text that the tokenizer cannot read."""
    share = report.unknown / max(1, report.tokens)
    if share > plan.max_unknown:
        raise UserError(f"{share:.0%} of the tokens of {plan.output.name} are unknown to {plan.tokenizer.source}, more "
                        f"than max_unknown {plan.max_unknown:.0%}: it does not cover this language; take another "
                        "tokenizer, or raise --max_unknown")


def _may_write(plan: Plan, settings: dict[str, Any], force: bool, report: Report) -> bool:
    """Whether the folder is to be made; false when it is there already, made with the same settings.

    Raises:
        UserError: the place is taken by something else, or by records that were made with other settings.
    """
    output = plan.output
    if not output.exists() or output.is_dir() and not any(output.iterdir()):
        return True
    advice = "choose another output_dir, or set --force true to replace it"
    if not output.is_dir() or not (output / "manifest.json").is_file():
        raise UserError(f"{output} exists and is no folder of records made by prepare_data.py; choose another "
                        "output_dir")
    if force:
        return True
    manifest = load_manifest(output)
    if manifest.kind != plan.kind:
        raise UserError(f"{output} exists and holds {manifest.kind} records, not {plan.kind}; {advice}")
    # Through JSON, so that tuples and lists compare equal.
    settings = json.loads(json.dumps(settings))
    for name in settings.keys() | manifest.settings.keys():
        given, made = settings.get(name), manifest.settings.get(name)
        if given != made:
            what = "other input files" if name == "inputs" else f"{name} {made!r}, not {given!r}"
            raise UserError(f"{output} exists and was made with {what}; {advice}")
    try:
        verify(output, manifest, contents=False)
    except UserError as error:
        raise UserError(f"{error}; {advice}") from error
    report.skipped, report.rows = True, manifest.rows
    return False


def _write_records(folder: Path, plan: Plan, report: Report, progress: bool) -> dict[str, int]:
    """Write the shards; return the rows of each file."""
    options = plan.options
    writer = RecordWriter(folder, options.dataset_type, plan.columns, options.num_shards)
    writing = 0.0
    with tqdm(total=plan.total, unit=plan.unit, unit_scale=True, desc=plan.output.name, disable=not progress) as bar:
        for piece in map_ordered(plan.job, plan.work, options.num_workers):
            began = time.thread_time()
            for records in piece.records:
                writer.write(records)
            writing += time.thread_time() - began
            report.add(piece)
            bar.update(piece.size)
        if not report.rows:
            raise UserError(plan.empty.format(**report.counts()))
        began = time.thread_time()
        counts = writer.close()
        report.spend("write", writing + time.thread_time() - began)
    return counts
