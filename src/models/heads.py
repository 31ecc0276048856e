# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""An encoder with what its task puts on top.

Shapes in the comments: B batch, S sequence, H hidden_size, V vocabulary, K chosen places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from src.config import AnyEncoderConfig, BiLstmConfig, EncoderConfig, ModelConfig, StaticConfig
from src.config.model import WORD_EMBEDDINGS
from src.models.bilstm import BiLstmModel
from src.models.cost import BatchShape, Parts, bilstm_parts, static_parts, transformer_parts
from src.models.dropout import Dropout
from src.models.embedding_head import EmbeddingHead
from src.models.encoder import Encoder, LayerNorm, activation, linear
from src.models.kernels import add_to_rows, spread
from src.models.modernbert import ModernBertClassifier, ModernBertEncoder
from src.models.static import StaticModel


class ClassifierHead(nn.Cell):
    """Linear layer on one vector a row (the pooled output, or the last token of a causal model), or on every token:
    classes, a score, or start and end of an answer.

    `pooled_activation: relu` is what TinyBERT's code computes, classifier(relu(pooled)); `none` is BERT's
    classifier(dropout(pooled)), which every other library loads. With the pooler's own activation it is also
    DistilBERT's (relu) and RoBERTa's (tanh) head; GPT-2's of a row has no bias.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        encoder, head = config.encoder, config.head
        self.relu = head.is_pooled and head.pooled_activation == "relu"
        self.dropout = Dropout(encoder.hidden_dropout_prob)
        self.classifier = linear(encoder.hidden_size, head.num_labels, encoder.initializer_range,
                                 has_bias=not (encoder.causal and head.is_pooled))

    def construct(self, x: Tensor, step: Tensor | None = None) -> Tensor:
        """Map x (B, H) or (B, S, H) to float32 logits (B, num_labels) or (B, S, num_labels)."""
        x = x.astype(ms.float32)
        if self.relu:
            x = ops.relu(x)
        return self.classifier(self.dropout(x, step))


class MaskedLmHead(nn.Cell):
    """Dense layer, activation and LayerNorm, then the word embeddings as decoder (Devlin et al., arXiv:1810.04805)."""

    def __init__(self, config: ModelConfig, compute_type: ms.Type):
        super().__init__()
        width, has_bias = config.encoder.table_width, not config.encoder.is_modern
        self.transform = linear(config.encoder.hidden_size, width, config.encoder.initializer_range, compute_type,
                                has_bias)
        self.activation = activation(config.encoder.hidden_act)
        self.norm = LayerNorm(width, config.encoder.layer_norm_eps, has_bias)
        self.bias = Parameter(ops.zeros((config.encoder.vocab_size,), ms.float32), name="bias")

    def construct(self, x: Tensor) -> Tensor:
        """Transform (K, H) to what the decoder is multiplied with, of its width (K, H) or (K, E)."""
        return self.norm(self.activation(self.transform(x)))


class TransformerModel(nn.Cell):
    """Encoder with head; without a head (`kind: none`) its outputs are the encoder's."""

    def __init__(self, config: ModelConfig, compute_type: ms.Type = ms.float32):
        super().__init__()
        self.is_modern = config.encoder.is_modern
        self.encoder = (ModernBertEncoder if self.is_modern else Encoder)(config.encoder, compute_type)
        self.compute_type = compute_type
        self.kind = config.head.kind
        self.is_pooled, self.is_language_model = config.head.is_pooled, config.head.is_language_model
        self.has_pooler, self.causal = config.encoder.pooler != "none", config.encoder.causal
        self.has_head = self.kind not in ("none", "causal_lm")
        if self.kind == "masked_lm":
            self.head = MaskedLmHead(config, compute_type)
        elif self.kind == "embedding":
            self.head = EmbeddingHead(config.head, config.encoder.hidden_size, config.encoder.initializer_range)
        elif self.has_head:
            self.head = (ModernBertClassifier if self.is_modern else ClassifierHead)(config)
        self.decode = ops.MatMul(transpose_b=True)
        self.has_dropout = max(config.encoder.hidden_dropout_prob, config.encoder.attention_probs_dropout_prob) > 0
        self.is_fake_quantized = False

    @property
    def can_train_first_only(self) -> bool:
        """Whether a training that reads logits alone may compute the last layer for the first token alone. With dropout
        it may not: the masks of that layer would be others. An int8 file does, and takes its ranges there."""
        return not self.has_dropout or self.is_fake_quantized

    def with_layers(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, step: Tensor | None = None,
                    positions: Tensor | None = None) -> dict[str, Any]:
        """Return `logits`, `hidden` states 0..L, attention `scores`, `queries`, `keys` and `values` 1..L (see Encoder).

        Args:
            input_ids, input_mask, segment_ids: int32 (B, S).
            step: see Encoder.
            positions: int32 (K,), flat places b * S + s; a language model predicts there only. None: everywhere.

        Returns:
            float32 logits: (B, num_labels), of an embedding (B, D); tagging and span (B, S, num_labels); a language
            model (K, V), or (B, S, V) without `positions`. Without a head the pooled output (B, H), or (B, S, H) where
            there is no pooler.
        """
        sequence, pooled, hidden, scores, qkv = self.encoder(input_ids, input_mask, segment_ids, step)
        return {"logits": self._output(sequence, pooled, input_mask, step, positions), "hidden": hidden,
                "scores": scores, "queries": qkv[0], "keys": qkv[1], "values": qkv[2]}

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, step: Tensor | None = None,
                  positions: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return float32 logits as `with_layers`; without a head sequence (B, S, H) and pooled (B, H) output, or the
        sequence alone where there is no pooler."""
        first_only = self.is_pooled and not self.causal and (step is None or self.can_train_first_only)
        sequence, pooled, _, _, _ = self.encoder(input_ids, input_mask, segment_ids, step, first_only)
        if self.kind == "none" and self.has_pooler:
            return sequence, pooled
        return self._output(sequence, pooled, input_mask, step, positions)

    def _output(self, sequence: Tensor, pooled: Tensor, input_mask: Tensor, step: Tensor | None,
                positions: Tensor | None) -> Tensor:
        if self.is_language_model:
            return self._predict_tokens(sequence, positions)
        if self.kind == "embedding":
            return self.head(sequence, input_mask)
        if self.is_modern and self.has_head:
            return self.head(sequence, input_mask, step)
        if self.is_pooled:
            return self.head(self._last_token(sequence, input_mask) if self.causal else pooled, step)
        if self.has_head:
            return self.head(sequence, step)
        return pooled if self.has_pooler else sequence

    def _predict_tokens(self, sequence: Tensor, positions: Tensor | None) -> Tensor:
        shape = sequence.shape
        x = sequence.reshape((-1, shape[2]))  # (B S, H)
        if positions is not None:
            x = ops.gather(x, positions, 0)  # (K, H)
        if self.has_head:
            x = self.head(x)
        table = self.encoder.embeddings.word_embeddings.embedding_table  # (V, H)
        logits = self.decode(x.astype(self.compute_type), table.astype(self.compute_type)).astype(ms.float32)
        if self.has_head:
            logits = add_to_rows(logits, self.head.bias)
        return logits if positions is not None else logits.reshape((shape[0], shape[1], -1))

    def _last_token(self, sequence: Tensor, input_mask: Tensor) -> Tensor:
        """The last token of each row (B, H), which alone has seen the whole row of a causal model."""
        last = input_mask.astype(ms.int32).sum(axis=1) - 1  # (B,)
        chosen = ops.one_hot(last, input_mask.shape[1], 1.0, 0.0).expand_dims(2)  # (B, S, 1)
        return (sequence.astype(ms.float32) * spread(chosen, sequence.shape)).sum(axis=1)


@dataclass(frozen=True)
class Architecture:
    """One kind of model. What other rooms know of it stands in a table of theirs, by the name of the architecture:
    `export.onnx_graph.GRAPHS`, and `runs.architectures.STUDENTS`.

    Attributes:
        config: its class in src/config, whose `kind` is the name.
        build: (ModelConfig, compute type) -> cell.
        layers: the setting that counts its layers.
        sizes: an encoder's configuration -> tensors, each with the sizes that its shape consists of, by their setting.
        parts: what a batch takes in each part of a model.
    """

    config: type[AnyEncoderConfig]
    build: Callable[..., TransformerModel | BiLstmModel | StaticModel]
    layers: str
    sizes: Callable[[Any], dict[str, dict[str, int]]]
    parts: Callable[[ModelConfig, BatchShape], Parts]


def _transformer_sizes(config: EncoderConfig) -> dict[str, dict[str, int]]:
    table, width = "encoder.embeddings.{}_embeddings.embedding_table", {"hidden_size": config.hidden_size}
    embedding = {"embedding_size": config.embedding_size} if config.embedding_size else width
    found = {table.format("word"): {"vocab_size": config.vocab_size, **embedding}}
    if not config.is_modern:
        found[table.format("position")] = {"max_position_embeddings": config.max_position_embeddings, **embedding}
    for index in range(config.num_hidden_layers if config.pruned else 1):
        layer = f"encoder.layers.{index}"
        setting = "layer_units" if config.layer_units else "intermediate_size"
        found[f"{layer}.intermediate.weight"] = {setting: config.units_of(index), **width}
        if config.pruned:
            found[f"{layer}.attention.query.weight"] = {"heads x head_size": config.heads_of(index) * config.head_dim,
                                                        **width}
    if config.type_vocab_size:
        found[table.format("token_type")] = {"type_vocab_size": config.type_vocab_size, **embedding}
    return found


def _bilstm_sizes(config: BiLstmConfig) -> dict[str, dict[str, int]]:
    return {WORD_EMBEDDINGS: {"vocab_size": config.vocab_size, "embedding_size": config.embedding_size},
            "encoder.dense.weight": {"dense_size": config.dense_size, "2 hidden_size": 2 * config.hidden_size}}


ARCHITECTURES = {each.config.kind: each for each in (
    Architecture(EncoderConfig, TransformerModel, "num_hidden_layers", _transformer_sizes, transformer_parts),
    Architecture(BiLstmConfig, BiLstmModel, "num_layers", _bilstm_sizes, bilstm_parts),
    Architecture(StaticConfig, StaticModel, "num_layers", lambda config: {
        WORD_EMBEDDINGS: {"vocab_size": config.vocab_size, "dim": config.dim}}, static_parts),
)}
Model = TransformerModel | BiLstmModel | StaticModel
"""What `build_model` builds; all take the same inputs."""


def build_model(config: ModelConfig, compute_type: ms.Type = ms.float32) -> Model:
    """Build the cell of a configuration, in evaluation mode, with random weights drawn from MindSpore's seed.

    Parameter names are set from the cell's structure (`encoder.layers.0.attention.query.weight`), the same for
    teacher and student.
    """
    model = ARCHITECTURES[config.encoder.kind].build(config, compute_type)
    model.config = config
    model.update_parameters_name("")
    model.set_train(False)
    return model


def arrays_of(model: nn.Cell, input_ids: np.ndarray, input_mask: np.ndarray, segment_ids: np.ndarray
              ) -> tuple[np.ndarray, ...]:
    """Run a model, or a graph made of one, on int32 arrays (B, S); returns its outputs, one or several."""
    outputs = model(*map(Tensor, (input_ids, input_mask, segment_ids)))
    return tuple(output.asnumpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))
