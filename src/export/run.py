# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exporting: write aside, run again, compare, and only then put in place."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms

from src.checkpoints.checkpoint import LoadedModel, load_model
from src.common.errors import UserError, nearest
from src.common.files import sync
from src.config import ANY_LENGTH, ExportConfig
from src.convert.directories import check_place, check_target
from src.export.artefacts import FORMATS, CannotRun, Compiled, Format, run_cell
from src.export.verify import Difference, compare

COMPARED_LENGTH = 128
"""Longest sequence that a BiLSTM is compared on, unless the settings say otherwise."""


@dataclass(frozen=True)
class Exported:
    """What stands where, its size in bytes, the differences per shape (none where it could not be run again), and what
    the user should know about how it was written."""

    path: Path
    size: int
    differences: tuple[Difference, ...]
    not_run: str = ""
    notes: tuple[str, ...] = ()


def export_model(settings: ExportConfig, compute_type: ms.Type = ms.float32) -> Exported:
    """Export a checkpoint.

    Args:
        settings: what to export, to which format, where to, and the accepted difference.
        compute_type: of the matrix products in a MINDIR or AIR graph.

    Raises:
        UserError: the checkpoint, the output path or the format cannot be used, or the artefact does not compute what
            the model does. Nothing is left behind then.
    """
    name = settings.file_format
    if name not in FORMATS:
        raise UserError(f"file_format is {name!r}; expected one of {', '.join(FORMATS)}{nearest(name, FORMATS)}")
    written_as = FORMATS[name]
    loaded = load_model(settings.checkpoint, "checkpoint")
    compared = written_as.prepare(loaded)
    longest = _longest(settings, loaded)
    target = _target(settings, written_as)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".writing", dir=target.parent))
    differences, not_run = [], ""
    try:
        written = aside / target.name
        notes = written_as.write(loaded, written, Compiled(compute_type, settings.batch_size, longest))
        try:
            runner = written_as.run(written, loaded.config)
        except CannotRun as error:
            not_run = str(error)
        else:
            differences = compare(run_cell(compared), runner, loaded.config.encoder, longest, settings.max_difference)
        size = _settle(written)
        os.replace(written, target)
        sync(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Exported(target, size, tuple(differences), not_run, tuple(notes))


def _longest(settings: ExportConfig, loaded: LoadedModel) -> int:
    limit = loaded.config.encoder.max_length
    if settings.seq_length > limit:
        raise UserError(f"seq_length is {settings.seq_length}, but the model knows {limit} positions")
    return settings.seq_length or (limit if limit < ANY_LENGTH else COMPARED_LENGTH)


def _target(settings: ExportConfig, written_as: Format) -> Path:
    if not settings.output:
        raise UserError("output is empty; give the file to write (for HF the folder): --output PATH")
    target = Path(settings.output)
    if not written_as.suffix:
        check_target(target, settings.checkpoint)
        return target
    check_place(target)
    if target.is_dir() or settings.output.endswith(os.sep):
        raise UserError(f"the output {settings.output} is a folder; give the name of a file")
    of = next((each.name for each in FORMATS.values() if each.suffix and each.suffix == target.suffix.lower()), "")
    if of and of != written_as.name:
        raise UserError(f"the output {settings.output} is named like {of}, and file_format is {written_as.name}; "
                        f"set --file_format {of}, or rename the output")
    if not of:
        target = target.with_name(target.name + written_as.suffix)
    if target.is_dir():
        raise UserError(f"the output {target} is a folder; give the name of a file")
    return target


def _settle(path: Path) -> int:
    """Make the files readable as any other (MindSpore restricts its own), sync them, return their size in bytes."""
    umask = os.umask(0)
    os.umask(umask)
    size = 0
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        file.chmod(0o666 & ~umask)
        sync(file)
        size += file.stat().st_size
    return size
