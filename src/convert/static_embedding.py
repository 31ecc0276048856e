# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Static models as sentence-transformers has them: StaticEmbedding and Normalize.

    model.safetensors    embedding.weight, float32 (vocab_size, dim)
    tokenizer.json       read without special tokens
    modules.json ...     as in src/convert/sentence_transformers.py
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, is_of_model, write_tensors
from src.common.errors import UserError
from src.common.files import atomic_folder, write_json
from src.config import HeadConfig, ModelConfig, StaticConfig
from src.config.model import WORD_EMBEDDINGS
from src.convert.name_map import listing
from src.convert.options import Converted, ReadOptions
from src.convert.sentence_transformers import MODULES, read_modules, write_modules
from src.convert.tensors import read_huggingface_weights
from src.text.tokenization import load_tokenizer

WEIGHT = "embedding.weight"
FOLDERS = ("", "0_StaticEmbedding")
"""Where releases put the table."""


def is_static(directory: Path) -> bool:
    """Whether a folder is that of a static model."""
    file = directory / MODULES
    return file.is_file() and any(kind.rpartition(".")[2] == "StaticEmbedding" for kind, _ in read_modules(file))


def read_static(directory: Path, options: ReadOptions) -> Converted:
    """Read a folder that sentence-transformers has written for a static model.

    Raises:
        UserError: other modules than a table and the division by the norm, damaged files, or an option that does not
            apply to such a model.
    """
    modules = read_modules(directory / MODULES)
    names = [kind.rpartition(".")[2] for kind, _ in modules]
    if names != ["StaticEmbedding", "Normalize"] or modules[0][1] not in FOLDERS:
        raise UserError(f"{directory / MODULES}: the modules are {', '.join(names)}; expected StaticEmbedding, then "
                        "Normalize, which divides by the norm: cosines are the same with and without it, so add it to "
                        "the file")
    if asked := [field.name for field in fields(ReadOptions) if getattr(options, field.name) != field.default]:
        raise UserError(f"--{asked[0]} does not apply to {directory}, a static model; leave it out")
    folder = directory / modules[0][1]
    tensors, notes = read_huggingface_weights(folder)
    table = tensors.get(WEIGHT)
    if table is None or len(tensors) > 1 or table.ndim != 2 or table.dtype.kind != "f" or not np.isfinite(table).all():
        raise UserError(f"{folder} holds the tensors {listing(tensors)}; expected {WEIGHT} alone, a table of finite "
                        "floating-point numbers")
    tokenizer = load_tokenizer(folder)
    table = table.astype(np.float32)
    around = [each for each in sorted({tokenizer.cls_id, tokenizer.sep_id}) if each < len(table)]
    if table[around].any():
        table[around] = 0.0
        notes.append(f"the vectors of {' and '.join(map(tokenizer.id_to_token, around))} were set to zero: they stand "
                     "around each text here, and are no part of it there")
    config = ModelConfig(StaticConfig(*table.shape), HeadConfig("embedding", normalize=True))
    return Converted(config, {WORD_EMBEDDINGS: table}, tuple(notes), folder)


def write_static(loaded: LoadedModel, target: Path) -> list[str]:
    """Write a folder that `sentence_transformers.SentenceTransformer` loads, since release 3.2, replacing `target`.

    Raises:
        UserError: a model without a tokenizer, or one whose texts are segmented before.
    """
    tokenizer = loaded.tokenizer()
    if tokenizer.segment:
        raise UserError(f"{loaded.directory} cuts texts into words by {tokenizer.segment} first, which a "
                        "tokenizer.json cannot; export ONNX or MINDIR")
    encoder = loaded.config.encoder
    with atomic_folder(target, replace=True, goes=is_of_model) as aside:
        # sentence-transformers reads no config.json here; who looks for a model in a folder does.
        write_json(aside / "config.json", {"model_type": encoder.kind, "architectures": ["StaticEmbedding"],
                                           "vocab_size": encoder.vocab_size, "hidden_size": encoder.vector_size})
        write_tensors(aside / "model.safetensors", {WEIGHT: loaded.parameters[WORD_EMBEDDINGS]}, "pt")
        tokenizer.save(aside)
        write_modules(aside, [("StaticEmbedding", ""), ("Normalize", "1_Normalize")])
    return []
