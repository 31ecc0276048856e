# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A table of one vector a token, whose mean is the embedding of a text; called like the transformer.

Special tokens have vectors of zeros: of a mean that is divided by its norm they are no part.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn
from mindspore.common.initializer import Normal

from src.config import ModelConfig, StaticConfig
from src.models.embedding_head import EmbeddingHead

DEVIATION = 0.1
"""Standard deviation of random vectors."""


class StaticEmbeddings(nn.Cell):
    """The table."""

    def __init__(self, config: StaticConfig):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.dim, embedding_table=Normal(DEVIATION))


class StaticEncoder(nn.Cell):
    """The vectors of tokens."""

    def __init__(self, config: StaticConfig):
        super().__init__()
        self.embeddings = StaticEmbeddings(config)

    def construct(self, input_ids: Tensor) -> Tensor:
        """Map int32 (B, S) to float32 (B, S, dim)."""
        return self.embeddings.word_embeddings(input_ids)


class StaticModel(nn.Cell):
    """Table and head: mean of a row's vectors, divided by its norm."""

    def __init__(self, config: ModelConfig, compute_type: ms.Type = ms.float32):
        super().__init__()
        del compute_type  # there is no matrix product
        self.kind = config.head.kind
        self.has_head = True
        self.is_pooled = self.is_language_model = self.has_pooler = self.causal = False
        self.is_fake_quantized = self.can_train_first_only = False
        self.encoder = StaticEncoder(config.encoder)
        self.head = EmbeddingHead(config.head, config.encoder.dim, DEVIATION)

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, step: Tensor | None = None,
                  positions: Tensor | None = None) -> Tensor:
        """Return float32 embeddings (B, dim).

        Arguments are those of TransformerModel; segments, step and positions are not read.
        """
        return self.head(self.encoder(input_ids), input_mask)

    def with_layers(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, step: Tensor | None = None,
                    positions: Tensor | None = None) -> dict[str, Tensor]:
        """Return the output by the name that it has among those of a transformer."""
        return {"logits": self.construct(input_ids, input_mask, segment_ids, step, positions)}
