# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Nodes of an ONNX graph in the making."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from src.models.encoder import PADDING_SCORE
from src.models.modernbert import rotary_speeds

OPSET = 17
RUNTIME = "com.microsoft"
"""Domain of ONNX Runtime's own operators."""


class Graph:
    """Nodes and initializers in the making; every method returns the name of the value that it adds. `fused` is what
    build_onnx says of it.

    Attributes:
        integers: type of the inputs.
        shape: of the inputs.
        opset: version of the operators.
    """

    opset = OPSET
    integers = TensorProto.INT64
    shape: tuple[str | int, str | int] = ("batch", "length")

    def __init__(self, parameters: Mapping[str, np.ndarray], fused: bool = False):
        self.parameters, self.fused = parameters, fused
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.types: list[onnx.ValueInfoProto] = []
        self._known: dict[object, str] = {}

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        """Append a node with one output."""
        return self.add_several(operator, 1, *inputs, **attributes)[0]

    def add_several(self, operator: str, count: int, *inputs: str, **attributes: object) -> list[str]:
        """Append a node with several outputs; returns their names. An input that the node does without is ""."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        outputs = [name, *(f"{name}_{place}" for place in range(1, count))]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=name, **attributes))
        if attributes.get("domain") == RUNTIME:  # onnx knows no more of its outputs
            self.types += [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs]
        return outputs

    def constant(self, value: int | float | Sequence[int]) -> str:
        """int64 for whole numbers, float32 else; equal constants are stored once."""
        array = np.array(value, np.float32 if isinstance(value, float) else np.int64)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"constant_{len(self._known)}"
            self.initializers.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def weight(self, name: str, transpose: bool = False) -> str:
        """The parameter `name` as an initializer of the same name."""
        if name not in self._known:
            array = np.asarray(self.parameters[name], np.float32)
            self._known[name] = self.array(name, array.T if transpose else array)
        return name

    def array(self, name: str, value: np.ndarray) -> str:
        """An initializer that is not stored yet."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def dense(self, value: str, name: str) -> str:
        """x Wᵀ + b, b where there is one; the stored (out, in) weight is turned once, here."""
        product = self.product(value, self.weight(f"{name}.weight", transpose=True))
        return self.add("Add", product, self.weight(f"{name}.bias")) if f"{name}.bias" in self.parameters else product

    def product(self, left: str, right: str) -> str:
        return self.add("MatMul", left, right)

    def lookup(self, table: str, ids: str) -> str:
        """The rows of a stored table at `ids`."""
        return self.add("Gather", self.weight(table), ids, axis=0)

    def index(self, value: str) -> str:
        """A value of the inputs' type as int64, which ONNX demands of an index."""
        return value

    def length(self) -> str:
        """Number of tokens of a row, a scalar int64."""
        return self.add("Gather", self.add("Shape", "input_ids"), self.constant(1), axis=0)

    def positions(self, table: str, offset: int, length: str) -> str:
        """The rows of a stored table for the tokens of a row (length, width)."""
        first = self.constant(offset)
        return self.lookup(table, self.add("Range", first, self.add("Add", length, first), self.constant(1)))

    def past(self, length: str) -> str:
        """1 where a key is not after the query, else 0: (length, length), float32."""
        places = self.add("Range", self.constant(0), length, self.constant(1))
        keys, queries = (self.add("Unsqueeze", places, self.constant([axis])) for axis in (0, 1))
        return self.add("Cast", self.add("LessOrEqual", keys, queries), to=TensorProto.FLOAT)

    def bias(self, seen: str) -> str:
        """What is added to the scores of the keys: 0 where `seen` is 1, PADDING_SCORE where it is 0."""
        return self.add("Mul", self.add("Sub", self.constant(1.0), seen), self.constant(PADDING_SCORE))

    def attend(self, query: str, key: str, value: str, bias: str, heads: int, head_dim: int) -> str:
        """What queries (batch, heads, own, head_dim) take (batch, own, heads head_dim); the key is (batch, heads,
        head_dim, length), the value (batch, heads, length, head_dim)."""
        scores = self.add("Mul", self.product(query, key), self.constant(1.0 / math.sqrt(head_dim)))
        probabilities = self.add("Softmax", self.add("Add", scores, bias), axis=-1)  # (batch, heads, own, length)
        attended = self.add("Transpose", self.product(probabilities, value), perm=[0, 2, 1, 3])
        return self.add("Reshape", attended, self.constant([0, 0, heads * head_dim]))

    def turns(self, head_dim: int, base: float, length: str) -> tuple[str, str]:
        """Cosines and sines of rotary positions for the tokens of a row (length, head_dim)."""
        speeds = self.array(f"speeds_{base:g}_{head_dim}", rotary_speeds(head_dim, base))
        places = self.add("Cast", self.add("Range", self.constant(0), length, self.constant(1)), to=TensorProto.FLOAT)
        angles = self.add("Mul", self.add("Unsqueeze", places, self.constant([1])), speeds)
        return self.add("Cos", angles), self.add("Sin", angles)

    def near(self, reach: int, length: str) -> str:
        """1 where a key is at most `reach` places from the query, else 0: (length, length), float32."""
        places = self.add("Range", self.constant(0), length, self.constant(1))
        keys, queries = (self.add("Unsqueeze", places, self.constant([axis])) for axis in (0, 1))
        distance = self.add("Abs", self.add("Sub", keys, queries))
        return self.add("Cast", self.add("Not", self.add("Greater", distance, self.constant(reach))),
                        to=TensorProto.FLOAT)

    def norm(self, value: str, name: str, epsilon: float) -> str:
        bias = (self.weight(f"{name}.beta"),) if f"{name}.beta" in self.parameters else ()
        return self.add("LayerNormalization", value, self.weight(f"{name}.gamma"), *bias, axis=-1, epsilon=epsilon)

    def sum_norm(self, value: str, other: str, name: str, epsilon: float) -> str:
        """LayerNorm of a sum. Fused, the sum is a Sum: ONNX Runtime makes one operator of Add and LayerNormalization,
        which takes 57 us of 29 tokens x 384 where these two take 13 (1.31, AVX512), and leaves Sum alone."""
        return self.norm(self.add("Sum" if self.fused else "Add", value, other), name, epsilon)

    def activation(self, value: str, name: str) -> str:
        """hidden_act of EncoderConfig: relu, exact gelu 0.5 x (1 + erf(x/√2)), or its tanh approximation."""
        if name == "relu":
            return self.add("Relu", value)
        if self.fused:
            return self.add("Gelu" if name == "gelu" else "FastGelu", value, domain=RUNTIME)
        if name == "gelu":
            inner = self.add("Erf", self.add("Div", value, self.constant(math.sqrt(2.0))))
        else:
            square = self.add("Mul", value, value)
            cube = self.add("Mul", self.add("Mul", square, value), self.constant(0.044715))
            inner = self.add("Tanh", self.add("Mul", self.add("Add", value, cube),
                                              self.constant(math.sqrt(2.0 / math.pi))))
        return self.add("Mul", self.add("Mul", value, self.add("Add", inner, self.constant(1.0))), self.constant(0.5))
