# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exporting: write aside, run again, compare, and only then put in place."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import mindspore as ms

from src.checkpoints.checkpoint import LoadedModel, load_model
from src.common.errors import UserError
from src.common.files import sync
from src.config import ExportConfig
from src.convert.directories import check_place, check_target
from src.convert.huggingface import family_of
from src.export import artefacts
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
    loaded = load_model(settings.checkpoint, "checkpoint")
    if settings.file_format == "HF":
        loaded.config.require_transformer(loaded.directory, "a Hugging Face folder")
    longest = _longest(settings, loaded)
    target = _target(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".writing", dir=target.parent))
    try:
        written = aside / target.name
        notes = _write(settings, loaded, written, longest, compute_type)
        runner, not_run = _run_again(settings.file_format, loaded, written)
        differences = [] if runner is None else compare(
            artefacts.run_cell(_compared(settings.file_format, loaded)), runner, loaded.config.encoder, longest,
            settings.max_difference)
        size = _settle(written)
        os.replace(written, target)
        sync(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Exported(target, size, tuple(differences), not_run, tuple(notes))


def _longest(settings: ExportConfig, loaded: LoadedModel) -> int:
    if loaded.config.is_recurrent:  # takes any length
        return settings.seq_length or COMPARED_LENGTH
    limit = loaded.config.encoder.max_length
    if settings.seq_length > limit:
        raise UserError(f"seq_length is {settings.seq_length}, but the model knows {limit} positions")
    return settings.seq_length or limit


def _target(settings: ExportConfig) -> Path:
    if not settings.output:
        raise UserError("output is empty; give the file to write (for HF the folder): --output PATH")
    target = Path(settings.output)
    if settings.file_format == "HF":
        check_target(target, settings.checkpoint)
        return target
    check_place(target)
    if target.is_dir() or settings.output.endswith(os.sep):
        raise UserError(f"the output {settings.output} is a folder; give the name of a file")
    suffix = artefacts.SUFFIXES[settings.file_format]
    of = next((name for name, other in artefacts.SUFFIXES.items() if other and other == target.suffix.lower()), "")
    if of and of != settings.file_format:
        raise UserError(f"the output {settings.output} is named like {of}, and file_format is {settings.file_format}; "
                        f"set --file_format {of}, or rename the output")
    if target.suffix.lower() != suffix:
        target = target.with_name(target.name + suffix)
    if target.is_dir():
        raise UserError(f"the output {target} is a folder; give the name of a file")
    return target


def _write(settings: ExportConfig, loaded: LoadedModel, path: Path, longest: int, compute_type: ms.Type) -> list[str]:
    """Write the artefact; returns notes for the user."""
    if settings.file_format == "MINDIR":
        artefacts.write_mindir(loaded, path, compute_type)
    elif settings.file_format == "ONNX":
        artefacts.write_onnx(loaded, path)
    elif settings.file_format == "AIR":
        artefacts.write_air(loaded, path, compute_type, settings.batch_size, longest)
    else:
        return artefacts.write_hf(loaded, path)
    return []


def _compared(file_format: str, loaded: LoadedModel) -> LoadedModel:
    """Return the model that the artefact must equal: a Hugging Face folder may have no place for the pooler."""
    encoder, head = loaded.config.encoder, loaded.config.head
    if file_format != "HF" or head.kind != "none" or family_of(encoder).forms["none"].pooler != "none":
        return loaded
    parameters = {name: array for name, array in loaded.parameters.items() if not name.startswith("encoder.pooler.")}
    return replace(loaded, config=replace(loaded.config, encoder=replace(encoder, pooler="none")),
                   parameters=parameters)


def _run_again(file_format: str, loaded: LoadedModel, path: Path) -> tuple[artefacts.Runner | None, str]:
    """Return the artefact's runner, or None with the reason why it cannot be run here."""
    if file_format == "MINDIR":
        return artefacts.run_mindir(path), ""
    if file_format == "ONNX":
        return artefacts.run_onnx(path), ""
    if file_format == "AIR":
        return None, "AIR is read by Ascend's offline compiler only"
    runner = artefacts.run_hf(path, loaded.config)
    return runner, "" if runner is not None else "transformers and torch are not installed"


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
