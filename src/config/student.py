# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of a student: its architecture, its first weights, and what it takes from its teacher."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from src.common.typed import require, setting
from src.config.model import AnyEncoderConfig, EncoderConfig
from src.config.other_encoders import BiLstmConfig

OfTeacher = int | Literal["teacher"]
"""A number, or that of the teacher."""

_BERT = {"vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2, "position_offset": 0,
         "pooler": "tanh"}
_MODERN = {"vocab_size": 50368, "max_position_embeddings": 8192, "type_vocab_size": 0, "position_offset": 0,
           "pooler": "none"}

LayerMap = str | tuple[tuple[int, ...], ...]
"""`uniform`, `first`, `last`, or pairs ((student, teacher), ...)."""


@dataclass(frozen=True)
class StudentConfig:
    """A transformer student: where its first weights come from, and its architecture, as in EncoderConfig."""

    architecture: Literal["transformer", "bilstm"] = setting("transformer", "transformer | bilstm (section bilstm)")
    initialization: Literal["random", "embeddings", "teacher"] = setting(
        "random", "random | teacher: copy layers, embeddings and head of a teacher of the same width | embeddings: "
        "these alone, of a wider teacher their principal components")
    student_init: tuple[int, ...] = setting(
        (), "teacher layers to copy, from 0; []: objective tokens spreads them evenly, layers takes layer_map", least=0)
    student_pretrained_weights: str = setting(
        "", "checkpoint directory that the student starts from, such as convert_checkpoint.py extract makes",
        is_path=True)
    fold_token_types: bool = setting(
        True, "add the teacher's type 0 to the positions of a student without token types")
    layer_map: LayerMap = setting(
        "uniform", "uniform | first | last | [[student, teacher], ...]; 0 is the embedding output")
    vocab_size: OfTeacher = setting("teacher", "teacher | number: size of the vocabulary, which must be the teacher's")
    hidden_size: int = setting(312, "width of the encoder")
    num_hidden_layers: int = setting(4, "number of transformer layers")
    num_attention_heads: int = setting(12, "number of attention heads; the attention term needs the teacher's number")
    intermediate_size: int = setting(1200, "width of the feed-forward layer")
    hidden_act: Literal["gelu", "gelu_tanh", "relu"] = setting("gelu", "gelu (exact) | gelu_tanh | relu")
    hidden_dropout_prob: float = setting(0.1, "dropout of layer outputs")
    attention_probs_dropout_prob: float = setting(0.1, "dropout of attention probabilities")
    max_position_embeddings: OfTeacher = setting("teacher", "teacher | number: longest position the model knows")
    type_vocab_size: OfTeacher = setting(
        "teacher", "teacher | number of segments; 0: none, as in DistilBERT and GPT-2")
    initializer_range: float = setting(0.02, "standard deviation of the truncated normal initialiser")
    layer_norm_eps: float = setting(1e-12, "epsilon of LayerNorm")
    pooler: Literal["teacher", "tanh", "relu", "gelu", "none"] = setting(
        "teacher",
        "teacher | tanh (BERT) | relu | gelu (ELECTRA) | none (DistilBERT, GPT-2): dense layer on the first token")
    position_offset: OfTeacher = setting(
        "teacher", "teacher | number: first row of the position table in use, 2 in RoBERTa")
    causal: bool = setting(False, "each token sees only those before it (GPT-2)")
    pre_norm: bool = setting(False, "LayerNorm before each sublayer and after the last one (GPT-2)")
    embedding_size: int = setting(
        0, "width of the embeddings where it is another than hidden_size (ELECTRA); 0: hidden_size", least=0)
    head_size: int = setting(0, "width of an attention head; 0: hidden_size / num_attention_heads", least=0)
    layer_heads: tuple[int, ...] = setting(
        (), "heads of each layer, where layers differ as pruned ones do; num_attention_heads is the largest", least=1)
    layer_units: tuple[int, ...] = setting(
        (), "feed-forward units of each layer, where layers differ; intermediate_size is the largest", least=1)
    layer_class: Literal["bert", "modernbert"] = setting(
        "bert", "bert | modernbert: rotary positions, gated feed-forward; the settings below are its alone")
    layer_types: tuple[Literal["global", "local"], ...] = setting(
        (), "what the tokens of each layer see: global, all; local, their neighbours; []: every third all, from the "
            "first on")
    local_attention: int = setting(128, "neighbours that a token of a local layer sees, half of them on each side",
                                   least=1)
    global_rope_theta: float = setting(160000.0, "base of the rotary positions of global layers", above=0)
    local_rope_theta: float = setting(10000.0, "base of those of local layers", above=0)
    classifier_pooling: Literal["cls", "mean"] = setting(
        "cls", "cls | mean: what a classifier reads, the first token or the mean over all")

    share_layers: bool = setting(
        False, "all layers are one, run num_hidden_layers times (ALBERT, with embedding_size and hidden_act gelu_tanh)")

    @cached_property
    def typed(self) -> set[str]:
        """Names of the settings of this section that the command line gives."""
        return set()

    def __post_init__(self) -> None:
        self.encoder()

    def encoder(self, teacher: AnyEncoderConfig | None = None) -> EncoderConfig:
        """Return the architecture alone; what is left to a teacher and not known of one is BERT's, or
        ModernBERT's."""
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(EncoderConfig)}
        its = vars(teacher) if isinstance(teacher, EncoderConfig) else {}
        vocabulary = {"vocab_size": teacher.vocab_size} if teacher else {}
        is_modern = self.layer_class == "modernbert"
        usual = {**(_MODERN if is_modern else _BERT), **vocabulary, **its}
        left = {name: usual[name] for name, value in given.items() if value == "teacher"}
        encoder = {**given, **left}
        if "pooler" in left and not is_modern and (encoder["pooler"] == "none" or self.causal):
            # A language model may have none, and its students of other stages need one.
            made = "gelu" if self.embedding_size else "tanh" if encoder["type_vocab_size"] else "relu"
            encoder["pooler"] = "none" if self.causal else made
        return EncoderConfig(**encoder)

    def of_teacher(self, teacher: AnyEncoderConfig) -> StudentConfig:
        """Return these settings with nothing left to the teacher."""
        return dataclasses.replace(self, **dataclasses.asdict(self.encoder(teacher)))


