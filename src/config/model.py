# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes a model; stored as config.json in each checkpoint directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from src.common.errors import UserError
from src.common.typed import build, require, require_settings, to_plain
from src.config.head import HeadConfig
from src.config.other_encoders import ANY_LENGTH, BiLstmConfig, StaticConfig

INPUTS = ("input_ids", "input_mask", "segment_ids")
"""What every model takes, in this order: int32 (B, S)."""

WORD_EMBEDDINGS = "encoder.embeddings.word_embeddings.embedding_table"
"""Parameter of every architecture: a row a token."""

IGNORED = -100
"""Label of a token whose prediction is not read: special tokens, padding, the later pieces of a word."""

_WHERE_UNUSUAL = ("head_size", "layer_heads", "layer_units", "embedding_size", "share_layers", "layer_class",
                  "layer_types", "local_attention", "global_rope_theta", "local_rope_theta", "classifier_pooling")
"""Settings of EncoderConfig that config.json names where they are not the usual ones."""

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
    # ModernBERT's layers (src/models/modernbert.py), and what they alone read: which of them see all tokens and which
    # their neighbours (empty: every third all, from the first on), how many neighbours, half of them on each side, the
    # bases of the rotary positions, and the token, or the mean over tokens, that a classifier reads.
    layer_class: Literal["bert", "modernbert"] = "bert"
    layer_types: tuple[Literal["global", "local"], ...] = ()
    local_attention: int = 128
    global_rope_theta: float = 160000.0
    local_rope_theta: float = 10000.0
    classifier_pooling: Literal["cls", "mean"] = "cls"

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
        self._check_modern()

    def _check_modern(self) -> None:
        require_settings(self, "local_attention", least=1)
        require_settings(self, "global_rope_theta", "local_rope_theta", above=0)
        if not self.is_modern:
            require(not self.layer_types, f"layer_types is {', '.join(self.layer_types)}, which ModernBERT's layers "
                                          "alone have; set layer_class modernbert, or leave it out")
            return
        require_settings(self, "num_hidden_layers", most=10000)  # before something is made for each of them
        if not self.layer_types:
            usual = ["local" if place % 3 else "global" for place in range(self.num_hidden_layers)]
            object.__setattr__(self, "layer_types", tuple(usual))
        require(len(self.layer_types) == self.num_hidden_layers,
                f"layer_types names {len(self.layer_types)} layers; expected global or local for each of "
                f"{self.num_hidden_layers}")
        has = {"pooler": "none", "type_vocab_size": 0, "position_offset": 0, "causal": False, "pre_norm": False,
               "embedding_size": 0, "share_layers": False}
        wrong = [f"{name} {getattr(self, name)} (it is {value})" for name, value in has.items()
                 if getattr(self, name) != value]
        require(not wrong, f"layer_class is modernbert, which has no {', '.join(wrong)}")
        require(self.head_dim % 2 == 0, f"the width of a head is {self.head_dim}; rotary positions turn pairs of "
                                        "numbers: expected an even one")

    @property
    def is_modern(self) -> bool:
        """Whether its layers are ModernBERT's."""
        return self.layer_class == "modernbert"

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

    def is_local(self, layer: int) -> bool:
        """Whether the tokens of a layer, which counts from 0, see their neighbours alone."""
        return self.is_modern and self.layer_types[layer] == "local"

    def of_layers(self, heads: Sequence[int], units: Sequence[int], kept: Sequence[int] | None = None
                  ) -> EncoderConfig:
        """Return the encoder whose layers have so many heads, of the width here, and feed-forward units.

        Args:
            kept: the layer here that each of them is, counted from 0; None: the first ones.
        """
        size, most, widest = self.head_dim, max(heads), max(units)
        layers = range(len(heads)) if kept is None else kept
        return replace(self, num_hidden_layers=len(heads), num_attention_heads=most, intermediate_size=widest,
                       head_size=0 if size * most == self.hidden_size else size,
                       layer_heads=() if min(heads) == most else tuple(heads),
                       layer_units=() if min(units) == widest else tuple(units),
                       layer_types=tuple(self.layer_types[layer] for layer in layers) if self.is_modern else ())

    def with_layers(self, kept: Sequence[int]) -> EncoderConfig:
        """Return the encoder of the layers `kept`, counted from 0, in this order.

        Raises:
            UserError: the first layer of a ModernBERT, which has a norm less than the others, is not the first one.
        """
        require(not self.is_modern or (kept[0] == 0 and 0 not in kept[1:]),
                f"layers {', '.join(map(str, kept))} are to be kept of a ModernBERT, whose layer 0 alone has no norm "
                "before its attention: name it first, and once (--layers, student_init)")
        return self.of_layers([self.heads_of(layer) for layer in kept], [self.units_of(layer) for layer in kept], kept)

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
        if self.is_modern:
            return "modernbert"
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
        require(not head.is_pooled or self.causal or self.is_modern or self.pooler != "none",
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


Dropout = float | Literal["student"]
"""A student's dropout in place of its own, or "student": its own."""
AnyEncoderConfig = EncoderConfig | BiLstmConfig | StaticConfig


SCORED_PAIRS, POSITIVE_PAIRS = LEARNT_PAIRS = ("scored pairs", "positive pairs")
"""What an embedding learns of labelled pairs: their score, or to tell the right text from others."""


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

    def with_dropout(self, probability: Dropout) -> ModelConfig:
        """Return the model with this dropout in the layers of its transformer; "student": as it is."""
        if probability == "student" or not isinstance(self.encoder, EncoderConfig):
            return self
        return replace(self, encoder=replace(self.encoder, hidden_dropout_prob=probability,
                                             attention_probs_dropout_prob=probability))

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
        usual = {field.name: to_plain(field.default) for field in fields(EncoderConfig)}
        for name in _WHERE_UNUSUAL:
            if name in values["encoder"] and values["encoder"][name] == usual.get(name):
                del values["encoder"][name]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "config") -> ModelConfig:
        """Build from what `to_dict` gave; `source` names the file in error messages."""
        return build(cls, values, "", source)
