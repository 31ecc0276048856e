# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What parameters a model of a given config has, and the check that a converted checkpoint holds exactly these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from src.common.errors import UserError
from src.config import ModelConfig
from src.convert.name_map import NameMap, ReadResult, listing

WORDS = "encoder.embeddings.word_embeddings.embedding_table"
POSITIONS = "encoder.embeddings.position_embeddings.embedding_table"
TYPES = "encoder.embeddings.token_type_embeddings.embedding_table"
EMBEDDINGS = {WORDS: ("vocab_size", "hidden_size"), POSITIONS: ("max_position_embeddings", "hidden_size")}
TOKEN_TYPES = {TYPES: ("type_vocab_size", "hidden_size")}
EMBEDDING_NORM = {"encoder.embeddings.norm.gamma": ("hidden_size",), "encoder.embeddings.norm.beta": ("hidden_size",)}
LAYER = {
    **{f"encoder.layers.{{}}.attention.{part}.weight": ("hidden_size", "hidden_size")
       for part in ("query", "key", "value", "output")},
    **{f"encoder.layers.{{}}.attention.{part}.bias": ("hidden_size",) for part in ("query", "key", "value", "output")},
    "encoder.layers.{}.attention_norm.gamma": ("hidden_size",),
    "encoder.layers.{}.attention_norm.beta": ("hidden_size",),
    "encoder.layers.{}.intermediate.weight": ("intermediate_size", "hidden_size"),
    "encoder.layers.{}.intermediate.bias": ("intermediate_size",),
    "encoder.layers.{}.output.weight": ("hidden_size", "intermediate_size"),
    "encoder.layers.{}.output.bias": ("hidden_size",),
    "encoder.layers.{}.output_norm.gamma": ("hidden_size",),
    "encoder.layers.{}.output_norm.beta": ("hidden_size",),
}
POOLER = {"encoder.pooler.weight": ("hidden_size", "hidden_size"), "encoder.pooler.bias": ("hidden_size",)}
FINAL_NORM = {"encoder.norm.gamma": ("hidden_size",), "encoder.norm.beta": ("hidden_size",)}
CLASSIFIER = {"head.classifier.weight": ("num_labels", "hidden_size")}
CLASSIFIER_BIAS = {"head.classifier.bias": ("num_labels",)}
MASKED_LM = {"head.transform.weight": ("hidden_size", "hidden_size"), "head.transform.bias": ("hidden_size",),
             "head.norm.gamma": ("hidden_size",), "head.norm.beta": ("hidden_size",), "head.bias": ("vocab_size",)}


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every parameter of `build_model(config)`; a test holds the two together."""
    encoder, head = config.encoder, config.head
    templates = dict(EMBEDDINGS)
    templates |= TOKEN_TYPES if encoder.type_vocab_size else {}
    templates |= EMBEDDING_NORM if not encoder.pre_norm else {}
    for index in range(encoder.num_hidden_layers):
        templates |= {name.format(index): sizes for name, sizes in LAYER.items()}
    templates |= FINAL_NORM if encoder.pre_norm else {}
    templates |= POOLER if encoder.pooler != "none" else {}
    templates |= _head_templates(config)
    sizes = {**vars(encoder), "num_labels": head.num_labels}
    return {name: tuple(sizes[size] for size in shape) for name, shape in templates.items()}


def _head_templates(config: ModelConfig) -> dict[str, tuple[str, ...]]:
    if config.head.kind in ("none", "causal_lm"):
        return {}
    if config.head.kind == "masked_lm":
        return MASKED_LM
    # GPT-2's classifier of a whole row has no bias.
    return CLASSIFIER if config.head.is_pooled and config.encoder.causal else CLASSIFIER | CLASSIFIER_BIAS


def check_complete(result: ReadResult, config: ModelConfig, name_map: NameMap) -> dict[str, np.ndarray]:
    """Return the parameters as contiguous float32 arrays, in the model's order.

    Raises:
        UserError: a parameter is missing, left over, or of another shape than the config says; foreign names are named.
    """
    layers = config.encoder.num_hidden_layers
    if layers > len(result.parameters):  # before names are made for all of them
        raise UserError(f"the {name_map.title} checkpoint holds {len(result.parameters)} tensor(s), but its config has "
                        f"{layers} layers (num_hidden_layers); the weights and the config must be of the same model")
    expected = parameter_shapes(config)
    missing = {name_map.foreign_name(name) for name in expected if name not in result.parameters}
    left_over = {result.origin[name] for name in result.parameters if name not in expected}
    if missing or left_over:
        parts = [f"misses {len(missing)} tensor(s): {listing(missing)}"] if missing else []
        parts += [f"holds {len(left_over)} tensor(s) that its config has no place for: {listing(left_over)}"] \
            if left_over else []
        raise UserError(f"the {name_map.title} checkpoint {' and '.join(parts)}; "
                        "the weights and the config must be of the same model")
    wrong = [f"{result.origin[name]} {result.parameters[name].shape}, expected {shape}"
             for name, shape in expected.items() if result.parameters[name].shape != shape]
    if wrong:
        raise UserError(f"{len(wrong)} tensor(s) of the {name_map.title} checkpoint have another shape than its config "
                        f"says: {listing(wrong)}")
    return as_float32({name: result.parameters[name] for name in expected})


def as_float32(parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return contiguous float32 arrays; float16 and bfloat16 widen without loss.

    Raises:
        UserError: a tensor that is not floating point (a quantised model), or holds NaN or infinities.
    """
    whole = [name for name, array in parameters.items() if array.dtype.kind != "f"]
    if whole:
        raise UserError(f"{len(whole)} tensor(s) are not floating point: {listing(whole)}; quantised checkpoints are "
                        "not converted, use the float one they were made from")
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in parameters.items()}
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise UserError(f"{len(broken)} tensor(s) hold NaN or infinite values: {listing(broken)}")
    return arrays
