# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What parameters a model of a given config has, and the check that a converted checkpoint holds exactly these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from src.config import ModelConfig
from src.convert.name_map import NameMap, ReadResult, listing
from src.errors import UserError

EMBEDDINGS = {
    "encoder.embeddings.word_embeddings.embedding_table": ("vocab_size", "hidden_size"),
    "encoder.embeddings.position_embeddings.embedding_table": ("max_position_embeddings", "hidden_size"),
    "encoder.embeddings.token_type_embeddings.embedding_table": ("type_vocab_size", "hidden_size"),
    "encoder.embeddings.norm.gamma": ("hidden_size",),
    "encoder.embeddings.norm.beta": ("hidden_size",),
}
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
HEAD = {"head.classifier.weight": ("num_labels", "hidden_size"), "head.classifier.bias": ("num_labels",)}


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every parameter of `build_model(config)`; a test holds the two together."""
    templates = dict(EMBEDDINGS)
    for index in range(config.encoder.num_hidden_layers):
        templates |= {name.format(index): sizes for name, sizes in LAYER.items()}
    templates |= POOLER
    if config.head.kind != "none":
        templates |= HEAD
    sizes = {**vars(config.encoder), "num_labels": config.head.num_labels}
    return {name: tuple(sizes[size] for size in shape) for name, shape in templates.items()}


def check_complete(result: ReadResult, config: ModelConfig, name_map: NameMap) -> dict[str, np.ndarray]:
    """Return the parameters as contiguous float32 arrays, in the model's order.

    Raises:
        UserError: a parameter is missing, left over, or of another shape than the config says; foreign names are named.
    """
    expected = parameter_shapes(config)
    missing = [name_map.foreign_name(name) for name in expected if name not in result.parameters]
    left_over = [result.origin[name] for name in result.parameters if name not in expected]
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
