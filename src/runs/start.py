# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The checkpoint that a run starts from or learns from, and its tokenizer."""

from __future__ import annotations

from pathlib import Path

from src.checkpoints.checkpoint import LoadedModel, load_model
from src.common.errors import UserError
from src.config import PrepareTaskConfig
from src.text.tokenization import Tokenizer, load_tokenizer


def checkpoint_in(location: str, setting: str, *inner: str) -> LoadedModel:
    """Load a checkpoint directory; the folder of a run stands for the first of the checkpoints `inner` that it has."""
    return load_model(folder_of(location, *inner) if location else "", setting)


def folder_of(location: str, *inner: str) -> Path:
    """Return the checkpoint directory that `checkpoint_in` loads."""
    folder = Path(location)
    if (folder / "manifest.json").is_file():
        return folder
    return next((folder / name for name in inner if (folder / name).is_dir()), folder)


def tokenizer_of(model: LoadedModel | None, settings: PrepareTaskConfig) -> Tokenizer:
    """Return what reads a task's own files: a model's tokenizer, or without a model that of section `prepare_task`."""
    path = model.tokenizer_path if model else settings.tokenizer
    if model and path is None:
        raise UserError(f"{model.directory} has no tokenizer, so the task's files cannot be read with it; put its "
                        "tokenizer there when converting, or give records")
    if not path:
        raise UserError("data_dir holds the task's own files, and there is no model whose tokenizer could read them; "
                        "give one: --prepare_task.tokenizer DIR")
    return load_tokenizer(path, {"auto": None, "true": True, "false": False}[settings.lower_case])
