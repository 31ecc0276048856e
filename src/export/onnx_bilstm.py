# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A BiLSTM in ONNX: its LSTM operator runs both directions and knows the length of each row."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from src.config import ModelConfig
from src.export.onnx_nodes import Graph
from src.models.bilstm import BELOW_ALL_STATES

WORDS = "encoder.embeddings.word_embeddings.embedding_table"


def add_bilstm(graph: Graph, config: ModelConfig) -> dict[str, tuple[str, tuple[str | int, ...]]]:
    """Add the whole model; returns output name -> (value, shape). Without a head the dense layer's output, one vector a
    token, is `last_hidden_state`."""
    encoder, head = config.encoder, config.head
    lengths = _lengths(graph)
    ids = graph.add("Transpose", "input_ids", perm=[1, 0])
    x = graph.add("Gather", graph.weight(WORDS), ids, axis=0)  # (length, batch, embedding)
    states = last = ""
    for index in range(encoder.num_layers):
        if index:
            x = _joined(graph, states, encoder.hidden_size)
        states, last = _layer(graph, x, lengths, f"encoder.lstm.{index}", encoder.hidden_size)
    if head.is_pooled:
        pooled = _largest(graph, states) if encoder.pooling == "max" else last  # (2, batch, hidden)
        pooled = graph.add("Transpose", pooled, perm=[1, 0, 2])
        x = graph.add("Reshape", pooled, graph.constant([0, 2 * encoder.hidden_size]))
        shape: tuple[str | int, ...] = ("batch",)
    else:
        x = graph.add("Transpose", _joined(graph, states, encoder.hidden_size), perm=[1, 0, 2])
        shape = ("batch", "length")
    x = graph.add("Relu", graph.dense(x, "encoder.dense"))
    if head.kind == "none":
        return {"last_hidden_state": (x, (*shape, encoder.dense_size))}
    return {"logits": (graph.dense(x, "head.classifier"), (*shape, head.num_labels))}


def _lengths(graph: Graph) -> str:
    """Tokens of each row, int32 (batch,); a row without any has one."""
    counts = graph.add("ReduceSum", "input_mask", graph.constant([1]), keepdims=0)
    return graph.add("Cast", graph.add("Max", counts, graph.constant(1)), to=TensorProto.INT32)


def _layer(graph: Graph, x: str, lengths: str, name: str, width: int) -> tuple[str, str]:
    """Both directions of a layer over x (length, batch, inputs); returns the states (length, 2, batch, hidden), zero
    where a row has ended, and each direction's last one (2, batch, hidden)."""
    def both(part: str) -> np.ndarray:
        return np.stack([_reordered(graph.parameters[f"{name}.{direction}.{part}"], width)
                         for direction in ("forward", "backward")])

    bias = both("bias")
    weights = [graph.array(f"{name}.{part}", value) for part, value in (
        ("input_weight", both("input_weight")), ("hidden_weight", both("hidden_weight")),
        ("bias", np.concatenate((bias, np.zeros_like(bias)), axis=1)))]
    states, last = graph.add_several("LSTM", 2, x, *weights, lengths, direction="bidirectional", hidden_size=width)
    return states, last


def _reordered(gates: np.ndarray, width: int) -> np.ndarray:
    """Rows of the gates in ONNX's order: input, output, forget, cell."""
    into, keep, new, out = np.split(np.asarray(gates, np.float32), [width, 2 * width, 3 * width])
    return np.concatenate((into, out, keep, new))


def _joined(graph: Graph, states: str, width: int) -> str:
    """(length, 2, batch, hidden) -> (length, batch, 2 hidden)."""
    return graph.add("Reshape", graph.add("Transpose", states, perm=[0, 2, 1, 3]), graph.constant([0, 0, 2 * width]))


def _largest(graph: Graph, states: str) -> str:
    """The largest value of each unit over the real tokens (2, batch, hidden)."""
    mask = graph.add("Cast", graph.add("Transpose", "input_mask", perm=[1, 0]), to=TensorProto.FLOAT)
    real = graph.add("Unsqueeze", mask, graph.constant([1, 3]))  # (length, 1, batch, 1)
    floor = graph.add("Mul", graph.add("Sub", graph.constant(1.0), real), graph.constant(BELOW_ALL_STATES))
    return graph.add("ReduceMax", graph.add("Add", graph.add("Mul", states, real), floor), axes=[0], keepdims=0)
