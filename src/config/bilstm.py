# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes a BiLSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from src.common.typed import require, require_settings

ANY_LENGTH = 1 << 30
"""`max_length` of a model that has no table of positions."""


@dataclass(frozen=True)
class BiLstmConfig:
    """Architecture of a bidirectional LSTM (Tang et al., arXiv:1903.12136): embeddings, LSTM, dense layer."""

    vocab_size: int
    embedding_size: int
    hidden_size: int
    dense_size: int
    num_layers: int
    pooling: Literal["last", "max"]
    dropout: float

    # What callers ask of either architecture.
    kind = likely_family = "bilstm"
    title = "a BiLSTM"
    causal = False
    pooler = "none"
    position_offset = 0
    type_vocab_size = 0
    max_length = ANY_LENGTH

    def __post_init__(self) -> None:
        require_settings(self, "vocab_size", "embedding_size", "hidden_size", "dense_size", "num_layers",
                         section="bilstm.", least=1)
        require_settings(self, "dropout", section="bilstm.", least=0, below=1)

    def check_head(self, kind: str, _is_pooled: bool) -> None:
        """Raise `UserError` for a kind of head that a BiLSTM has not."""
        require(kind in ("none", "classification", "regression", "tagging"),
                f"a BiLSTM has no {kind} head; use classification, regression or tagging")
