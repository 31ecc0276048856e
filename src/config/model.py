# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes a model; stored as config.json in each checkpoint directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from src.common.errors import UserError
from src.common.typed import build, require, require_settings, to_plain

INPUTS = ("input_ids", "input_mask", "segment_ids")
"""What every model takes, in this order: int32 (B, S)."""

WORD_EMBEDDINGS = "encoder.embeddings.word_embeddings.embedding_table"
"""Parameter of every architecture: a row a token."""

IGNORED = -100
"""Label of a token whose prediction is not read: special tokens, padding, the later pieces of a word."""

ANY_LENGTH = 1 << 30
"""`max_length` of a model that has no table of positions."""

EMBEDDING_SETTINGS = ("pooling", "dense_size", "dense_activation", "normalize", "max_seq_length")
"""Settings of HeadConfig that an embedding alone has."""


@dataclass(frozen=True)
class EncoderConfig:
    """Architecture of one transformer encoder; teacher and student are two values of this class."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: Literal["gelu", "gelu_tanh", "relu"]
    hidden_dropout_prob: float
    attention_probs_dropout_prob: float
    max_position_embeddings: int
    type_vocab_size: int
    initializer_range: float
    layer_norm_eps: float
    # What tells the families apart. The values of BERT, which config.json of a checkpoint may leave out.
    pooler: Literal["tanh", "relu", "gelu", "none"] = "tanh"
    position_offset: int = 0
    causal: bool = False
    pre_norm: bool = False
    embedding_size: int = 0  # width of the embeddings before a projection to hidden_size; 0: hidden_size, without one
    # What pruning leaves: the width of a head, where it is not hidden_size / num_attention_heads (0), and the heads and
    # feed-forward units of each layer, where layers differ; the two settings above are then the most of any layer.
    head_size: int = 0
    layer_heads: tuple[int, ...] = ()
    layer_units: tuple[int, ...] = ()
    share_layers: bool = False  # all layers are one, run num_hidden_layers times (ALBERT)

    kind = "transformer"
    title = "a transformer"

    def __post_init__(self) -> None:
        require_settings(self, "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                         "intermediate_size", "max_position_embeddings", least=1)
        require(self.type_vocab_size >= 0, f"type_vocab_size is {self.type_vocab_size}; it must be at least 0, which "
                                           "means no token types")
        require(0 <= self.position_offset < self.max_position_embeddings,
                f"position_offset is {self.position_offset}; it must be at least 0 and below max_position_embeddings "
                f"{self.max_position_embeddings}")
        require(not (self.causal and self.pooler != "none"),
                f"pooler is {self.pooler} in a causal model, whose first token sees nothing of the rest; set pooler "
                "none")
        require_settings(self, "head_size", "embedding_size", least=0)
        require(self.embedding_size != self.hidden_size,
                f"embedding_size is {self.embedding_size}, that of hidden_size, so that nothing is projected; set it 0")
        require(not (self.embedding_size and self.pre_norm),
                f"embedding_size is {self.embedding_size}, but a model with pre_norm does not project its embeddings; "
                "set it 0")
        require(self.head_size > 0 or self.hidden_size % self.num_attention_heads == 0,
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}; "
                "change one of the two, or set head_size")
        for name, most in (("layer_heads", "num_attention_heads"), ("layer_units", "intermediate_size")):
            counts = getattr(self, name)
            require_settings(self, name, least=1)
            require(not counts or (len(counts) == self.num_hidden_layers and max(counts) == getattr(self, most)),
                    f"{name} is {list(counts)}; expected one number for each of {self.num_hidden_layers} layers, of "
                    f"which {most}, {getattr(self, most)}, is the largest")
        require(not (self.share_layers and (self.layer_heads or self.layer_units or self.pre_norm)),
                "share_layers is true: all layers are one, which normalises after each sublayer; set pre_norm false, "
                "and leave layer_heads and layer_units out")
        require_settings(self, "hidden_dropout_prob", "attention_probs_dropout_prob", least=0, below=1)
        require_settings(self, "initializer_range", "layer_norm_eps", above=0)

    @property
    def table_width(self) -> int:
        """Width of the embedding tables, and of what a masked-LM head multiplies them with."""
        return self.embedding_size or self.hidden_size

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.head_size or self.hidden_size // self.num_attention_heads

    @property
    def stored_layers(self) -> int:
        """Layers that have parameters of their own."""
        return 1 if self.share_layers else self.num_hidden_layers

    def stored_at(self, layer: int) -> int:
        """Return the number of the layer whose parameters a layer has."""
        return 0 if self.share_layers else layer

    def heads_of(self, layer: int) -> int:
        """Attention heads of a layer, which counts from 0."""
        return self.layer_heads[layer] if self.layer_heads else self.num_attention_heads

    def units_of(self, layer: int) -> int:
        """Feed-forward units of a layer, which counts from 0."""
        return self.layer_units[layer] if self.layer_units else self.intermediate_size

    def of_layers(self, heads: Sequence[int], units: Sequence[int]) -> EncoderConfig:
        """Return the encoder whose layers have so many heads, of the width here, and feed-forward units."""
        size, most, widest = self.head_dim, max(heads), max(units)
        return replace(self, num_hidden_layers=len(heads), num_attention_heads=most, intermediate_size=widest,
                       head_size=0 if size * most == self.hidden_size else size,
                       layer_heads=() if min(heads) == most else tuple(heads),
                       layer_units=() if min(units) == widest else tuple(units))

    def with_layers(self, kept: Sequence[int]) -> EncoderConfig:
        """Return the encoder of the layers `kept`, counted from 0, in this order."""
        return self.of_layers([self.heads_of(layer) for layer in kept], [self.units_of(layer) for layer in kept])

    @property
    def pruned(self) -> str:
        """What no other library has a setting for, in words; "" where there is no such thing."""
        parts = [f"{name} {', '.join(map(str, getattr(self, name)))}" for name in ("layer_heads", "layer_units")
                 if getattr(self, name)]
        if self.head_dim * self.num_attention_heads != self.hidden_size:
            parts.insert(0, f"{self.num_attention_heads} heads of {self.head_dim} in a width of {self.hidden_size}")
        return "; ".join(parts)

    @property
    def size(self) -> str:
        """Layers and width, in words."""
        return f"{self.num_hidden_layers} x {self.hidden_size}"

    @property
    def max_length(self) -> int:
        """Tokens of the longest sequence; RoBERTa leaves the first rows of its position table unused."""
        return self.max_position_embeddings - self.position_offset

    @property
    def likely_family(self) -> str:
        """Family of models of these settings, where nothing names it: a checkpoint that was written before config.json
        did, and section `student`."""
        if self.causal:
            return "gpt2"
        if self.share_layers:
            return "albert"
        if self.embedding_size or self.pooler == "gelu":
            return "electra"
        if self.position_offset:
            return "roberta"
        return "bert" if self.type_vocab_size else "distilbert"

    @property
    def vector_size(self) -> int:
        """Width of what stands for a token, or for a row, before the head."""
        return self.hidden_size

    def check_head(self, head: HeadConfig) -> None:
        """Raise `UserError` for a head that cannot read this encoder."""
        kind = head.kind
        require(not head.is_pooled or self.causal or self.pooler != "none",
                f"a {kind} head reads the pooled output, but the encoder has no pooler; set pooler tanh, relu or gelu")
        require(kind != "embedding" or self.pooler == "none",
                f"an embedding head reads the tokens, but the encoder has a {self.pooler} pooler; set pooler none")
        require(kind != "embedding" or head.pooling != "encoder",
                "pooling is encoder, which is a BiLSTM's; of a transformer set mean, cls or max")
        require(kind != "embedding" or not self.causal,
                "an embedding head is for encoders that see both sides of a token; this one is causal (GPT-2): take a "
                "BERT, RoBERTa or DistilBERT")
        require(kind != "masked_lm" or not self.causal,
                "a masked_lm head predicts from both sides, but the encoder is causal; use a causal_lm head")
        require(kind != "causal_lm" or self.causal,
                "a causal_lm head predicts the next token, which an encoder that is not causal sees; set causal true")


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


AnyEncoderConfig = EncoderConfig | BiLstmConfig | StaticConfig


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


@dataclass(frozen=True)
class ModelConfig:
    """An encoder with its head, the task that the head was trained for ("" when none), and the family of models in
    transformers that the encoder is of (src/convert/families)."""

    encoder: AnyEncoderConfig
    head: HeadConfig = HeadConfig()
    task_name: str = ""
    family: str = ""

    def __post_init__(self) -> None:
        self.encoder.check_head(self.head)
        require(self.head.max_seq_length <= self.encoder.max_length,
                f"max_seq_length is {self.head.max_seq_length}, but the encoder takes {self.encoder.max_length} tokens "
                "at most")
        if not self.family:
            object.__setattr__(self, "family", self.encoder.likely_family)

    @property
    def max_length(self) -> int:
        """Tokens of the longest row: of an embedding those that its texts are cut to."""
        return self.head.max_seq_length or self.encoder.max_length

    def row_length(self, usual: int) -> int:
        """Tokens of a row where nobody says how many: the `usual` ones, or all that the encoder takes where these are
        fewer; of an embedding always those that it was made for."""
        is_set = self.head.kind == "embedding" and self.max_length < ANY_LENGTH
        return self.max_length if is_set else min(usual, self.encoder.max_length)

    @property
    def output_size(self) -> int:
        """Number of logits of a row or token, of an embedding its width; 0 without a head."""
        if self.head.is_language_model:
            return self.encoder.vocab_size
        if self.head.kind == "embedding":
            return self.head.dense_size or self.encoder.vector_size
        return self.head.num_labels

    def require_transformer(self, source: object, purpose: str) -> EncoderConfig:
        """Return the encoder of a transformer.

        Raises:
            UserError: it is none; `source` says what, and `purpose` what only a transformer can be used for.
        """
        if not isinstance(self.encoder, EncoderConfig):
            raise UserError(f"{source} is {self.encoder.title}; {purpose} needs a transformer")
        return self.encoder

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, ready for JSON; without what only a pruned encoder, or an embedding, has where it is
        none."""
        values = to_plain(self)
        if self.head.kind != "embedding":
            for name in EMBEDDING_SETTINGS:
                del values["head"][name]
        for name in ("head_size", "layer_heads", "layer_units", "embedding_size", "share_layers"):
            if not values["encoder"].get(name):
                values["encoder"].pop(name, None)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "config") -> ModelConfig:
        """Build from what `to_dict` gave; `source` names the file in error messages."""
        return build(cls, values, "", source)
