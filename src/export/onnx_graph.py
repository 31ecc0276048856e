# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The ONNX graph of a model, written from its config and weights.

MindSpore's exporter fixes the shapes and has no erf. Here the batch and the length stay free and gelu is exact. Opset
17 is the first with LayerNormalization; every operator used is in it, so that runtimes since early 2022 load the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from src.common.errors import UserError
from src.config import ANY_LENGTH, BiLstmConfig, EncoderConfig, ModelConfig
from src.export.onnx_bilstm import add_bilstm
from src.export.onnx_nodes import Graph
from src.models.encoder import PADDING_SCORE

OPSET = 17
IR_VERSION = 8  # of the ONNX release that brought opset 17
WORDS = "encoder.embeddings.word_embeddings.embedding_table"
INPUTS = ("input_ids", "input_mask", "segment_ids")
LARGEST = 2**31 - 2**20  # protobuf's limit of one message, less room for the nodes


def build_onnx(config: ModelConfig, parameters: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """Build and check the graph.

    Inputs `input_ids`, `input_mask`, `segment_ids`: int64 (batch, length), both free; padding stands at the end of a
    row, and a model without token types ignores the third. Outputs, float32: `logits` (batch, num_labels), for tagging
    and span (batch, length, num_labels), for a language model (batch, length, vocabulary); without a head
    `last_hidden_state` (batch, length, hidden) and, where there is a pooler, `pooler_output` (batch, hidden).
    The metadata hold the labels (JSON list in the order of the logits), the task and the whole config.

    Raises:
        UserError: the weights exceed what one ONNX file can hold.
    """
    size = sum(array.nbytes for array in parameters.values())
    if size > LARGEST:
        raise UserError(f"the weights are {size / 2**30:.1f} GiB; one ONNX file holds at most 2: export MINDIR or HF")
    graph = Graph(parameters)
    add, description = GRAPHS[config.encoder.kind]
    outputs, description = add(graph, config), _describe(config, description)
    for name, (value, _) in outputs.items():
        graph.nodes.append(helper.make_node("Identity", [value], [name], name=f"output_{name}"))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "encoder",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ("batch", "length")) for name in INPUTS],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()],
            graph.initializers, doc_string=description),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="mindspore-distillation",
        doc_string=description)
    helper.set_model_props(model, {
        "labels": json.dumps(list(config.head.labels), ensure_ascii=False),
        "task_name": config.task_name,
        **({"max_length": str(config.encoder.max_length)} if config.encoder.max_length < ANY_LENGTH else {}),
        "config": json.dumps(config.to_dict(), ensure_ascii=False),
    })
    onnx.checker.check_model(model, full_check=True)
    return model


def _describe(config: ModelConfig, description: str) -> str:
    encoder, head = config.encoder, config.head
    kind = f"{head.kind} head" if head.kind != "none" else "no head"
    labels = f": {', '.join(head.labels)}" if head.labels else ""
    longest = f"; at most {encoder.max_length} tokens" if encoder.max_length < ANY_LENGTH else ""
    return (f"{description.format(encoder)}, {kind}{labels}. input_mask is 1 for tokens and 0 for padding{longest}.")


def _encoder(graph: Graph, config: ModelConfig) -> str:
    """Add embeddings and layers; returns the sequence output (batch, length, hidden)."""
    encoder = config.encoder
    length = graph.add("Gather", graph.add("Shape", "input_ids"), graph.constant(1), axis=0)
    x = _embeddings(graph, config, length)
    key_bias = _key_bias(graph, config, length)
    for index in range(encoder.num_hidden_layers):
        x = _layer(graph, config, x, key_bias, f"encoder.layers.{index}")
    return graph.norm(x, "encoder.norm", encoder.layer_norm_eps) if encoder.pre_norm else x


def _embeddings(graph: Graph, config: ModelConfig, length: str) -> str:
    encoder, name = config.encoder, "encoder.embeddings"
    first = graph.constant(encoder.position_offset)
    positions = graph.add("Range", first, graph.add("Add", length, first), graph.constant(1))
    words = graph.add("Gather", graph.weight(WORDS), "input_ids", axis=0)
    places = graph.add("Gather", graph.weight(f"{name}.position_embeddings.embedding_table"), positions, axis=0)
    x = graph.add("Add", words, places)
    if encoder.type_vocab_size:
        types = graph.weight(f"{name}.token_type_embeddings.embedding_table")
        x = graph.add("Add", x, graph.add("Gather", types, "segment_ids", axis=0))
    return x if encoder.pre_norm else graph.norm(x, f"{name}.norm", encoder.layer_norm_eps)


def _key_bias(graph: Graph, config: ModelConfig, length: str) -> str:
    """What is added to the scores: (batch, 1, 1, length), or (batch, 1, length, length) of a causal model."""
    seen = graph.add("Unsqueeze", graph.add("Cast", "input_mask", to=TensorProto.FLOAT), graph.constant([1, 2]))
    if config.encoder.causal:
        places = graph.add("Range", graph.constant(0), length, graph.constant(1))
        keys, queries = (graph.add("Unsqueeze", places, graph.constant([axis])) for axis in (0, 1))
        past = graph.add("Cast", graph.add("LessOrEqual", keys, queries), to=TensorProto.FLOAT)
        seen = graph.add("Mul", seen, past)
    return graph.add("Mul", graph.add("Sub", graph.constant(1.0), seen), graph.constant(PADDING_SCORE))


