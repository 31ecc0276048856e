# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The one transformer encoder. Teacher and student are this class with two configurations.

Shapes in the comments: B batch, S sequence, H hidden_size, F intermediate_size, h heads, d head_dim.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import TruncatedNormal

from src.config import EncoderConfig
from src.models.dropout import Dropout
from src.models.kernels import AddBias, Softmax, SwapMiddle, is_on, spread

PADDING_SCORE = -10000.0
"""Added to the attention scores of padded keys, as BERT does; large enough to vanish in softmax, also in float16."""
_REPETITION = 1 << 24
"""Steps between the dropout masks of two runs of a shared layer."""


def linear(inputs: int, outputs: int, initializer_range: float, compute_type: ms.Type | None = None,
           has_bias: bool = True) -> nn.Dense:
    """Return a dense layer with BERT's initial values, whose product is taken in `compute_type`, None as it comes."""
    dense = nn.Dense(inputs, outputs, TruncatedNormal(initializer_range), "zeros", has_bias)
    if has_bias and is_on("CPU"):
        dense.bias_add = AddBias()
    return dense if compute_type is None else dense.to_float(compute_type)


def embedding(rows: int, width: int, initializer_range: float) -> nn.Embedding:
    """Return a table of `rows` vectors with BERT's initial values."""
    return nn.Embedding(rows, width, embedding_table=TruncatedNormal(initializer_range))


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent, as 2 sigmoid(2x) - 1: MindSpore's CPU kernel of tanh is off by up to 1e-4."""
    return 2.0 * ops.sigmoid(2.0 * x) - 1.0


