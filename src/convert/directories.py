# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Conversion from folder to folder: where the source comes from, its tokenizer, and what is written."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from src.checkpoints.checkpoint import save_model
from src.common.errors import UserError, one_line
from src.config import ModelConfig
from src.convert.options import Converted
from src.convert.tokenizer_files import check_tokenizer
from src.text.tokenization import has_tokenizer, load_tokenizer

HUB_FILES = ("config.json", "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors",
             "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json")
HUB_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")


Conversion = tuple[ModelConfig, list[str]]
"""What was converted, and what the user should know."""


def save_converted(converted: Converted, tokenizer_folder: Path, target: Path) -> Conversion:
    """Write a checkpoint directory with the tokenizer found in `tokenizer_folder`, in the form that is used here.

    Raises:
        UserError: the tokenizer is not the model's.
    """
    notes = list(converted.notes)
    if not has_tokenizer(tokenizer_folder):
        notes.append(f"{tokenizer_folder} has no tokenizer.json, vocab.txt or vocab.json: the checkpoint has no "
                     "vocabulary")
        save_model(target, converted.config, converted.parameters)
        return converted.config, notes
    tokenizer = load_tokenizer(tokenizer_folder)
    notes += check_tokenizer(tokenizer, converted.config.encoder, tokenizer_folder)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(folder)
        save_model(target, converted.config, converted.parameters, Path(folder))
    return converted.config, notes


def check_target(target: Path, source: str | Path, force: bool | None = None) -> None:
    """Refuse an output folder that holds something that should not be lost.

    Args:
        target: the folder to write.
        source: what is read.
        force: whether a model in `target` may be replaced; None where the user has no such choice.

    Raises:
        UserError: a file; a folder with content (with `force`: one that is not a model); the source, or around it; a
            place that cannot be written to.
    """
    resolved = target.resolve()
    origin = Path(source).resolve()
    if resolved == origin or resolved in origin.parents:
        raise UserError(f"the output {target} is the input {source} or holds it; choose another folder")
    if target.is_file():
        raise UserError(f"the output {target} is a file; give a folder that is not there yet")
    check_place(target)
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not force:
        raise UserError(f"the output folder {target} is not empty; choose another"
                        f"{', or replace it with --force' if force is not None else ' or remove it'}")
    if not any((target / name).is_file() for name in ("config.json", "bert_config.json")):
        raise UserError(f"the output folder {target} is not empty and holds no config.json, so that it is not a model; "
                        "it is not replaced, also with --force: choose another folder")


def check_place(target: Path) -> None:
    """Refuse an output path without a name of its own, or below something that is no folder or is write-protected."""
    if target.name in ("", ".."):
        raise UserError(f"the output {str(target)!r} has no name of its own; give the path of something new")
    around = next(folder for folder in target.resolve().parents if folder.exists())
    if not around.is_dir():
        raise UserError(f"the output {target} cannot be written: {around} is a file")
    if not os.access(around, os.W_OK | os.X_OK):
        raise UserError(f"the output {target} cannot be written: no permission to write to {around}")


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
