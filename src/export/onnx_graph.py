# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The ONNX graph of a model, written from its config and weights.

MindSpore's exporter fixes the shapes and has no erf. Here the batch and the length stay free and gelu is exact. Opset
17 is the first with LayerNormalization; every operator used is in it, so that runtimes since early 2022 load the file.
Fused, the graph uses ONNX Runtime's own operators for what several nodes compute otherwise: attention, gelu
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from src.common.errors import UserError
from src.config import ANY_LENGTH, BiLstmConfig, EncoderConfig, ModelConfig, StaticConfig
from src.config.model import INPUTS, WORD_EMBEDDINGS
from src.export.onnx_modernbert import add_modern_encoder, add_transform
from src.export.onnx_nodes import RUNTIME, Graph
from src.models.bilstm import BELOW_ALL_STATES
from src.models.embedding_head import BELOW_ALL_VALUES, SMALLEST_NORM
from src.models.encoder import PADDING_SCORE

IR_VERSION = 8  # of the ONNX release that brought opset 17
LARGEST = 2**31 - 2**20  # protobuf's limit of one message, less room for the nodes


def build_onnx(config: ModelConfig, parameters: Mapping[str, np.ndarray], fused: bool = False) -> onnx.ModelProto:
    """Build and check the graph; `fused` uses operators that ONNX Runtime alone has.

    Inputs `input_ids`, `input_mask`, `segment_ids`: int64 (batch, length), both free; padding stands at the end of a
    row, and a model without token types ignores the third. Outputs, float32: `logits` (batch, num_labels), of an
    embedding (batch, its width), for tagging
    and span (batch, length, num_labels), for a language model (batch, length, vocabulary); without a head
    `last_hidden_state` (batch, length, hidden) and, where there is a pooler, `pooler_output` (batch, hidden).
    The metadata hold the labels (JSON list in the order of the logits), the task and the whole config.

    Raises:
        UserError: the weights exceed what one ONNX file can hold.
    """
    return finish(Graph(parameters, fused), config)


def finish(graph: Graph, config: ModelConfig) -> onnx.ModelProto:
    """Add the nodes of a model to an empty graph, and check the whole, as build_onnx says."""
    size = sum(array.nbytes for array in graph.parameters.values())
    if size > LARGEST:
        raise UserError(f"the weights are {size / 2**30:.1f} GiB; one ONNX file holds at most 2: export MINDIR or HF")
    add, description = GRAPHS[config.encoder.kind]
    outputs, description = add(graph, config), _describe(config, description)
    sizes: dict[str | int, str | int] = dict(zip(("batch", "length"), graph.shape, strict=True))
    for name, (value, _) in outputs.items():
        graph.nodes.append(helper.make_node("Identity", [value], [name], name=f"output_{name}"))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "encoder",
            [helper.make_tensor_value_info(name, graph.integers, graph.shape) for name in INPUTS],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [sizes.get(size, size) for size in shape])
             for name, (_, shape) in outputs.items()],
            graph.initializers, doc_string=description, value_info=graph.types),
        opset_imports=[helper.make_opsetid("", graph.opset),
                       *([helper.make_opsetid(RUNTIME, 1)] if graph.fused else [])],
        ir_version=IR_VERSION, producer_name="mindspore-distillation",
        doc_string=description)
    helper.set_model_props(model, {
        "labels": json.dumps(list(config.head.labels), ensure_ascii=False),
        "task_name": config.task_name,
        **({"max_length": str(config.max_length)} if config.max_length < ANY_LENGTH else {}),
        "config": json.dumps(config.to_dict(), ensure_ascii=False),
    })
    onnx.checker.check_model(model, full_check=True)
    return model


def _describe(config: ModelConfig, description: str) -> str:
    encoder, head = config.encoder, config.head
    kind = f"{head.kind} head" if head.kind != "none" else "no head"
    labels = f": {', '.join(head.labels)}" if head.labels else ""
    longest = f"; at most {config.max_length} tokens" if config.max_length < ANY_LENGTH else ""
    return (f"{description.format(encoder)}, {kind}{labels}. input_mask is 1 for tokens and 0 for padding{longest}.")


