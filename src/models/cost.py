# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a batch takes in each part of a model, counted from the configuration: operations, traffic, memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from src.config import BiLstmConfig, EncoderConfig, ModelConfig, StaticConfig


class BatchShape(NamedTuple):
    """The shape of a batch: rows, their length, and at how many places a language model predicts."""

    rows: int
    length: int
    places: float = 0.0

    @property
    def tokens(self) -> int:
        """Rows times length."""
        return self.rows * self.length


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a model, and what one batch takes there; all of them numbers, not bytes.

    Attributes:
        prefix: how the names of its parameters begin.
        parameters: how many it has.
        products: operations of its matrix products, forward; a multiplication and an addition are two. The gradient
            with respect to the inputs takes as many, and that with respect to the weights as many again.
        moved: numbers that the other operators read and write, forward.
        curved: numbers that go through an activation, forward.
        dropped: numbers that dropout draws a mask for, in training.
        kept: numbers that the gradient reads, in training.
        weights, inputs: numbers of its dense layers' weights, and of what these are multiplied with.
        output: numbers that it hands on.
        scores: numbers of its attention scores.
        qkv: of a layer of a transformer, what it takes as far as its queries, keys and values, which are `output`.
    """

    prefix: str
    parameters: int
    products: float = 0.0
    moved: float = 0.0
    curved: float = 0.0
    dropped: float = 0.0
    kept: float = 0.0
    weights: float = 0.0
    inputs: float = 0.0
    output: float = 0.0
    scores: float = 0.0
    qkv: Part | None = None


@dataclass(frozen=True)
class Parts:
    """A model for a batch.

    Attributes:
        layers: the embeddings, and the layers.
        head: what makes logits of the last one's output.
        unused: parameters that no logits are made with.
        largest: inputs and outputs of the largest matrix product in the layers.
        last: the last layer where logits of the first token of each row are all that is read.
    """

    layers: tuple[Part, ...]
    head: tuple[Part, ...]
    unused: int
    largest: tuple[int, int]
    last: Part

    @property
    def for_logits(self) -> tuple[Part, ...]:
        """What is run, outside of training, for the logits alone."""
        return (*self.layers[:-1], self.last, *self.head)

    @property
    def parameters(self) -> int:
        """All parameters of the model."""
        return self.unused + sum(part.parameters for part in self.layers + self.head)


def transformer_parts(model: ModelConfig, shape: BatchShape) -> Parts:
    """Count a transformer."""
    config = model.encoder
    assert isinstance(config, EncoderConfig)
    width, states = config.hidden_size, shape.tokens * config.hidden_size
    rows, tables, of_norm = config.vocab_size, 1, 1
    if not config.is_modern:
        rows += config.max_position_embeddings + config.type_vocab_size
        tables, of_norm = 2 + (config.type_vocab_size > 0), 2
    norms = not config.pre_norm
    embedded, projected = shape.tokens * config.table_width, config.embedding_size > 0
    weights = config.table_width * width * projected
    embeddings = Part(prefix="encoder.embeddings.", parameters=(rows + of_norm * norms) * config.table_width + weights
                      + width * projected, products=2 * shape.tokens * weights,
                      moved=(5 * tables - 3 + _NORM * norms) * embedded + 2 * states * projected, dropped=embedded,
                      kept=(1 + 2 * norms + projected) * embedded, weights=weights, inputs=embedded * projected,
                      output=states)
    count = _modern_layer if config.is_modern else _layer
    layers = [count(config, shape, index) for index in range(config.num_hidden_layers)]
    if config.share_layers:  # the parameters are those of the first one
        layers[1:] = [replace(each, prefix=layers[0].prefix, parameters=0, weights=0, qkv=each.qkv and replace(
            each.qkv, prefix=layers[0].prefix, parameters=0)) for each in layers[1:]]
    last, first = layers[-1], shape.rows * width
    if model.head.is_pooled and norms and not config.is_modern:
        # Keys and values of all tokens, the rest of the first one's.
        index = config.num_hidden_layers - 1
        inner, units = config.heads_of(index) * config.head_dim, config.units_of(index)
        last = replace(last, products=2 * (2 * shape.tokens + 2 * shape.rows) * width * inner
                       + 4 * first * units + 4 * shape.rows * inner * shape.length, moved=8 * states,
                       curved=shape.rows * units)
    return Parts((embeddings, *layers), *_head(model, config, shape), (width, config.intermediate_size), last)


_NORM = 30
"""Numbers that a sum moves in the time that LayerNorm takes for one, on CPU."""


def _layer(config: EncoderConfig, shape: BatchShape, index: int) -> Part:
    width, inner, tokens = config.hidden_size, config.units_of(index), shape.tokens
    attended = config.heads_of(index) * config.head_dim
    states, hidden, within = tokens * width, tokens * inner, tokens * attended
    scores = shape.rows * config.heads_of(index) * shape.length ** 2
    weights = 4 * width * attended + 2 * width * inner
    norms = 2 + (config.pre_norm and index == config.num_hidden_layers - 1)
    prefix, first = f"encoder.layers.{index}.", config.pre_norm  # what normalises first
    qkv = Part(prefix=prefix, parameters=3 * (width + 1) * attended + 2 * first * width,
               products=6 * tokens * width * attended, moved=_NORM * first * states + 6 * within,
               kept=(1 + 2 * first) * states, output=3 * within)
    return Part(
        prefix=prefix, parameters=weights + (2 + 2 * norms) * width + 3 * attended + inner,
        products=2 * tokens * weights + 4 * scores * config.head_dim,
        # States: two biases, two sums. Within the attention: three biases, the scaled query, heads split and joined.
        # Inner: bias. Scores: mask, softmax.
        moved=(10 + _NORM * norms) * states + 16 * within + 3 * hidden + 9 * scores,
        curved=hidden, dropped=2 * states + scores,
        # States: inputs and outputs of the norms, two masks. Within: query, key, value, what is attended. Inner: before
        # and behind the activation. Scores: probabilities before and behind the dropout, and its mask.
        kept=(2 + 2 * norms) * states + 4 * within + 2 * hidden + 3 * scores, weights=weights,
        inputs=2 * states + within + hidden, output=states, scores=scores, qkv=qkv)


def _modern_layer(config: EncoderConfig, shape: BatchShape, index: int) -> Part:
    """A layer of ModernBERT: no biases, one more dense layer into the feed-forward part, queries and keys turned."""
    width, inner, tokens = config.hidden_size, config.units_of(index), shape.tokens
    attended = config.heads_of(index) * config.head_dim
    states, hidden, within = tokens * width, tokens * inner, tokens * attended
    scores = shape.rows * config.heads_of(index) * shape.length ** 2
    weights = 4 * width * attended + 3 * width * inner
    has_first, prefix = index > 0, f"encoder.layers.{index}."
    norms = 1 + has_first + (index == config.num_hidden_layers - 1)
    qkv = Part(prefix=prefix, parameters=3 * width * attended + has_first * width,
               products=6 * tokens * width * attended, moved=_NORM * has_first * states,
               kept=(1 + 2 * has_first) * states, output=3 * within)
    return Part(
        prefix=prefix, parameters=weights + norms * width, products=2 * tokens * weights + 4 * scores * config.head_dim,
        # States: two sums. Within the attention: the scaled query, heads split and joined, two turns of two products, a
        # sum and the parts put in another order. Inner: the gate. Scores: mask, softmax.
        moved=(6 + _NORM * norms) * states + 36 * within + 3 * hidden + 9 * scores,
        curved=hidden, dropped=states + hidden + scores,
        # States: inputs and outputs of the norms, a mask. Within: query, key, value, what is attended. Inner: before
        # and behind the activation, the gate, the product, its mask. Scores: as above.
        kept=(1 + 2 * norms) * states + 4 * within + 5 * hidden + 3 * scores, weights=weights,
        inputs=2 * states + within + hidden, output=states, scores=scores, qkv=qkv)


def _head(model: ModelConfig, config: EncoderConfig, shape: BatchShape) -> tuple[tuple[Part, ...], int]:
    """What makes logits of the last hidden states, and the parameters of a pooler that these do not pass."""
    head, width, places = model.head, config.hidden_size, shape.places
    pooled, has_pooler = shape.rows * width, config.pooler != "none"
    pooler = Part(prefix="encoder.pooler.", parameters=width * width + width, products=2 * pooled * width,
                  moved=6 * pooled, kept=2 * pooled, weights=width * width, inputs=pooled, output=pooled)
    unused = pooler.parameters * has_pooler
    if head.is_language_model:
        narrow, logits = config.table_width, places * config.vocab_size
        states = places * narrow
        decoder = Part(prefix="encoder.embeddings.", parameters=0, products=2 * logits * narrow, output=logits)
        if head.kind == "causal_lm":
            return (decoder,), unused
        besides = 1 if config.is_modern else 3  # norm and bias
        transform = Part(prefix="head.", parameters=(width + besides) * narrow + config.vocab_size,
                         products=2 * states * width, moved=(4 + _NORM) * states + 2 * logits, curved=states,
                         kept=4 * states, output=states)
        return (transform, decoder), unused
    if head.kind == "none":
        return ((pooler,), 0) if has_pooler else ((), 0)
    if head.kind == "embedding":
        return (_embedding_part(model, shape, width),), unused
    vectors = shape.rows if head.is_pooled else shape.tokens
    if config.is_modern:
        states, weights = vectors * width, width * (width + head.num_labels)
        return (Part(prefix="head.", parameters=weights + width + head.num_labels, products=2 * vectors * weights,
                     moved=_NORM * states, curved=states, dropped=states, kept=5 * states, weights=weights,
                     inputs=2 * states, output=vectors * head.num_labels),), unused
    has_bias = not (config.causal and head.is_pooled)
    classifier = Part(prefix="head.", parameters=width * head.num_labels + head.num_labels * has_bias,
                      products=2 * vectors * width * head.num_labels, dropped=vectors * width,
                      kept=2 * vectors * width, weights=width * head.num_labels, inputs=vectors * width,
                      output=vectors * head.num_labels)
    return ((pooler, classifier), 0) if head.is_pooled and has_pooler else ((classifier,), unused)


def _embedding_part(model: ModelConfig, shape: BatchShape, width: int) -> Part:
    """Count the head of an embedding; a BiLSTM has pooled before it."""
    dense, rows = model.head.dense_size, shape.rows
    pooled = shape.tokens * width * (model.head.pooling in ("mean", "max"))
    return Part(prefix="head.", parameters=(width + 1) * dense, products=2 * rows * width * dense,
                moved=3 * pooled + 4 * rows * model.output_size, kept=2 * pooled + 2 * rows * width,
                weights=width * dense, inputs=rows * width, output=rows * model.output_size)


def bilstm_parts(model: ModelConfig, shape: BatchShape) -> Parts:
    """Count a BiLSTM; its pooling and dense layer are among what makes logits."""
    config, labels = model.encoder, model.head.num_labels
    assert isinstance(config, BiLstmConfig)
    tokens, width, dense = shape.tokens, config.hidden_size, config.dense_size
    embedded = tokens * config.embedding_size
    layers = [Part(prefix="encoder.embeddings.", parameters=config.vocab_size * config.embedding_size,
                   moved=2 * embedded, dropped=embedded, kept=2 * embedded, output=embedded)]
    for index in range(config.num_layers):
        inputs = 2 * width if index else config.embedding_size
        weights = 8 * width * (inputs + width)  # of two directions, four gates each
        # Gates and states; what the second direction reads and gives is put in another order.
        layers.append(Part(prefix=f"encoder.lstm.{index}.", parameters=weights + 8 * width,
                           products=2 * tokens * weights, moved=tokens * (20 * width + 2 * inputs),
                           curved=10 * tokens * width, kept=tokens * (12 * width + inputs), output=2 * tokens * width))
    vectors = shape.rows if model.head.is_of_row else tokens
    head = [Part(prefix="encoder.dense.", parameters=2 * width * dense + dense, products=4 * vectors * width * dense,
                 moved=8 * tokens * width + 4 * vectors * dense, kept=2 * tokens * width + vectors * dense,
                 output=vectors * dense)]
    if labels:
        head.append(Part(prefix="head.", parameters=dense * labels + labels, products=2 * vectors * dense * labels,
                         dropped=vectors * dense, kept=2 * vectors * dense, output=vectors * labels))
    elif model.head.kind == "embedding":
        head.append(_embedding_part(model, shape, dense))
    return Parts(tuple(layers), tuple(head), 0, (config.embedding_size, 4 * width), layers[-1])


def static_parts(model: ModelConfig, shape: BatchShape) -> Parts:
    """Count a static model: its table is looked up, and the head takes the mean."""
    config = model.encoder
    assert isinstance(config, StaticConfig)
    embedded = shape.tokens * config.dim
    table = Part(prefix="encoder.embeddings.", parameters=config.vocab_size * config.dim, moved=2 * embedded,
                 kept=embedded, output=embedded)
    return Parts((table,), (_embedding_part(model, shape, config.dim),), 0, (1, 1), table)
