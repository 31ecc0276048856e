# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ModernBERT (Warner et al., arXiv:2412.13663): layers of its own (src/models/modernbert.py), in which query, key and
value are one matrix, as are the two halves of the gated feed-forward part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.config import EncoderConfig
from src.convert.families.family import NOT_BUILT, Family, Form, Setting
from src.convert.name_map import PYTORCH, Rule, Tie

MODULES = {
    "embeddings.tok_embeddings": "encoder.embeddings.word_embeddings",
    "embeddings.norm": "encoder.embeddings.norm",
    "layers.{}.attn_norm": "encoder.layers.{}.attention_norm",
    "layers.{}.attn.Wqkv": tuple(f"encoder.layers.{{}}.attention.{part}" for part in ("query", "key", "value")),
    "layers.{}.attn.Wo": "encoder.layers.{}.attention.output",
    "layers.{}.mlp_norm": "encoder.layers.{}.output_norm",
    "layers.{}.mlp.Wi": ("encoder.layers.{}.intermediate", "encoder.layers.{}.gate"),
    "layers.{}.mlp.Wo": "encoder.layers.{}.output",
    "final_norm": "encoder.norm",
}
TRANSFORM = PYTORCH.rules({"head.dense": "head.transform", "head.norm": "head.norm"})
CLASSIFIER = TRANSFORM + PYTORCH.rules({"classifier": "head.classifier"})
_LAYERS = {"full_attention": "global", "sliding_attention": "local"}
_BASES = {"full_attention": ("global_rope_theta", 160000.0), "sliding_attention": ("local_rope_theta", 10000.0)}
_EVERY = "global_attn_every_n_layers"


def read_layers(values: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Which layers are global, and the bases of the rotary positions, as transformers 4 and 5 name them."""
    return {"layer_types": _layer_types(values, source), **_bases(values, source)}


def _layer_types(values: Mapping[str, Any], source: Path) -> tuple[str, ...]:
    depth, named = values.get("num_hidden_layers", 22), values.get("layer_types")
    if named is not None:
        if not isinstance(named, list) or any(each not in _LAYERS for each in named):
            raise UserError(f"{source}: layer_types is {named!r}; expected {' or '.join(_LAYERS)} for each layer")
        return tuple(_LAYERS[each] for each in named)
    every = values.get(_EVERY, 3)
    if isinstance(every, bool) or not isinstance(every, int) or every < 1 or not (
            isinstance(depth, int) and depth <= 10000):
        raise UserError(f"{source}: {_EVERY} is {every!r} and num_hidden_layers {depth!r}; expected whole numbers, or "
                        "layer_types")
    return tuple("local" if index % every else "global" for index in range(depth))


def _bases(values: Mapping[str, Any], source: Path) -> dict[str, float]:
    if values.get("rope_scaling") is not None:
        raise UserError(f"{source}: rope_scaling is {values['rope_scaling']!r}; positions without scaling are built "
                        "here")
    parameters = values.get("rope_parameters") or {}
    if not isinstance(parameters, dict) or set(parameters) - set(_BASES):
        raise UserError(f"{source}: rope_parameters is {parameters!r}; expected {' and '.join(_BASES)}")
    bases: dict[str, float] = {}
    for kind, (name, usual) in _BASES.items():
        its = parameters.get(kind) or {}
        if not isinstance(its, dict) or set(its) - {"rope_type", "rope_theta"} or \
                its.get("rope_type", "default") != "default":
            raise UserError(f"{source}: rope_parameters of {kind} is {its!r}; rope_type default with a rope_theta is "
                            "built here")
        base = its.get("rope_theta", values.get(name, usual))
        # transformers 4 takes the global base where there is no local one.
        base = bases.get("global_rope_theta") if base is None else base
        if isinstance(base, bool) or not isinstance(base, int | float):
            raise UserError(f"{source}: the base of the rotary positions of {kind} ({name}) is {base!r}; expected a "
                            "number")
        bases[name] = float(base)
    return bases


def write_layers(encoder: EncoderConfig) -> dict[str, Any]:
    """What `read_layers` reads. Where layers follow no rule, null keeps releases of transformers that know none but
    every n-th from computing something else."""
    foreign = {own: name for name, own in _LAYERS.items()}
    layers = encoder.layer_types
    every = next((n for n in range(1, len(layers) + 1)
                  if layers == tuple("local" if index % n else "global" for index in range(len(layers)))), None)
    return {"layer_types": [foreign[each] for each in layers], _EVERY: every,
            "global_rope_theta": encoder.global_rope_theta, "local_rope_theta": encoder.local_rope_theta,
            "rope_parameters": {kind: {"rope_type": "default", "rope_theta": getattr(encoder, name)}
                                for kind, (name, _) in _BASES.items()}}


MODERNBERT = Family(
    model_type="modernbert",
    prefix="model.",
    encoder=replace(PYTORCH, stacked=True).rules(MODULES),
    forms={
        "none": Form("ModernBertModel"),
        "classification": Form("ModernBertForSequenceClassification", CLASSIFIER, activation="gelu"),
        "tagging": Form("ModernBertForTokenClassification", CLASSIFIER, sign="classifier.weight", activation="gelu"),
        "span": Form("ModernBertForQuestionAnswering", CLASSIFIER, activation="gelu"),
        "masked_lm": Form("ModernBertForMaskedLM", (*TRANSFORM, Rule("decoder.bias", "head.bias")),
                          sign="decoder.bias", activation="gelu",
                          ties=(Tie("decoder.weight", "embeddings.tok_embeddings.weight"),)),
    },
    settings=(
        *(Setting(name, name) for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                                           "intermediate_size")),
        Setting("hidden_dropout_prob", "mlp_dropout", 0.0),
        Setting("attention_probs_dropout_prob", "attention_dropout", 0.0),
        Setting("max_position_embeddings", "max_position_embeddings", 8192),
        Setting("initializer_range", "initializer_range", 0.02),
        Setting("layer_norm_eps", "norm_eps", 1e-5),
        Setting("local_attention", "local_attention", 128),
        Setting("classifier_pooling", "classifier_pooling", "cls"),
    ),
    activation=("hidden_activation", "gelu"),
    heads=("head.*", "decoder.*", "classifier.*"),
    fixed={"layer_class": "modernbert", "pooler": "none", "type_vocab_size": 0, "position_offset": 0, "causal": False,
           "pre_norm": False, "embedding_size": 0, "share_layers": False},
    read_more=read_layers,
    write_more=write_layers,
    only=NOT_BUILT | {name: (False,) for name in ("norm_bias", "attention_bias", "mlp_bias", "classifier_bias")} | {
        "decoder_bias": (True,), "classifier_activation": ("gelu",)},
    constants={"norm_bias": False, "attention_bias": False, "mlp_bias": False, "classifier_bias": False,
               "decoder_bias": True, "classifier_activation": "gelu", "cls_token_id": None, "sep_token_id": None},
    dropouts={"embedding_dropout": 0.0},
    head_dropouts={"classifier_dropout": 0.0},
    names_ends=True,
)
