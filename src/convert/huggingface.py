# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hugging Face BERT checkpoints: names, config.json, head and labels, in both directions.

Reading accepts `BertModel` and `BertForSequenceClassification` directories, the encoder of pre-training checkpoints
(`BertForMaskedLM`, `BertForPreTraining`: their `cls.*` head is dropped and the caller is told), and the PyTorch
checkpoints of TinyBERT's authors. Whatever would compute something else than this repository's encoder is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from src.config import HeadConfig, ModelConfig
from src.convert.name_map import NameMap, ReadResult, Rule
from src.convert.options import (
    OPTIONAL,
    Converted,
    ReadOptions,
    assemble,
    make_head,
    read_encoder,
    unnamed_labels,
)
from src.convert.parameters import check_complete
from src.convert.tensors import read_huggingface_weights
from src.errors import UserError
from src.files import read_json

CLASSIFIER = "classifier.weight"

NAMES = NameMap(
    title="Hugging Face",
    rules=(
        Rule("embeddings.word_embeddings.weight", "encoder.embeddings.word_embeddings.embedding_table"),
        Rule("embeddings.position_embeddings.weight", "encoder.embeddings.position_embeddings.embedding_table"),
        Rule("embeddings.token_type_embeddings.weight", "encoder.embeddings.token_type_embeddings.embedding_table"),
        Rule("embeddings.LayerNorm.weight", "encoder.embeddings.norm.gamma"),
        Rule("embeddings.LayerNorm.bias", "encoder.embeddings.norm.beta"),
        Rule("encoder.layer.{}.attention.self.query.weight", "encoder.layers.{}.attention.query.weight"),
        Rule("encoder.layer.{}.attention.self.query.bias", "encoder.layers.{}.attention.query.bias"),
        Rule("encoder.layer.{}.attention.self.key.weight", "encoder.layers.{}.attention.key.weight"),
        Rule("encoder.layer.{}.attention.self.key.bias", "encoder.layers.{}.attention.key.bias"),
        Rule("encoder.layer.{}.attention.self.value.weight", "encoder.layers.{}.attention.value.weight"),
        Rule("encoder.layer.{}.attention.self.value.bias", "encoder.layers.{}.attention.value.bias"),
        Rule("encoder.layer.{}.attention.output.dense.weight", "encoder.layers.{}.attention.output.weight"),
        Rule("encoder.layer.{}.attention.output.dense.bias", "encoder.layers.{}.attention.output.bias"),
        Rule("encoder.layer.{}.attention.output.LayerNorm.weight", "encoder.layers.{}.attention_norm.gamma"),
        Rule("encoder.layer.{}.attention.output.LayerNorm.bias", "encoder.layers.{}.attention_norm.beta"),
        Rule("encoder.layer.{}.intermediate.dense.weight", "encoder.layers.{}.intermediate.weight"),
        Rule("encoder.layer.{}.intermediate.dense.bias", "encoder.layers.{}.intermediate.bias"),
        Rule("encoder.layer.{}.output.dense.weight", "encoder.layers.{}.output.weight"),
        Rule("encoder.layer.{}.output.dense.bias", "encoder.layers.{}.output.bias"),
        Rule("encoder.layer.{}.output.LayerNorm.weight", "encoder.layers.{}.output_norm.gamma"),
        Rule("encoder.layer.{}.output.LayerNorm.bias", "encoder.layers.{}.output_norm.beta"),
        Rule("pooler.dense.weight", "encoder.pooler.weight"),
        Rule("pooler.dense.bias", "encoder.pooler.bias"),
        Rule(CLASSIFIER, "head.classifier.weight"),
        Rule("classifier.bias", "head.classifier.bias"),
    ),
    dropped=(
        "embeddings.position_ids",  # 0, 1, 2, ...: a constant that older releases stored
        "cls.*",                    # heads of pre-training: masked tokens, next sentence
        "fit_dense.*",              # TinyBERT's projection to the teacher's width, used in distillation only
        "fit_denses.*",
    ),
    prefixes=("bert.",),
    # Checkpoints that were converted from TensorFlow.
    spellings=((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias")),
)

OWN_NAMES = NameMap(title="MindSpore", rules=())

ENCODER_ONLY = ("BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForNextSentencePrediction",
                "TinyBertForPreTraining")
WITH_HEAD = ("BertForSequenceClassification", "TinyBertForSequenceClassification")
OTHER_HEADS = ("classifier.*", "qa_outputs.*")

ACTIVATIONS = {"gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
               "gelu_fast": "gelu_tanh", "relu": "relu"}
"""hidden_act of Hugging Face -> ours."""
ACTIVATIONS_WRITTEN = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu"}

MUST_BE: dict[str, tuple[Any, ...]] = {
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "is_encoder_decoder": (False, None),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
}
"""Settings that change what the model computes, with the values under which it is the model built here."""


def read_directory(directory: Path, options: ReadOptions) -> Converted:
    """Read a Hugging Face model directory.

    Raises:
        UserError: missing, damaged or foreign files; an architecture or a head that is not built here; names or shapes
            that do not fit the config.
    """
    values = read_json(directory / "config.json")
    tensors = read_huggingface_weights(directory)
    names = {NAMES.canonical(name) for name in tensors}
    notes = _check_supported(values, directory / "config.json")
    keep_head = _keeps_head(values, names, options)
    result = NAMES.read(tensors, ignore=() if keep_head else OTHER_HEADS)
    head = HeadConfig()
    if keep_head:
        head, head_notes = _read_head(values, result, names, options)
        notes += head_notes
    encoder = read_encoder(values, directory / "config.json", ACTIVATIONS)
    task_name = options.task_name or str(values.get("finetuning_task") or "")
    return assemble(result, ModelConfig(encoder, head, task_name), NAMES, options, notes)


def write_model(config: ModelConfig, parameters: Mapping[str, np.ndarray],
                pad_token_id: int = 0) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return config.json's values and the tensors of a `BertModel` or `BertForSequenceClassification`.

    Raises:
        UserError: a head that transformers' BERT cannot express (relu between pooler and classifier), or parameters
            that are not those of the config.
    """
    if config.head.kind != "none" and config.head.pooled_activation != "none":
        raise UserError("this model applies relu between pooler and classifier (pooled_activation: relu, as TinyBERT's "
                        "code does), which BertForSequenceClassification cannot express: transformers would load "
                        "it and predict something else. Export ONNX or MINDIR, or distil with "
                        "--pooled_activation none")
    as_read = ReadResult(dict(parameters), {name: name for name in parameters}, [])
    tensors = NAMES.write(check_complete(as_read, config, OWN_NAMES))
    if config.head.kind != "none":
        tensors = {name if name.startswith("classifier.") else f"bert.{name}": array for name, array in tensors.items()}
    encoder = {name: value for name, value in vars(config.encoder).items() if name != "hidden_act"}
    values: dict[str, Any] = {
        "architectures": ["BertModel" if config.head.kind == "none" else "BertForSequenceClassification"],
        "model_type": "bert",
        **encoder,
        "hidden_act": ACTIVATIONS_WRITTEN[config.encoder.hidden_act],
        "position_embedding_type": "absolute",
        "classifier_dropout": None,
        "pad_token_id": pad_token_id,
        "torch_dtype": "float32",
    }
    if config.task_name:
        values["finetuning_task"] = config.task_name
    if config.head.kind != "none":
        labels = config.head.labels if config.head.kind == "classification" else ("LABEL_0",)
        values["id2label"] = {str(index): label for index, label in enumerate(labels)}
        values["label2id"] = {label: index for index, label in enumerate(labels)}
        values["problem_type"] = ("regression" if config.head.kind == "regression" else "single_label_classification")
    return values, tensors


def _check_supported(values: dict[str, Any], source: Path) -> list[str]:
    """Refuse what this encoder does not compute; return notes on what was assumed."""
    notes = []
    model_type = values.get("model_type")
    if model_type is None:
        notes.append("config.json names no model_type; it is read as bert")
    elif model_type != "bert":
        raise UserError(f"{source}: model_type is {model_type!r}; only bert checkpoints are converted")
    for name, accepted in MUST_BE.items():
        if name in values and values[name] not in accepted:
            raise UserError(f"{source}: {name} is {values[name]!r}; this encoder computes {name} {accepted[0]!r} only")
    dropout = values.get("classifier_dropout")
    if dropout is not None and dropout != values.get("hidden_dropout_prob", OPTIONAL["hidden_dropout_prob"]):
        notes.append(f"classifier_dropout {dropout} is not kept: the head trains with hidden_dropout_prob")
    return notes


def _keeps_head(values: dict[str, Any], names: set[str], options: ReadOptions) -> bool:
    """Decide whether the checkpoint's classifier is a sequence classification head that is to be kept."""
    if options.head == "drop":
        return False
    architectures = values.get("architectures") or []
    if not architectures:
        return CLASSIFIER in names
    architecture = architectures[0]
    if architecture in WITH_HEAD:
        return True
    if architecture in ENCODER_ONLY:
        return False
    raise UserError(f"the checkpoint is a {architecture}, whose head is not built here (only "
                    f"BertForSequenceClassification's is); pass --head drop to convert the encoder alone")


def _read_head(values: dict[str, Any], result: ReadResult, names: set[str],
               options: ReadOptions) -> tuple[HeadConfig, list[str]]:
    notes = []
    activation = options.pooled_activation
    if activation == "auto":
        activation = "relu" if any(name.startswith("fit_dense") for name in names) else "none"
        if activation == "relu":
            notes.append("the checkpoint is of TinyBERT's authors (it holds fit_dense), whose classifier sees "
                         "relu(pooled); --pooled_activation none would leave it out")
    stored, stored_notes = _stored_labels(values, result)
    notes += stored_notes
    problem = values.get("problem_type")
    if problem not in (None, "regression", "single_label_classification"):
        raise UserError(f"config.json: problem_type is {problem!r}; expected single_label_classification or regression")
    # transformers takes a head of one output for a regression where problem_type is absent.
    regression = problem == "regression" or (problem is None and len(stored) == 1)
    head, head_notes = make_head(stored, regression, activation, options)
    return head, notes + head_notes


def _stored_labels(values: dict[str, Any], result: ReadResult) -> tuple[tuple[str, ...], list[str]]:
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