def _encoder(graph: Graph, config: ModelConfig) -> str:
    """Add embeddings and layers; returns the sequence output (batch, length, hidden), of one token (batch, 1, hidden)
    where the head reads no other: then the last layer is computed for it alone."""
    encoder = config.encoder
    if encoder.is_modern:
        return add_modern_encoder(graph, encoder)
    first_only = config.head.is_pooled and not encoder.causal and not encoder.pre_norm
    length = graph.length()
    x = _embeddings(graph, config, length)
    mask = graph.add("Cast", "input_mask", to=TensorProto.INT32) if graph.fused else _key_bias(graph, config, length)
    for index in range(encoder.num_hidden_layers):
        is_last = index == encoder.num_hidden_layers - 1
        own = _slice_first(graph, x) if first_only and is_last else x
        x = _layer(graph, config, own, x, mask, index)
    return graph.norm(x, "encoder.norm", encoder.layer_norm_eps) if encoder.pre_norm else x


def _embeddings(graph: Graph, config: ModelConfig, length: str) -> str:
    encoder, name = config.encoder, "encoder.embeddings"
    words = graph.lookup(WORD_EMBEDDINGS, "input_ids")
    places = graph.positions(f"{name}.position_embeddings.embedding_table", encoder.position_offset, length)
    x = graph.add("Add", words, places)
    types = f"{name}.token_type_embeddings.embedding_table"
    if encoder.type_vocab_size == 1:  # of all tokens, as in RoBERTa
        x = graph.add("Add", x, graph.array(types, np.asarray(graph.parameters[types], np.float32).reshape(-1)))
    elif encoder.type_vocab_size:
        x = graph.add("Add", x, graph.lookup(types, "segment_ids"))
    x = x if encoder.pre_norm else graph.norm(x, f"{name}.norm", encoder.layer_norm_eps)
    return graph.dense(x, f"{name}.projection") if encoder.embedding_size else x


def _key_bias(graph: Graph, config: ModelConfig, length: str) -> str:
    """What is added to the scores: (batch, 1, 1, length), or (batch, 1, length, length) of a causal model."""
    seen = graph.add("Unsqueeze", graph.add("Cast", "input_mask", to=TensorProto.FLOAT), graph.constant([1, 2]))
    if config.encoder.causal:
        seen = graph.add("Mul", seen, graph.past(length))
    return graph.bias(seen)


def _slice_first(graph: Graph, x: str) -> str:
    """The first token of each row (batch, 1, hidden)."""
    return graph.add("Slice", x, graph.constant([0]), graph.constant([1]), graph.constant([1]))


def _layer(graph: Graph, config: ModelConfig, own: str, x: str, mask: str, index: int) -> str:
    """One layer for the tokens of `own`, which are those of x or some of them, with LayerNorm after each sublayer's
    sum, or (pre_norm, all tokens) before each sublayer. `mask` is input_mask as int32 in a fused graph, else
    _key_bias."""
    epsilon, name = config.encoder.layer_norm_eps, f"encoder.layers.{config.encoder.stored_at(index)}"

    def norm(value: str, part: str) -> str:
        return graph.norm(value, f"{name}.{part}", epsilon)

    def sum_norm(value: str, other: str, part: str) -> str:
        return graph.sum_norm(value, other, f"{name}.{part}", epsilon)

    def feed_forward(value: str) -> str:
        inner = graph.activation(graph.dense(value, f"{name}.intermediate"), config.encoder.hidden_act)
        return graph.dense(inner, f"{name}.output")

    if config.encoder.pre_norm:
        normed = norm(x, "attention_norm")
        x = graph.add("Add", x, _attention(graph, config, normed, normed, mask, index))
        return graph.add("Add", x, feed_forward(norm(x, "output_norm")))
    x = sum_norm(own, _attention(graph, config, own, x, mask, index), "attention_norm")
    return sum_norm(x, feed_forward(x), "output_norm")


def _attention(graph: Graph, config: ModelConfig, own: str, x: str, mask: str, index: int) -> str:
    """What the tokens of `own` take from those of x."""
    heads, head_dim = config.encoder.heads_of(index), config.encoder.head_dim
    name = f"encoder.layers.{config.encoder.stored_at(index)}.attention"
    query, key, value = (graph.dense(tokens, f"{name}.{part}")
                         for tokens, part in ((own, "query"), (x, "key"), (x, "value")))
    if graph.fused:
        attended = graph.add("MultiHeadAttention", query, key, value, "", mask, domain=RUNTIME, num_heads=heads,
                             mask_filter_value=PADDING_SCORE, unidirectional=int(config.encoder.causal))
        return graph.dense(attended, f"{name}.output")

    def split(value: str, order: list[int]) -> str:
        # 0 copies the dimension: (batch, length, heads, head_dim), then `order`.
        return graph.add("Transpose", graph.add("Reshape", value, graph.constant([0, 0, heads, head_dim])), perm=order)

    query, key, value = split(query, [0, 2, 1, 3]), split(key, [0, 2, 3, 1]), split(value, [0, 2, 1, 3])
    return graph.dense(graph.attend(query, key, value, mask, heads, head_dim), f"{name}.output")


