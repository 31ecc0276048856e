# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes a family of models in transformers. The values are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from src.common.errors import UserError
from src.config import EncoderConfig, ModelConfig
from src.convert.name_map import NameMap, ReadResult, Rule, Tie

REQUIRED = object()
"""Default of a setting that config.json must name."""

NOT_BUILT: dict[str, tuple[Any, ...]] = {
    "add_cross_attention": (False, None),
    "is_encoder_decoder": (False, None),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
}
"""Settings of every family that change what the model computes, with the values under which it is built here."""

ACTIVATIONS = {"gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
               "gelu_fast": "gelu_tanh", "relu": "relu"}
"""Activations of transformers -> ours."""


@dataclass(frozen=True)
class Setting:
    """One setting of EncoderConfig.

    Attributes:
        own, foreign: its name here and in config.json.
        default: its value where config.json leaves it out.
        times_width: null stands for so many times hidden_size; 0 where there is no null.
        or_width: what equals hidden_size is 0 here.
    """

    own: str
    foreign: str
    default: Any = REQUIRED
    times_width: int = 0
    or_width: bool = False


@dataclass(frozen=True)
class Form:
    """One model class of transformers.

    Attributes:
        architecture: its name.
        rules: names of the head, and of the pooler where the class holds it under another name than the encoder alone.
        ties: what the head may store twice.
        pooler: activation of the pooler that the class computes; none where it has no place for one.
        sign: a tensor that tells this class where config.json names none; "" for a class that is not guessed.
        activation: the only hidden_act that the head computes; "" takes any.
    """

    architecture: str
    rules: tuple[Rule, ...] = ()
    ties: tuple[Tie, ...] = ()
    pooler: Literal["tanh", "relu", "gelu", "none"] = "none"
    sign: str = ""
    activation: str = ""


@dataclass(frozen=True)
class Family:
    """One model_type of transformers.

    Attributes:
        model_type: its name in config.json, theirs and ours.
        prefix: what stands before the encoder's names in a model with a head.
        encoder, pooler: names of the encoder's parameters, and of the pooler of the model without a head.
        forms: model class of each kind of head that the family has.
        settings: names of EncoderConfig's settings in config.json.
        tokenizer_class: class of transformers for its WordPiece vocabularies.
        names_ends: whether config.json names the tokens that begin and end a text.
        activation: (name in config.json, default).
        written_activations: ours -> what is written.
        also: further model classes that are read, and the kind of head that is taken of them.
        dropped: names left out on purpose where no rule fits.
        heads: names of all heads, which are left out where the encoder alone is wanted.
        fixed: settings of EncoderConfig that the family does not let choose.
        read_more: (values of config.json, its path) -> further settings of EncoderConfig.
        write_more: further values of config.json that are written for an encoder.
        after_read: (values of config.json, what was read, its path) -> notes; it may change the parameters.
        only: settings of config.json with the values under which the model is the one built here.
        constants: further values of config.json that are written.
        dropouts, head_dropouts: dropouts of config.json, of every model and of the heads, that are not kept, with their
            defaults: hidden_dropout_prob takes their place.
        notes: settings of config.json that are not kept, and what the user is told of them.
        spellings: see NameMap.
        relu_sign: what names of tensors begin with in checkpoints whose classifier reads relu(pooled); "" where there
            are no such checkpoints.
        cut_from: families whose layers, without `fixed` and the pooler, make a student of this one.
    """

    model_type: str
    prefix: str
    encoder: tuple[Rule, ...]
    forms: dict[str, Form]
    settings: tuple[Setting, ...]
    pooler: tuple[Rule, ...] = ()
    tokenizer_class: str = "BertTokenizer"
    names_ends: bool = False
    activation: tuple[str, str] = ("hidden_act", "gelu")
    written_activations: dict[str, str] = field(
        default_factory=lambda: {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu"})
    also: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    fixed: dict[str, Any] = field(default_factory=dict)
    read_more: Callable[[Mapping[str, Any], Path], dict[str, Any]] = lambda values, source: {}
    write_more: Callable[[EncoderConfig], dict[str, Any]] = lambda encoder: {}
    after_read: Callable[[Mapping[str, Any], ReadResult, Path], list[str]] = lambda values, result, source: []
    only: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    dropouts: dict[str, float | None] = field(default_factory=dict)
    head_dropouts: dict[str, float | None] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    spellings: tuple[tuple[str, str], ...] = ()
    relu_sign: str = ""
    cut_from: tuple[str, ...] = ()

    def form(self, kind: str) -> Form:
        """Return the model class for a kind of head, one of `forms`; that of a regression is the classifier's, and that
        of an embedding the encoder's without its pooler."""
        if kind == "embedding":
            return replace(self.forms["none"], pooler="none")
        return self.forms["classification" if kind == "regression" else kind]

    def names(self, kind: str) -> NameMap:
        """Return the names of the family's model with a head of `kind`."""
        form = self.form(kind)
        pooler, dropped = self.pooler, self.dropped
        if kind == "embedding" or any(part.startswith("encoder.pooler.") for rule in form.rules for part in rule.parts):
            # An embedding reads no pooler. Beside the pooler of another class stands one that the head does not use, as
            # older releases saved it.
            pooler, dropped = (), (*dropped, *(rule.foreign for rule in pooler))
        return NameMap("Hugging Face", self.encoder + pooler + form.rules, dropped, (self.prefix,), self.spellings,
                       form.ties)

    def form_of(self, config: ModelConfig) -> Form:
        """Return the model class that computes what a model does.

        Raises:
            UserError: there is none.
        """
        encoder, wrong = config.encoder, self._not_of(config.encoder)
        if config.head.kind not in (*self.forms, "regression", "embedding"):
            wrong.append(config.head.title)
        if encoder.pruned:
            wrong.append(f"pruned heads, or layers that differ ({encoder.pruned})")
        if wrong:
            raise UserError(f"no model of transformers computes this one: {self.model_type} comes nearest, but not "
                            f"with {', '.join(wrong)}; export ONNX or MINDIR")
        return self.form(config.head.kind)

    def has(self, encoder: EncoderConfig) -> bool:
        """Whether the family has models with such an encoder, and classifiers on its pooler."""
        return not self._not_of(encoder) and encoder.pooler in ("none", self.forms["classification"].pooler)

    def _not_of(self, encoder: EncoderConfig) -> list[str]:
        """What no model of the family has, in words."""
        wrong = [f"{name} {getattr(encoder, name)} (it has {value})" for name, value in self.fixed.items()
                 if getattr(encoder, name) != value]
        if encoder.type_vocab_size == 0 and "type_vocab_size" not in self.fixed:
            wrong.append("type_vocab_size 0 (it has 1 or more)")
        if not encoder.embedding_size and any(
                each.own == "embedding_size" and not each.or_width for each in self.settings):
            wrong.append("embedding_size 0 (it projects its embeddings)")
        return wrong
