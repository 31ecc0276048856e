# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The formats that checkpoints are converted from and to, and conversion from folder to folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from src.checkpoints.checkpoint import LoadedModel, load_model, save_model
from src.common.errors import UserError
from src.convert import google_bert, model_zoo
from src.convert.directories import Conversion, check_target, find_source, save_converted
from src.convert.huggingface import read_directory, write_huggingface
from src.convert.options import Converted, ReadOptions

OWN = "mindspore"
TAKEN = ("head", "labels", "task_name", "pooled_activation", "pooler", "seed")
"""Options of every reader."""


@dataclass(frozen=True)
class Reader:
    """A format that is converted to a checkpoint directory.

    Attributes:
        read: (file or folder, options) -> the model.
        options: options that apply.
        locate: what the command line names -> file or folder.
    """

    read: Callable[[Path, ReadOptions], Converted]
    options: tuple[str, ...] = (*TAKEN, "config")
    locate: Callable[[str], Path] = Path


@dataclass(frozen=True)
class Writer:
    """A format that a checkpoint directory is converted to.

    Attributes:
        write: (model, folder, options) -> notes for the user.
        title: what the folder is called in messages.
        options: options that apply.
    """

    write: Callable[[LoadedModel, Path, ReadOptions], list[str]]
    title: str
    options: tuple[str, ...] = ()


def _write_own(loaded: LoadedModel, target: Path, options: ReadOptions) -> list[str]:
    save_model(target, loaded.config, loaded.parameters, loaded.tokenizer_path)
    return []


READERS = {"hf": Reader(read_directory, TAKEN, find_source), "tf": Reader(google_bert.read_checkpoint),
           "zoo": Reader(model_zoo.read_checkpoint)}
WRITERS = {OWN: Writer(_write_own, "a checkpoint directory"),
           "hf": Writer(lambda loaded, target, _: write_huggingface(loaded, target), "a Hugging Face folder"),
           "tf": Writer(google_bert.write_tensorflow, "a TensorFlow checkpoint", ("pooler", "seed", "model_name"))}


def convert(source_format: str, target_format: str, source: str, target: Path, options: ReadOptions | None = None,
            force: bool = False) -> Conversion:
    """Convert a model from a format to another, one of which is ours.

    Args:
        source_format: a key of READERS, or `mindspore`.
        target_format: a key of WRITERS.
        source: a file or folder; of hf also a name on the hub, which is downloaded.
        target: the folder; must not hold anything, unless `force` and it is a model.
        options: what to take of the source.
        force: replace what the folder holds.

    Raises:
        UserError: no such conversion, an option that does not apply to it, or whatever the formats refuse.
    """
    options, asked = options or ReadOptions(), f"--from {source_format} --to {target_format}"
    if (source_format == OWN) == (target_format == OWN):
        targets = " or ".join(name for name in WRITERS if name != OWN)
        raise UserError(f"{asked} is no conversion; expected --to {OWN} from one of {', '.join(READERS)}, or --from "
                        f"{OWN} to {targets}: convert in two steps")
    known = WRITERS[target_format].options if source_format == OWN else READERS[source_format].options
    _check_options(options, known, asked)
    check_target(target, source, force)
    if source_format == OWN:
        return write(load_model(source, "IN_DIR"), target, target_format, options)
    reader = READERS[source_format]
    path = reader.locate(source)
    return save_converted(reader.read(path, options), path if path.is_dir() else path.parent, target)


def write(loaded: LoadedModel, target: Path, target_format: str, options: ReadOptions) -> Conversion:
    """Write a model of ours to a folder."""
    writer = WRITERS[target_format]
    loaded.config.require_transformer(loaded.directory, writer.title)
    return loaded.config, writer.write(loaded, target, options)


def _check_options(options: ReadOptions, known: tuple[str, ...], conversion: str) -> None:
    for field in fields(options):
        if field.name not in known and getattr(options, field.name) != field.default:
            only = ", ".join(f"--{name}" for name in (*known, "force"))
            raise UserError(f"--{field.name} does not apply to {conversion}, only {only}; leave it out")
