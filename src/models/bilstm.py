# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A bidirectional LSTM over word embeddings (Tang et al., arXiv:1903.12136), called like the transformer.

Shapes in the comments: B batch, S sequence, E embedding_size, H hidden_size of a direction, D dense_size. Inside, time
is the first axis, as in the LSTM kernel.
"""

from __future__ import annotations

import math

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, Uniform, initializer

from src.config import BiLstmConfig, ModelConfig
from src.models.dropout import Dropout
from src.models.embedding_head import EmbeddingHead
from src.models.encoder import tanh
from src.models.kernels import SwapMiddle, is_on, spread

EMBEDDING_DEVIATION = 0.1
"""Standard deviation of random embeddings."""
BELOW_ALL_STATES = -2.0
"""States lie in (-1, 1)."""


class Lstm(nn.Cell):
    """One LSTM in one direction (Hochreiter & Schmidhuber, 1997); gates in the order input, forget, cell, output.

    CPU and GPU have a kernel. Elsewhere, and where `without_kernel` says so, the steps are written out, which computes
    the same from elementary operators.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.inputs, self.width = inputs, width
        self.without_kernel = False
        scale = 1.0 / math.sqrt(width)
        self.input_weight = Parameter(initializer(Uniform(scale), (4 * width, inputs), ms.float32),
                                      name="input_weight")
        self.hidden_weight = Parameter(initializer(Uniform(scale), (4 * width, width), ms.float32),
                                       name="hidden_weight")
        # A forget gate that is open at first (Jozefowicz et al., 2015).
        bias = np.zeros(4 * width, np.float32)
        bias[width: 2 * width] = 1.0
        self.bias = Parameter(Tensor(bias), name="bias")
        self.kernel = ops.LSTM(inputs, width, 1, True, False, 0.0)
        self.project = ops.MatMul(transpose_b=True)

    def construct(self, x: Tensor) -> Tensor:
        """Run over x (S, B, inputs); returns the states (S, B, width) after each step."""
        if self.without_kernel or not (is_on("CPU") or is_on("GPU")):
            return self._written_out(x)
        parts = (self.input_weight.reshape((-1, 1, 1)), self.hidden_weight.reshape((-1, 1, 1)),
                 self.bias.reshape((-1, 1, 1)))
        if is_on("GPU"):  # its kernel has a second bias
            parts += (ops.zeros_like(parts[2]),)
        start = ops.zeros((1, x.shape[1], self.width), ms.float32)
        states, _, _, _, _ = self.kernel(x, start, start, ops.concat(parts))
        return states

    def _written_out(self, x: Tensor) -> Tensor:
        length, rows, _ = x.shape
        projected = self.project(x.reshape((-1, self.inputs)), self.input_weight) + self.bias
        projected = projected.reshape((length, rows, 4 * self.width))
        state = memory = ops.zeros((rows, self.width), ms.float32)
        states = ()
        for place in range(length):
            gates = projected[place] + self.project(state, self.hidden_weight)  # (B, 4 H)
            into, keep, new, out = ops.split(gates, self.width, 1)
            memory = ops.sigmoid(keep) * memory + ops.sigmoid(into) * tanh(new)
            state = ops.sigmoid(out) * tanh(memory)
            states += (state,)
        return ops.stack(states)


class BothDirections(nn.Cell):
    """One layer: an LSTM that reads the rows and one that reads them from their end."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.forward = Lstm(inputs, width)
        self.backward = Lstm(inputs, width)


class WordEmbeddings(nn.Cell):
    """Word embeddings with dropout, under the transformer's parameter name."""

    def __init__(self, config: BiLstmConfig):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.embedding_size,
                                            embedding_table=Normal(EMBEDDING_DEVIATION))
        self.dropout = Dropout(config.dropout)

    def construct(self, ids: Tensor, step: Tensor | None) -> Tensor:
        return self.dropout(self.word_embeddings(ids), step)


def _permute(x: Tensor, places: Tensor) -> Tensor:
    """Put other steps of the same row in the place of each: x (S, B, F); places int32 (S B,), flat s * B + b."""
    shape = x.shape
    return ops.gather(x.reshape((-1, shape[2])), places, 0).reshape(shape)


