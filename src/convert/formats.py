# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The formats that checkpoints are converted from and to, and conversion from folder to folder."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from src.checkpoints.checkpoint import LoadedModel, load_model, save_model
from src.checkpoints.places import folder_of
from src.common.errors import UserError, one_line
from src.common.files import read_json
from src.common.places import check_folder, is_empty
from src.config import EncoderConfig, ModelConfig, StaticConfig
from src.convert import google_bert, model_zoo
from src.convert.huggingface import check_tokenizer, read_directory, write_huggingface
from src.convert.options import Converted, ReadOptions
from src.text.tokenization import foreign_vocabulary, has_tokenizer, load_tokenizer

OWN = "mindspore"
TAKEN = ("head", "labels", "task_name", "pooled_activation", "pooler", "seed")
"""Options of every reader."""
HUB_FILES = ("config.json", "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors",
             "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json",
             "special_tokens_map.json", "added_tokens.json", "modules.json", "sentence_bert_config.json",
             "config_sentence_transformers.json", "*_Pooling/config.json", "*_Dense/config.json",
             "*_Dense/model.safetensors", "*_StaticEmbedding/model.safetensors", "*_StaticEmbedding/tokenizer.json")
HUB_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")

Conversion = tuple[ModelConfig, list[str]]
"""What was converted, and what the user should know."""


@dataclass(frozen=True)
class Reader:
    """A format that is converted to a checkpoint directory; `locate` finds what the command line names. Of the options
    those in `options` apply."""

    read: Callable[[Path, ReadOptions], Converted]
    options: tuple[str, ...] = (*TAKEN, "config")
    locate: Callable[[str], Path] = Path


@dataclass(frozen=True)
class Writer:
    """A format that a checkpoint directory is converted to, of the architectures that it `takes`; `write` returns notes
    for the user."""

    write: Callable[[LoadedModel, Path, ReadOptions], list[str]]
    title: str
    options: tuple[str, ...] = ()
    takes: tuple[str, ...] = (EncoderConfig.kind,)


def _write_own(loaded: LoadedModel, target: Path, options: ReadOptions) -> list[str]:
    save_model(target, loaded.config, loaded.parameters, loaded.tokenizer_path)
    return []


def find_source(source: str) -> Path:
    """Return the folder `source`, or download the model of that name from the Hugging Face hub.

    Raises:
        UserError: neither a folder nor a name on the hub, or the hub cannot be reached.
    """
    path = Path(source)
    if path.is_dir():
        return path
    if path.exists():
        raise UserError(f"{source} is a file; give the folder of a model (config.json, model.safetensors, ...)")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", source):
        raise UserError(f"{source} does not exist; give the folder of a Hugging Face model, or its name on the hub")
    return download(source)


def download(name: str) -> Path:
    """Download the model `name` into the hub's cache and return its folder."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise UserError(f"{name} is not a folder, and huggingface_hub, which would download it, is not installed; "
                        "`pip install huggingface_hub`, or give the folder of a model") from error
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(HUB_FILES)))
        if not any(folder.glob("model*.safetensors")):
            folder = Path(snapshot_download(name, allow_patterns=[*HUB_FILES, *HUB_PICKLES]))
    except Exception as error:  # noqa: BLE001 - network, HTTP and cache errors of three libraries, without a common base
        reason = f"{type(error).__name__}: {one_line(error)}".split(". ")[0][:160]
        raise UserError(f"there is no folder {name}, and no model of this name could be downloaded from the Hugging "
                        f"Face hub ({reason}); check the name and the network, or give a folder") from error
    return folder


READERS = {"hf": Reader(read_directory, (*TAKEN, "pooling", "normalize", "max_seq_length"), find_source),
           "tf": Reader(google_bert.read_checkpoint),
           "zoo": Reader(model_zoo.read_checkpoint)}
WRITERS = {OWN: Writer(_write_own, "a checkpoint directory"),
           "hf": Writer(lambda loaded, target, _: write_huggingface(loaded, target), "a Hugging Face folder",
                        takes=(EncoderConfig.kind, StaticConfig.kind)),
           "tf": Writer(google_bert.write_tensorflow, "a TensorFlow checkpoint", ("pooler", "seed", "model_name"))}


def convert(source_format: str, target_format: str, source: str, target: Path, options: ReadOptions | None = None,
            force: bool = False) -> Conversion:
    """Convert a model from a format to another, one of which is ours; the other is a key of READERS or of WRITERS.

    Args:
        source: a file or folder; of hf also a name on the hub, which is downloaded.
        target: the folder; must not hold anything, unless `force` and it is a model.

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
    if source_format == OWN:
        check_target(target, folder_of(source), force)
        return write(load_model(source, "IN_DIR"), target, target_format, options)
    check_target(target, source, force)
    reader = READERS[source_format]
    path = reader.locate(source)
    converted = reader.read(path, options)
    return save_converted(converted, converted.tokenizer or (path if path.is_dir() else path.parent), target)


