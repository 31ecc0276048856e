# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""An encoder with what its task puts on top."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import TruncatedNormal

from src.config import ModelConfig
from src.models.dropout import Dropout
from src.models.encoder import Encoder


class PooledHead(nn.Cell):
    """Linear classifier or regressor on the pooled output.

    `pooled_activation: relu` is what TinyBERT's code computes, classifier(relu(pooled)); `none` is BERT's
    classifier(dropout(pooled)), which every other library loads.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.relu = config.head.pooled_activation == "relu"
        self.dropout = Dropout(config.encoder.hidden_dropout_prob)
        self.classifier = nn.Dense(config.encoder.hidden_size, config.head.num_labels,
                                   weight_init=TruncatedNormal(config.encoder.initializer_range), bias_init="zeros")

    def construct(self, pooled: Tensor, step: Tensor | None = None) -> Tensor:
        """Map pooled (B, H) to float32 logits (B, num_labels)."""
        pooled = pooled.astype(ms.float32)
        if self.relu:
            pooled = ops.relu(pooled)
        return self.classifier(self.dropout(pooled, step))


class TransformerModel(nn.Cell):
    """Encoder with head; without a head (`kind: none`) its outputs are the encoder's."""

    def __init__(self, config: ModelConfig, compute_type: ms.Type = ms.float32):
        super().__init__()
        self.encoder = Encoder(config.encoder, compute_type)
        self.has_head = config.head.kind != "none"
        if self.has_head:
            self.head = PooledHead(config)

    def with_layers(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor,
                    step: Tensor | None = None) -> tuple:
        """Return logits (or pooled output), hidden states 0..L and attention scores 1..L (see Encoder)."""
        _, pooled, hidden, scores = self.encoder(input_ids, input_mask, segment_ids, step)
        return (self.head(pooled, step) if self.has_head else pooled), hidden, scores

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor,
                  step: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return float32 logits (B, num_labels); without a head sequence (B, S, H) and pooled (B, H) output."""
        sequence, pooled, _, _ = self.encoder(input_ids, input_mask, segment_ids, step)
        if self.has_head:
            return self.head(pooled, step)
        return sequence, pooled


def build_model(config: ModelConfig, compute_type: ms.Type = ms.float32) -> TransformerModel:
    """Build the cell of a configuration, in evaluation mode, with random weights drawn from MindSpore's seed.

    Parameter names are set from the cell's structure (`encoder.layers.0.attention.query.weight`), the same for
    teacher and student.
    """
    model = TransformerModel(config, compute_type)
    model.update_parameters_name("")
    model.set_train(False)
    return model
