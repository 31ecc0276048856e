# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The ONNX graph of a model for compilers of accelerators, which plan memory and kernels ahead: of one shape (a gear),
or of free shapes of which the compiler is told the gears.

A graph of one shape has no arithmetic on shapes: positions, and the mask of a causal model, are constants. Inputs are
int32, since MindSpore Lite's operators take no int64. LayerNorm is written out: MindSpore Lite's list has none, and
compilers find it in the means (CANN's LayerNormFusionPass,
https://www.hiascend.com/document/detail/en/CANNCommunityEdition/900/maintenref/graphubfusionref/atlasrr_30_0010.html).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto

from src.config import ModelConfig
from src.export.gears_client import Gear
from src.export.onnx_graph import finish
from src.export.onnx_nodes import Graph
from src.models.modernbert import rotary_tables


class GearGraph(Graph):
    """A graph of int32 inputs without LayerNormalization.

    Args:
        gear: shape of the inputs; None leaves both sizes free, and needs Shape and Range.
        half: tables and dense weights are float16, and products are taken in it; the rest stays float32, as in MINDIR.
    """

    opset = 13  # the first with the inputs that nodes here have; CANN documents ReduceMean up to 16
    integers = TensorProto.INT32

    def __init__(self, parameters: Mapping[str, np.ndarray], gear: Gear | None, half: bool = False):
        super().__init__(parameters)
        self.gear, self.is_half = gear, half
        self._halves: set[str] = set()  # values that are float16
        if gear is not None:
            self.shape = (gear.rows, gear.tokens)

    def weight(self, name: str, transpose: bool = False) -> str:
        if self.is_half and name not in self._known and self.parameters[name].ndim == 2:
            array = np.asarray(self.parameters[name], np.float16)
            self._known[name] = self.array(name, array.T if transpose else array)
            self._halves.add(name)
        return super().weight(name, transpose)

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        value = super().add(operator, *inputs, **attributes)
        if operator in ("Gather", "MatMul", "Transpose") and inputs[0] in self._halves:
            self._halves.add(value)
        return value

    def _half(self, value: str) -> str:
        if value in self._halves:
            return value
        value = self.add("Cast", value, to=TensorProto.FLOAT16)
        self._halves.add(value)
        return value

    def _full(self, value: str) -> str:
        return self.add("Cast", value, to=TensorProto.FLOAT) if value in self._halves else value

    def product(self, left: str, right: str) -> str:
        if not self.is_half:
            return super().product(left, right)
        return self._full(super().product(self._half(left), self._half(right)))

    def lookup(self, table: str, ids: str) -> str:
        return self._full(super().lookup(table, ids))

    def index(self, value: str) -> str:
        return self.add("Cast", value, to=TensorProto.INT64)

    def length(self) -> str:
        return super().length() if self.gear is None else ""

    def positions(self, table: str, offset: int, length: str) -> str:
        if self.gear is None:
            return super().positions(table, offset, length)
        rows = np.asarray(self.parameters[table], np.float32)[offset: offset + self.gear.tokens]
        return self.array(f"{table}.rows", rows)

    def past(self, length: str) -> str:
        if self.gear is None:  # LessOrEqual is not in MindSpore Lite's list
            places = self.add("Range", self.constant(0), length, self.constant(1))
            keys, queries = (self.add("Unsqueeze", places, self.constant([axis])) for axis in (0, 1))
            return self.add("Cast", self.add("Not", self.add("Greater", keys, queries)), to=TensorProto.FLOAT)
        return self.array("past", np.tri(self.gear.tokens, dtype=np.float32))

    def turns(self, head_dim: int, base: float, length: str) -> tuple[str, str]:
        if self.gear is None:
            return super().turns(head_dim, base, length)
        cos, sin = rotary_tables(self.gear.tokens, head_dim, base)
        return self.array(f"cos_{base:g}", cos), self.array(f"sin_{base:g}", sin)

    def near(self, reach: int, length: str) -> str:
        if self.gear is None:
            return super().near(reach, length)
        places = np.arange(self.gear.tokens)
        return self.array("near", (np.abs(places - places[:, None]) <= reach).astype(np.float32))

    def norm(self, value: str, name: str, epsilon: float) -> str:
        """LayerNorm over the last dimension, in the order in which compilers look for it."""
        two = self.constant(2.0)
        centred = self.add("Sub", value, self.add("ReduceMean", value, axes=[-1], keepdims=1))
        variance = self.add("ReduceMean", self.add("Pow", centred, two), axes=[-1], keepdims=1)
        deviation = self.add("Sqrt", self.add("Add", variance, self.constant(epsilon)))
        scaled = self.add("Mul", self.add("Div", centred, deviation), self.weight(f"{name}.gamma"))
        has_bias = f"{name}.beta" in self.parameters
        return self.add("Add", scaled, self.weight(f"{name}.beta")) if has_bias else scaled


def build_gear(config: ModelConfig, parameters: Mapping[str, np.ndarray], gear: Gear | None, half: bool = False
               ) -> onnx.ModelProto:
    """Build and check the graph of one shape, or with `gear` None of free ones.

    It computes what build_onnx's does: inputs of the same names, int32 in place of int64; the same outputs, float32.

    Raises:
        UserError: the weights exceed what one ONNX file can hold.
    """
    return finish(GearGraph(parameters, gear, half), config)


def shape_arithmetic(model: onnx.ModelProto) -> list[str]:
    """Return what a graph of one shape must not have: operators that ask for shapes, and values without a fixed one."""
    asks = sorted({node.op_type for node in model.graph.node}
                  & {"Shape", "Size", "Range", "ConstantOfShape", "NonZero", "Loop", "If"})
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    known = {value.name for value in (*inferred.value_info, *inferred.input, *inferred.output)
             if all(size.HasField("dim_value") for size in value.type.tensor_type.shape.dim)}
    made = [name for node in model.graph.node for name in node.output if name]
    return asks + [name for name in made if name not in known]
