# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records and models of one vocabulary: a table of embeddings may have more rows than there are tokens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from src.config import DataConfig, EncoderConfig, HeadConfig, ModelConfig
from src.dataset import compatibility, open_records
from src.records.options import TaskOptions
from src.records.prepare import prepare_task
from src.records.token_counts import load_token_counts
from src.tasks import get_task
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.refusals import refused
from tests.small_vocabulary import write_byte_level

ENCODER = EncoderConfig(12, 8, 2, 2, 6, "gelu", 0.1, 0.1, 10, 2, 0.02, 1e-12)


@pytest.mark.parametrize(("size", "known", "message"), [
    (12, "a", ""), (12, None, ""), (10, "a", ""), (10, None, "vocabulary of 10 tokens"), (10, "b", "of 10 tokens"),
    (12, "b", "another vocabulary"), (14, "a", "vocabulary of 14 tokens"),
])
def test_vocabulary_of_records(monkeypatch: pytest.MonkeyPatch, size: int, known: str | None, message: str) -> None:
    monkeypatch.setattr(compatibility, "longest_row", lambda source, most: 5)
    source: Any = SimpleNamespace(manifest=SimpleNamespace(vocab_size=size, vocab_hash="a", settings={}))
    start = SimpleNamespace(vocab_hash=known, separators=1)
    arguments = ModelConfig(ENCODER, HeadConfig()), start, source, "teacher"
    if message:
        refused(message, compatibility.check_data, *arguments)
    else:
        compatibility.check_data(*arguments)


@pytest.mark.medium
def test_separators_of_pairs(tmp_path: Path) -> None:
    """Records of RoBERTa's pairs that an earlier version made are recognised; those of single texts fit."""
    load_tokenizer(write_byte_level(tmp_path / "bytes")).save(tmp_path / "bytes")
    now = load_tokenizer(tmp_path / "bytes")
    then = Tokenizer(now.backend, separators=1)
    encoder = replace(ENCODER, vocab_size=now.vocab_size)
    starts = {kind: SimpleNamespace(vocab_hash=now.vocab_hash, separators=kind) for kind in (1, 2)}
    for name, rows in (("pair", "text_a\ttext_b\tlabel\nthe cat\tsat\tx\na dog\tran\ty\n"),
                       ("single", "text\tlabel\nthe cat\tx\na dog\ty\n")):
        (tmp_path / f"{name}.tsv").write_text(rows)
        for made, tokenizer in ((1, then), (2, now)):
            folder = tmp_path / f"{name}{made}"
            prepare_task(get_task("tsv"), tmp_path / f"{name}.tsv", tokenizer, folder, TaskOptions(seq_length=10))
            source = open_records(str(folder / "train"), DataConfig(), "train_data_dir", "task")
            assert source.manifest is not None
            assert source.manifest.settings.get("pair_separators", 1) == (made if name == "pair" else 1)
            for read, start in starts.items():
                arguments: Any = ModelConfig(encoder, HeadConfig()), start, source, "teacher"
                if name == "pair" and made != read:
                    refused(f"have {made} separator.*reads {read}; an earlier version made the "
                            f"{'records' if made == 1 else 'model'}", compatibility.check_data, *arguments)
                else:
                    compatibility.check_data(*arguments)


def test_counts_of_a_larger_table(tmp_path: Path) -> None:
    (tmp_path / "token_counts.json").write_text(json.dumps({"vocab_size": 3, "vocab_hash": "a", "counts": [5, 0, 2]}))
    assert np.array_equal(load_token_counts(tmp_path, 5, "a"), [5, 0, 2, 0, 0])
    for size, known in ((5, None), (5, "b"), (2, "a")):
        refused("counts 3 tokens", load_token_counts, tmp_path, size, known)
