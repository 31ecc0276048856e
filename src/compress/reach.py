# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which shapes are within a budget: what they take is estimated from a few files, and measured of those that are given
back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from src.checkpoints.checkpoint import LoadedModel
from src.compress.budget import Budget, Measured
from src.compress.latency import Bench
from src.compress.shapes import Shape, grid, widest
from src.config import ModelConfig

MOST_MEASURED = 48
"""Files that are measured at most."""
MARGIN = 1.05
"""What a candidate takes may be so much more when it is measured again, in the end, and still be within the budget."""


@dataclass(frozen=True)
class Reached:
    """What there is for a budget.

    Attributes:
        teacher: its float32 file.
        candidates: the widest shapes within the budget.
        measured: all shapes whose files were measured, within the budget or not.
        shapes: number of shapes that were looked at.
        seconds: what it took.
    """

    teacher: Measured
    candidates: tuple[Measured, ...]
    measured: tuple[Measured, ...]
    shapes: int
    seconds: float

    def lines(self) -> list[str]:
        """What the user is told."""
        return [f"teacher: {self.teacher.latency_ms:.3f} ms a row, {self.teacher.file_mb:.1f} MB (float32, ONNX "
                "Runtime, one thread, median)",
                f"{self.shapes} shapes, of which {len(self.measured)} were measured in {self.seconds:.0f} s; "
                f"{len(self.candidates)} of those within the budget have nothing wider within it (files "
                f"{'with' if self.measured[0].fused else 'without'} operators that ONNX Runtime alone has):",
                *(f"  {each.shape.name}: {each.latency_ms:.3f} ms ({self.teacher.latency_ms / each.latency_ms:.1f} x), "
                  f"{each.file_mb:.2f} MB" for each in self.candidates)]


def reachable(teacher: LoadedModel, lengths: Mapping[int, Sequence[int]], budget: Budget, most: int = 16) -> Reached:
    """Measure which students of a teacher are within a budget.

    Args:
        teacher: a transformer.
        lengths: number of tokens of the user's rows by the size of the vocabulary that they are read in: the teacher's,
            and each smaller one that a student may have.
        most: number of candidates.

    Raises:
        UserError: nothing is within the budget; a BiLSTM.
    """
    began = time.perf_counter()
    shapes = grid(teacher.config, lengths)
    looked_at, middle, least = len(shapes), anchors(shapes)[0], min(shape.sizes for shape in shapes)
    bench = Bench(teacher, lengths)
    bench.choose_operators(middle)
    first = [shape for shape in shapes if shape.sizes in (middle.sizes, least)]
    measured = dict(zip(first, bench.measure(first), strict=True))
    budget.check([its for shape, its in measured.items() if shape.sizes == least], bench.teacher)
    if all(its.latency_ms < measured[replace(shape, quantized=False)].latency_ms
           for shape, its in measured.items() if shape.quantized):
        # Where int8 is faster, there is no float32 file within a budget without a smaller one of int8.
        shapes = [shape for shape in shapes if shape.quantized]
    known = [shape for shape in anchors(shapes) if shape not in measured]
    measured |= zip(known, bench.measure(known), strict=True)
    is_sure: set[Shape] = set()
    while True:
        costs = estimate(shapes, list(measured.values()), teacher.config, lengths)
        taken = [(measured[shape].latency_ms, measured[shape].file_mb) if shape in measured else cost
                 for shape, cost in zip(shapes, costs, strict=True)]
        for margin in (MARGIN, 1.0):
            within = [shape for shape, (latency, size) in zip(shapes, taken, strict=True)
                      if budget.fits(margin * latency, size, bench.teacher)]
            if within:
                break
        chosen = widest(within, most)
        new = [shape for shape in chosen if shape not in measured][:MOST_MEASURED - len(measured)]
        measured |= zip(new, bench.measure(new), strict=True)
        if new:
            continue
        # Of many shapes those are chosen that seemed fast by chance: the slower of two measurements counts.
        again = [shape for shape in chosen if shape in measured and shape not in is_sure]
        if not again:
            break
        is_sure |= set(again)
        measured |= {shape: max(measured[shape], its, key=lambda each: each.latency_ms)
                     for shape, its in zip(again, bench.measure(again), strict=True)}
    return Reached(bench.teacher, tuple(measured[shape] for shape in chosen if shape in measured),
                   tuple(measured.values()), looked_at, time.perf_counter() - began)


def anchors(shapes: Sequence[Shape]) -> list[Shape]:
    """Return the shapes that tell what the others take: in each type the middle of the grid, and its ends."""
    sizes = {shape: (shape.layers, shape.heads[0], shape.units[0], shape.vocab_size) for shape in shapes}
    depths, heads, units, tokens = (sorted(set(each)) for each in zip(*sizes.values(), strict=True))
    middle = (*(each[len(each) // 2] for each in (depths, heads, units)), tokens[0])
    ends = product(*((each[0], each[-1]) for each in (depths, heads, units)), tokens[:1])
    wanted = dict.fromkeys((middle, *ends, (depths[-1], heads[-1], units[-1], tokens[-1])))
    return [shape for each in wanted for shape, its in sizes.items() if its == each]


def estimate(shapes: Sequence[Shape], measured: Sequence[Measured], teacher: ModelConfig,
             lengths: Mapping[int, Sequence[int]]) -> list[tuple[float, float]]:
    """Estimate milliseconds and MB of shapes.

    Both are sums over what the files consist of, and so linear in the number of layers, and of heads and units in all
    layers and in the last one, of which a classifier computes less; the time grows with the length of the rows, the
    size with the vocabulary. The weights of the sums are the least squares of the relative errors of what was measured.
    """
    longest = {size: float(np.median(its)) for size, its in lengths.items()}

    def parts(shape: Shape) -> list[float]:
        return [shape.layers, sum(shape.heads), sum(shape.units), shape.heads[-1], shape.units[-1]]

    def of_time(shape: Shape) -> list[float]:
        return [1.0, *(longest[shape.vocab_size] / longest[teacher.encoder.vocab_size] * each for each in parts(shape))]

    def of_size(shape: Shape) -> list[float]:
        return [1.0, *parts(shape), shape.vocab_size]

    found = np.zeros((len(shapes), 2))
    for is_int8 in {shape.quantized for shape in shapes}:
        places = [place for place, shape in enumerate(shapes) if shape.quantized == is_int8]
        known = [each for each in measured if each.shape.quantized == is_int8]
        for column, (terms, value) in enumerate(((of_time, "latency_ms"), (of_size, "file_mb"))):
            values = np.array([getattr(each, value) for each in known])
            rows = np.array([terms(each.shape) for each in known]) / values[:, None]
            scale = np.abs(rows).max(axis=0)
            weights = np.linalg.lstsq(rows / scale, np.ones(len(known)), rcond=None)[0] / scale
            found[places, column] = np.array([terms(shapes[place]) for place in places]) @ weights
    return [(float(milliseconds), float(size)) for milliseconds, size in found]
