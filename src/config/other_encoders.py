# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Architectures beside the transformer: a BiLSTM, and a table of vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from src.common.typed import require, require_settings
from src.config.head import HeadConfig

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

    @property
    def size(self) -> str:
        """Layers and width of a direction, in words."""
        return f"BiLSTM {self.num_layers} x {self.hidden_size}"

    @property
    def vector_size(self) -> int:
        """Width of what stands for a token, or for a row, before the head."""
        return self.dense_size

    def check_head(self, head: HeadConfig) -> None:
        """Raise `UserError` for a head that a BiLSTM has not."""
        require(head.kind in ("none", "classification", "regression", "tagging", "embedding"),
                f"a BiLSTM has no {head.kind} head; use classification, regression, tagging or embedding")
        require(head.kind != "embedding" or head.pooling == "encoder",
                f"pooling is {head.pooling}, but a BiLSTM pools by itself (bilstm.pooling); set pooling encoder")


@dataclass(frozen=True)
class StaticConfig:
    """A table of one vector a token, and nothing else; a text is the mean of its tokens' vectors, divided by its norm.

    Special tokens have vectors of zeros, so that they are no part of it.
    """

    vocab_size: int
    dim: int

    # What callers ask of any architecture.
    kind = likely_family = "static"
    title = "a static model"
    causal = False
    pooler = "none"
    position_offset = 0
    type_vocab_size = 0
    num_layers = 0
    max_length = ANY_LENGTH

    def __post_init__(self) -> None:
        require_settings(self, "vocab_size", "dim", least=1)

    @property
    def size(self) -> str:
        """Rows and width of the table, in words."""
        return f"static {self.vocab_size} x {self.dim}"

    @property
    def hidden_size(self) -> int:
        """Width of what stands for a token."""
        return self.dim

    @property
    def vector_size(self) -> int:
        """Width of what stands for a token, or for a row, before the head."""
        return self.dim

    def check_head(self, head: HeadConfig) -> None:
        """Raise `UserError` for a head that a static model has not."""
        require(head.kind == "embedding",
                f"a static model gives embeddings alone, and has no {head.kind} head; take a transformer or a BiLSTM")
        require(head.pooling == "mean" and head.normalize and not head.dense_size,
                f"a static model is the mean of its tokens' vectors, divided by its norm, but the head has pooling "
                f"{head.pooling}, dense_size {head.dense_size}, normalize {str(head.normalize).lower()}; set mean, 0 "
                "and true")
