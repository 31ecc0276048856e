# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A folder of records: pieces of work to worker processes, their rows to shards, then the manifest.

It appears when it is complete. A preparation that was killed is continued by the next one of the same inputs with the
same settings (see `src.records.journal`).
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from src.common.errors import UserError
from src.common.files import read_json, restore, sha256_of
from src.common.places import check_folder, is_empty
from src.common.typed import fingerprint
from src.corpus.storage import is_url, name_of, shown
from src.records import manifest as manifests
from src.records import token_counts
from src.records.columns import schema, write_schema
from src.records.journal import FORMAT, journaled_folder
from src.records.kept_examples import NAME as EXAMPLES
from src.records.manifest import FileEntry, Manifest, load_manifest, verify, write_manifest
from src.records.preparation import Preparation, RecordsPlan
from src.records.remote import RemoteFolder
from src.records.report import Report
from src.records.source_rows import NAME as SOURCE_ROWS
from src.text.tokenization import has_tokenizer, load_tokenizer

_SHARD = re.compile(r"part-\d+-of-\d+\.(tfrecord|mindrecord(\.db)?)")
SOURCE_LINES = "source_lines.json"
"""Where each row of a split stands in the file that was divided."""
_BESIDE = (manifests.NAME, "schema.json", token_counts.NAME, EXAMPLES, SOURCE_LINES, SOURCE_ROWS, "teacher_logits",
           "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt",
           "vocab.json", "merges.txt")
ADVICE = "choose another output_dir, or set --force true to replace it"


def check_output(output: str | Path) -> None:
    """Raise `UserError` for a place of this machine that cannot be written, before the inputs are read."""
    if not is_url(output):
        check_folder(output, "output_dir")


def make_folder(plan: RecordsPlan, force: bool, progress: bool) -> Report:
    """Make a folder of records: shards, tokenizer, schema.json, manifest.json, and token counts for sequences.

    A folder of a remote file system (a URL) is made on this machine and copied there, manifest.json last.

    With `force` a folder of records that was made with other settings is replaced.

    Raises:
        UserError: the place is taken (see `_made_before`), no row was made, or too many tokens are unknown.
        Interrupted: by SIGINT or SIGTERM.
    """
    if not isinstance(plan.output, str) or not is_url(plan.output):
        return _make_folder(plan, Path(plan.output), force, progress)
    remote, place = RemoteFolder(plan.output), shown(plan.output)
    manifest = remote.manifest()
    if manifest and not force:
        _check_same(plan, manifest, place)
        return Report(place, skipped=True, rows=manifest.rows)
    with remote.replaced(force) as local:
        # A folder that is there was made by a call that could not copy it.
        report = _make_folder(plan, local, not _is_as_wanted(plan, local), progress)
    report.output_dir = place
    return report


def _is_of_records(name: str) -> bool:
    """Whether an entry of a folder of records is part of it, and so replaced with it."""
    return name in _BESIDE or _SHARD.fullmatch(name) is not None


def _is_as_wanted(plan: RecordsPlan, folder: Path) -> bool:
    """Whether there is nothing, or a folder made with the same settings."""
    try:
        if manifest := load_manifest(folder):
            _check_same(plan, manifest, str(folder))
    except UserError:
        return False
    return True


def _make_folder(plan: RecordsPlan, output: Path, force: bool, progress: bool) -> Report:
    began = time.perf_counter()
    if made := _made_before(plan, output, force):
        return Report(output, skipped=True, rows=made.rows)
    tokenizer, task, settings = plan.tokenizer, plan.task, _settings(plan)
    report = Report(output, is_packed=plan.kind != "sequences")
    if not report.is_packed:
        report.token_counts = np.zeros(tokenizer.vocab_size, np.int64)
    with journaled_folder(output, force, fingerprint([FORMAT, plan.kind, settings]), _is_of_records) as journal:
        folder = journal.folder
        counts = Preparation(plan, journal, report, began).run(progress)
        share = report.counts["unknown"] / max(1, report.counts["tokens"])
        if share > plan.max_unknown:
            raise UserError(f"{share:.0%} of the tokens of {name_of(plan.output)} are unknown to {tokenizer.source}, "
                            f"more than max_unknown {plan.max_unknown:.0%}: it does not cover this language; take "
                            "another tokenizer, or raise --max_unknown")
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
            summary=report.all_counts(), left_out=dict(plan.left_out), understood=plan.understood))
    report.elapsed += time.perf_counter() - began
    return report


def _settings(plan: RecordsPlan) -> dict[str, Any]:
    """What the rows depend on, the tokenizer included; through JSON, so that tuples and lists compare equal."""
    return json.loads(json.dumps({**plan.settings, "vocab_hash": plan.tokenizer.vocab_hash,
                                  "lower_case": plan.tokenizer.lower_case}))


def _made_before(plan: RecordsPlan, output: Path, force: bool) -> Manifest | None:
    """The manifest of a folder that is there already, made with the same settings; None: it is to be made.

    Raises:
        UserError: the place is taken by something else, or by records that were made with other settings.
    """
    place = check_folder(output, "output_dir")
    restore(place)
    if is_empty(place):
        return None
    if not _is_of_prepare_data(place):
        raise UserError(f"{output} exists and is no folder of records made by prepare_data.py; choose another "
                        "output_dir")
    manifest = None if force else load_manifest(output)
    if manifest:
        _check_same(plan, manifest, str(output))
        if has_tokenizer(output) and load_tokenizer(output).rules != plan.tokenizer.rules:
            raise UserError(f"{output} exists and was made with the same vocabulary, but with other rules of the "
                            f"tokenizer (case, accents, Chinese characters, prefix space); {ADVICE}")
        try:
            verify(output, manifest, contents=False)
        except UserError as error:
            raise UserError(f"{error}; {ADVICE}") from error
    return manifest


def _is_of_prepare_data(folder: Path) -> bool:
    """Whether there is the manifest of records, which may be damaged where shards are beside it; models and web pages
    have a manifest.json too."""
    if not (folder / manifests.NAME).is_file():
        return False
    try:
        return "columns" in read_json(folder / manifests.NAME)
    except UserError:
        return any(_SHARD.fullmatch(entry.name) for entry in folder.iterdir())


def _check_same(plan: RecordsPlan, manifest: Manifest, place: str) -> None:
    """Raise `UserError` where records were made with other settings."""
    if manifest.kind != plan.kind:
        raise UserError(f"{place} exists and holds {manifest.kind} records, not {plan.kind}; {ADVICE}")
    settings = _settings(plan)
    for name in settings.keys() | manifest.settings.keys():
        given, made = settings.get(name), manifest.settings.get(name)
        if given != made:
            what = "other input files" if name == "inputs" else f"{name} {made!r}, not {given!r}"
            raise UserError(f"{place} exists and was made with {what}; {ADVICE}")
