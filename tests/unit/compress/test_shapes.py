# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The grid of students, and which of them nothing wider makes superfluous."""

from __future__ import annotations

from dataclasses import replace

import pytest

from src.common.typed import build, to_plain
from src.compress.shapes import Shape, grid, widest
from src.config import EncoderConfig, ModelConfig
from src.convert.parameters import parameter_shapes
from src.pruning.cut import Kept
from tests.refusals import refused
from tests.tiny import HEAD, TEACHER
from tests.unit.pruning.test_cut import FAMILIES, UNEVEN

BASE = replace(TEACHER, vocab_size=30522, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
               intermediate_size=3072)


def shape(layers: int, heads: int, units: int, tokens: int = 100, quantized: bool = True) -> Shape:
    return Shape((heads,) * layers, (units,) * layers, 32, tokens, quantized)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_shape_is_that_of_what_is_kept(name: str) -> None:
    config = FAMILIES[name]
    kept: Kept = UNEVEN
    whole, cut = Shape.of(config), replace(Shape.of(kept.config(config), quantized=True), vocab_size=20)
    assert whole.config(config) == config
    assert (cut.layers, cut.heads, cut.units) == (3, (2, 1, 3), (32, 2, 40))
    expected = kept.config(config)
    # A shape does not say which layers stay, of which ModernBERT's differ in what they see: it has the first ones.
    types = config.encoder.layer_types[:3]
    assert cut.config(config) == replace(expected, encoder=replace(expected.encoder, vocab_size=20, layer_types=types))
    # What a token costs is a row of the table, and of a language model's bias.
    rows = config.encoder.vocab_size - 20
    assert replace(cut, vocab_size=config.encoder.vocab_size).parameters(config) - cut.parameters(config) == rows * (
        config.encoder.hidden_size + (config.head.kind == "masked_lm"))
    assert build(Shape, to_plain(cut), "", "pareto.json") == cut
    assert {cut: 1}[build(Shape, to_plain(cut), "", "pareto.json")] == 1


@pytest.mark.parametrize("encoder, heads, units, count", [
    (BASE, {12, 9, 6, 4, 3}, {3072, 2304, 1536, 1024, 768, 384}, 2 * 2 * 12 * 5 * 6),
    (replace(TEACHER, num_hidden_layers=1, num_attention_heads=1), {1}, {64, 48, 32, 16}, 2 * 2 * 1 * 1 * 4),
    # Layers that differ: what each of them has.
    (TEACHER.of_layers([4, 2], [64, 40]), {2, 1}, {40, 32, 16}, 2 * 2 * 2 * 2 * 3),
], ids=["base", "one head", "pruned"])
def test_grid(encoder: EncoderConfig, heads: set[int], units: set[int], count: int) -> None:
    config = ModelConfig(encoder, HEAD, "SST-2")
    shapes = grid(config, (encoder.vocab_size, 30))
    assert len(set(shapes)) == len(shapes) == count
    assert {each.heads[0] for each in shapes} == heads
    assert {each.units[0] for each in shapes} == units
    assert shapes[0].sizes == max(each.sizes for each in shapes)
    for each in (shapes[0], shapes[-1]):
        sizes = parameter_shapes(each.config(config))
        width = each.config(config).encoder.head_dim
        assert sizes["encoder.layers.0.attention.query.weight"] == (each.heads[0] * width, encoder.hidden_size)
        assert width == encoder.head_dim


def test_widest() -> None:
    wide, deep, both = shape(2, 4, 64), shape(4, 4, 16), shape(2, 4, 16)
    assert both.is_within(wide) and both.is_within(deep) and not wide.is_within(deep) and not wide.is_within(wide)
    assert set(widest([wide, deep, both, replace(deep, vocab_size=50)], 9)) == {wide, deep}
    # float32 stands back where int8 of as much is there, and is taken where it is not.
    plain = replace(wide, quantized=False)
    assert widest([wide, plain], 9) == [wide]
    assert set(widest([plain, deep], 9)) == {plain, deep}
    # Of more than are wanted each number of layers gives its best first.
    many = [shape(1, 4, 64), shape(2, 2, 64), shape(2, 4, 32), shape(3, 1, 32), shape(3, 2, 16)]
    assert widest(many, 3) == [shape(3, 2, 16), shape(2, 4, 32), shape(1, 4, 64)]
    assert len(widest(many, 4)) == 4


def test_numbers_that_belong_to_no_layers() -> None:
    refused("heads are of 2 layers and units of 1", Shape, (1, 2), (3,), 32, 100, True)
