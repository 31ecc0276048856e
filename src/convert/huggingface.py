# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hugging Face checkpoints of the families in src/convert/families: names, config.json, head and labels.

In both directions. Whatever would compute something else than the model of this repository is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from src.common.errors import UserError
from src.common.files import read_json
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert.families.bert import BERT
from src.convert.families.distilbert import DISTILBERT
from src.convert.families.family import ACTIVATIONS, Family, Form
from src.convert.families.gpt2 import GPT2
from src.convert.families.roberta import ROBERTA
from src.convert.name_map import NameMap, ReadResult
from src.convert.options import (
    Converted,
    ReadOptions,
    assemble,
    choose_labels,
    make_encoder,
    make_head,
    note_unnamed,
    unnamed_labels,
)
from src.convert.parameters import POOLER, check_complete
from src.convert.tensors import read_huggingface_weights

FAMILIES = {family.model_type: family for family in (BERT, DISTILBERT, ROBERTA, GPT2)}
OWN_NAMES = NameMap(title="MindSpore", rules=())
TINYBERT = "fit_dense"  # what checkpoints of TinyBERT's authors hold and others do not


# ---------------------------------------------------------------------------------------------------------------
# Reading


def read_directory(directory: Path, options: ReadOptions) -> Converted:
    """Read a Hugging Face model directory.

    Raises:
        UserError: missing, damaged or foreign files; an architecture or a head that is not built here; names or shapes
            that do not fit the config.
    """
    source = directory / "config.json"
    values = read_json(source)
    tensors = read_huggingface_weights(directory)
    family, notes = find_family(values, source)
    _check_settings(values, family, source)
    names = {name_map(family, "none").canonical(name) for name in tensors}
    kind = _kind_of_head(values, family, names, options)
    form = family.forms[kind]
    result = name_map(family, kind).read(tensors, family.heads if kind == "none" and options.head == "drop" else ())
    _check_decoder(values, form, names)
    head, head_notes = _read_head(values, family, kind, result, names, options)
    encoder = _read_encoder(values, family, head, source)
    task_name = options.task_name or str(values.get("finetuning_task") or "")
    notes += head_notes + _notes_on_settings(values, family, head)
    return assemble(result, ModelConfig(encoder, head, task_name), name_map(family, kind), options, notes)


def read_encoder_config(source: Path, model_type: str = "") -> tuple[EncoderConfig, list[str]]:
    """Read the architecture of a language model from a config.json without weights, and notes for the user.

    Args:
        source: the file, such as the Distil* family's training_configs/distilbert-base-uncased.json.
        model_type: its family, which those files leave out.

    Raises:
        UserError: it cannot be read, is of another family or of none, or of an architecture that is not built here.
    """
    values = read_json(source)
    named = values.get("model_type") or model_type
    if not named:
        raise UserError(f"{source} names no model_type; say with --student_type what it is of: {', '.join(FAMILIES)}")
    if model_type and named != model_type:
        raise UserError(f"{source} is of a {named}, and student_type is {model_type}; change one of the two")
    family, _ = find_family({"model_type": named}, source)
    _check_settings(values, family, source)
    head = HeadConfig("masked_lm" if "masked_lm" in family.forms else "causal_lm")
    encoder = replace(_read_encoder(values, family, head, source), pooler="none")
    return encoder, _notes_on_settings(values, family, head)


def find_family(values: Mapping[str, Any], source: Path) -> tuple[Family, list[str]]:
    """Return the family of a config.json, and notes on what was assumed.

    Raises:
        UserError: a family that is not built here.
    """
    model_type = values.get("model_type")
    if model_type is None:
        return BERT, ["config.json names no model_type; it is read as bert"]
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise UserError(f"{source}: model_type is {model_type!r}; only {', '.join(FAMILIES)} checkpoints are converted")
    return FAMILIES[model_type], []


def name_map(family: Family, kind: str) -> NameMap:
    """Return the names of the family's model with a head of `kind`."""
    form = family.forms[kind]
    pooler = () if form.names_pooler else family.pooler
    # A pooler that the head does not use, as older releases saved it.
    dropped = family.dropped + (tuple(rule.foreign for rule in family.pooler) if form.names_pooler else ())
    return NameMap("Hugging Face", family.encoder + pooler + form.rules, dropped, (family.prefix,), family.spellings,
                   form.ties)


def _check_settings(values: Mapping[str, Any], family: Family, source: Path) -> None:
    for name, accepted in family.only.items():
        if name in values and values[name] not in accepted:
            raise UserError(f"{source}: {name} is {values[name]!r}; this model computes {name} {accepted[0]!r} only")


