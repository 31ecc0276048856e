# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Nodes and weights of an ONNX graph, added one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Graph:
    """Nodes and initializers in the making; every method returns the name of the value that it adds."""

    def __init__(self, parameters: Mapping[str, np.ndarray]):
        self.parameters = parameters
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._known: dict[object, str] = {}

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        """Append a node with one output."""
        return self.add_several(operator, 1, *inputs, **attributes)[0]

    def add_several(self, operator: str, count: int, *inputs: str, **attributes: object) -> list[str]:
        """Append a node with several outputs; returns their names. An input that the node does without is ""."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        outputs = [name, *(f"{name}_{place}" for place in range(1, count))]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=name, **attributes))
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
        product = self.add("MatMul", value, self.weight(f"{name}.weight", transpose=True))
        return self.add("Add", product, self.weight(f"{name}.bias")) if f"{name}.bias" in self.parameters else product

    def norm(self, value: str, name: str, epsilon: float) -> str:
        return self.add("LayerNormalization", value, self.weight(f"{name}.gamma"), self.weight(f"{name}.beta"), axis=-1,
                        epsilon=epsilon)

    def activation(self, value: str, name: str) -> str:
        """hidden_act of EncoderConfig: relu, exact gelu 0.5 x (1 + erf(x/√2)), or its tanh approximation."""
        if name == "relu":
            return self.add("Relu", value)
        if name == "gelu":
            inner = self.add("Erf", self.add("Div", value, self.constant(math.sqrt(2.0))))
        else:
            square = self.add("Mul", value, value)
            cube = self.add("Mul", self.add("Mul", square, value), self.constant(0.044715))
            inner = self.add("Tanh", self.add("Mul", self.add("Add", value, cube),
                                              self.constant(math.sqrt(2.0 / math.pi))))
        return self.add("Mul", self.add("Mul", value, self.add("Add", inner, self.constant(1.0))), self.constant(0.5))
