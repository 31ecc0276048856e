# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Bundles of tiny random models, made as export.py makes them but for the comparison with MindSpore, which costs
seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.config import HeadConfig, ModelConfig, load_config
from src.export import run
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.tiny import TEACHER, save_random, write_vocabulary

ENCODER = replace(TEACHER, num_hidden_layers=1, max_position_embeddings=24)
"""Rows of at most 24 tokens."""
HEADS = {
    "SST-2": HeadConfig("classification", ("0", "1")), "tsv": HeadConfig("classification", ("a", "b", "c")),
    "RTE": HeadConfig("classification", ("entailment", "not_entailment")), "STS-B": HeadConfig("regression"),
    "reranking": HeadConfig("regression"),
    "ner": HeadConfig("tagging", ("O", "B-GOOD", "I-GOOD", "B-BAD", "I-BAD")), "SQuAD": HeadConfig("span"),
    "SQuAD2": HeadConfig("span"),
    "CLUENER": HeadConfig("tagging", get_task("CLUENER").labels), "MRPC": HeadConfig("classification", ("0", "1")),
    "CoLA": HeadConfig("classification", ("0", "1")),
    "embedding": HeadConfig("embedding", pooling="max", dense_size=5, max_seq_length=8)}
"""Task -> head of its model; that of an embedding is of none."""


def make_model(folder: Path, task: str, encoder: Any = None, seed: int = 3, tokenizer: Path | None = None) -> Path:
    """Write a checkpoint for one of HEADS; `tokenizer`: a folder with another one than the words of tests/tiny.py."""
    encoder = encoder or (replace(ENCODER, max_position_embeddings=72) if task.startswith("SQuAD") else ENCODER)
    if HEADS[task].kind == "embedding":
        encoder = replace(encoder, pooler="none")
    if tokenizer is not None:
        encoder = replace(encoder, vocab_size=load_tokenizer(tokenizer).vocab_size)
    return save_random(folder / "model", ModelConfig(encoder, HEADS[task], task),
                       tokenizer or write_vocabulary(folder / "v"), seed)


def to_bundle(model: Path, output: Path, **settings: Any) -> Path:
    """Export a checkpoint as a bundle; `settings` by their full names, with __ for a dot."""
    config = load_config(export__checkpoint=str(model), export__file_format="BUNDLE", export__output=str(output),
                         **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "compare", lambda *_: [run.Difference(1, 1, 0.0)])
        run.export_model(config.export, task=config.task)
    return output


def make_bundle(folder: Path, task: str = "SST-2", seed: int = 3, **settings: Any) -> Path:
    """Write a bundle of a random model for one of HEADS into folder/bundle."""
    return to_bundle(make_model(folder, task, seed=seed), folder / "bundle", **settings)


def changed(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change bundle.json."""
    path = bundle / "bundle.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")
