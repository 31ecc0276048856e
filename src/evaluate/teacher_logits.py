# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A teacher's logits of a set of records, computed once and kept beside them for all epochs, seeds and students.

    RECORDS/teacher_logits/<key>/logits.npy          float32 (rows, C); tagging and span (rows, seq_length, C)
    RECORDS/teacher_logits/<key>/description.json    what they were computed from, and the sha256 of logits.npy

The key is a digest of all that the logits depend on: the teacher's files, the records' files in their order, the
compute type and precision mode, the order of classes where it is not the teacher's own, the format. Whatever changes,
another key is computed; other keys stay. Who computed them, MindSpore or another runtime of the same float32 products,
is no part of it. Logits that are not what was written are computed again, which is printed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from mindspore import Tensor
from tqdm import tqdm

from src.checkpoints.checkpoint import LoadedModel, cell_of, identity
from src.common.errors import UserError
from src.common.files import atomic_folder, read_json, sha256_of, write_json
from src.config import DataConfig
from src.config.model import INPUTS
from src.dataset import TeacherLogits, evaluation_batches, read_rows, resolve_buckets
from src.device import Device
from src.records.reading import RecordSource

Predict = Callable[[dict[str, np.ndarray]], np.ndarray]
"""A teacher: `input_ids`, `input_mask`, `segment_ids`, int32 (B, S) -> logits, float32 (B, C) or (B, S, C)."""
FOLDER, VALUES, DESCRIPTION = "teacher_logits", "logits.npy", "description.json"
FORMAT = 1
"""Counts up with every change of what is stored or how it is computed."""


def stored_logits(teacher: LoadedModel, rows: RecordSource, device: Device, run: Path, data: DataConfig,
                  batch_size: int, progress: bool = True, elsewhere: Callable[[], Predict] | None = None,
                  every: int = 1) -> TeacherLogits:
    """Return the teacher's logits of all rows: those that are there, or else computed now.

    A process that comes while another one computes the same logits waits for them. The folder `run` takes them when the
    records' own cannot be written. With data.verify_records the checksum of logits that are there is compared.

    Args:
        elsewhere: opens the teacher in another runtime, which computes the same up to rounding and takes batches of any
            length; None: MindSpore, in batches of the lengths data.buckets.
        every: only of the first of so many rows each, such as of the first text of each pair.

    Raises:
        UserError: the records cannot be read, or the teacher's outputs are not finite.
        OSError: neither folder can be written.
    """
    description = describe(teacher, rows, device, every)
    fill = partial(_fill, teacher=teacher, rows=rows, device=device, batch_size=batch_size,
                   buckets=data.buckets, progress=progress, elsewhere=elsewhere, every=every)
    key = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]
    places = [folder / FOLDER / key for folder in (rows.files[0].parent, run)]
    for place in places:
        if found := _load(place, description, data.verify_records):
            device.say(f"teacher outputs: {place}")
            return found
    for place in places:
        try:
            with _alone(place, device) as waited:
                found = _load(place, description, True) if waited else None
                return found or _store(place, description, fill, device)
        except OSError as error:
            if place == places[-1]:
                raise
            device.say(f"note: teacher outputs cannot be kept in {place.parent} ({error.strerror or error}); they go "
                       f"into {run / FOLDER}")
    raise AssertionError("the last place returns or raises")


