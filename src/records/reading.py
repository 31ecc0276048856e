# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Finding records and checking them before a training begins, whoever made them.

Records of prepare_data.py carry a manifest: the SHA-256 of every file is compared. Records made by other programs
(create_pretraining_data.py and run_classifier.py of Google BERT) have none: their framing is walked, the first row is
parsed, and a schema.json, given or beside them, is compared with it. MindSpore's readers would take a truncated file
for a shorter one, and report a wrong shape in the middle of an epoch.
"""

from __future__ import annotations

import operator
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from src.common.errors import UserError, one_line
from src.common.patterns import local_path, matching, split_paths
from src.common.untrusted import parse_json
from src.records.columns import COMMANDS, TYPES, VARIABLE, Column, Kind, check_columns, read_schema
from src.records.example import decode_example
from src.records.manifest import Manifest, load_manifest, verify
from src.records.shards import SUFFIXES, check_shards, in_order, split_part, type_of
from src.records.tfrecord import scan
from src.records.writers import DatasetType
from src.text.tokenization import Tokenizer, has_tokenizer, load_tokenizer

# run_classifier.py of Google BERT puts its files for all splits into one folder.
SPLIT_STEMS = {"train": ("train",), "dev": ("eval", "dev", "validation"), "test": ("predict", "test")}
# Checking every byte of foreign files takes about 10 s a gigabyte: small data sets only.
CHECKED_BYTES = 256 << 20


@dataclass(frozen=True)
class RecordSource:
    """Checked records.

    Attributes:
        files: in the order to read them.
        columns: the columns of the schema by name, with type and shape; without one those of the first row. The
            input_ids of sequences always have the shape VARIABLE.
        rows: how many there are, no more than the schema's numRows.
        manifest: None for records of other programs.
        tokenizer_path: the folder with their vocabulary, or None.
    """

    files: tuple[Path, ...]
    dataset_type: DatasetType
    columns: dict[str, Column]
    rows: int
    manifest: Manifest | None
    tokenizer_path: Path | None

    @property
    def list_size(self) -> int:
        """Rows of each list of documents, one list after the other; 0: rows belong to no lists of one size.

        Raises:
            UserError: the manifest gives something else.
        """
        if self.manifest is None or "list_size" not in self.manifest.settings:
            return 0
        size = self.manifest.settings["list_size"]
        if type(size) is not int or size < 1 or self.rows % size:
            raise UserError(f"the manifest of {self.files[0].parent} has lists of {size!r:.20} rows, and there are "
                            f"{self.rows} rows; prepare the records again")
        return size

    def tokenizer(self) -> Tokenizer:
        """Load their tokenizer; raises `UserError` where it is not known."""
        if self.tokenizer_path is None:
            raise UserError(f"{self.files[0].parent} has no tokenizer beside the records; prepare them with "
                            "prepare_data.py")
        return load_tokenizer(self.tokenizer_path)

    def data_order(self) -> np.ndarray | None:
        """What puts rows that were read one file after the other into the order of the data they were made of, int64
        (rows,): the writer deals them out to its shards in turn. None where they are in order, or nothing tells it."""
        shards = len(self.files)
        if self.manifest is None or shards < 2:
            return None
        places = [np.arange(shard, self.manifest.rows, shards) for shard in range(shards)]
        return np.argsort(np.concatenate(places)[: self.rows], kind="stable")


def inspect(location: str | Path | Sequence[str | Path], dataset_type: DatasetType = "tfrecord",
            schema_path: str | Path = "", kind: Kind | None = None, split: str = "", contents: bool = True,
            is_labelled: bool = True) -> RecordSource:
    """Find and check records.

    Args:
        location: a folder, a file, a glob, several of these separated by commas, or a list.
        schema_path: a schema.json or its folder; "" takes the one beside the files, where there is one.
        kind: check that the columns of "corpus", "task" or "sequences" records are there.
        split: in a folder, <folder>/<split> is preferred (for MNLI's "dev" dev_matched), then the folder itself.
        contents: compare checksums too (manifest: all files; foreign: up to 256 MB); else sizes and framing only.
        is_labelled: task records need label_ids.

    Raises:
        UserError: nothing found, the wrong type of records, a faulty schema, damaged or truncated files.
    """
    folder, files = _find(location, dataset_type, split)
    if not files:
        raise UserError(f"the manifest of {folder} names no file with rows; prepare the records again")
    manifest = load_manifest(folder) if folder else None
    tokenizer_path = folder if folder and has_tokenizer(folder) else None
    if folder and manifest:
        if kind and manifest.kind != kind:
            raise UserError(f"{folder} holds {manifest.kind} records; expected {kind} records ({COMMANDS[kind]})")
        verify(folder, manifest, contents)
        actual, rows = manifest.column_table(), manifest.rows
    elif dataset_type == "tfrecord":
        check_payload = contents and sum(file.stat().st_size for file in files) <= CHECKED_BYTES
        scanned = [scan(file, check_payload) for file in files]
        rows = sum(number for number, _ in scanned)
        actual = _columns_of(scanned[0][1], files[0])
    else:
        described = [_read_mindrecord(file) for file in files]
        rows = sum(number for _, number in described)
        actual = described[0][0]
    columns, described_by = actual, files[0]
    schema_file = Path(schema_path or files[0].parent)
    if schema_file.is_dir():
        schema_file /= "schema.json"
    if schema_path or schema_file.is_file():
        described_by = schema_file
        columns, limit = read_schema(schema_file)
        _check_schema(columns, actual, schema_file, files[0])
        rows = min(rows, limit) if limit else rows
    if kind:
        check_columns(columns, kind, str(described_by), is_labelled)
    if kind == "sequences":
        # Without a schema the length is that of the first row.
        columns = {**columns, "input_ids": replace(columns["input_ids"], shape=VARIABLE)}
    return RecordSource(files, dataset_type, columns, rows, manifest, tokenizer_path)


def has_records(location: str | Path, split: str = "") -> bool:
    """Whether a folder (or <folder>/<split>), file or glob holds records of either type, rather than a task's text."""
    path = Path(local_path(location))
    if not path.is_dir():
        paths = split_paths(location)
        return any(type_of(Path(name).name) for entry in paths for name in (entry, *matching(entry)))
    folders = [path, *(path / name for name in (split, f"{split}_matched") if split and (path / name).is_dir())]
    return any(type_of(entry.name) is not None for folder in folders for entry in folder.iterdir())


def _find(location: str | Path | Sequence[str | Path], dataset_type: DatasetType, split: str
          ) -> tuple[Path | None, tuple[Path, ...]]:
    """The folder (None when the files come from several, or were named one by one) and the files."""
    given = [location] if isinstance(location, (str, Path)) else list(location)
    entries = [path for entry in given for path in split_paths(entry)]
    if len(entries) == 1 and os.path.isdir(entries[0]):
        return _find_in_folder(Path(entries[0]), dataset_type, split)
    files: list[Path] = []
    for entry in entries:
        if os.path.isdir(entry):
            files.extend(_find_in_folder(Path(entry), dataset_type, split)[1])
        elif os.path.isfile(entry):
            files.append(Path(entry))
        else:
            # `part*` also matches the index files of MindRecord.
            matches = [Path(match) for match in matching(entry) if os.path.isfile(match) and not match.endswith(".db")]
            if not matches:
                raise UserError(f"no records at {entry!r}; expected a folder, a {dataset_type} file or a glob")
            check_shards(matches, entry, is_chosen=True)
            files.extend(in_order(matches))
    return None, tuple(dict.fromkeys(files))


def _find_in_folder(folder: Path, dataset_type: DatasetType, split: str) -> tuple[Path, tuple[Path, ...]]:
    # "dev" stands for MNLI's matched one.
    named = [folder / name for name in (split, f"{split}_matched") if split and (folder / name).is_dir()]
    folder = named[0] if named else folder
    manifest = load_manifest(folder)
    if manifest:
        if manifest.dataset_type != dataset_type:
            raise UserError(f"{folder} holds {manifest.dataset_type} files, but dataset_type is {dataset_type}; set "
                            f"--dataset_type {manifest.dataset_type}")
        if split and manifest.split and manifest.split not in (split, f"{split}_matched"):
            raise UserError(f"{folder} holds the split {manifest.split!r}; expected {split!r}")
        return folder, tuple(folder / name for name in manifest.record_files)
    present = sorted(file for file in folder.iterdir() if file.is_file())
    files = [file for file in present if type_of(file.name) == dataset_type]
    files = _of_split(folder, files, split) if split else files
    if not files:
        other = next((kind for file in present if (kind := type_of(file.name))), None)
        hint = f"; it holds {other} files: set --dataset_type {other}" if other else ""
        splits = sorted(entry.name for entry in folder.iterdir() if (entry / "manifest.json").is_file())
        if splits:
            hint = f"; it has the subfolders {', '.join(splits)}: name one of them"
        elif present and not other:
            hint = (f"; it has {', '.join(file.name for file in present[:4])}: files with another extension are taken "
                    "when they are named one by one, or by a glob")
        raise UserError(f"{folder} has no {' or '.join('*' + suffix for suffix in SUFFIXES[dataset_type])} files{hint}")
    check_shards(files, folder)
    return folder, tuple(in_order(files))


def _of_split(folder: Path, files: list[Path], split: str) -> list[Path]:
    """The files that are named after a split; all files when none is named after any."""
    named = {file: name for file in files for name, stems in SPLIT_STEMS.items() if split_part(file.name) in stems}
    chosen = [file for file, name in named.items() if name == split.split("_")[0]]
    if named and not chosen:
        raise UserError(f"{folder} has no records of the split {split!r}; it has "
                        f"{', '.join(file.name for file in named)}")
    return chosen or files


def _columns_of(message: bytes, file: Path) -> dict[str, Column]:
    """Columns of the first row of a TFRecord file; features of bytes are left out."""
    try:
        features = decode_example(message)
    except ValueError as error:
        raise UserError(f"{file}: the first record is no tf.train.Example ({error})") from error
    return {name: Column(name, str(values.dtype), values.shape) for name, values in features.items()
            if str(values.dtype) in TYPES}


def _check_schema(columns: dict[str, Column], actual: dict[str, Column], schema_file: Path, file: Path) -> None:
    """Check that what a schema says is what the rows hold; int32 for int64 is a cast that the reader makes."""
    for name, column in columns.items():
        there = actual.get(name)
        if there is None:
            raise UserError(f"the schema {schema_file} has the column {name!r}, which {file} does not have; it has "
                            f"{', '.join(actual)}")
        if column.shape not in (there.shape, VARIABLE):
            raise UserError(f"the schema {schema_file} gives column {name!r} the shape {list(column.shape)}, but rows "
                            f"of {file} have {list(there.shape)}; change the schema")
        if there.dtype.startswith("int") != column.dtype.startswith("int"):
            raise UserError(f"the schema {schema_file} gives column {name!r} the type {column.dtype}, but {file} has "
                            f"{there.dtype}; change the schema")


def _read_mindrecord(file: Path) -> tuple[dict[str, Column], int]:
    """Columns and number of rows of a MindRecord file, from its header and its index.

    The file begins with a length (uint64) and a header in JSON; the index is an SQLite file that keeps the name of
    the file it belongs to, under which MindSpore opens it.
    """
    index = Path(f"{file}.db")
    if not index.is_file():
        raise UserError(f"{file} has no index: {index.name} is missing beside it; copy both")
    try:
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header: Any = parse_json(stream.read(length)) if 0 < length <= 1 << 24 else None
        fields = header["schema"][0]["schema"]
        columns = {name: Column(name, entry["type"], tuple(map(operator.index, entry.get("shape", (1,)))))
                   for name, entry in fields.items() if entry["type"] in TYPES}
        begin, page = operator.index(header["header_size"]), operator.index(header["page_size"])
        last = begin + page * (len(header["page"]) - 1)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UserError(f"{file} is no MindRecord file: its header cannot be read") from error
    size = file.stat().st_size
    # The last page is cut behind its content.
    if size <= last:
        raise UserError(f"{file} is truncated: it has {size} bytes, and its pages begin up to byte {last}; copy or "
                        "make the file again")
    try:
        # quote: a "?" in a path would begin the URI's options.
        connection = sqlite3.connect(f"file:{quote(str(index.resolve()))}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT COUNT(*) FROM INDEXES").fetchone()[0]
            name = connection.execute("SELECT NAME FROM SHARD_NAME").fetchone()[0]
        finally:
            connection.close()
    except (sqlite3.Error, TypeError, UnicodeError) as error:  # UnicodeError: in a message of SQLite's
        raise UserError(f"{index} is no index of a MindRecord file: {one_line(error)}") from error
    if name != file.name:
        raise UserError(f"{file} was renamed: its index belongs to {name!r}, which MindSpore would open; rename both "
                        "files back")
    return columns, rows