@dataclass(frozen=True)
class BiLstmStudentConfig:
    """A BiLSTM student: its architecture, but for the vocabulary, which is the records', and its embeddings."""

    embeddings: Literal["random", "teacher", "glove"] = setting(
        "random", "random | teacher: the teacher's input embeddings | glove: those of a text file")
    glove_path: str = setting("", "word vectors, one a line: a word, then its numbers", is_path=True)
    freeze_embeddings: bool = setting(False, "the embeddings are not trained")
    embedding_size: int = setting(300, "width of random embeddings; others have their own")
    hidden_size: int = setting(150, "width of the LSTM, in each direction")
    dense_size: int = setting(200, "width of the dense layer (ReLU) between LSTM and classifier")
    num_layers: int = setting(1, "number of LSTM layers")
    pooling: Literal["last", "max"] = setting("last", "last: both directions' last states | max: over all tokens")
    dropout: float = setting(0.3, "dropout of embeddings and dense layer")

    def __post_init__(self) -> None:
        require(self.embeddings != "glove" or self.glove_path,
                "bilstm.embeddings is glove, but bilstm.glove_path is empty; give a text file of word vectors")
        self.encoder(1)

    def encoder(self, vocab_size: int) -> BiLstmConfig:
        """Return the architecture with a vocabulary."""
        names = [f.name for f in dataclasses.fields(BiLstmConfig) if f.name != "vocab_size"]
        return BiLstmConfig(vocab_size, **{name: getattr(self, name) for name in names})
