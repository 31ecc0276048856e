# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The head that makes one vector of a text (Reimers & Gurevych, arXiv:1908.10084).

Shapes in the comments: B batch, S sequence, H width of a token, D width of the embedding.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from src.config import HeadConfig
from src.models.encoder import linear, tanh
from src.models.kernels import MAXIMUM, MINIMUM, spread

BELOW_ALL_VALUES = -1e30
"""What padding counts as where the largest value is taken."""
SMALLEST_NORM = 1e-12
"""Vectors below it are divided by it, as in torch.nn.functional.normalize."""


class EmbeddingHead(nn.Cell):
    """Pooling over the real tokens, an optional dense layer, an optional division by the norm; all in float32.

    Args:
        width: of a token.
        initializer_range: deviation of the dense layer's random weights.
    """

    def __init__(self, head: HeadConfig, width: int, initializer_range: float):
        super().__init__()
        self.pooling, self.normalize = head.pooling, head.normalize
        self.has_dense, self.has_tanh = head.dense_size > 0, head.dense_activation == "tanh"
        if self.has_dense:
            self.dense = linear(width, head.dense_size, initializer_range)

    def construct(self, x: Tensor, input_mask: Tensor) -> Tensor:
        """Map tokens (B, S, H), or the rows (B, H) that a BiLSTM has pooled, to float32 embeddings (B, D).

        What stands where input_mask (B, S) is 0 changes nothing. A row without any token gives finite numbers.
        """
        x = x.astype(ms.float32)
        if self.pooling == "mean":
            x = mean_of(x, input_mask)
        elif self.pooling == "max":
            x = self._largest(x, input_mask)
        elif self.pooling == "cls":
            x = x[:, 0]
        if self.has_dense:
            x = self.dense(x)
            if self.has_tanh:
                x = tanh(x)
        return unit_rows(x) if self.normalize else x

    def _largest(self, x: Tensor, input_mask: Tensor) -> Tensor:
        mask = input_mask.astype(ms.float32)
        empty = 1.0 - MINIMUM(mask.sum(axis=1), 1.0).expand_dims(1)  # (B, 1): 1 for a row without any token
        real = spread((mask + empty).expand_dims(2), x.shape)
        return (x * real + BELOW_ALL_VALUES * (1.0 - real)).max(axis=1)


def mean_of(x: Tensor, input_mask: Tensor) -> Tensor:
    """The mean (B, H) of float32 x (B, S, H) over the real tokens of each row; 0 for a row without any."""
    mask = input_mask.astype(ms.float32)  # (B, S)
    count = MAXIMUM(mask.sum(axis=1), 1.0).expand_dims(1)  # (B, 1)
    total = (x * spread(mask.expand_dims(2), x.shape)).sum(axis=1)  # (B, H)
    return total / spread(count, total.shape)


def unit_rows(x: Tensor) -> Tensor:
    """Divide each row of x (B, D) by its norm."""
    norm = ops.sqrt(MAXIMUM((x * x).sum(axis=1), SMALLEST_NORM * SMALLEST_NORM)).expand_dims(1)  # (B, 1)
    return x / spread(norm, x.shape)
