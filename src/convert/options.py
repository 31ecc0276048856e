# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every foreign format shares: the user's choices, the encoder's settings, and the labels of a head."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert.families.family import REQUIRED, Setting
from src.convert.name_map import NameMap, ReadResult, listing
from src.convert.parameters import POOLER, check_complete

SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
OPTIONAL = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512,
            "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12}
"""What BERT and transformers' BertConfig take for a setting that the config file leaves out."""


@dataclass(frozen=True)
class ReadOptions:
    """What the user wants of a foreign checkpoint.

    Attributes:
        head: `keep`, or `drop` to take the encoder alone.
        labels: names of the classes in the order of the logits, instead of the stored ones; () keeps these.
        task_name: recorded in the checkpoint; "" keeps what the source says, where it does.
        pooled_activation: `auto` (what the format tells), `none` or `relu`.
        pooler: `keep` what the checkpoint has, `require` one, or `random`: draw a missing one from
            normal(0, initializer_range).
        seed: of that draw.
        config_path: the model's config file where the format has none beside the weights.
    """

    head: str = "keep"
    labels: tuple[str, ...] = ()
    task_name: str = ""
    pooled_activation: str = "auto"
    pooler: str = "keep"
    seed: int = 0
    config_path: Path | None = None


@dataclass(frozen=True)
class Converted:
    """A model in this repository's terms, and what the user should know about how it was read."""

    config: ModelConfig
    parameters: dict[str, np.ndarray]
    notes: tuple[str, ...]


def read_encoder(values: Mapping[str, Any], source: Path, activations: Mapping[str, str],
                 defaults: Mapping[str, Any] = OPTIONAL) -> EncoderConfig:
    """Return the encoder that the settings of a BERT config file describe.

    Args:
        values: the file's content.
        source: its path, for messages.
        activations: hidden_act there -> ours.
        defaults: what a setting is that the file leaves out; the sizes must be given.
    """
    settings = (*(Setting(name, name) for name in SIZES),
                *(Setting(name, name, default) for name, default in defaults.items()))
    return make_encoder(values, source, settings, ("hidden_act", "gelu"), activations)


def make_encoder(values: Mapping[str, Any], source: Path, settings: Iterable[Setting], activation: tuple[str, str],
                 activations: Mapping[str, str], fixed: Mapping[str, Any] | None = None) -> EncoderConfig:
    """Return the encoder that a config file describes.

    Args:
        values: the file's content.
        source: its path, for messages.
        settings: what the encoder's settings are called there.
        activation: what the activation is called there, and its default.
        activations: its values there -> ours.
        fixed: settings that the file has no choice in.

    Raises:
        UserError: a setting is missing, of another type, or one that is not built here.
    """
    missing = [each.foreign for each in settings if each.default is REQUIRED and each.foreign not in values]
    if missing:
        model = values.get("model_type", "BERT")
        raise UserError(f"{source} has no {', '.join(missing)}; expected the config file of a {model} model")
    own = {each.own: values.get(each.foreign, each.default) for each in settings}
    if own["intermediate_size"] is None and isinstance(own["hidden_size"], int):
        own["intermediate_size"] = 4 * own["hidden_size"]  # what null stands for in GPT-2
    name, default = activation
    found = values.get(name, default)
    if not isinstance(found, str) or found not in activations:
        raise UserError(f"{source}: {name} is {found!r}; expected one of {', '.join(activations)}")
    model = {"encoder": {**own, "hidden_act": activations[found], **(fixed or {})}}
    return ModelConfig.from_dict(model, str(source)).encoder


def unnamed_labels(classifier: np.ndarray | None) -> tuple[str, ...]:
    """Return LABEL_0, LABEL_1, ... for the rows of a classifier's weight; two where there is none."""
    count = len(classifier) if classifier is not None and classifier.ndim else 2
    return tuple(f"LABEL_{index}" for index in range(count))


