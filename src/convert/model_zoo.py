# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The .ckpt files of MindSpore's model zoo: BERT and TinyBERT, teachers and students. Read only.

They hold parameters alone. The architecture comes from a config file in the form of Google's bert_config.json.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np

from src.common.errors import UserError, one_line
from src.common.files import LFS_POINTER, check_pointer, read_json
from src.config import HeadConfig, ModelConfig
from src.convert.families import bert
from src.convert.name_map import NameMap, Style
from src.convert.options import Converted, ReadOptions, assemble, make_encoder, make_head, unnamed_labels

MODULES = {
    "bert_embedding_lookup": "encoder.embeddings.word_embeddings",
    "bert_embedding_postprocessor.full_position_embedding": "encoder.embeddings.position_embeddings",
    "bert_embedding_postprocessor.token_type_embedding": "encoder.embeddings.token_type_embeddings",
    "bert_embedding_postprocessor.layernorm": "encoder.embeddings.norm",
    "bert_encoder.layers.{}.attention.attention.query_layer": "encoder.layers.{}.attention.query",
    "bert_encoder.layers.{}.attention.attention.key_layer": "encoder.layers.{}.attention.key",
    "bert_encoder.layers.{}.attention.attention.value_layer": "encoder.layers.{}.attention.value",
    "bert_encoder.layers.{}.attention.output.dense": "encoder.layers.{}.attention.output",
    "bert_encoder.layers.{}.attention.output.layernorm": "encoder.layers.{}.attention_norm",
    "bert_encoder.layers.{}.intermediate": "encoder.layers.{}.intermediate",
    "bert_encoder.layers.{}.output.dense": "encoder.layers.{}.output",
    "bert_encoder.layers.{}.output.layernorm": "encoder.layers.{}.output_norm",
    "dense": "encoder.pooler",
    "dense_1": "head.classifier",
}
NAMES = NameMap(
    title="model zoo",
    rules=Style(".embedding_table", (".gamma", ".beta"), (".weight", ".bias")).rules(MODULES),
    dropped=(
        "cls1.*", "cls2.*",         # heads of pre-training
        "fit_dense.*",              # TinyBERT's projection to the teacher's width
        "adam_m.*", "adam_v.*", "moment1.*", "moment2.*", "beta1_power", "beta2_power",  # state of the optimiser
        "moments.*", "accum.*", "accum_grads.*", "accu_grads.*", "grad_sum.*", "vhat.*", "optimizer.*",
        "global_step", "learning_rate", "epoch_num", "step_num", "scale_sense", "scaling_sens", "loss_scale",
        "current_iterator_step", "last_overflow_iterator_step", "accumulation_step", "accu_step", "moment_sum",
        "good_steps", "growth_tracker", "random_seed*", "lr",
    ),
    spellings=(
        # Cells around the model each put their own name in front.
        (r"^((teacher|student|bert|network|net|model|module|backbone|_backbone)\.)+", ""),
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
SETTINGS = tuple(replace(each, default=1e-7) if each.own == "layer_norm_eps" else each for each in bert.SETTINGS)
CONFIG_NAMES = ("bert_config.json", "config.json")


def read_checkpoint(source: Path, options: ReadOptions) -> Converted:
    """Read a .ckpt file.

    Raises:
        UserError: no or a damaged file, no config file, a head without word on its activation, or names and shapes
            that do not fit the config.
    """
    tensors = _read_tensors(source)
    config_path = options.config or next(
        (source.parent / name for name in CONFIG_NAMES if (source.parent / name).is_file()), None)
    if config_path is None:
        raise UserError(f"{source} holds parameters only, and no {' or '.join(CONFIG_NAMES)} is beside it; give the "
                        "architecture with --config FILE, in the form of Google's bert_config.json")
    values = read_json(config_path)
    if values.get("use_relative_positions"):
        raise UserError(f"{config_path}: use_relative_positions is true; this encoder has absolute positions only")
    encoder = make_encoder(values, config_path, SETTINGS, bert.BERT.activation, ACTIVATIONS)
    keep_head = options.head == "keep"
    result = NAMES.read(tensors, ignore=() if keep_head else ("dense_1.*",))
    head, notes = HeadConfig(), []
    classifier = result.parameters.get("head.classifier.weight")
    if classifier is not None:
        if options.pooled_activation == "auto":
            raise UserError("TinyBERT of the model zoo applies relu between pooler and classifier, its BERT does not, "
                            "and the file does not tell which it is; pass --pooled_activation relu or none")
        kind = "regression" if len(classifier) == 1 else "classification"
        head, notes = make_head(kind, unnamed_labels(classifier), options.pooled_activation, options, result)
    return assemble(result, ModelConfig(encoder, head, options.task_name, "bert"), NAMES, options, notes)


def _read_tensors(source: Path) -> dict[str, np.ndarray]:
    if not source.is_file():
        raise UserError(f"{source} is no file; give the .ckpt file of the model zoo")
    with open(source, "rb") as file:
        check_pointer(source, file.read(len(LFS_POINTER)))
    try:
        # MindSpore accepts no other ending.
        parameters = ms.load_checkpoint(str(source))
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        raise UserError(f"{source} cannot be read as a MindSpore checkpoint ({one_line(error)[:200]})") from error
    return {name: parameter.asnumpy() for name, parameter in parameters.items()}
