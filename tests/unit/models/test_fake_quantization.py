# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fake quantization: what ONNX Runtime's int8 file computes, and gradients that pass straight through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import onnx
import pytest
from mindspore import Tensor, nn

from src.checkpoints.checkpoint import load_parameters
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.export.artefacts import run_onnx
from src.export.onnx_graph import build_onnx
from src.export.quantization import int8_instructions, quantize_file
from src.export.run import batches
from src.models.fake_quantization import QuantizedDense, RoundChannels, RoundOfTable, RoundRows, fake_quantize
from src.models.heads import arrays_of, build_model
from tests.unit.export.test_export import CLASSES, ELECTRA, ENCODER, GPT2, ROBERTA, draw

pytestmark = pytest.mark.usefixtures("graph_mode")

PRUNED = replace(ENCODER, num_attention_heads=2, head_size=8, layer_heads=(1, 2), layer_units=(12, 32))


def uint8(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Codes from 0 to 255 with a zero point (Jacob et al., section 2.1; ONNX's DynamicQuantizeLinear), and back."""
    low, high = min(np.float32(low), np.float32(0)), max(np.float32(high), np.float32(0))
    scale = (high - low) / np.float32(255) if high > low else np.float32(1)
    zero = np.uint8(np.rint(-low / scale))
    codes = np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)
    return (codes.astype(np.int32) - int(zero)).astype(np.float32) * scale


def int8(weight: np.ndarray) -> np.ndarray:
    """Codes from -127 to 127, and back, each row of (outputs, inputs) with its own scale."""
    scale = np.abs(weight).max(axis=1, keepdims=True) / np.float32(127)
    return np.rint(weight / scale).astype(np.int8).astype(np.float32) * scale


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_values_of_eight_bits() -> None:
    x = values(4, 5, 6) * np.float32([1, 20, 1e-3, 0]).reshape(-1, 1, 1)
    x[1] = np.abs(x[1])  # 0 belongs to the range all the same
    expected = np.stack([uint8(row, row.min(), row.max()) for row in x])
    np.testing.assert_allclose(RoundRows()(Tensor(x)).asnumpy(), expected, rtol=1e-6, atol=0)
    table = values(50, 6)
    found = RoundOfTable()(Tensor(table[3:7]), Tensor(table)).asnumpy()
    np.testing.assert_allclose(found, uint8(table, table.min(), table.max())[3:7], rtol=1e-6, atol=0)
    weight = values(7, 40)
    np.testing.assert_allclose(RoundChannels()(Tensor(weight)).asnumpy(), int8(weight), rtol=1e-6, atol=0)


def test_gradients_pass_straight_through() -> None:
    """Those of a product of the rounded values, as if nothing had rounded them."""
    dense, x, dout = nn.Dense(6, 3), values(2, 4, 6, seed=1), values(2, 4, 3, seed=2)
    rounded = np.stack([uint8(row, row.min(), row.max()) for row in x])
    weight = int8(dense.weight.asnumpy())
    cell = QuantizedDense(dense, ms.float32)

    def weighted(inputs: Tensor) -> tuple[Tensor, Tensor]:
        products = cell(inputs)
        return (products * Tensor(dout)).sum(), products

    (_, found), (of_x, (of_weight, of_bias)) = ms.value_and_grad(weighted, 0, (dense.weight, dense.bias), True)(
        Tensor(x))
    np.testing.assert_allclose(found.asnumpy(), rounded @ weight.T + dense.bias.asnumpy(), atol=1e-5)
    np.testing.assert_allclose(of_x.asnumpy(), dout @ weight, atol=1e-5)
    np.testing.assert_allclose(of_weight.asnumpy(), np.einsum("bso,bsi->oi", dout, rounded), atol=1e-5)
    np.testing.assert_allclose(of_bias.asnumpy(), dout.sum((0, 1)), atol=1e-5)


@pytest.mark.medium
@pytest.mark.skipif(not int8_instructions(), reason="without int8 instructions, the file has weights of 7 bits")
@pytest.mark.parametrize(("head", "encoder"), [
    (CLASSES, ENCODER), (HeadConfig("tagging", ("a", "b")), ROBERTA), (CLASSES, PRUNED),
    (HeadConfig("regression"), GPT2), (CLASSES, ELECTRA)],
    ids=["classes", "tags of roberta", "pruned", "score of gpt2", "classes of electra"])
def test_a_padded_batch_is_what_the_int8_file_says_of_each_row(tmp_path: Path, head: HeadConfig,
                                                               encoder: EncoderConfig) -> None:
    """Sums in another order move an activation by some 1e-7, and, where it lies between two steps, its rounded value
    by a whole step: what differs is far below what int8 changes, but not 1e-6."""
    config = ModelConfig(encoder, head)
    parameters = draw(config)
    onnx.save(build_onnx(config, parameters), str(tmp_path / "float32"))
    quantize_file(tmp_path / "float32", tmp_path / "int8")
    runs = [run_onnx(tmp_path / name, config) for name in ("float32", "int8")]
    model = build_model(config)
    load_parameters(model, parameters)
    fake_quantize(model)
    batch = next(batch for batch in batches(encoder, 18) if len(batch["input_ids"]) == 7)
    found, = arrays_of(model, *(values.astype(np.int32) for values in batch.values()))
    differences = []
    for row, length in enumerate(batch["input_mask"].sum(1)):
        alone = {name: values[row: row + 1, :length] for name, values in batch.items()}
        plain, expected = (run(alone)[0][0] for run in runs)
        own = found[row] if head.is_pooled else found[row, :length]
        differences.append((np.abs(own - expected).max(), np.abs(plain - expected).max()))
    of_cell, of_int8 = np.array(differences).max(axis=0)
    assert of_int8 > 0.01 and of_cell < of_int8 / 10  # 4e-7 and 0.02, unless a value lies between two steps
