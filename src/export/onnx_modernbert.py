# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ModernBERT's layers and the head of its classifiers in an ONNX graph: what src/models/modernbert.py computes."""

from __future__ import annotations

from onnx import TensorProto

from src.config import EncoderConfig
from src.config.model import WORD_EMBEDDINGS
from src.export.onnx_nodes import RUNTIME, Graph
from src.models.encoder import PADDING_SCORE

Views = dict[bool, tuple[str, str, str]]
"""Local or not -> cosines and sines (length, 1, head_dim), and the bias of the scores; fused, that of the window alone,
"" for none."""


def add_modern_encoder(graph: Graph, config: EncoderConfig) -> str:
    """Add embeddings, layers and the last norm; returns the sequence output (batch, length, hidden)."""
    epsilon = config.layer_norm_eps
    x = graph.norm(graph.lookup(WORD_EMBEDDINGS, "input_ids"), "encoder.embeddings.norm", epsilon)
    mask, views = _views(graph, config)
    for index in range(config.num_hidden_layers):
        name = f"encoder.layers.{index}"
        normed = graph.norm(x, f"{name}.attention_norm", epsilon) if index else x
        x = graph.add("Add", x, _attention(graph, config, normed, mask, views[config.is_local(index)], index))
        normed = graph.norm(x, f"{name}.output_norm", epsilon)
        inner = graph.activation(graph.dense(normed, f"{name}.intermediate"), config.hidden_act)
        inner = graph.add("Mul", inner, graph.dense(normed, f"{name}.gate"))
        x = graph.add("Add", x, graph.dense(inner, f"{name}.output"))
    return graph.norm(x, "encoder.norm", epsilon)


def add_transform(graph: Graph, config: EncoderConfig, x: str) -> str:
    """Dense layer, gelu and LayerNorm of a classifier, on vectors of any leading shape."""
    return graph.norm(graph.activation(graph.dense(x, "head.transform"), "gelu"), "head.norm", config.layer_norm_eps)


def _views(graph: Graph, config: EncoderConfig) -> tuple[str, Views]:
    """What attention reads of input_mask where the graph is fused, and what layers of each kind see."""
    length = graph.length()
    seen = graph.add("Unsqueeze", graph.add("Cast", "input_mask", to=TensorProto.FLOAT), graph.constant([1, 2]))
    mask = graph.add("Cast", "input_mask", to=TensorProto.INT32) if graph.fused else ""

    views: Views = {}
    for is_local in sorted({config.is_local(index) for index in range(config.num_hidden_layers)}):
        base = config.local_rope_theta if is_local else config.global_rope_theta
        cos, sin = (graph.add("Unsqueeze", each, graph.constant([1]))
                    for each in graph.turns(config.head_dim, base, length))
        near = graph.near(config.local_attention // 2, length) if is_local else ""
        if graph.fused:
            window = graph.add("Unsqueeze", graph.bias(near), graph.constant([0, 1])) if is_local else ""
        else:
            window = graph.bias(graph.add("Mul", seen, near) if is_local else seen)
        views[is_local] = cos, sin, window
    return mask, views


def _attention(graph: Graph, config: EncoderConfig, x: str, mask: str, view: tuple[str, str, str], index: int) -> str:
    heads, head_dim, name = config.heads_of(index), config.head_dim, f"encoder.layers.{index}.attention"
    cos, sin, bias = view

    def split(value: str) -> str:
        return graph.add("Reshape", value, graph.constant([0, 0, heads, head_dim]))  # 0 copies the dimension

    def turned(value: str) -> str:
        first, second = graph.add_several("Split", 2, value, graph.constant([head_dim // 2] * 2), axis=-1)
        quarter = graph.add("Concat", graph.add("Neg", second), first, axis=-1)
        return graph.add("Add", graph.add("Mul", value, cos), graph.add("Mul", quarter, sin))

    query, key = (turned(split(graph.dense(x, f"{name}.{part}"))) for part in ("query", "key"))
    value = graph.dense(x, f"{name}.value")
    if graph.fused:
        join = graph.constant([0, 0, heads * head_dim])
        query, key = (graph.add("Reshape", each, join) for each in (query, key))
        attended = graph.add("MultiHeadAttention", query, key, value, "", mask, *([bias] if bias else []),
                             domain=RUNTIME, num_heads=heads, mask_filter_value=PADDING_SCORE)
        return graph.dense(attended, f"{name}.output")
    query, key, value = (graph.add("Transpose", each, perm=order) for each, order in (
        (query, [0, 2, 1, 3]), (key, [0, 2, 3, 1]), (split(value), [0, 2, 1, 3])))
    return graph.dense(graph.attend(query, key, value, bias, heads, head_dim), f"{name}.output")