class Gelu(nn.Cell):
    """Gaussian error linear unit, exact (erf) or the tanh approximation (Hendrycks & Gimpel, arXiv:1606.08415).

    Composed of elementary operators: MindSpore's fused CPU kernel of the tanh form is several times slower.
    """

    def __init__(self, approximate: bool):
        super().__init__()
        self.approximate = approximate

    def construct(self, x: Tensor) -> Tensor:
        if self.approximate:
            return 0.5 * x * (1.0 + tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
        return 0.5 * x * (1.0 + ops.erf(x * (1.0 / math.sqrt(2.0))))

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Keep only the input for the gradient; the derived one keeps four matrices of its size."""
        if self.approximate:
            curve = tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x))
            slope = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * x * x)
            return (dout * (0.5 * (1.0 + curve) + 0.5 * x * (1.0 - curve * curve) * slope),)
        below = 0.5 * (1.0 + ops.erf(x * (1.0 / math.sqrt(2.0))))  # the normal distribution's share below x
        return (dout * (below + x * ops.exp(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))),)


def activation(name: str) -> nn.Cell:
    """Return the cell of an EncoderConfig.hidden_act."""
    return nn.ReLU() if name == "relu" else Gelu(approximate=name == "gelu_tanh")


class LayerNorm(nn.Cell):
    """Layer normalisation over the last axis, computed in float32 whatever the compute type."""

    def __init__(self, width: int, eps: float, has_bias: bool = True):
        super().__init__()
        self.gamma = ms.Parameter(ops.ones((width,), ms.float32), name="gamma")
        zeros = ops.zeros((width,), ms.float32)
        self.beta = ms.Parameter(zeros, name="beta") if has_bias else zeros
        self.norm = ops.LayerNorm(begin_norm_axis=-1, begin_params_axis=-1, epsilon=eps)

    def construct(self, x: Tensor) -> Tensor:
        y, _, _ = self.norm(x.astype(ms.float32), self.gamma, self.beta)
        return y.astype(x.dtype)


class Embeddings(nn.Cell):
    """Sum of word, position and token-type embeddings, normalised (Devlin et al., arXiv:1810.04805).

    Without token types it is DistilBERT's; GPT-2 (pre_norm) does not normalise here either. Positions count from
    `position_offset`, which equals RoBERTa's numbering for every token of a row that is padded at its end.
    """

    def __init__(self, config: EncoderConfig, compute_type: ms.Type):
        super().__init__()
        self.offset = config.position_offset
        self.types, self.has_norm = config.type_vocab_size, not config.pre_norm
        width = config.table_width
        self.word_embeddings = embedding(config.vocab_size, width, config.initializer_range)
        self.position_embeddings = embedding(config.max_position_embeddings, width, config.initializer_range)
        if self.types:
            self.token_type_embeddings = embedding(config.type_vocab_size, width, config.initializer_range)
        if self.has_norm:
            self.norm = LayerNorm(width, config.layer_norm_eps)
        if config.embedding_size:
            self.projection = linear(width, config.hidden_size, config.initializer_range, compute_type)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.round: nn.Cell | None = None  # src/models/fake_quantization.py

    def construct(self, input_ids: Tensor, segment_ids: Tensor, step: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the sum (what distillation calls hidden state 0) and the same after dropout, each (B, S, H); before a
        projection both are (B, S, E), and the encoder projects the second one, which becomes hidden state 0."""
        table = self.position_embeddings.embedding_table
        positions = self._rounded(table[self.offset: self.offset + input_ids.shape[1]], table)  # (S, H)
        x = self._rounded(self.word_embeddings(input_ids), self.word_embeddings.embedding_table)
        x = x + spread(positions, x.shape)
        if self.types == 1:  # of all tokens, as in RoBERTa; a file adds it as it is
            x = x + self.token_type_embeddings(ops.zeros_like(segment_ids))
        elif self.types:
            x = x + self._rounded(self.token_type_embeddings(segment_ids), self.token_type_embeddings.embedding_table)
        if self.has_norm:
            x = self.norm(x)
        return x, self.dropout(x, step)

    def _rounded(self, rows: Tensor, table: Tensor) -> Tensor:
        return rows if self.round is None else self.round(rows, table)


class SelfAttention(nn.Cell):
    """Multi-head self-attention with its output projection. Of pruned heads h d is less than H."""

    def __init__(self, config: EncoderConfig, heads: int, compute_type: ms.Type, has_bias: bool = True):
        super().__init__()
        self.heads, self.head_dim, self.width = heads, config.head_dim, heads * config.head_dim
        self.scale = 1.0 / math.sqrt(config.head_dim)
        self.query, self.key, self.value = (
            linear(config.hidden_size, self.width, config.initializer_range, compute_type, has_bias)
            for _ in range(3))
        self.output = linear(self.width, config.hidden_size, config.initializer_range, compute_type, has_bias)
        self.dropout = Dropout(config.attention_probs_dropout_prob)
        self.scores_of = ops.BatchMatMul(transpose_b=True)
        self.weigh = ops.BatchMatMul()
        self.softmax = Softmax() if is_on("CPU") else ops.Softmax(axis=-1)
        self.swap = SwapMiddle()

    def _split(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return self.swap(x.reshape((shape[0], shape[1], self.heads, self.head_dim)))  # (B, h, S, d)

    def construct(self, own: Tensor, x: Tensor, key_bias: Tensor, step: Tensor | None) -> tuple:
        """Return what each token of `own` takes from those of x (B, Q, H); the scores (B, h, Q, S) before mask and
        softmax; queries (B, Q, h d), keys and values (B, S, h d) of all heads, one beside another.

        Args:
            own, x: (B, Q, H), (B, S, H).
            key_bias: 0 for keys that are seen and PADDING_SCORE for others, of the shape of the scores or broadcast to
                it: (B, 1, 1, S), causal (B, 1, S, S).
            step: see Encoder.
        """
        shape, key_shape = own.shape, x.shape
        qkv = self.query(own), self.key(x), self.value(x)
        query = self._split(qkv[0] * self.scale, shape)
        key = self._split(qkv[1], key_shape)
        value = self._split(qkv[2], key_shape)
        attended, scores = self._attend(query, key, value, key_bias, step)
        return attended, scores, qkv

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, key_bias: Tensor, step: Tensor | None) -> tuple:
        """Return what the queries (B, h, Q, d) take (B, Q, H), and the scores."""
        rows, _, length, _ = query.shape
        scores = self.scores_of(query, key)  # (B, h, Q, S)
        probabilities = self.softmax(scores.astype(ms.float32) + key_bias).astype(value.dtype)
        attended = self.weigh(self.dropout(probabilities, step), value)  # (B, h, Q, d)
        return self.output(self.swap(attended).reshape((rows, length, self.width))), scores


class EncoderLayer(nn.Cell):
    """One transformer layer.

    Post-norm (BERT): x = norm(x + f(x)) for attention and feed-forward. Pre-norm (GPT-2): x = x + f(norm(x)), with
    `attention_norm` before the attention and `output_norm` before the feed-forward part.
    """

    def __init__(self, config: EncoderConfig, index: int, compute_type: ms.Type):
        super().__init__()
        self.pre_norm, units = config.pre_norm, config.units_of(index)
        self.attention = SelfAttention(config, config.heads_of(index), compute_type)
        self.attention_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.intermediate = linear(config.hidden_size, units, config.initializer_range, compute_type)
        self.activation = activation(config.hidden_act)
        self.output = linear(units, config.hidden_size, config.initializer_range, compute_type)
        self.output_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention_dropout = Dropout(config.hidden_dropout_prob)
        self.output_dropout = Dropout(config.hidden_dropout_prob)

    def construct(self, x: Tensor, key_bias: Tensor, step: Tensor | None, first_only: bool) -> tuple:
        """Return the layer's output (B, S, H), its attention scores (B, h, S, S), and its queries, keys and values, all
        (B, S, H); of the first token only (B, 1, H), (B, h, 1, S), and queries (B, 1, H)."""
        if self.pre_norm:
            normed = self.attention_norm(x)
            attended, scores, qkv = self.attention(normed, normed, key_bias, step)
            x = x + self.attention_dropout(attended, step)
            inner = self.activation(self.intermediate(self.output_norm(x)))  # (B, S, F)
            return x + self.output_dropout(self.output(inner), step), scores, qkv
        own = x
        if first_only:
            own, key_bias = x[:, :1], key_bias[:, :, :1]
        attended, scores, qkv = self.attention(own, x, key_bias, step)
        x = self.attention_norm(own + self.attention_dropout(attended, step))
        inner = self.activation(self.intermediate(x))  # (B, S, F)
        return self.output_norm(x + self.output_dropout(self.output(inner), step)), scores, qkv


class Encoder(nn.Cell):
    """Transformer of the BERT, DistilBERT, RoBERTa, ALBERT or GPT-2 family, as its configuration says. Its matrix
    products are taken in `compute_type`; parameters stay float32.

    Attributes:
        embeddings_class, layer_class: what it consists of, which a subclass chooses anew.
    """

    embeddings_class: type[nn.Cell] = Embeddings
    layer_class: type[nn.Cell] = EncoderLayer

    def __init__(self, config: EncoderConfig, compute_type: ms.Type = ms.float32):
        super().__init__()
        self.compute_type = compute_type
        self.causal, self.pre_norm = config.causal, config.pre_norm
        self.embeddings = self.embeddings_class(config, compute_type)
        self.has_projection = config.embedding_size > 0
        self.depth, places = config.num_hidden_layers, range(config.num_hidden_layers)
        self.layers = nn.CellList([
            self.layer_class(config, index, compute_type) for index in range(config.stored_layers)])
        self.shares_layers, self.stored = config.share_layers, tuple(config.stored_at(index) for index in places)
        self.heads = tuple(dict.fromkeys(config.heads_of(index) for index in places))  # each number that occurs
        self.bias_of = tuple(self.heads.index(config.heads_of(index)) for index in places)
        if config.pre_norm:
            self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.has_pooler = config.pooler != "none"
        self.relu_pooler, self.gelu_pooler, self.gelu = config.pooler == "relu", config.pooler == "gelu", Gelu(False)
        if self.has_pooler:
            self.pooler = linear(config.hidden_size, config.hidden_size, config.initializer_range, compute_type)
        self.repeat_last: nn.Cell | None = None  # src/models/fake_quantization.py

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor,
                  step: Tensor | None = None, first_only: bool = False) -> tuple:
        """Run the encoder.

        Args:
            input_ids, input_mask, segment_ids: int32 (B, S); the mask is 1 for tokens and 0 for padding, which stands
                at the end of a row.
            step: int32 scalar that the dropout masks are drawn from (see src/models/dropout.py); training only.
            first_only: the pooled output is all that is read: the last layer (post-norm) is computed for the first
                token alone, and what is returned of it has one token.

        Returns:
            sequence output (B, S, H); pooled output (B, H) = tanh, relu or gelu of a dense layer on the first token,
            zeros (1,) without a pooler; hidden states 0..L as a tuple of (B, S, H), where 0 is the embedding output
            (after its LayerNorm and projection, where it has them) and L the sequence output; attention scores 1..L as
            a tuple of (B, h, S, S), scaled by 1/sqrt(d), before mask and softmax; queries, keys and values 1..L as
            three tuples of (B, S, h d), not scaled. What a caller does not use, the graph compiler removes.
        """
        biases = self._key_bias(input_mask)
        embedded, x = self.embeddings(input_ids, segment_ids, step)
        if self.repeat_last is not None:
            x = self.repeat_last(x, input_mask)
        if self.has_projection:
            x = self.embeddings.projection(x)
            embedded = x.astype(ms.float32)
        hidden, scores, queries, keys, values = (embedded,), (), (), (), ()
        x = x.astype(self.compute_type)
        for index in range(self.depth):
            is_last = index == self.depth - 1
            if self.shares_layers and index and step is not None:
                step = step + _REPETITION  # a shared layer has the masks of another step each time
            layer = self.layers[self.stored[index]]
            x, layer_scores, qkv = layer(x, biases[self.bias_of[index]], step, first_only and is_last)
            if self.pre_norm and is_last:
                x = self.norm(x)
            hidden += (x,)
            scores += (layer_scores,)
            queries, keys, values = (*queries, qkv[0]), (*keys, qkv[1]), (*values, qkv[2])
        return x, self._pool(x), hidden, scores, (queries, keys, values)

    def behind_last(self, outputs: Sequence[str]) -> list[nn.Cell]:
        """Return the cells, but for the pooler, that some of the `queries`, `keys` and `values` of the last layer have
        not passed; those of a shared layer have, before."""
        if self.shares_layers and self.depth > 1:
            return []
        last = self.layers[-1]
        made = {"queries": last.attention.query, "keys": last.attention.key, "values": last.attention.value}
        return [cell for name, cell in made.items() if name not in outputs] + [
            last.attention.output, last.intermediate, last.output, last.output_norm,
            self.norm if self.pre_norm else last.attention_norm]

    def _key_bias(self, input_mask: Tensor) -> tuple[Tensor, ...]:
        """What is added to the scores of layers with each number of heads: see SelfAttention."""
        seen = input_mask.astype(ms.float32).expand_dims(1).expand_dims(2)  # (B, 1, 1, S)
        if self.causal:
            places = ops.arange(input_mask.shape[1])
            seen = seen * (places.expand_dims(0) <= places.expand_dims(1)).astype(ms.float32)  # (B, 1, S, S)
        rows, length = input_mask.shape
        bias, biases = (1.0 - seen) * PADDING_SCORE, ()
        for heads in self.heads:
            biases += (spread(bias, (rows, heads, length, length)),)
        return biases

    def _pool(self, x: Tensor) -> Tensor:
        if not self.has_pooler:
            return ops.zeros((1,), ms.float32)
        first = self.pooler(x[:, 0]).astype(ms.float32)
        if self.gelu_pooler:
            return self.gelu(first)
        return ops.relu(first) if self.relu_pooler else tanh(first)
