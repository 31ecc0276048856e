# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a model has on its encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from src.common.typed import require, require_settings


@dataclass(frozen=True)
class HeadConfig:
    """What sits on the encoder. `labels` names the classes in the order of the logits.

    classification and regression read the pooled output (the last token of a causal model); tagging (a class for each
    token), span (start and end of an answer), masked_lm and causal_lm read the sequence. embedding makes one vector of
    the row's tokens (Reimers & Gurevych, arXiv:1908.10084): pooling, a dense layer where dense_size is not 0, and the
    division by the norm where normalize says so; its vector is what other heads call logits.
    """

    kind: Literal["none", "classification", "regression", "tagging", "span", "masked_lm", "causal_lm",
                  "embedding"] = "none"
    labels: tuple[str, ...] = ()
    pooled_activation: Literal["none", "relu"] = "none"
    # Of an embedding alone: the mean or maximum over the real tokens, the first token, or what a BiLSTM pools itself;
    # and the tokens that a text is cut to, special ones among them (0: as many as the encoder takes).
    pooling: Literal["mean", "cls", "max", "encoder"] = "mean"
    dense_size: int = 0
    dense_activation: Literal["none", "tanh"] = "none"
    normalize: bool = False
    max_seq_length: int = 0

    def __post_init__(self) -> None:
        require_settings(self, "dense_size", "max_seq_length", least=0)
        require(self.dense_activation == "none" or self.dense_size > 0,
                f"dense_activation is {self.dense_activation}, but there is no dense layer; set dense_size")
        require(self.kind not in ("classification", "tagging") or len(self.labels) >= 2,
                f"a {self.kind} head needs two labels or more; got {list(self.labels)}")

    @property
    def title(self) -> str:
        """What a model with it has, for people: "no head", "an embedding head"."""
        return "no head" if self.kind == "none" else f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind} head"

    @property
    def is_pooled(self) -> bool:
        """Whether the head reads the pooled output."""
        return self.kind in ("classification", "regression")

    @property
    def is_of_row(self) -> bool:
        """Whether the head gives one vector a row."""
        return self.is_pooled or self.kind == "embedding"

    @property
    def is_language_model(self) -> bool:
        """Whether the head predicts tokens."""
        return self.kind in ("masked_lm", "causal_lm")

    @property
    def num_labels(self) -> int:
        """Number of logits of a row or token: the classes, 1 for a regression, 2 for a span, else 0 (no head, the
        vocabulary of a language model, or an embedding); see ModelConfig.output_size."""
        return {"regression": 1, "span": 2}.get(self.kind, len(self.labels))
