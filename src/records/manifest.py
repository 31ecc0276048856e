# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""manifest.json: what a folder of records holds, how it was made, and the SHA-256 of every file.

MindSpore's readers take damaged or shortened files without a word; the manifest is how that is noticed.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.files import read_json, sha256_of, write_json
from src.common.typed import build
from src.records.columns import VARIABLE, Column, read_column

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class FileEntry:
    """One file; what lies beside the records (the index of a MindRecord file, token counts) has no rows."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Description of a folder of records.

    Attributes:
        kind: "corpus", "task" or "sequences".
        rows: over all files.
        columns: name -> {"type", "rank", "shape"}, as in schema.json.
        seq_length: length of the rows; of sequences the longest that is allowed.
        vocab_size, vocab_hash, lower_case: of the tokenizer; lower_case is None where it has no such notion.
        task_name, labels, is_regression, split: of a task; "", (), False, "" for a corpus.
        settings: everything that the rows depend on; equal settings make equal files.
        summary: what was counted on the way (see `src.records.report.Report`); older manifests have none.
        understood: how a task's file was read (see `src.task_files.understood`); older manifests have none.
        left_out: names of files that were found beside the texts, by the reason why they are none.
    """

    kind: str
    dataset_type: str
    rows: int
    files: dict[str, FileEntry]
    columns: dict[str, dict[str, Any]]
    seq_length: int
    vocab_size: int
    vocab_hash: str
    lower_case: bool | None
    task_name: str
    labels: tuple[str, ...]
    is_regression: bool
    split: str
    settings: dict[str, Any]
    summary: dict[str, int] = field(default_factory=dict)
    understood: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def record_files(self) -> tuple[str, ...]:
        """Names of the files that hold rows, in order."""
        return tuple(sorted(name for name, entry in self.files.items() if entry.rows))

    def column_table(self) -> dict[str, Column]:
        """The columns by name."""
        return {name: Column(name, entry["type"], tuple(entry.get("shape", VARIABLE)))
                for name, entry in self.columns.items()}


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write manifest.json."""
    values = asdict(manifest)
    if not manifest.left_out:
        del values["left_out"]
    write_json(directory / NAME, {"format": manifest.format, **values})


def load_manifest(directory: str | Path) -> Manifest | None:
    """Read a folder's manifest; None when it has none (records made by another program).

    Raises:
        UserError: the file is unreadable or of another form or format.
    """
    file = Path(directory) / NAME
    if not file.exists():
        return None
    values = read_json(file)
    try:
        given = values.get("format")
        if "model.safetensors" in values.get("files", ()):
            raise UserError(f"{directory} is a checkpoint directory; expected a folder of records")
        if given != FORMAT:
            raise UserError(f"{file} has the format {given!r}; this version reads {FORMAT}; prepare the records again")
        expected = {entry.name for entry in fields(Manifest)}
        if wrong := (set(values) ^ expected) - {"summary", "left_out", "understood"}:
            raise ValueError(f"fields {sorted(wrong)}")
        for name, entry in values["columns"].items():
            read_column(name, entry, file)
        for name in values["files"]:
            if not re.fullmatch(r"[^/\0]{1,255}", name) or name in (".", ".."):
                raise ValueError(f"file name {name!r}")
        return build(Manifest, values, "", str(file))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(f"{file} is not a manifest of records ({error}); prepare the records again") from error


def verify(directory: str | Path, manifest: Manifest, contents: bool = True) -> None:
    """Compare the files of a folder with its manifest: their SHA-256, or without `contents` their sizes only.

    Raises:
        UserError: naming the first file that is missing, shortened or changed.
    """
    for name, entry in manifest.files.items():
        file = Path(directory) / name
        try:
            size = file.stat().st_size
            if size != entry.bytes:
                raise UserError(f"{file} has {size} bytes; the manifest says {entry.bytes}; copy or prepare the "
                                "records again")
            if contents and sha256_of(file) != entry.sha256:
                raise UserError(f"{file} has changed since it was written (SHA-256); copy or prepare the records again")
        except OSError as error:
            raise UserError(f"cannot read {file}, which the manifest lists: {error.strerror}") from error
