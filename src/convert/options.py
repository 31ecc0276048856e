# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every foreign format shares: the user's choices, the encoder's settings, and the labels of a head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from src.checkpoints.labels import CLASSIFIER, permuted_rows
from src.common.errors import UserError
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.config.labels import are_unnamed, as_option, listed, names_in, order_of, spelled_as, spelling_key
from src.convert.families.family import REQUIRED, Setting
from src.convert.name_map import NameMap, ReadResult, listing
from src.convert.parameters import POOLER, check_complete


def option(default: Any, text: str, **more: Any) -> Any:
    """A field that is an option of convert_checkpoint.py; `more` is what argparse has to know besides."""
    return field(default=default, metadata={"help": text, **more})


@dataclass(frozen=True)
class ReadOptions:
    """What the user wants of a conversion."""

    head: str = option("keep", "keep the head, or take the encoder alone (default: %(default)s)",
                       choices=("keep", "drop"))
    labels: tuple[str, ...] = option((), "names of the classes: those of id2label in another order, which the rows of "
                                         "the classifier follow, or new ones in the order of the logits (default: "
                                         "id2label)", type=names_in, metavar="A,B,...")
    task_name: str = option("", "task the head was trained for, recorded in the checkpoint")
    pooled_activation: str = option("auto", "what stands between pooler and classifier; auto is relu for checkpoints "
                                            "of TinyBERT's authors, else none (default: %(default)s)",
                                    choices=("auto", "none", "relu"))
    pooler: str = option("keep", "where there is no pooler, as in language models: keep it so, refuse, or draw a "
                                 "random one (default: %(default)s)", choices=("keep", "require", "random"))
    seed: int = option(0, "seed of that draw (default: %(default)s)", type=int)
    pooling: str = option("", "make an embedding model of the encoder: mean or maximum over a text's tokens, or its "
                              "first token; a folder of sentence-transformers says it by itself",
                          choices=("mean", "cls", "max"))
    normalize: str = option("false", "with --pooling: divide embeddings by their norm (default: %(default)s)",
                            choices=("true", "false"))
    max_seq_length: int = option(0, "with --pooling: tokens that texts are cut to, special ones among them (default: "
                                    "as many as the encoder takes)", type=int)
    config: Path | None = option(None, "config file in the form of Google's bert_config.json, where none is beside the "
                                       "weights", type=Path, metavar="FILE")
    model_name: str = option("", "--to tf: the checkpoint is called NAME.ckpt (default: bert_model)", metavar="NAME")


@dataclass(frozen=True)
class Converted:
    """A model in this repository's terms, and what the user should know about how it was read. `tokenizer` is its
    tokenizer's folder, where that is not the model's."""

    config: ModelConfig
    parameters: dict[str, np.ndarray]
    notes: tuple[str, ...]
    tokenizer: Path | None = None


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
    for each in settings:
        if each.times_width and own[each.own] is None and isinstance(own["hidden_size"], int):
            own[each.own] = each.times_width * own["hidden_size"]
        if each.or_width and own[each.own] == own["hidden_size"]:
            own[each.own] = 0
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


def make_head(kind: str, stored: tuple[str, ...], pooled_activation: str, options: ReadOptions, result: ReadResult
              ) -> tuple[HeadConfig, list[str]]:
    """Return a head with the user's labels, or else the stored ones, and notes for the user.

    The user's are the stored ones in another order, which the classifier's rows in `result` then follow, or other
    names, which these rows get one by one.

    Raises:
        UserError: another number of labels than outputs, a label twice, or a new name that another row has already.
    """
    labels = tuple(options.labels or stored)
    if len(labels) != len(stored):
        raise UserError(f"--labels names {len(labels)} classes, {list(labels)}; the checkpoint has {len(stored)}: "
                        f"{listed(stored)}; write them as A,B,C")
    if len(set(labels)) != len(labels):
        raise UserError(f"the labels {list(labels)} are not distinct; name each class with --labels")
    if kind == "regression":
        if len(labels) != 1:
            raise UserError(f"config.json: problem_type is regression with {len(labels)} outputs; expected one")
        return HeadConfig(kind, (), pooled_activation), []
    notes = _name_classes(labels, stored, result) if labels != stored else []
    if are_unnamed(labels):
        notes.append(f"the classes have no names of their own ({listed(labels)}); pass --labels with the task's labels "
                     "in the order of the logits, which only who trained the model can tell")
    return HeadConfig(kind, labels, pooled_activation), notes