def _kind_of_head(values: Mapping[str, Any], family: Family, names: set[str], options: ReadOptions) -> str:
    """Return which kind of head is taken, one of `family.forms`; a regression is told later."""
    if options.head == "drop":
        return "none"
    kinds: dict[str, str] = {}
    for kind, form in family.forms.items():
        kinds.setdefault(form.architecture, kind)
    kinds |= family.also
    architectures = values.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(name, str) for name in architectures):
        raise UserError(f"config.json: architectures is {architectures!r}; expected a list of names, such as "
                        '["BertForMaskedLM"]')
    if not architectures:
        # The masked-LM head beside TinyBERT's projection is untrained.
        guesses = [kind for kind, form in family.forms.items() if form.sign and form.sign in names
                   and not (kind == "masked_lm" and any(name.startswith(TINYBERT) for name in names))]
        return guesses[0] if guesses else "none"
    if architectures[0] not in kinds:
        raise UserError(f"the checkpoint is a {architectures[0]}, whose head is not built here (those of "
                        f"{family.model_type} are: {', '.join(kinds)}); pass --head drop to convert the encoder alone")
    return kinds[architectures[0]]


def _check_decoder(values: Mapping[str, Any], form: Form, names: set[str]) -> None:
    if values.get("tie_word_embeddings") is False and form.ties and form.ties[0].name not in names:
        raise UserError(f"config.json: tie_word_embeddings is false, and the checkpoint holds no {form.ties[0].name}; "
                        "only heads whose decoder is the word embedding table are built here; pass --head drop to "
                        "convert the encoder alone")


def _read_encoder(values: Mapping[str, Any], family: Family, head: HeadConfig, source: Path) -> EncoderConfig:
    # The pooler that such a model may hold; `assemble` sees whether it does.
    fixed = {"pooler": family.forms["classification"].pooler, **family.fixed}
    if family is ROBERTA:
        padding = values.get("pad_token_id", 1)
        if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
            raise UserError(f"{source}: pad_token_id is {padding!r}; RoBERTa's positions are counted from it, expected "
                            "a token id")
        fixed["position_offset"] = padding + 1
    if head.kind == "masked_lm" and family is ROBERTA and values.get("hidden_act", "gelu") != "gelu":
        raise UserError(f"{source}: hidden_act is {values['hidden_act']!r}, while RoBERTa's masked-LM head always "
                        "computes gelu; one activation for both is built here; pass --head drop")
    return make_encoder(values, source, family.settings, family.activation, ACTIVATIONS, fixed)


def _read_head(values: Mapping[str, Any], family: Family, kind: str, result: ReadResult, names: set[str],
               options: ReadOptions) -> tuple[HeadConfig, list[str]]:
    if kind in ("classification", "regression"):
        return _read_pooled_head(values, family, result, names, options)
    if kind == "tagging":
        stored, notes = _stored_labels(values, result)
        labels = choose_labels(stored, options)
        return HeadConfig(kind, labels), notes + note_unnamed(labels)
    return HeadConfig(kind), []


def _read_pooled_head(values: Mapping[str, Any], family: Family, result: ReadResult, names: set[str],
                      options: ReadOptions) -> tuple[HeadConfig, list[str]]:
    notes = []
    activation = options.pooled_activation
    if activation == "relu" and family is not BERT:
        raise UserError("--pooled_activation relu is for TinyBERT's classifier; that of "
                        f"{family.model_type} models is known: leave the option out")
    if activation == "auto":
        activation = "relu" if any(name.startswith(TINYBERT) for name in names) else "none"
        if activation == "relu":
            notes.append("the checkpoint is of TinyBERT's authors (it holds fit_dense), whose classifier sees "
                         "relu(pooled); --pooled_activation none would leave it out")
    stored, stored_notes = _stored_labels(values, result)
    problem = values.get("problem_type")
    if problem not in (None, "regression", "single_label_classification"):
        raise UserError(f"config.json: problem_type is {problem!r}; expected single_label_classification or regression")
    # transformers takes a head of one output for a regression where problem_type is absent.
    regression = problem == "regression" or (problem is None and len(stored) == 1)
    head, head_notes = make_head(stored, regression, activation, options)
    return head, notes + stored_notes + head_notes


def _stored_labels(values: Mapping[str, Any], result: ReadResult) -> tuple[tuple[str, ...], list[str]]:
    """Return the labels in the order of the logits: id2label decides."""
    stored = values.get("id2label")
    if stored is None:
        return unnamed_labels(result.parameters.get("head.classifier.weight")), []
    try:
        by_index = {int(index): str(label) for index, label in stored.items()}
        labels = tuple(by_index[index] for index in range(len(by_index)))
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise UserError(f"config.json: id2label is {stored!r}; expected a label for each of 0, 1, 2, ...") from error
    inverse = values.get("label2id")
    if inverse and inverse != {label: index for index, label in enumerate(labels)}:
        return labels, [f"label2id contradicts id2label; the order of id2label is kept: {', '.join(labels)}"]
    return labels, []


def _notes_on_settings(values: Mapping[str, Any], family: Family, head: HeadConfig) -> list[str]:
    """Return what config.json says that is not kept, since it does not change what the model computes."""
    notes = []
    dropout_name, default = next((each.foreign, each.default) for each in family.settings
                                 if each.own == "hidden_dropout_prob")
    kept = values.get(dropout_name, default)
    for name, usual in family.dropouts.items():
        dropout = values.get(name, usual)
        of_another_head = name != "embd_pdrop" and not head.num_labels
        if dropout is not None and dropout != kept and not of_another_head:
            notes.append(f"{name} {dropout} is not kept: {dropout_name} {kept} is used in its place in training")
    if values.get("sinusoidal_pos_embds"):
        notes.append("sinusoidal_pos_embds is true: the stored table of positions is taken, and trains as any other")
    return notes


