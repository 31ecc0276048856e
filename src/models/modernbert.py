# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ModernBERT (Warner et al., arXiv:2412.13663): the layers and the classifier that the one encoder takes for it.

Rotary positions (Su et al., arXiv:2104.09864) in place of a table, a gated feed-forward part (GeGLU; Shazeer,
arXiv:2002.05202), LayerNorm before each sublayer and after the embeddings and the last layer, no biases. Tokens of a
global layer see all tokens, those of a local one their neighbours. Shapes in the comments: see encoder.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from src.config import EncoderConfig, ModelConfig
from src.models.dropout import Dropout
from src.models.embedding_head import mean_of
from src.models.encoder import (
    PADDING_SCORE,
    Encoder,
    Gelu,
    LayerNorm,
    SelfAttention,
    activation,
    embedding,
    linear,
)
from src.models.kernels import spread


def rotary_speeds(head_dim: int, base: float) -> np.ndarray:
    """Return base^(-2i / d) (head_dim,) float32, i counted in each half of a head's numbers."""
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    speeds = np.float32(1.0) / np.power(np.float32(base), exponents)
    return np.concatenate((speeds, speeds))


def rotary_tables(positions: int, head_dim: int, base: float) -> tuple[np.ndarray, np.ndarray]:
    """Return cosines and sines (positions, head_dim) of position x speed; float32 throughout, as in transformers."""
    angles = np.arange(positions, dtype=np.float32)[:, None] * rotary_speeds(head_dim, base)
    return np.cos(angles), np.sin(angles)