def add_transformer(graph: Graph, config: ModelConfig) -> dict[str, tuple[str, tuple[str | int, ...]]]:
    """Add the whole model; returns output name -> (value, shape)."""
    sequence = _encoder(graph, config)
    encoder, head = config.encoder, config.head
    if head.is_pooled:
        logits = graph.dense(_pooled(graph, config, sequence), "head.classifier")
        return {"logits": (logits, ("batch", head.num_labels))}
    if head.kind == "embedding":
        return {"logits": (_embedding(graph, config, _pooled_tokens(graph, head.pooling, sequence)),
                           ("batch", config.output_size))}
    if head.is_language_model:
        return {"logits": (_predict_tokens(graph, config, sequence), ("batch", "length", encoder.vocab_size))}
    if head.kind != "none":
        tokens = add_transform(graph, encoder, sequence) if encoder.is_modern else sequence
        return {"logits": (graph.dense(tokens, "head.classifier"), ("batch", "length", head.num_labels))}
    outputs = {"last_hidden_state": (sequence, ("batch", "length", encoder.hidden_size))}
    if encoder.pooler != "none":
        outputs["pooler_output"] = (_pooled(graph, config, sequence), ("batch", encoder.hidden_size))
    return outputs


def _pooled(graph: Graph, config: ModelConfig, sequence: str) -> str:
    """One vector a row (batch, hidden): the pooler's, the last token of a causal model, or what a ModernBERT's head
    makes of the first token or the mean."""
    if config.encoder.is_modern:
        pooled = _pooled_tokens(graph, config.encoder.classifier_pooling, sequence)
        return add_transform(graph, config.encoder, pooled)
    if config.encoder.causal:
        count = graph.index(graph.add("ReduceSum", "input_mask", graph.constant([1]), keepdims=1))  # (batch, 1)
        pooled = graph.add("GatherND", sequence, graph.add("Sub", count, graph.constant(1)), batch_dims=1)
    else:
        first = graph.dense(graph.add("Gather", sequence, graph.constant(0), axis=1), "encoder.pooler")
        kind = config.encoder.pooler
        pooled = graph.add("Tanh", first) if kind == "tanh" else graph.activation(first, kind)
    return graph.add("Relu", pooled) if config.head.pooled_activation == "relu" else pooled


def _pooled_tokens(graph: Graph, pooling: str, sequence: str) -> str:
    """The first of a row's real tokens, their mean or maximum (batch, hidden)."""
    if pooling == "cls":
        return graph.add("Gather", sequence, graph.constant(0), axis=1)
    real = graph.add("Unsqueeze", graph.add("Cast", "input_mask", to=TensorProto.FLOAT), graph.constant([2]))
    kept = graph.add("Mul", sequence, real)
    if pooling == "max":
        floor = graph.add("Mul", graph.add("Sub", graph.constant(1.0), real), graph.constant(BELOW_ALL_VALUES))
        return graph.add("ReduceMax", graph.add("Add", kept, floor), axes=[1], keepdims=0)
    axis = graph.constant([1])
    count = graph.add("Max", graph.add("ReduceSum", real, axis, keepdims=0), graph.constant(1.0))
    return graph.add("Div", graph.add("ReduceSum", kept, axis, keepdims=0), count)


def _embedding(graph: Graph, config: ModelConfig, pooled: str) -> str:
    """An embedding head behind its pooling: dense layer, activation, division by the norm (batch, output_size)."""
    head = config.head
    x = graph.dense(pooled, "head.dense") if head.dense_size else pooled
    x = graph.add("Tanh", x) if head.dense_activation == "tanh" else x
    if not head.normalize:
        return x
    norm = graph.add("ReduceL2", x, axes=[1], keepdims=1)
    return graph.add("Div", x, graph.add("Max", norm, graph.constant(SMALLEST_NORM)))


