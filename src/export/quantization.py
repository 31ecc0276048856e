# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""int8 files for ONNX Runtime: made by its quantizer, and kept only where the task's metric is.

Weights of dense layers are symmetric int8, one scale a column; embedding tables and LSTM weights are int8 too; what
else there is stays float32. Activations are quantized by the range of each call (`int8`), or by ranges that were taken
on calibration rows (`int8-static`). Jacob et al., arXiv:1712.05877;
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.common.files import read_text
from src.config import BiLstmConfig, ExportConfig
from src.evaluate.by_row import ByRow, Feed, Row, examine
from src.export.artefacts import Format, run_onnx

CALIBRATION_ROWS = 256
_LOOKED_AT = 16 * CALIBRATION_ROWS
"""Rows among which those of the calibration are evenly spread: the first ones may all be of one class."""
_ASCEND_QUANTIZES = " (CANN and MindSpore Lite quantize with tools of their own, AMCT and converter_lite)"
_TOLERANCE = 1e-9
_SUFFIX = "_quantized"  # of a weight's name in int8
_OPERATORS = ["MatMul", "Gather", "LSTM", "Transpose"]  # Transpose: of the table that a language model's output shares
_INSTRUCTIONS = {"amx_int8": "AMX-INT8", "avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI", "i8mm": "I8MM",
                 "asimddp": "dot product"}
"""Flag of /proc/cpuinfo -> what multiplies and adds int8 in one step."""


class Weights(NamedTuple):
    """What of a file's weights is int8: the share of the values, and how many nodes of each operator read such ones."""

    share: float
    operators: dict[str, int]


@dataclass(frozen=True)
class Quantized:
    """What became of a model in int8.

    Attributes:
        weights: what of them is int8.
        metrics: of float32 and int8, the one that counts first.
        agreement: of their answers; of scores Pearson's correlation.
        rows: number of rows that both were run on.
        milliseconds: of float32 and int8, one row a call, one thread.
        processor: what multiplies int8, "" for nothing of the kind.
    """

    how: str
    weights: Weights
    metrics: tuple[dict[str, float], dict[str, float]]
    agreement: float
    rows: int
    milliseconds: tuple[float, float]
    processor: str

    def lines(self) -> list[str]:
        """What the user is told."""
        scores = ", ".join(f"{name} {before:.4f} -> {self.metrics[1][name]:.4f}"
                           for name, before in self.metrics[0].items())
        before, after = self.milliseconds
        operators = ", ".join(f"{count} {name}" for name, count in self.weights.operators.items())
        return [f"{self.how}: {self.weights.share:.1%} of the weights ({operators})",
                f"on {self.rows} rows, float32 -> int8: {scores}; agreement {self.agreement:.4f}",
                f"one row a call, one thread, median: {before:.3f} ms -> {after:.3f} ms ({before / after:.2f} x), on "
                f"{processor_name(self.processor)}"]

    def card(self) -> dict[str, Any]:
        """The same for the card of the artefact."""
        return {"share_of_weights": self.weights.share, "operators": self.weights.operators, "rows": self.rows,
                "metrics": dict(zip(("float32", "int8"), self.metrics, strict=True)),
                "agreement": self.agreement,
                "milliseconds": dict(zip(("float32", "int8"), self.milliseconds, strict=True)),
                "processor": processor_name(self.processor)}


