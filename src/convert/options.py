# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every foreign format shares: the user's choices, the encoder's settings, and the labels of a head."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert.name_map import NameMap, ReadResult, listing
from src.convert.parameters import POOLER, check_complete
from src.errors import UserError

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
        pooler: `require`, or `random` to draw a missing one from normal(0, initializer_range).
        seed: of that draw.
        config_path: the model's config file where the format has none beside the weights.
    """

    head: str = "keep"
    labels: tuple[str, ...] = ()
    task_name: str = ""
    pooled_activation: str = "auto"
    pooler: str = "require"
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
    missing = [name for name in SIZES if name not in values]
    if missing:
        raise UserError(f"{source} has no {', '.join(missing)}; expected the config file of a BERT model")
    activation = values.get("hidden_act", "gelu")
    if activation not in activations:
        raise UserError(f"{source}: hidden_act is {activation!r}; expected one of {', '.join(activations)}")
    settings = {name: values[name] for name in SIZES}
    settings |= {name: values.get(name, default) for name, default in defaults.items()}
    model = {"encoder": {**settings, "hidden_act": activations[activation]}}
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
    labels = options.labels or stored
    if len(labels) != len(stored):
        raise UserError(f"--labels names {len(labels)} classes, {list(labels)}; the checkpoint has {len(stored)}")
    if len(set(labels)) != len(labels):
        raise UserError(f"the labels {list(labels)} are not distinct; name each class with --labels")
    if regression:
        if len(labels) != 1:
            raise UserError(f"config.json: problem_type is regression with {len(labels)} outputs; expected one")
        return HeadConfig("regression", (), pooled_activation), []
    notes = []
    if all(re.fullmatch(r"LABEL_\d+", label) for label in labels):
        notes.append(f"the classes have no names of their own ({', '.join(labels)}); pass --labels with the task's "
                     "labels in the order of the logits")
    return HeadConfig("classification", tuple(labels), pooled_activation), notes


def assemble(result: ReadResult, config: ModelConfig, names: NameMap, options: ReadOptions,
             notes: list[str]) -> Converted:
    """Put together what was read: draw a missing pooler where the user asked for it, check names and shapes.

    Raises:
        UserError: parameters are missing, left over or of another shape than `config` says.
    """
    if result.dropped:
        notes = [*notes, f"left out on purpose: {listing(result.dropped)}"]
    if not any(name in result.parameters for name in POOLER):
        result.parameters.update(_draw_pooler(config, options))
        notes = [*notes, f"the checkpoint has no pooler: a random one was drawn (seed {options.seed})"]
    return Converted(config, check_complete(result, config, names), tuple(notes))


def _draw_pooler(config: ModelConfig, options: ReadOptions) -> dict[str, np.ndarray]:
    """Return a random pooler for a checkpoint that has none.

    Raises:
        UserError: the user did not ask for it, or a head was trained on a pooler that is missing.
    """
    if config.head.kind != "none":
        raise UserError("the checkpoint has a classification head and no pooler, which the head was trained on; "
                        "expected both, or pass --head drop")
    if options.pooler != "random":
        raise UserError("the checkpoint has no pooler: masked-LM checkpoints are saved without one; pass --pooler "
                        "random to start from a random one, which fine-tuning then trains")
    width = config.encoder.hidden_size
    weight = np.random.default_rng(options.seed).normal(0.0, config.encoder.initializer_range, (width, width))
    return {"encoder.pooler.weight": weight.astype(np.float32), "encoder.pooler.bias": np.zeros(width, np.float32)}
