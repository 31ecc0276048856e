# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The students that can be cut out of a teacher: layers, heads, feed-forward units, tokens; float32 or int8."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product

from src.common.typed import require
from src.config import EncoderConfig, ModelConfig
from src.convert.parameters import parameter_shapes

UNIT_SHARES = (1, 3 / 4, 1 / 2, 1 / 3, 1 / 4, 1 / 8)
HEAD_SHARES = (1, 3 / 4, 1 / 2, 1 / 3, 1 / 4)
_COLUMNS = 16
"""Numbers of units are multiples of it: so many columns of a product the kernels compute at once."""


@dataclass(frozen=True)
class Shape:
    """The shape of a student. Its hidden size and the width of its heads are the teacher's.

    Attributes:
        heads, units: attention heads and feed-forward units of each layer.
        vocab_size: tokens.
        quantized: whether its file is int8.
    """

    heads: tuple[int, ...]
    units: tuple[int, ...]
    hidden_size: int
    vocab_size: int
    quantized: bool

    def __post_init__(self) -> None:
        require(len(self.heads) == len(self.units) > 0,
                f"heads are of {len(self.heads)} layers and units of {len(self.units)}; expected one number each of at "
                "least one layer")

    @classmethod
    def of(cls, model: ModelConfig, quantized: bool = False) -> Shape:
        """Return the shape of a model."""
        encoder = _transformer(model)
        layers = range(encoder.num_hidden_layers)
        return cls(tuple(map(encoder.heads_of, layers)), tuple(map(encoder.units_of, layers)), encoder.hidden_size,
                   encoder.vocab_size, quantized)

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.heads)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Layers, heads and units of all layers, tokens."""
        return self.layers, sum(self.heads), sum(self.units), self.vocab_size

    @property
    def name(self) -> str:
        """What it is, in words."""
        def each(numbers: Sequence[int], what: str) -> str:
            return f"{numbers[0] if len(set(numbers)) == 1 else '/'.join(map(str, numbers))} {what}"

        return (f"{self.layers} layer{'s' * (self.layers > 1)}, {each(self.heads, 'heads')}, "
                f"{each(self.units, 'units')}, {self.vocab_size} tokens, {'int8' if self.quantized else 'float32'}")

    def config(self, teacher: ModelConfig) -> ModelConfig:
        """Return the configuration of such a student."""
        encoder = _transformer(teacher).of_layers(self.heads, self.units)
        return replace(teacher, encoder=replace(encoder, vocab_size=self.vocab_size))

    def parameters(self, teacher: ModelConfig) -> int:
        """Return how many numbers the weights of such a student are."""
        return sum(math.prod(shape) for shape in parameter_shapes(self.config(teacher)).values())

    def is_within(self, other: Shape) -> bool:
        """Whether another shape has at least as many layers, each with at least as many heads and units, and at least
        as many tokens; of two that are equal otherwise int8 has float32 within it, since it costs less."""
        ours, theirs = (self.heads, self.units, self.vocab_size), (other.heads, other.units, other.vocab_size)
        if ours == theirs:
            return other.quantized and not self.quantized
        return (self.layers <= other.layers and self.vocab_size <= other.vocab_size
                and all(map(int.__le__, self.heads, other.heads)) and all(map(int.__le__, self.units, other.units)))


def grid(teacher: ModelConfig, vocabularies: Collection[int], quantized: Sequence[bool] = (True, False)
         ) -> list[Shape]:
    """Return the shapes that are looked at, the largest first: every number of layers with shares of heads and units,
    the same ones in each layer.

    Args:
        teacher: a transformer; layers of a pruned one may differ, and each is expected to have what is kept.
        vocabularies: numbers of tokens.
    """
    encoder = _transformer(teacher)
    layers = range(encoder.num_hidden_layers)
    most_heads, most_units = min(map(encoder.heads_of, layers)), min(map(encoder.units_of, layers))
    heads = {max(1, round(share * most_heads)) for share in HEAD_SHARES}
    units = {most_units, *(min(most_units, max(1, round(share * most_units / _COLUMNS)) * _COLUMNS)
                           for share in UNIT_SHARES[1:])}
    down = [sorted(set(each), reverse=True) for each in (vocabularies, range(1, len(layers) + 1), heads, units)]
    return [Shape((its_heads,) * depth, (its_units,) * depth, encoder.hidden_size, tokens, is_int8)
            for is_int8 in quantized for tokens, depth, its_heads, its_units in product(*down)]


def widest(shapes: Sequence[Shape], most: int) -> list[Shape]:
    """Return the shapes that are within no other one: what else there is has less of everything, and costs less.

    Args:
        most: number that is returned; of more, those with most units and heads are taken for each number of layers
            in turn.
    """
    free = [shape for shape in shapes if not any(shape.is_within(other) for other in shapes)]
    by_depth: dict[int, list[Shape]] = {}
    for shape in sorted(free, key=lambda each: each.sizes, reverse=True):
        by_depth.setdefault(shape.layers, []).append(shape)
    ranked = [(rank, -shape.layers, shape) for its in by_depth.values() for rank, shape in enumerate(
        sorted(its, key=lambda each: (sum(each.heads) * each.hidden_size + sum(each.units), each.vocab_size),
               reverse=True))]
    return [shape for _, _, shape in sorted(ranked, key=lambda each: each[:2])[:most]]


def _transformer(model: ModelConfig) -> EncoderConfig:
    return model.require_transformer("the teacher", "a student that is cut out of it")