def int8_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the instructions of this processor that multiply int8 and add up in int32; "" without any."""
    flags = set(re.findall(r"\w+", read_text(cpuinfo))) if cpuinfo.is_file() else set()
    return next((name for flag, name in _INSTRUCTIONS.items() if flag in flags), "")


def processor_name(instructions: str) -> str:
    """Return architecture and instructions of this processor for people."""
    return f"{platform.machine()} with {instructions}" if instructions else (
        f"{platform.machine()} without VNNI, where int8 gains little; weights have 7 bits, so that nothing saturates")


def check_quantizable(settings: ExportConfig, written_as: Format, loaded: LoadedModel) -> None:
    """Raise `UserError` for settings that do not go together, or with the model."""
    if not written_as.is_onnx:
        raise UserError(f"quantize is {settings.quantize}, but file_format is {settings.file_format}; it is made for "
                        "ONNX Runtime: give --file_format ONNX, or leave --quantize out"
                        f"{_ASCEND_QUANTIZES if settings.file_format == 'ASCEND' else ''}")
    if settings.quantize == "int8-static" and loaded.config.encoder.kind == BiLstmConfig.kind:
        raise UserError(f"{loaded.directory} is a BiLSTM, and ONNX Runtime has no LSTM with fixed ranges; give "
                        "--quantize int8")


def quantize_verified(written: Path, settings: ExportConfig, loaded: LoadedModel, rows: ByRow,
                      calibration: Iterable[Row] = ()) -> Quantized:
    """Replace a float32 file by an int8 one that keeps the metric.

    Args:
        rows: labelled rows that both are run on.
        calibration: rows whose ranges are taken, for int8-static.

    Raises:
        UserError: the metric loses more than max_drop, or ONNX Runtime cannot make or run the file.
    """
    rows.check_labelled()
    instructions = int8_instructions()
    target = written.with_name(f"{written.name}.int8")
    weights = quantize_file(written, target, chosen(calibration), reduce_range=not instructions)
    before, after = examine([(rows, run_onnx(path, loaded.config, threads=1)) for path in (written, target)])
    metric = rows.metric
    values = before.metrics[metric], after.metrics[metric]
    agreement = rows.agreement(before.answers, after.answers)
    # Also true of NaN, which compares as false.
    if not values[0] - values[1] <= settings.max_drop + _TOLERANCE:
        raise UserError(f"{settings.quantize} loses more than max_drop {settings.max_drop:g}: {metric} {values[0]:.4f} "
                        f"in float32, {values[1]:.4f} in int8 (agreement {agreement:.4f}); nothing was written: raise "
                        "--max_drop, or leave --quantize out")
    target.replace(written)
    return Quantized(settings.quantize, weights, (before.metrics, after.metrics), agreement, before.rows,
                     (before.milliseconds, after.milliseconds), instructions)


def chosen(rows: Iterable[Row]) -> list[Feed]:
    """Return what the calibration reads: up to CALIBRATION_ROWS rows, evenly spread over the first ones."""
    feeds = [row.feed for row in islice(rows, _LOOKED_AT)]
    places = np.unique(np.linspace(0, len(feeds) - 1, min(len(feeds), CALIBRATION_ROWS)).astype(int))
    return [feeds[place] for place in places]


def quantize_file(source: Path, target: Path, feeds: Sequence[Feed] = (), reduce_range: bool = False) -> Weights:
    """Write a float32 ONNX file anew in int8; returns what of it is int8.

    Args:
        feeds: rows whose ranges the activations get; without any, each call has its own.
        reduce_range: weights of 7 bits, whose products do not saturate where there are no instructions for int8.

    Raises:
        UserError: nothing could be quantized.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    model = onnx.load(str(source))
    own = {entry.key: entry.value for entry in model.metadata_props}
    readers = [(node.op_type, set(node.input)) for node in model.graph.node]
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")  # else it advises to do that
    options: dict[str, Any] = {
        "op_types_to_quantize": _OPERATORS, "per_channel": True, "reduce_range": reduce_range,
        "weight_type": QuantType.QInt8, "nodes_to_exclude": _of_activations(model.graph),
        "extra_options": {"MatMulConstBOnly": False, "DefaultTensorType": TensorProto.FLOAT,
                          "OpTypesToExcludeOutputQuantization": ["MatMul"]}}
    producer = model.producer_name
    if feeds:
        quantize_static(model, target, _reader(feeds), QuantFormat.QDQ, activation_type=QuantType.QUInt8, **options)
    else:
        quantize_dynamic(model, target, **options)
    made = onnx.load(str(target))
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, own)
    made.producer_name = producer
    onnx.save(made, str(target))
    sizes = {kind: sum(int(np.prod(tensor.dims)) for tensor in made.graph.initializer if tensor.data_type in kinds)
             for kind, kinds in (("int8", (TensorProto.INT8, TensorProto.UINT8)), ("float32", (TensorProto.FLOAT,)))}
    names = {tensor.name.removesuffix(_SUFFIX) for tensor in made.graph.initializer if tensor.name.endswith(_SUFFIX)}
    operators = Counter(operator for operator, inputs in readers if inputs & names)
    if not operators:
        raise UserError("ONNX Runtime's quantizer finds nothing in this model that it can make int8; leave --quantize "
                        "out")
    return Weights(sizes["int8"] / sum(sizes.values()), dict(operators))


def _reader(feeds: Sequence[Feed]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self.rest, None)

    return Reader()


def _of_activations(graph: onnx.GraphProto) -> list[str]:
    """Names of what reads no weights (attention's scores and sums, turned activations): it stays as it is."""
    stored = {tensor.name for tensor in graph.initializer}
    stored |= {node.output[0] for node in graph.node if node.op_type == "Transpose" and node.input[0] in stored}
    reads = {"MatMul": 1, "Transpose": 0}
    return [node.name for node in graph.node if node.op_type in reads and node.input[reads[node.op_type]] not in stored]