def save_converted(converted: Converted, tokenizer_folder: Path, target: Path) -> Conversion:
    """Write a checkpoint directory with the tokenizer found in `tokenizer_folder`, in the form that is used here.

    Raises:
        UserError: the tokenizer is not the model's.
    """
    notes = list(converted.notes)
    if not has_tokenizer(tokenizer_folder):
        notes.append(f"{tokenizer_folder} has no tokenizer.json, vocab.txt or vocab.json"
                     f"{foreign_vocabulary(tokenizer_folder)}: the checkpoint has no vocabulary")
        save_model(target, converted.config, converted.parameters)
        return converted.config, notes
    tokenizer = load_tokenizer(tokenizer_folder)
    notes += [tokenizer.describe(), *tokenizer.notes]
    notes += check_tokenizer(tokenizer, converted.config.encoder, tokenizer_folder)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(folder)
        save_model(target, converted.config, converted.parameters, Path(folder))
    return converted.config, notes


def write(loaded: LoadedModel, target: Path, target_format: str, options: ReadOptions) -> Conversion:
    """Write a model of ours to a folder."""
    writer = WRITERS[target_format]
    if target_format != OWN and loaded.config.encoder.kind not in writer.takes:
        loaded.config.require_transformer(loaded.directory, writer.title)
    return loaded.config, writer.write(loaded, target, options)


def _check_options(options: ReadOptions, known: tuple[str, ...], conversion: str) -> None:
    for field in fields(options):
        if field.name not in known and getattr(options, field.name) != field.default:
            only = ", ".join(f"--{name}" for name in (*known, "force"))
            raise UserError(f"--{field.name} does not apply to {conversion}, only {only}; leave it out")


def check_target(target: Path, source: str | Path, force: bool | None = None) -> None:
    """Refuse an output folder that holds something that should not be lost.

    Args:
        force: whether a model in `target` may be replaced; None where the user has no such choice.

    Raises:
        UserError: a file; a folder with content (with `force`: one that is not a model); the source, or around it; a
            place that cannot be written to.
    """
    place = check_folder(target)
    origin = Path(source).resolve()
    if place == origin or place in origin.parents:
        raise UserError(f"the output {target} is the input {source} or holds it; choose another folder")
    if is_empty(place):
        return
    if not force:
        raise UserError(f"the output folder {target} is not empty; choose another"
                        f"{', or replace it with --force' if force is not None else ' or remove it'}")
    if not _is_of_a_model(place):
        raise UserError(f"the output folder {target} is not empty and holds no config.json of a model, so that it is "
                        "not a model; it is not replaced, also with --force: choose another folder")


def _is_of_a_model(folder: Path) -> bool:
    """Whether a folder holds the configuration of a model, which may be damaged where weights are beside it."""
    config = next((folder / name for name in ("config.json", "bert_config.json") if (folder / name).is_file()), None)
    if config is None:
        return False
    if any(".safetensors" in name or ".ckpt" in name or name.endswith((".bin", ".h5", ".msgpack"))
           for name in os.listdir(folder)):
        return True
    try:
        return bool({"format", "architectures", "model_type", "hidden_size", "vocab_size"} & set(read_json(config)))
    except UserError:
        return False