def _layer(graph: Graph, config: ModelConfig, x: str, key_bias: str, name: str) -> str:
    """One layer, with LayerNorm after each sublayer's sum, or (pre_norm) before each sublayer."""
    encoder = config.encoder

    def norm(value: str, part: str) -> str:
        return graph.norm(value, f"{name}.{part}", encoder.layer_norm_eps)

    def feed_forward(value: str) -> str:
        inner = graph.activation(graph.dense(value, f"{name}.intermediate"), encoder.hidden_act)
        return graph.dense(inner, f"{name}.output")

    if encoder.pre_norm:
        attended = _attention(graph, config, norm(x, "attention_norm"), key_bias, f"{name}.attention")
        x = graph.add("Add", x, attended)
        return graph.add("Add", x, feed_forward(norm(x, "output_norm")))
    attended = _attention(graph, config, x, key_bias, f"{name}.attention")
    x = norm(graph.add("Add", x, attended), "attention_norm")
    return norm(graph.add("Add", x, feed_forward(x)), "output_norm")


def _attention(graph: Graph, config: ModelConfig, x: str, key_bias: str, name: str) -> str:
    heads, head_dim = config.encoder.num_attention_heads, config.encoder.head_dim

    def split(value: str, order: list[int]) -> str:
        # 0 copies the dimension: (batch, length, heads, head_dim), then `order`.
        return graph.add("Transpose", graph.add("Reshape", value, graph.constant([0, 0, heads, head_dim])), perm=order)

    query = split(graph.dense(x, f"{name}.query"), [0, 2, 1, 3])
    key = split(graph.dense(x, f"{name}.key"), [0, 2, 3, 1])
    value = split(graph.dense(x, f"{name}.value"), [0, 2, 1, 3])
    scores = graph.add("Mul", graph.add("MatMul", query, key), graph.constant(1.0 / math.sqrt(head_dim)))
    probabilities = graph.add("Softmax", graph.add("Add", scores, key_bias), axis=-1)  # (batch, heads, length, length)
    attended = graph.add("Transpose", graph.add("MatMul", probabilities, value), perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", attended, graph.constant([0, 0, config.encoder.hidden_size]))
    return graph.dense(joined, f"{name}.output")


def add_transformer(graph: Graph, config: ModelConfig) -> dict[str, tuple[str, tuple[str | int, ...]]]:
    """Add the whole model; returns output name -> (value, shape)."""
    sequence = _encoder(graph, config)
    encoder, head = config.encoder, config.head
    if head.is_pooled:
        logits = graph.dense(_pooled(graph, config, sequence), "head.classifier")
        return {"logits": (logits, ("batch", head.num_labels))}
    if head.is_language_model:
        return {"logits": (_predict_tokens(graph, config, sequence), ("batch", "length", encoder.vocab_size))}
    if head.kind != "none":
        return {"logits": (graph.dense(sequence, "head.classifier"), ("batch", "length", head.num_labels))}
    outputs = {"last_hidden_state": (sequence, ("batch", "length", encoder.hidden_size))}
    if encoder.pooler != "none":
        outputs["pooler_output"] = (_pooled(graph, config, sequence), ("batch", encoder.hidden_size))
    return outputs


def _pooled(graph: Graph, config: ModelConfig, sequence: str) -> str:
    """One vector a row (batch, hidden): the pooler's, or the last token of a causal model."""
    if config.encoder.causal:
        count = graph.add("ReduceSum", "input_mask", graph.constant([1]), keepdims=1)  # (batch, 1)
        pooled = graph.add("GatherND", sequence, graph.add("Sub", count, graph.constant(1)), batch_dims=1)
    else:
        first = graph.dense(graph.add("Gather", sequence, graph.constant(0), axis=1), "encoder.pooler")
        pooled = graph.add("Relu" if config.encoder.pooler == "relu" else "Tanh", first)
    return graph.add("Relu", pooled) if config.head.pooled_activation == "relu" else pooled


def _predict_tokens(graph: Graph, config: ModelConfig, sequence: str) -> str:
    """Logits (batch, length, vocabulary); the decoder is the word embedding table, which is stored once."""
    is_masked = config.head.kind == "masked_lm"
    if is_masked:
        inner = graph.activation(graph.dense(sequence, "head.transform"), config.encoder.hidden_act)
        sequence = graph.norm(inner, "head.norm", config.encoder.layer_norm_eps)
    logits = graph.add("MatMul", sequence, graph.add("Transpose", graph.weight(WORDS), perm=[1, 0]))
    return graph.add("Add", logits, graph.weight("head.bias")) if is_masked else logits


GRAPHS = {
    EncoderConfig.kind: (add_transformer,
                         "Transformer encoder, {0.num_hidden_layers} layers x {0.hidden_size}"),
    BiLstmConfig.kind: (add_bilstm, "Bidirectional LSTM, {0.num_layers} layers x {0.hidden_size} a direction"),
}
"""By the name of the architecture: what adds its nodes, and its description."""