class Rotate(nn.Cell):
    """Turn the pairs (x_i, x_(i + d/2)) of float32 x (B, h, S, d) by the angles of `cos` and `sin`, of the same shape.

    Its gradient turns back by the same angles; the derived one keeps several matrices of the size of x.
    """

    def __init__(self, head_dim: int):
        super().__init__()
        self.half = head_dim // 2

    def construct(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        return x * cos + self._quarter_turn(x) * sin

    def bprop(self, x: Tensor, cos: Tensor, sin: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return dout * cos - self._quarter_turn(dout) * sin, ops.zeros_like(cos), ops.zeros_like(sin)

    def _quarter_turn(self, x: Tensor) -> Tensor:
        return ops.concat((-x[..., self.half:], x[..., :self.half]), -1)


class ModernBertEmbeddings(nn.Cell):
    """Word embeddings, normalised."""

    def __init__(self, config: EncoderConfig, compute_type: ms.Type):
        super().__init__()
        self.word_embeddings = embedding(config.vocab_size, config.hidden_size, config.initializer_range)
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps, has_bias=False)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.round: nn.Cell | None = None  # src/models/fake_quantization.py

    def construct(self, input_ids: Tensor, segment_ids: Tensor, step: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return hidden state 0, and the same after dropout, each (B, S, H)."""
        x = self.word_embeddings(input_ids)
        if self.round is not None:
            x = self.round(x, self.word_embeddings.embedding_table)
        x = self.norm(x)
        return x, self.dropout(x, step)


class RotaryAttention(SelfAttention):
    """Self-attention without biases, whose queries and keys are turned by their positions."""

    def __init__(self, config: EncoderConfig, heads: int, compute_type: ms.Type):
        super().__init__(config, heads, compute_type, has_bias=False)
        self.rotate = Rotate(config.head_dim)

    def construct(self, own: Tensor, x: Tensor, key_bias: tuple, step: Tensor | None) -> tuple:
        """Return what SelfAttention does, queries and keys as they are before they are turned.

        Args:
            own, x: the same tokens (B, S, H).
            key_bias: (B, h, S, S), see SelfAttention; cosines and sines, float32 (B, h, S, d).
            step: see Encoder.
        """
        shape = x.shape
        qkv = self.query(own), self.key(x), self.value(x)
        query = self._turned(self._split(qkv[0] * self.scale, shape), key_bias[1])
        key = self._turned(self._split(qkv[1], shape), key_bias[1])
        attended, scores = self._attend(query, key, self._split(qkv[2], shape), key_bias[0], step)
        return attended, scores, qkv

    def _turned(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        return self.rotate(x.astype(ms.float32), turn[0], turn[1]).astype(x.dtype)


class ModernBertLayer(nn.Cell):
    """One layer: x = x + f(norm(x)) for attention and feed-forward part. The first one attends to x as it is, since the
    embeddings are normalised."""

    def __init__(self, config: EncoderConfig, index: int, compute_type: ms.Type):
        super().__init__()
        self.pre_norm, self.is_local, self.is_first = True, config.is_local(index), index == 0
        width, units = config.hidden_size, config.units_of(index)

        def dense(inputs: int, outputs: int) -> nn.Dense:
            return linear(inputs, outputs, config.initializer_range, compute_type, has_bias=False)

        self.attention = RotaryAttention(config, config.heads_of(index), compute_type)
        if not self.is_first:
            self.attention_norm = LayerNorm(width, config.layer_norm_eps, has_bias=False)
        self.intermediate, self.gate, self.output = dense(width, units), dense(width, units), dense(units, width)
        self.activation = activation(config.hidden_act)
        self.output_norm = LayerNorm(width, config.layer_norm_eps, has_bias=False)
        self.attention_dropout = Dropout(config.attention_probs_dropout_prob)
        self.inner_dropout = Dropout(config.hidden_dropout_prob)

    def construct(self, x: Tensor, view: tuple, step: Tensor | None, first_only: bool) -> tuple:
        """Return the layer's output (B, S, H); its attention scores (B, h, S, S), 0 where a local layer does not look;
        its queries, keys and values (B, S, h d). `view` is one of `ModernBertEncoder._key_bias`; `first_only` changes
        nothing."""
        normed = x if self.is_first else self.attention_norm(x)
        attended, scores, qkv = self.attention(normed, normed, view, step)
        if self.is_local:
            scores = scores * view[2].astype(scores.dtype)
        x = x + self.attention_dropout(attended, step)
        normed = self.output_norm(x)
        inner = self.activation(self.intermediate(normed)) * self.gate(normed)  # (B, S, F)
        return x + self.output(self.inner_dropout(inner, step)), scores, qkv


class ModernBertEncoder(Encoder):
    """The encoder with ModernBERT's embeddings and layers."""

    embeddings_class = ModernBertEmbeddings
    layer_class = ModernBertLayer

    def __init__(self, config: EncoderConfig, compute_type: ms.Type = ms.float32):
        super().__init__(config, compute_type)
        self.pre_norm = True
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps, has_bias=False)
        kinds = [(config.heads_of(index), config.is_local(index)) for index in range(config.num_hidden_layers)]
        self.kinds = tuple(dict.fromkeys(kinds))  # each that occurs
        self.bias_of = tuple(self.kinds.index(kind) for kind in kinds)
        self.reach, self.head_dim = config.local_attention // 2, config.head_dim
        self.global_turn, self.local_turn = (
            tuple(map(Tensor, rotary_tables(config.max_position_embeddings, config.head_dim, base)))
            for base in (config.global_rope_theta, config.local_rope_theta))

    def behind_last(self, outputs: Sequence[str]) -> list[nn.Cell]:
        return [*super().behind_last(outputs), self.layers[-1].gate]

    def _key_bias(self, input_mask: Tensor) -> tuple:
        """What layers of each kind see: the bias of their scores, (cosines, sines) of the positions, and 1 where a
        token is near enough for a local layer, else 0."""
        rows, length = input_mask.shape
        seen = input_mask.astype(ms.float32).expand_dims(1).expand_dims(2)  # (B, 1, 1, S)
        places = ops.arange(length).astype(ms.float32)
        distance = ops.abs(places.expand_dims(0) - places.expand_dims(1))
        near = (distance <= self.reach).astype(ms.float32)  # (S, S)
        views, pairs = (), (rows, 1, length, length)
        within = spread(seen, pairs) * spread(near, pairs)
        for heads, is_local in self.kinds:
            shape, turned = (rows, heads, length, length), (rows, heads, length, self.head_dim)
            cos, sin = self.local_turn if is_local else self.global_turn
            bias = (1.0 - (within if is_local else seen)) * PADDING_SCORE
            views += ((spread(bias, shape), (spread(cos[:length], turned), spread(sin[:length], turned)),
                       spread(near, shape)),)
        return views


class ModernBertClassifier(nn.Cell):
    """Dense layer, gelu, LayerNorm and the classifier, on the first token or the mean over a row's tokens, or on every
    token: classes, a score, or start and end of an answer."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        encoder, head = config.encoder, config.head
        assert isinstance(encoder, EncoderConfig)
        width = encoder.hidden_size
        self.is_pooled, self.takes_mean = head.is_pooled, encoder.classifier_pooling == "mean"
        self.transform = linear(width, width, encoder.initializer_range, has_bias=False)
        self.activation = Gelu(approximate=False)
        self.norm = LayerNorm(width, encoder.layer_norm_eps, has_bias=False)
        self.dropout = Dropout(encoder.hidden_dropout_prob)
        self.classifier = linear(width, head.num_labels, encoder.initializer_range)

    def construct(self, x: Tensor, input_mask: Tensor, step: Tensor | None = None) -> Tensor:
        """Map x (B, S, H) to float32 logits (B, num_labels) or (B, S, num_labels)."""
        x = x.astype(ms.float32)
        if self.is_pooled:
            x = mean_of(x, input_mask) if self.takes_mean else x[:, 0]
        return self.classifier(self.dropout(self.norm(self.activation(self.transform(x))), step))
