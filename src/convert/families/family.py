# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What describes a family of models in transformers. The values are in the modules beside this one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from src.convert.name_map import Rule, Tie

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
    """One setting of EncoderConfig: its name here, its name in config.json, and its value where that leaves it out."""

    own: str
    foreign: str
    default: Any = REQUIRED


@dataclass(frozen=True)
class Form:
    """One model class of transformers.

    Attributes:
        architecture: its name.
        rules: names of the head, and of the pooler where the class holds it under another name than the encoder alone.
        ties: what the head may store twice.
        pooler: activation of the pooler that the class computes; none where it has no place for one.
        sign: a tensor that tells this class where config.json names none; "" for a class that is not guessed.
    """

    architecture: str
    rules: tuple[Rule, ...] = ()
    ties: tuple[Tie, ...] = ()
    pooler: Literal["tanh", "relu", "none"] = "none"
    sign: str = ""

    @property
    def names_pooler(self) -> bool:
        """Whether the class has a pooler of its own name."""
        return any(part.startswith("encoder.pooler.") for rule in self.rules for part in rule.parts)


@dataclass(frozen=True)
class Family:
    """One model_type of transformers.

    Attributes:
        model_type: its name in config.json.
        prefix: what stands before the encoder's names in a model with a head.
        encoder, pooler: names of the encoder's parameters, and of the pooler of the model without a head.
        forms: model class of each kind of head that the family has.
        settings: names of EncoderConfig's settings in config.json.
        activation: (name in config.json, default).
        written_activations: ours -> what is written.
        also: further model classes that are read, and the kind of head that is taken of them.
        dropped: names left out on purpose where no rule fits.
        heads: names of all heads, which are left out where the encoder alone is wanted.
        fixed: settings of EncoderConfig that the family does not let choose.
        only: settings of config.json with the values under which the model is the one built here.
        constants: further values of config.json that are written.
        dropouts: dropouts of config.json that are not kept, with their defaults: hidden_dropout_prob takes their place.
        spellings: see NameMap.
    """

    model_type: str
    prefix: str
    encoder: tuple[Rule, ...]
    forms: dict[str, Form]
    settings: tuple[Setting, ...]
    pooler: tuple[Rule, ...] = ()
    activation: tuple[str, str] = ("hidden_act", "gelu")
    written_activations: dict[str, str] = field(
        default_factory=lambda: {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu"})
    also: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    fixed: dict[str, Any] = field(default_factory=dict)
    only: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    dropouts: dict[str, float | None] = field(default_factory=dict)
    spellings: tuple[tuple[str, str], ...] = ()
