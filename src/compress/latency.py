# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What files of shapes take in ONNX Runtime, before anything is trained.

A file is written as the final one is, of weights that the teacher happens to have at the places that are cut out: the
time of a call depends on the shape of the weights and on the length of the row, hardly on their values
(benchmarks/promised_latency.py). All files are called in turn, so that a slower moment of the machine meets all, each
after the teacher's own float32 file, as the winner's is in the end: it finds the caches as a large model has left them,
which takes a small one up to a third longer. What is counted is the time of the processor, which is that by the clock
where nothing else runs: other work would interrupt the teacher's long calls, hardly a student's short ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tqdm import tqdm

from src.checkpoints.checkpoint import LoadedModel
from src.compress.budget import Measured
from src.compress.shapes import Shape
from src.config.model import INPUTS
from src.evaluate.by_row import Feed, orders
from src.export.artefacts import FORMATS, Compiled, Runner, run_onnx, write_onnx
from src.export.card import card_of
from src.pruning.cut import Kept, cut
from src.pruning.vocabulary import VOCABULARY_ROWS

PLACES = 15
"""Lengths that are measured: so many places, evenly spread over the rows in the order of their length."""
LEAST_ROUNDS, MOST_ROUNDS = 3, 40
SECONDS_A_FILE = 0.5
"""Rounds over all lengths go on for so long, times the number of files."""
FILES_AT_ONCE, BYTES_AT_ONCE = 24, 256 * 2**20
"""Files that are called in turn, and their bytes: what a machine has to have room for, about twice."""
LEAST_GAIN = 0.97
"""Fused operators are taken where the time is below this share: ONNX Runtime alone has them."""
_WARM_UP_CALLS = 3


@dataclass(frozen=True)
class _File:
    """What is called in turn: a file that runs, the rows it gets, and its size."""

    run: Runner
    feeds: list[Feed]
    size: int


class Bench:
    """Measures students of one teacher.

    Args:
        lengths: number of tokens of the rows by the size of the vocabulary that they are read in.

    Attributes:
        fused: whether students' files have operators that ONNX Runtime alone has (`Compiled.fused`).
    """

    def __init__(self, teacher: LoadedModel, lengths: Mapping[int, Sequence[int]]):
        self.model = replace(teacher, parameters=dict(teacher.parameters))  # read once
        self.fused = False
        self._feeds = {size: _feeds(size, its) for size, its in lengths.items()}
        self._shape = Shape.of(teacher.config)
        self._reference = self._file(self._shape, fused=False)
        self._milliseconds = 0.0

    @property
    def teacher(self) -> Measured:
        """The teacher's float32 file, without fused operators, in the first group of files."""
        return Measured(self._shape, self._milliseconds, self._reference.size / 1e6,
                        self._shape.parameters(self.model.config))

    def choose_operators(self, shape: Shape) -> None:
        """Take fused operators for all students, or not: what is faster for one shape."""
        plain, fused = self._in_turn([self._file(shape, fused) for fused in (False, True)])
        self.fused = fused < plain * LEAST_GAIN

    def measure(self, shapes: Sequence[Shape]) -> list[Measured]:
        """Write, run and time a file of each shape."""
        found: list[Measured] = []
        with tqdm(total=len(shapes), desc="latency", unit="files", disable=None) as progress:
            for files in self._groups(shapes):
                its = shapes[len(found):len(found) + len(files)]
                found += [Measured(shape, time_of_row, file.size / 1e6, shape.parameters(self.model.config), self.fused)
                          for shape, time_of_row, file in zip(its, self._in_turn(files), files, strict=True)]
                progress.update(len(files))
        return found

    def _in_turn(self, files: Sequence[_File]) -> list[float]:
        """Time a group of files, in those milliseconds that the teacher's file took in the first group: that is in
        each, and all are scaled by what it takes there."""
        times, reference = in_turn(files, self._reference)
        self._milliseconds = self._milliseconds or reference
        return [its * self._milliseconds / reference for its in times]

    def _groups(self, shapes: Sequence[Shape]) -> Iterator[list[_File]]:
        files: list[_File] = []
        for shape in shapes:
            files.append(self._file(shape, self.fused))
            if len(files) >= FILES_AT_ONCE or sum(file.size for file in files) >= BYTES_AT_ONCE:
                yield files
                files = []
        if files:
            yield files

    def _file(self, shape: Shape, fused: bool) -> _File:
        with TemporaryDirectory(prefix="compress-") as folder:
            path = write_file(self.model, shape, Path(folder), fused)
            run = run_onnx(path, shape.config(self.model.config), threads=1)
            return _File(run, self._feeds[shape.vocab_size], path.stat().st_size)


def write_file(teacher: LoadedModel, shape: Shape, folder: Path, fused: bool) -> Path:
    """Write the file of a student that is not trained, of the size of the final one; returns its place in `folder`."""
    # It loads what only int8 needs.
    from src.export.quantization import int8_instructions, quantize_file

    made = FORMATS["ONNX"]
    card = card_of(teacher, made.name, made.dtype, tokenizer_file="model.onnx.tokenizer.json")
    path = folder / "model.onnx"
    write_onnx(cut_anywhere(teacher, shape), path, Compiled(fused=fused, card={**card, **made.facts}))
    if not shape.quantized:
        return path
    target = folder / "int8.onnx"
    quantize_file(path, target, reduce_range=not int8_instructions())
    path.unlink()
    return target


def cut_anywhere(teacher: LoadedModel, shape: Shape) -> LoadedModel:
    """Return a student of a shape that has the teacher's first layers, heads, units and tokens."""
    kept = Kept(tuple(range(shape.layers)), *(tuple(tuple(range(count)) for count in counts)
                                              for counts in (shape.heads, shape.units)))
    _, parameters = cut(teacher.config, teacher.parameters, kept)
    parameters |= {name: parameters[name][:shape.vocab_size] for name in VOCABULARY_ROWS if name in parameters}
    return replace(teacher, config=shape.config(teacher.config), parameters=parameters)


def _feeds(vocabulary: int, lengths: Sequence[int]) -> list[Feed]:
    """Rows of any tokens, PLACES of them, whose lengths are those of the rows at evenly spread places."""
    places = (np.arange(PLACES) + 0.5) / PLACES * len(lengths)
    generator = np.random.default_rng(0)

    def feed(length: int) -> Feed:
        ids = generator.integers(0, vocabulary, (1, length))
        return dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))

    return [feed(max(1, sorted(lengths)[int(place)])) for place in places]


def in_turn(files: Sequence[_File], reference: _File, clock: Callable[[], float] = time.thread_time
            ) -> tuple[list[float], float]:
    """Call all files in turn, one row a call, each after the reference; returns for each, and for the reference, the
    median over its rows, in milliseconds, of the median time of a row."""
    def seconds_of(file: _File, place: int) -> float:
        start = clock()
        file.run(file.feeds[place])
        return clock() - start

    for file in (*files, reference):
        for _ in range(_WARM_UP_CALLS):
            seconds_of(file, -1)
    seconds = np.full((2, MOST_ROUNDS, PLACES, len(files)), np.nan)
    began, order = time.perf_counter(), orders(len(files))
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and time.perf_counter() - began > SECONDS_A_FILE * len(files):
            break
        for place in range(PLACES):
            for each in next(order):
                seconds[:, number, place, each] = seconds_of(reference, place), seconds_of(files[each], place)
    its, own = 1e3 * np.median(np.nanmedian(seconds, axis=1), axis=1)
    return own.tolist(), float(np.median(its))