class BiLstmEncoder(nn.Cell):
    """Embeddings, LSTM layers, pooling, and a dense layer with ReLU.

    What a row gives does not depend on the padding at its end: the backward direction begins at its last token.
    """

    def __init__(self, config: BiLstmConfig, is_pooled: bool, compute_type: ms.Type):
        super().__init__()
        self.is_pooled, self.takes_largest = is_pooled, config.pooling == "max"
        self.embeddings = WordEmbeddings(config)
        widths = [config.embedding_size] + [2 * config.hidden_size] * (config.num_layers - 1)
        self.lstm = nn.CellList([BothDirections(width, config.hidden_size) for width in widths])
        self.swap = SwapMiddle()
        self.dense = nn.Dense(2 * config.hidden_size, config.dense_size).to_float(compute_type)

    def construct(self, input_ids: Tensor, input_mask: Tensor, step: Tensor | None = None) -> Tensor:
        """Return the dense layer's output after ReLU, float32: (B, D) when pooled, else (B, S, D).

        Args:
            input_ids, input_mask: int32 (B, S); the mask is 1 for tokens and 0 for padding, at the end of a row.
            step: int32 scalar that the dropout masks are drawn from (see src/models/dropout.py); training only.
        """
        rows, length = input_ids.shape
        last = ops.relu(input_mask.astype(ms.int32).sum(axis=1) - 1).expand_dims(0)  # (1, B), place of the last token
        row = ops.arange(rows).astype(ms.int32).expand_dims(0)  # (1, B)
        steps = ops.arange(length).astype(ms.int32).expand_dims(1)  # (S, 1)
        mirrored = (ops.where(steps <= last, last - steps, steps) * rows + row).reshape((-1,))  # (S B,)

        there, back = self._layers(self.embeddings(ops.transpose(input_ids, (1, 0)), step), mirrored)
        real = (steps <= last).astype(ms.float32).expand_dims(2)  # (S, B, 1)
        if not self.is_pooled:
            # Padding stands at zero, whatever the kernel made of it.
            x = ops.concat((there, _permute(back, mirrored)), 2)  # (S, B, 2 H)
            x = self.swap((x * spread(real, x.shape)).expand_dims(0))[0]  # (B, S, 2 H)
        elif self.takes_largest:
            # The largest value of each unit over the real tokens, (B, 2 H).
            x = ops.concat((there, back), 2)
            real = spread(real, x.shape)
            x = (x * real + BELOW_ALL_STATES * (1.0 - real)).max(axis=0)
        else:
            # Where its row ends, each direction has seen all of it.
            ends = (last * rows + row).reshape((-1,))
            x = ops.concat((self._steps_at(there, ends), self._steps_at(back, ends)), 1)  # (B, 2 H)
        return ops.relu(self.dense(x).astype(ms.float32))

    def _layers(self, x: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
        """Run x (S, B, E) through all layers; returns the last one's states, each (S, B, H), the second from the end of
        each row to its beginning."""
        there, back = x, x
        for index in range(len(self.lstm)):
            if index > 0:
                x = ops.concat((there, _permute(back, mirrored)), 2)
            there = self.lstm[index].forward(x)
            back = self.lstm[index].backward(_permute(x, mirrored))
        return there, back

    def _steps_at(self, states: Tensor, places: Tensor) -> Tensor:
        """The states (B, H) at flat places (B,)."""
        return ops.gather(states.reshape((-1, states.shape[2])), places, 0)


class BiLstmHead(nn.Cell):
    """Dropout and a linear layer: classes or a score of a row, or classes of each token."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.dropout = Dropout(config.encoder.dropout)
        self.classifier = nn.Dense(config.encoder.dense_size, config.head.num_labels)

    def construct(self, x: Tensor, step: Tensor | None) -> Tensor:
        return self.classifier(self.dropout(x, step))


class BiLstmModel(nn.Cell):
    """BiLSTM with head; without a head (`kind: none`) its output is the dense layer's, one vector a token."""

    def __init__(self, config: ModelConfig, compute_type: ms.Type = ms.float32):
        super().__init__()
        self.kind = config.head.kind
        self.is_pooled, self.has_head = config.head.is_pooled, config.head.kind != "none"
        self.is_language_model = self.has_pooler = self.causal = False
        self.is_fake_quantized = self.can_train_first_only = False
        self.encoder = BiLstmEncoder(config.encoder, config.head.is_of_row, compute_type)
        if self.kind == "embedding":
            self.head = EmbeddingHead(config.head, config.encoder.dense_size, EMBEDDING_DEVIATION)
        elif self.has_head:
            self.head = BiLstmHead(config)

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, step: Tensor | None = None,
                  positions: Tensor | None = None) -> Tensor:
        """Return float32 logits: (B, num_labels), of an embedding (B, its width), of a tagger (B, S, num_labels);
        without a head (B, S, D).

        Arguments are those of TransformerModel; segments and positions are not read.
        """
        x = self.encoder(input_ids, input_mask, step)
        if self.kind == "embedding":
            return self.head(x, input_mask)
        return self.head(x, step) if self.has_head else x

    def with_layers(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, step: Tensor | None = None,
                    positions: Tensor | None = None) -> dict[str, Tensor]:
        """Return the output by the name that it has among those of a transformer."""
        return {"logits": self.construct(input_ids, input_mask, segment_ids, step, positions)}
