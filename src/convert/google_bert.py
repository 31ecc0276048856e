# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow checkpoints of Google's BERT: bert_config.json, bert_model.ckpt.*, vocab.txt. Read only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from src.config import HeadConfig, ModelConfig
from src.convert.name_map import NameMap, Rule
from src.convert.options import Converted, ReadOptions, assemble, make_head, read_encoder, unnamed_labels
from src.errors import UserError, one_line
from src.files import read_json

NAMES = NameMap(
    title="TensorFlow",
    rules=(
        Rule("embeddings/word_embeddings", "encoder.embeddings.word_embeddings.embedding_table"),
        Rule("embeddings/position_embeddings", "encoder.embeddings.position_embeddings.embedding_table"),
        Rule("embeddings/token_type_embeddings", "encoder.embeddings.token_type_embeddings.embedding_table"),
        Rule("embeddings/LayerNorm/gamma", "encoder.embeddings.norm.gamma"),
        Rule("embeddings/LayerNorm/beta", "encoder.embeddings.norm.beta"),
        Rule("encoder/layer_{}/attention/self/query/kernel", "encoder.layers.{}.attention.query.weight", "transpose"),
        Rule("encoder/layer_{}/attention/self/query/bias", "encoder.layers.{}.attention.query.bias"),
        Rule("encoder/layer_{}/attention/self/key/kernel", "encoder.layers.{}.attention.key.weight", "transpose"),
        Rule("encoder/layer_{}/attention/self/key/bias", "encoder.layers.{}.attention.key.bias"),
        Rule("encoder/layer_{}/attention/self/value/kernel", "encoder.layers.{}.attention.value.weight", "transpose"),
        Rule("encoder/layer_{}/attention/self/value/bias", "encoder.layers.{}.attention.value.bias"),
        Rule("encoder/layer_{}/attention/output/dense/kernel", "encoder.layers.{}.attention.output.weight",
             "transpose"),
        Rule("encoder/layer_{}/attention/output/dense/bias", "encoder.layers.{}.attention.output.bias"),
        Rule("encoder/layer_{}/attention/output/LayerNorm/gamma", "encoder.layers.{}.attention_norm.gamma"),
        Rule("encoder/layer_{}/attention/output/LayerNorm/beta", "encoder.layers.{}.attention_norm.beta"),
        Rule("encoder/layer_{}/intermediate/dense/kernel", "encoder.layers.{}.intermediate.weight", "transpose"),
        Rule("encoder/layer_{}/intermediate/dense/bias", "encoder.layers.{}.intermediate.bias"),
        Rule("encoder/layer_{}/output/dense/kernel", "encoder.layers.{}.output.weight", "transpose"),
        Rule("encoder/layer_{}/output/dense/bias", "encoder.layers.{}.output.bias"),
        Rule("encoder/layer_{}/output/LayerNorm/gamma", "encoder.layers.{}.output_norm.gamma"),
        Rule("encoder/layer_{}/output/LayerNorm/beta", "encoder.layers.{}.output_norm.beta"),
        Rule("pooler/dense/kernel", "encoder.pooler.weight", "transpose"),
        Rule("pooler/dense/bias", "encoder.pooler.bias"),
        # run_classifier.py keeps these two outside of the model, the weight as (labels, width).
        Rule("output_weights", "head.classifier.weight"),
        Rule("output_bias", "head.classifier.bias"),
    ),
    dropped=(
        "cls/*",          # heads of pre-training
        "*/adam_m", "*/adam_v",  # state of the optimiser
        "global_step",
    ),
    prefixes=("bert/",),
)

# The released checkpoints are evaluated with exact gelu everywhere, although Google's later code approximates it.
ACTIVATIONS = {"gelu": "gelu", "relu": "relu"}


def read_checkpoint(source: Path, options: ReadOptions) -> Converted:
    """Read the folder of a TensorFlow checkpoint, or a checkpoint by its prefix (`FOLDER/bert_model.ckpt`).

    Raises:
        UserError: no or several checkpoints in the folder, a damaged one, TensorFlow is not installed, or names and
            shapes that do not fit the config.
    """
    folder = source if source.is_dir() else source.parent
    prefix = _prefix(source)
    config_path = options.config_path or folder / "bert_config.json"
    values = read_json(config_path)
    encoder = read_encoder(values, config_path, ACTIVATIONS)
    keep_head = options.head == "keep"
    result = NAMES.read(_read_tensors(prefix), ignore=() if keep_head else ("output_weights", "output_bias"))
    head, notes = HeadConfig(), []
    if "head.classifier.weight" in result.parameters:
        activation = "relu" if options.pooled_activation == "relu" else "none"
        head, notes = make_head(unnamed_labels(result.parameters["head.classifier.weight"]),
                                len(result.parameters["head.classifier.weight"]) == 1, activation, options)
    return assemble(result, ModelConfig(encoder, head, options.task_name), NAMES, options, notes)


def _prefix(source: Path) -> str:
    if not source.is_dir():
        name = str(source).removesuffix(".index")
        if not Path(f"{name}.index").is_file():
            raise UserError(f"{source} is no TensorFlow checkpoint: neither a folder, nor is there {name}.index")
        return name
    found = sorted(path.name.removesuffix(".index") for path in source.glob("*.index"))
    if len(found) != 1:
        raise UserError(f"{source} holds {len(found)} TensorFlow checkpoints ({', '.join(found[:5]) or 'no *.index'}); "
                        "give one by its prefix, such as FOLDER/bert_model.ckpt")
    return str(source / found[0])


def _read_tensors(prefix: str) -> dict[str, np.ndarray]:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise UserError(f"{prefix} is a TensorFlow checkpoint and tensorflow is not installed; "
                        "`pip install tensorflow-cpu`") from error
    try:
        reader = tf.train.load_checkpoint(prefix)
        names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
        return {name: np.asarray(reader.get_tensor(name)) for name in names}
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:  # IndexError: cut off
        raise UserError(f"{prefix} cannot be read as a TensorFlow checkpoint ({one_line(error)[:200]}); its .index and "
                        ".data-* files are truncated, damaged or not of one checkpoint") from error