def make_head(stored: tuple[str, ...], regression: bool, pooled_activation: str,
              options: ReadOptions) -> tuple[HeadConfig, list[str]]:
    """Return the head with the user's labels, or else the stored ones, and notes for the user.

    Raises:
        UserError: another number of labels than outputs, or a label twice.
    """
    labels = choose_labels(stored, options)
    if regression:
        if len(labels) != 1:
            raise UserError(f"config.json: problem_type is regression with {len(labels)} outputs; expected one")
        return HeadConfig("regression", (), pooled_activation), []
    return HeadConfig("classification", labels, pooled_activation), note_unnamed(labels)


def choose_labels(stored: tuple[str, ...], options: ReadOptions) -> tuple[str, ...]:
    """Return the user's labels, or else the stored ones.

    Raises:
        UserError: another number of labels than outputs, or a label twice.
    """
    labels = options.labels or stored
    if len(labels) != len(stored):
        raise UserError(f"--labels names {len(labels)} classes, {list(labels)}; the checkpoint has {len(stored)}")
    if len(set(labels)) != len(labels):
        raise UserError(f"the labels {list(labels)} are not distinct; name each class with --labels")
    return tuple(labels)


def note_unnamed(labels: tuple[str, ...]) -> list[str]:
    """Return a note where the labels are none but numbers."""
    if not all(re.fullmatch(r"LABEL_\d+", label) for label in labels):
        return []
    return [f"the classes have no names of their own ({', '.join(labels)}); pass --labels with the task's labels in "
            "the order of the logits"]


def assemble(result: ReadResult, config: ModelConfig, names: NameMap, options: ReadOptions,
             notes: list[str]) -> Converted:
    """Put together what was read: settle the pooler, check names and shapes.

    Args:
        config: its encoder names the pooler that the checkpoint may hold; without one, the model gets none, or a
            random one where the user asks for it.

    Raises:
        UserError: parameters are missing, left over or of another shape than `config` says; a missing pooler that the
            user requires, or that a head was trained on; labels for a head that has none.
    """
    if options.labels and config.head.kind not in ("classification", "regression", "tagging"):
        raise UserError(f"--labels names classes, {list(options.labels)}, but what is converted has no classification "
                        "or tagging head")
    if result.dropped:
        notes = [*notes, f"left out on purpose: {listing(result.dropped)}"]
    if result.tied:
        notes = [*notes, f"stored twice, kept once: {listing(result.tied)}"]
    if not any(name in result.parameters for name in POOLER):
        config, pooler_notes = _without_pooler(result, config, options)
        notes = [*notes, *pooler_notes]
    return Converted(config, check_complete(result, config, names), tuple(notes))


def _without_pooler(result: ReadResult, config: ModelConfig, options: ReadOptions) -> tuple[ModelConfig, list[str]]:
    """Return the config of a checkpoint that holds no pooler; one is drawn into `result` where the user asks for it."""
    activation, needs_pooler = config.encoder.pooler, config.head.is_pooled and not config.encoder.causal
    if needs_pooler:
        raise UserError("the checkpoint has a classification head and no pooler, which the head was trained on; "
                        "expected both, or pass --head drop")
    if options.pooler == "random":
        if activation == "none":
            raise UserError("--pooler random: a causal model has no pooler, its heads read the last token; leave "
                            "--pooler out")
        result.parameters.update(_draw_pooler(config.encoder, options.seed))
        return config, [f"the checkpoint has no pooler: a random one was drawn (seed {options.seed})"]
    if options.pooler == "require":
        raise UserError("the checkpoint has no pooler, as checkpoints of language models; pass --pooler random to "
                        "start from a random one, which fine-tuning then trains, or --pooler keep to go without")
    if activation == "none":
        return config, []
    notes = ["the checkpoint has no pooler, and the model gets none; --pooler random would draw one, which fine-tuning "
             "then trains"] if config.head.kind == "none" else []
    return replace(config, encoder=replace(config.encoder, pooler="none")), notes


def _draw_pooler(encoder: EncoderConfig, seed: int) -> dict[str, np.ndarray]:
    width = encoder.hidden_size
    weight = np.random.default_rng(seed).normal(0.0, encoder.initializer_range, (width, width))
    return {"encoder.pooler.weight": weight.astype(np.float32), "encoder.pooler.bias": np.zeros(width, np.float32)}