def describe(teacher: LoadedModel, rows: RecordSource, device: Device, every: int = 1) -> dict[str, Any]:
    """Return what the logits depend on, ready for JSON, and their shape."""
    head = teacher.config.head
    length = () if head.is_of_row else rows.columns[INPUTS[0]].shape
    return {"format": FORMAT, "teacher": identity(teacher.directory), "records": _checksum(rows),
            "compute_type": str(device.compute_type).lower(),
            "shape": [rows.rows // every, *length, teacher.config.output_size],
            **({"every": every} if every > 1 else {}),
            **({"precision_mode": device.precision_mode} if device.precision_mode else {}),
            **({"classes": list(teacher.order)} if teacher.order else {})}


def _checksum(rows: RecordSource) -> str:
    """Digest of the files in the order of reading. The manifest's checksums have been compared with the files."""
    entries = rows.manifest.files if rows.manifest is not None else {}
    parts = [entries[file.name].sha256 if file.name in entries else sha256_of(file) for file in rows.files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _load(place: Path, description: dict[str, Any], contents: bool) -> TeacherLogits | None:
    """The logits of a folder; None where it says something else, or holds not what was written, by its size or with
    `contents` by its checksum."""
    file = place / VALUES
    try:
        there = read_json(place / DESCRIPTION)
        if {name: there.get(name) for name in description} != description or file.stat().st_size != there["bytes"]:
            return None
        if contents and sha256_of(file) != there["sha256"]:
            return None
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    # SyntaxError, TokenError: NumPy reads the header of an array as a Python literal.
    except (UserError, OSError, ValueError, TypeError, KeyError, SyntaxError, TokenError):
        return None
    return TeacherLogits(place, values) if list(values.shape) == description["shape"] else None


def _store(place: Path, description: dict[str, Any], fill: Callable[[np.ndarray], None], device: Device
           ) -> TeacherLogits:
    """Compute the logits into a folder that appears whole or not at all."""
    if place.exists():
        device.say(f"note: {place} is damaged (not what was written); the teacher's outputs are computed again")
    number = description["shape"][0]
    device.say(f"teacher outputs: computing {number} rows, for {place}")
    began = time.monotonic()
    with atomic_folder(place, replace=True) as folder:
        file = folder / VALUES
        values = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=tuple(description["shape"]))
        with open(file, "r+b") as stream:
            # A full disk is an error here; behind a mapped file it would be a signal that ends the process.
            os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
        fill(values)
        values.flush()
        write_json(folder / DESCRIPTION, {**description, "bytes": file.stat().st_size, "sha256": sha256_of(file)})
    device.say(f"teacher outputs: {number} rows in {time.monotonic() - began:.1f} s")
    return TeacherLogits(place, np.load(place / VALUES, mmap_mode="r", allow_pickle=False))


def _fill(values: np.ndarray, teacher: LoadedModel, rows: RecordSource, device: Device, batch_size: int,
          buckets: tuple[int, ...], progress: bool, elsewhere: Callable[[], Predict] | None, every: int) -> None:
    """Run the teacher on the first of `every` so many rows, which stand in one chunk. Tokens that no batch reaches are
    padding and get 0."""
    longest = rows.columns[INPUTS[0]].shape[0]
    if elsewhere:
        predict, lengths = elsewhere(), tuple(range(1, longest + 1))
    else:
        predict, lengths = _in_mindspore(teacher, device), resolve_buckets(buckets, longest)
    done, is_shown = 0, progress and device.rank == 0
    with tqdm(total=len(values), unit="rows", desc="teacher outputs", disable=not is_shown) as bar:
        chunks = (chunk.rows(slice(None, None, every)) for chunk in read_rows(rows))
        for index, batch in evaluation_batches(chunks, batch_size, lengths):
            logits = predict({name: getattr(batch, name) for name in INPUTS})[: len(index)]
            if not np.isfinite(logits).all():
                raise UserError(f"the teacher {teacher.directory} gives logits that are not finite for "
                                f"{rows.files[0].parent}; use another teacher, or --compute_type float32")
            if logits.ndim == 2:
                values[index] = logits
            else:
                values[index, : logits.shape[1]] = logits
            done += len(index)
            bar.update(len(index))
    if done != len(values):
        raise UserError(f"{rows.files[0].parent} gave {done} rows of {len(values)}; prepare the records again")


def _in_mindspore(teacher: LoadedModel, device: Device) -> Predict:
    model = cell_of(teacher, device.compute_type)
    return lambda batch: model(*(Tensor(batch[name]) for name in INPUTS)).asnumpy()


@contextmanager
def _alone(place: Path, device: Device) -> Iterator[bool]:
    """Let one process at a time make a folder; gives whether another one was waited for."""
    place.parent.mkdir(parents=True, exist_ok=True)
    path = place.parent / f".{place.name}.lock"
    with open(path, "w") as lock:
        waited = False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = True
            device.say(f"teacher outputs: waiting for the process that computes {place}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield waited
        finally:
            # Who comes from now on finds the folder; who holds the removed file has waited and looks for it.
            path.unlink(missing_ok=True)
