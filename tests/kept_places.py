# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What MindSpore's CPU kernels keep as long as a compiled graph lives (see src/models/kernels.py), read from the graph.

Arithmetic that broadcasts keeps 16 bytes for each element of its result, a transpose 8.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import mindspore as ms

_KERNEL = re.compile(r" = PrimFunc_(\w+)\(")
_SHAPE = re.compile(r"Tensor\[\w+\]\]?, \(([\d, ]*)\)")
_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "RealDiv", "DivNoNan", "FloorDiv", "FloorMod", "Mod", "Pow", "Maximum",
               "Minimum", "SquaredDifference", "Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual",
               "LogicalAnd", "LogicalOr", "Atan2")


def compiled_graphs(folder: Path, run: Callable[[], object]) -> list[str]:
    """Compile and run what `run` does; return the graphs, which are written into an empty folder. Graphs that were
    compiled before are not among them."""
    ms.set_context(save_graphs=1, save_graphs_path=str(folder))
    try:
        run()
    finally:
        ms.set_context(save_graphs=0)
    graphs = [path.read_text(encoding="utf-8") for path in folder.rglob("trace_code_graph_*")]
    assert graphs, "no graph was compiled"
    return graphs


def kept_bytes(folder: Path, run: Callable[[], object]) -> Counter[str]:
    """Return operator and shapes -> bytes that are kept, of the graphs that `run` compiles."""
    return sum(map(_kept, compiled_graphs(folder, run)), Counter())


def _kept(graph: str) -> Counter[str]:
    found: Counter[str] = Counter()
    lines = graph.splitlines()
    for line, signature in zip(lines, lines[1:], strict=False):
        kernel = _KERNEL.search(line)
        if not kernel:
            continue
        given, made = (_SHAPE.findall(part) for part in signature.partition(" -> ")[::2])
        size = _size(made[0]) if made else 0
        broadcasts = any(shape != made[0] and _size(shape) != 1 for shape in given) if made else False
        if kernel[1] == "Transpose":
            found[f"Transpose -> ({made[0]})"] += 8 * size
        elif kernel[1] in _ARITHMETIC and broadcasts:
            found[f"{kernel[1]} ({'), ('.join(given)}) -> ({made[0]})"] += 16 * size
    return found


def _size(shape: str) -> int:
    return math.prod(int(each) for each in shape.split(",") if each.strip())