def _name_classes(labels: tuple[str, ...], stored: tuple[str, ...], result: ReadResult) -> list[str]:
    """Put the classes into the order of `labels`, or rename them; return a note that says which."""
    order = order_of(stored, labels)
    if order is not None:
        if all(len(result.parameters[name]) == len(order) for name in CLASSIFIER if name in result.parameters):
            result.parameters.update(permuted_rows(result.parameters, order))  # `assemble` refuses other shapes
        return [f"labels reordered: {listed(stored)} became {listed(labels)}, and the rows of the classifier with them"]
    for place, label in enumerate(labels):
        # "positive" for the row of "negative" beside "Positive" for itself: one of the two orders is wrong.
        other = next((name for name in stored if spelling_key(name) == spelling_key(label)), None)
        if other is not None and stored.index(other) != place:
            same = spelled_as(stored, labels)
            raise UserError(f"--labels calls class {place} of the checkpoint, {stored[place]!r}, {label!r}, which is "
                            f"the name of its class {stored.index(other)}, {other!r}; give "
                            + (f"the names in the checkpoint's order, --labels {as_option(same)}, or " if same else "")
                            + f"the checkpoint's own names in another order, or new ones in the order {listed(stored)}")
    return ["labels renamed, in the order of the logits: "
            + ", ".join(f"{old} -> {new}" for old, new in zip(stored, labels, strict=True) if old != new)]


def assemble(result: ReadResult, config: ModelConfig, name_map: NameMap, options: ReadOptions,
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
    return Converted(config, check_complete(result, config, name_map), tuple(notes))


def _without_pooler(result: ReadResult, config: ModelConfig, options: ReadOptions) -> tuple[ModelConfig, list[str]]:
    """Return the config of a checkpoint that holds no pooler; one is drawn into `result` where the user asks for it."""
    activation = config.encoder.pooler
    needs_pooler = config.head.is_pooled and activation != "none"
    if options.pooler != "keep" and config.head.kind == "embedding":
        raise UserError(f"--pooler {options.pooler}: an embedding reads no pooler; leave --pooler out")
    if needs_pooler:
        raise UserError("the checkpoint has a classification head and no pooler, which the head was trained on; "
                        "expected both, or pass --head drop")
    if options.pooler == "random":
        if activation == "none":
            reads = "a causal model has no pooler, its heads read the last token" if config.encoder.causal else (
                f"a {config.family} has no pooler")
            raise UserError(f"--pooler random: {reads}; leave --pooler out")
        result.parameters.update(draw_pooler(config.encoder, options.seed))
        return config, [f"the checkpoint has no pooler: a random one was drawn (seed {options.seed})"]
    if options.pooler == "require":
        raise UserError("the checkpoint has no pooler, as checkpoints of language models; pass --pooler random to "
                        "start from a random one, which fine-tuning then trains, or --pooler keep to go without")
    if activation == "none":
        return config, []
    notes = ["the checkpoint has no pooler, and the model gets none; --pooler random would draw one, which fine-tuning "
             "then trains"] if config.head.kind == "none" else []
    return replace(config, encoder=replace(config.encoder, pooler="none")), notes


def draw_pooler(encoder: EncoderConfig, seed: int) -> dict[str, np.ndarray]:
    """Return weight and bias of a random pooler."""
    width = encoder.hidden_size
    weight = np.random.default_rng(seed).normal(0.0, encoder.initializer_range, (width, width))
    return {"encoder.pooler.weight": weight.astype(np.float32), "encoder.pooler.bias": np.zeros(width, np.float32)}