def _predict_tokens(graph: Graph, config: ModelConfig, sequence: str) -> str:
    """Logits (batch, length, vocabulary); the decoder is the word embedding table, which is stored once."""
    is_masked = config.head.kind == "masked_lm"
    if is_masked:
        inner = graph.activation(graph.dense(sequence, "head.transform"), config.encoder.hidden_act)
        sequence = graph.norm(inner, "head.norm", config.encoder.layer_norm_eps)
    logits = graph.product(sequence, graph.add("Transpose", graph.weight(WORD_EMBEDDINGS), perm=[1, 0]))
    return graph.add("Add", logits, graph.weight("head.bias")) if is_masked else logits


def add_bilstm(graph: Graph, config: ModelConfig) -> dict[str, tuple[str, tuple[str | int, ...]]]:
    """Add the whole model; returns output name -> (value, shape). Without a head the dense layer's output, one vector a
    token, is `last_hidden_state`."""
    encoder, head = config.encoder, config.head
    counts = graph.index(graph.add("ReduceSum", "input_mask", graph.constant([1]), keepdims=0))
    # int32 (batch,); a row without any token has one.
    lengths = graph.add("Cast", graph.add("Max", counts, graph.constant(1)), to=TensorProto.INT32)
    ids = graph.add("Transpose", "input_ids", perm=[1, 0])
    x = graph.lookup(WORD_EMBEDDINGS, ids)  # (length, batch, embedding)
    states = last = ""
    for index in range(encoder.num_layers):
        if index:
            x = _both_directions(graph, states, encoder.hidden_size)
        states, last = _lstm_layer(graph, x, lengths, f"encoder.lstm.{index}", encoder.hidden_size)
    if head.is_of_row:
        pooled = _largest_state(graph, states) if encoder.pooling == "max" else last  # (2, batch, hidden)
        pooled = graph.add("Transpose", pooled, perm=[1, 0, 2])
        x = graph.add("Reshape", pooled, graph.constant([0, 2 * encoder.hidden_size]))
        shape: tuple[str | int, ...] = ("batch",)
    else:
        x = graph.add("Transpose", _both_directions(graph, states, encoder.hidden_size), perm=[1, 0, 2])
        shape = ("batch", "length")
    x = graph.add("Relu", graph.dense(x, "encoder.dense"))
    if head.kind == "none":
        return {"last_hidden_state": (x, (*shape, encoder.dense_size))}
    if head.kind == "embedding":
        return {"logits": (_embedding(graph, config, x), (*shape, config.output_size))}
    return {"logits": (graph.dense(x, "head.classifier"), (*shape, head.num_labels))}


def _lstm_layer(graph: Graph, x: str, lengths: str, name: str, width: int) -> tuple[str, str]:
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


def _both_directions(graph: Graph, states: str, width: int) -> str:
    """(length, 2, batch, hidden) -> (length, batch, 2 hidden)."""
    return graph.add("Reshape", graph.add("Transpose", states, perm=[0, 2, 1, 3]), graph.constant([0, 0, 2 * width]))


def _largest_state(graph: Graph, states: str) -> str:
    """The largest value of each unit over the real tokens (2, batch, hidden)."""
    mask = graph.add("Cast", graph.add("Transpose", "input_mask", perm=[1, 0]), to=TensorProto.FLOAT)
    real = graph.add("Unsqueeze", mask, graph.constant([1, 3]))  # (length, 1, batch, 1)
    floor = graph.add("Mul", graph.add("Sub", graph.constant(1.0), real), graph.constant(BELOW_ALL_STATES))
    return graph.add("ReduceMax", graph.add("Add", graph.add("Mul", states, real), floor), axes=[0], keepdims=0)


def add_static(graph: Graph, config: ModelConfig) -> dict[str, tuple[str, tuple[str | int, ...]]]:
    """Add the whole model; returns output name -> (value, shape)."""
    pooled = _pooled_tokens(graph, config.head.pooling, graph.lookup(WORD_EMBEDDINGS, "input_ids"))
    return {"logits": (_embedding(graph, config, pooled), ("batch", config.output_size))}


GRAPHS = {
    EncoderConfig.kind: (add_transformer,
                         "Transformer encoder, {0.num_hidden_layers} layers x {0.hidden_size}"),
    BiLstmConfig.kind: (add_bilstm, "Bidirectional LSTM, {0.num_layers} layers x {0.hidden_size} a direction"),
    StaticConfig.kind: (add_static, "Table of {0.vocab_size} vectors of {0.dim}, whose mean is taken"),
}
"""By the name of the architecture: what adds its nodes, and its description."""
