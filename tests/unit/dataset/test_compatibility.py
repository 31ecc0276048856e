# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records and models of one vocabulary: a table of embeddings may have more rows than there are tokens."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.dataset import compatibility
from src.records.token_counts import load_token_counts
from tests.refusals import refused

ENCODER = EncoderConfig(12, 8, 2, 2, 6, "gelu", 0.1, 0.1, 10, 2, 0.02, 1e-12)


@pytest.mark.parametrize(("size", "known", "message"), [
    (12, "a", ""), (12, None, ""), (10, "a", ""), (10, None, "vocabulary of 10 tokens"), (10, "b", "of 10 tokens"),
    (12, "b", "another vocabulary"), (14, "a", "vocabulary of 14 tokens"),
])
def test_vocabulary_of_records(monkeypatch: pytest.MonkeyPatch, size: int, known: str | None, message: str) -> None:
    monkeypatch.setattr(compatibility, "longest_row", lambda source, most: 5)
    source: Any = SimpleNamespace(manifest=SimpleNamespace(vocab_size=size, vocab_hash="a"))
    arguments = ModelConfig(ENCODER, HeadConfig()), known, source, "teacher"
    if message:
        refused(message, compatibility.check_data, *arguments)
    else:
        compatibility.check_data(*arguments)


def test_counts_of_a_larger_table(tmp_path: Path) -> None:
    (tmp_path / "token_counts.json").write_text(json.dumps({"vocab_size": 3, "vocab_hash": "a", "counts": [5, 0, 2]}))
    assert np.array_equal(load_token_counts(tmp_path, 5, "a"), [5, 0, 2, 0, 0])
    for size, known in ((5, None), (5, "b"), (2, "a")):
        refused("counts 3 tokens", load_token_counts, tmp_path, size, known)
