# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What parameters a model of a given config has, and the check that a converted checkpoint holds exactly these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from src.common.errors import UserError
from src.config import EncoderConfig, ModelConfig
from src.config.model import WORD_EMBEDDINGS
from src.convert.name_map import NameMap, ReadResult, listing

POOLER = ("encoder.pooler.weight", "encoder.pooler.bias")


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of every parameter of `build_model(config)`; a test holds the two together."""
    encoder, head, width = config.encoder, config.head, config.encoder.hidden_size
    if encoder.is_modern:
        return _modern_shapes(config)
    rows = {"word": encoder.vocab_size, "position": encoder.max_position_embeddings,
            "token_type": encoder.type_vocab_size}
    narrow = encoder.table_width
    shapes = {f"encoder.embeddings.{name}_embeddings.embedding_table": (count, narrow)
              for name, count in rows.items() if count}
    shapes |= _norm("encoder.norm" if encoder.pre_norm else "encoder.embeddings.norm", narrow)
    if encoder.embedding_size:
        shapes |= _dense("encoder.embeddings.projection", width, narrow)
    for index in range(encoder.stored_layers):
        layer = f"encoder.layers.{index}"
        inner, units = encoder.heads_of(index) * encoder.head_dim, encoder.units_of(index)
        for part in ("query", "key", "value"):
            shapes |= _dense(f"{layer}.attention.{part}", inner, width)
        shapes |= _dense(f"{layer}.attention.output", width, inner)
        shapes |= _norm(f"{layer}.attention_norm", width)
        shapes |= _dense(f"{layer}.intermediate", units, width)
        shapes |= _dense(f"{layer}.output", width, units)
        shapes |= _norm(f"{layer}.output_norm", width)
    if encoder.pooler != "none":
        shapes |= _dense("encoder.pooler", width, width)
    if head.kind == "masked_lm":
        shapes |= _dense("head.transform", narrow, width) | _norm("head.norm", narrow)
        shapes["head.bias"] = (encoder.vocab_size,)
    elif head.dense_size:
        shapes |= _dense("head.dense", head.dense_size, width)
    elif head.num_labels:
        shapes |= _dense("head.classifier", head.num_labels, width)
        if head.is_pooled and encoder.causal:  # GPT-2's classifier of a whole row has no bias
            del shapes["head.classifier.bias"]
    return shapes


def _modern_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    encoder, head = config.encoder, config.head
    assert isinstance(encoder, EncoderConfig)
    width, weights, norms = encoder.hidden_size, {}, ["encoder.embeddings.norm", "encoder.norm"]
    for index in range(encoder.num_hidden_layers):
        layer = f"encoder.layers.{index}"
        inner, units = encoder.heads_of(index) * encoder.head_dim, encoder.units_of(index)
        weights |= {f"{layer}.attention.{part}": (inner, width) for part in ("query", "key", "value")}
        weights |= {f"{layer}.attention.output": (width, inner), f"{layer}.intermediate": (units, width),
                    f"{layer}.gate": (units, width), f"{layer}.output": (width, units)}
        norms += [f"{layer}.attention_norm"] * (index > 0) + [f"{layer}.output_norm"]
    if head.kind == "masked_lm" or head.num_labels:
        weights["head.transform"] = (width, width)
        norms.append("head.norm")
    shapes = {WORD_EMBEDDINGS: (encoder.vocab_size, width)}
    shapes |= {f"{name}.weight": shape for name, shape in weights.items()}
    shapes |= {f"{name}.gamma": (width,) for name in norms}
    if head.kind == "masked_lm":
        shapes["head.bias"] = (encoder.vocab_size,)
    elif head.dense_size:
        shapes |= _dense("head.dense", head.dense_size, width)
    elif head.num_labels:
        shapes |= _dense("head.classifier", head.num_labels, width)
    return shapes


def _dense(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.gamma": (width,), f"{name}.beta": (width,)}


def check_own(parameters: Mapping[str, np.ndarray], config: ModelConfig) -> dict[str, np.ndarray]:
    """Return the parameters of one of our models as `check_complete` does."""
    as_read = ReadResult(dict(parameters), {name: name for name in parameters}, [])
    return check_complete(as_read, config, NameMap(title="MindSpore", rules=()))


def check_complete(result: ReadResult, config: ModelConfig, name_map: NameMap) -> dict[str, np.ndarray]:
    """Return the parameters as contiguous float32 arrays, in the model's order; float16 widens without loss.

    Raises:
        UserError: a parameter is missing, left over, or of another shape than the config says (foreign names are
            named); it is not floating point (a quantised model), or holds NaN or infinities.
    """
    layers = config.encoder.stored_layers
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
    whole = [name for name in expected if result.parameters[name].dtype.kind != "f"]
    if whole:
        raise UserError(f"{len(whole)} tensor(s) are not floating point: {listing(whole)}; quantised checkpoints are "
                        "not converted, use the float one they were made from")
    arrays = {name: np.ascontiguousarray(result.parameters[name], dtype=np.float32) for name in expected}
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise UserError(f"{len(broken)} tensor(s) hold NaN or infinite values: {listing(broken)}")
    return arrays
