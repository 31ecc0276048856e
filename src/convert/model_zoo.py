# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The .ckpt files of MindSpore's model zoo: BERT and TinyBERT, teachers and students. Read only.

They hold parameters alone. The architecture comes from a config file in the form of Google's bert_config.json.
"""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np

from src.common.errors import UserError, one_line
from src.common.files import read_json
from src.config import HeadConfig, ModelConfig
from src.convert.name_map import NameMap, Rule
from src.convert.options import OPTIONAL, Converted, ReadOptions, assemble, make_head, read_encoder, unnamed_labels

LAYER = "bert_encoder.layers.{}."
NAMES = NameMap(
    title="model zoo",
    rules=(
        Rule("bert_embedding_lookup.embedding_table", "encoder.embeddings.word_embeddings.embedding_table"),
        Rule("bert_embedding_postprocessor.full_position_embedding.embedding_table",
             "encoder.embeddings.position_embeddings.embedding_table"),
        Rule("bert_embedding_postprocessor.token_type_embedding.embedding_table",
             "encoder.embeddings.token_type_embeddings.embedding_table"),
        Rule("bert_embedding_postprocessor.layernorm.gamma", "encoder.embeddings.norm.gamma"),
        Rule("bert_embedding_postprocessor.layernorm.beta", "encoder.embeddings.norm.beta"),
        Rule(LAYER + "attention.attention.query_layer.weight", "encoder.layers.{}.attention.query.weight"),
        Rule(LAYER + "attention.attention.query_layer.bias", "encoder.layers.{}.attention.query.bias"),
        Rule(LAYER + "attention.attention.key_layer.weight", "encoder.layers.{}.attention.key.weight"),
        Rule(LAYER + "attention.attention.key_layer.bias", "encoder.layers.{}.attention.key.bias"),
        Rule(LAYER + "attention.attention.value_layer.weight", "encoder.layers.{}.attention.value.weight"),
        Rule(LAYER + "attention.attention.value_layer.bias", "encoder.layers.{}.attention.value.bias"),
        Rule(LAYER + "attention.output.dense.weight", "encoder.layers.{}.attention.output.weight"),
        Rule(LAYER + "attention.output.dense.bias", "encoder.layers.{}.attention.output.bias"),
        Rule(LAYER + "attention.output.layernorm.gamma", "encoder.layers.{}.attention_norm.gamma"),
        Rule(LAYER + "attention.output.layernorm.beta", "encoder.layers.{}.attention_norm.beta"),
        Rule(LAYER + "intermediate.weight", "encoder.layers.{}.intermediate.weight"),
        Rule(LAYER + "intermediate.bias", "encoder.layers.{}.intermediate.bias"),
        Rule(LAYER + "output.dense.weight", "encoder.layers.{}.output.weight"),
        Rule(LAYER + "output.dense.bias", "encoder.layers.{}.output.bias"),
        Rule(LAYER + "output.layernorm.gamma", "encoder.layers.{}.output_norm.gamma"),
        Rule(LAYER + "output.layernorm.beta", "encoder.layers.{}.output_norm.beta"),
        Rule("dense.weight", "encoder.pooler.weight"),
        Rule("dense.bias", "encoder.pooler.bias"),
        Rule("dense_1.weight", "head.classifier.weight"),
        Rule("dense_1.bias", "head.classifier.bias"),
    ),
    dropped=(
        "cls1.*", "cls2.*",         # heads of pre-training
        "fit_dense.*",              # TinyBERT's projection to the teacher's width
        "adam_m.*", "adam_v.*", "moment1.*", "moment2.*", "beta1_power", "beta2_power",  # state of the optimiser
        "global_step", "learning_rate", "epoch_num", "step_num", "scale_sense", "loss_scale",
        "current_iterator_step", "last_overflow_iterator_step",
    ),
    spellings=(
        # Cells around the model each put their own name in front.
        (r"^((teacher|student|bert)\.)+", ""),
        (r"^tinybert_", "bert_"),
        # Releases of 2020.
        (r"^bert_embedding_postprocessor\.embedding_table$",
         "bert_embedding_postprocessor.token_type_embedding.embedding_table"),
        (r"^bert_embedding_postprocessor\.full_position_embeddings$",
         "bert_embedding_postprocessor.full_position_embedding.embedding_table"),
    ),
)

# nn.Dense(activation="gelu") is the tanh approximation, nn.LayerNorm's epsilon 1e-7.
ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu"}
DEFAULTS = {**OPTIONAL, "layer_norm_eps": 1e-7}
CONFIG_NAMES = ("bert_config.json", "config.json")


def read_checkpoint(source: Path, options: ReadOptions) -> Converted:
    """Read a .ckpt file.

    Raises:
        UserError: no or a damaged file, no config file, a head without word on its activation, or names and shapes
            that do not fit the config.
    """
    tensors = _read_tensors(source)
    config_path = options.config_path or next(
        (source.parent / name for name in CONFIG_NAMES if (source.parent / name).is_file()), None)
    if config_path is None:
        raise UserError(f"{source} holds parameters only, and no {' or '.join(CONFIG_NAMES)} is beside it; give the "
                        "architecture with --config FILE, in the form of Google's bert_config.json")
    values = read_json(config_path)
    if values.get("use_relative_positions"):
        raise UserError(f"{config_path}: use_relative_positions is true; this encoder has absolute positions only")
    encoder = read_encoder(values, config_path, ACTIVATIONS, DEFAULTS)
    keep_head = options.head == "keep"
    result = NAMES.read(tensors, ignore=() if keep_head else ("dense_1.*",))
    head, notes = HeadConfig(), []
    classifier = result.parameters.get("head.classifier.weight")
    if classifier is not None:
        if options.pooled_activation == "auto":
            raise UserError("TinyBERT of the model zoo applies relu between pooler and classifier, its BERT does not, "
                            "and the file does not tell which it is; pass --pooled_activation relu or none")
        head, notes = make_head(unnamed_labels(classifier), len(classifier) == 1, options.pooled_activation, options)
    return assemble(result, ModelConfig(encoder, head, options.task_name), NAMES, options, notes)


def _read_tensors(source: Path) -> dict[str, np.ndarray]:
    if not source.is_file():
        raise UserError(f"{source} is no file; give the .ckpt file of the model zoo")
    try:
        # MindSpore accepts no other ending.
        parameters = ms.load_checkpoint(str(source))
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        raise UserError(f"{source} cannot be read as a MindSpore checkpoint ({one_line(error)[:200]})") from error
    return {name: parameter.asnumpy() for name, parameter in parameters.items()}