# ---------------------------------------------------------------------------------------------------------------
# Writing


def family_of(encoder: EncoderConfig) -> Family:
    """Return the family that computes what an encoder of these settings does.

    Raises:
        UserError: there is none.
    """
    if encoder.causal or encoder.pre_norm:
        family = GPT2
    elif encoder.position_offset:
        family = ROBERTA
    else:
        family = DISTILBERT if encoder.type_vocab_size == 0 else BERT
    wrong = [f"{name} {getattr(encoder, name)} (it has {value})" for name, value in family.fixed.items()
             if getattr(encoder, name) != value]
    if family is ROBERTA and encoder.type_vocab_size == 0:
        wrong.append("type_vocab_size 0 (it has 1 or more)")
    if wrong:
        raise UserError(f"no model of transformers computes this one: {family.model_type} comes nearest, but not with "
                        f"{', '.join(wrong)}; export ONNX or MINDIR")
    return family


def write_model(config: ModelConfig, parameters: Mapping[str, np.ndarray],
                special_ids: Mapping[str, int | None] | None = None
                ) -> tuple[dict[str, Any], dict[str, np.ndarray], list[str]]:
    """Return config.json's values, the tensors, and notes for the user.

    Args:
        config, parameters: the model.
        special_ids: pad_token_id, bos_token_id, eos_token_id, as far as they are known.

    Raises:
        UserError: a model that transformers cannot express, or parameters that are not those of the config.
    """
    family = family_of(config.encoder)
    form = family.forms[config.head.kind]
    _check_written(config, family, form)
    as_read = ReadResult(dict(parameters), {name: name for name in parameters}, [])
    kept = check_complete(as_read, config, OWN_NAMES)
    notes = []
    if config.encoder.pooler != "none" and form.pooler == "none":
        kept = {name: array for name, array in kept.items() if name not in POOLER}
        notes.append(f"the pooler was left out: a {form.architecture} has none")
    if config.encoder.pooler == "none" and form.pooler != "none":
        notes.append(f"the model has no pooler: load it with {form.architecture}.from_pretrained(..., "
                     "add_pooling_layer=False), or transformers draws a random one")
    tensors = name_map(family, config.head.kind).write(kept)
    if config.head.kind != "none":
        own_heads = {rule.foreign for rule in form.rules}
        tensors = {name if name in own_heads else f"{family.prefix}{name}": array for name, array in tensors.items()}
    return _write_values(config, family, form, special_ids or {}), tensors, notes


def _check_written(config: ModelConfig, family: Family, form: Form) -> None:
    encoder, head = config.encoder, config.head
    if head.is_pooled and head.pooled_activation != "none" and encoder.pooler != "relu":
        raise UserError("this model applies relu between pooler and classifier (pooled_activation: relu, as TinyBERT's "
                        f"code does), which {form.architecture} cannot express: transformers would load "
                        "it and predict something else. Export ONNX or MINDIR, or distil with "
                        "--pooled_activation none")
    if encoder.pooler != "none" and form.pooler not in ("none", encoder.pooler):
        raise UserError(f"this model has a {encoder.pooler} pooler, and a {form.architecture} computes {form.pooler}: "
                        "transformers would load it and compute something else; export ONNX or MINDIR")
    if head.kind == "masked_lm" and family is ROBERTA and encoder.hidden_act != "gelu":
        raise UserError(f"this model's hidden_act is {encoder.hidden_act}, and RobertaForMaskedLM's head always "
                        "computes gelu; export ONNX or MINDIR")


def _write_values(config: ModelConfig, family: Family, form: Form,
                  special_ids: Mapping[str, int | None]) -> dict[str, Any]:
    encoder = config.encoder
    settings = {each.foreign: getattr(encoder, each.own) for each in family.settings}
    if family is GPT2 and encoder.intermediate_size == 4 * encoder.hidden_size:
        settings["n_inner"] = None
    values: dict[str, Any] = {
        "architectures": [form.architecture],
        "model_type": family.model_type,
        **settings,
        family.activation[0]: family.written_activations[encoder.hidden_act],
        **{name: encoder.hidden_dropout_prob for name, usual in family.dropouts.items() if usual is not None},
        **family.constants,
        **{name: special_ids.get(name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")},
        "torch_dtype": "float32",
    }
    if config.task_name:
        values["finetuning_task"] = config.task_name
    if config.head.is_pooled or config.head.kind == "tagging":
        labels = config.head.labels if config.head.kind != "regression" else ("LABEL_0",)
        values["id2label"] = {str(index): label for index, label in enumerate(labels)}
        values["label2id"] = {label: index for index, label in enumerate(labels)}
    if config.head.is_pooled:
        values["problem_type"] = ("regression" if config.head.kind == "regression" else "single_label_classification")
    return values
