# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a student may cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from src.common.errors import UserError
from src.compress.shapes import Shape


@dataclass(frozen=True)
class Measured:
    """What a file of a shape takes.

    Attributes:
        latency_ms: median of the rows, one unpadded row a call, one thread, in turn with the teacher's float32 file.
        file_mb: size of the file in 10^6 bytes.
        parameters: how many numbers the weights are.
        fused: whether it has operators that ONNX Runtime alone has (`export.optimize`).
    """

    shape: Shape
    latency_ms: float
    file_mb: float
    parameters: int
    fused: bool = False


@dataclass(frozen=True)
class Budget:
    """What a student may cost; 0 sets no limit.

    Attributes:
        max_latency_ms: as `Measured.latency_ms`.
        min_speedup: how many times faster than the teacher's float32 file.
        max_size_mb: as `Measured.file_mb`.
    """

    max_latency_ms: float = 0.0
    min_speedup: float = 0.0
    max_size_mb: float = 0.0

    def __post_init__(self) -> None:
        if not any((self.max_latency_ms, self.min_speedup, self.max_size_mb)):
            raise UserError("nothing says what the student may cost; give --max_latency_ms, --min_speedup or "
                            "--max_size_mb")

    def most_milliseconds(self, teacher: float) -> float:
        """Return what a call may take, where the teacher's float32 file takes `teacher` milliseconds; infinite without
        a limit."""
        limits = (self.max_latency_ms, teacher / self.min_speedup if self.min_speedup else 0.0)
        return min(filter(None, limits), default=math.inf)

    def fits(self, latency_ms: float, file_mb: float, teacher: Measured) -> bool:
        """Whether a file is within the budget."""
        return (latency_ms <= self.most_milliseconds(teacher.latency_ms)
                and (not self.max_size_mb or file_mb <= self.max_size_mb))

    def check(self, smallest: Sequence[Measured], teacher: Measured) -> None:
        """Check that there is something within the budget.

        Args:
            smallest: the smallest shape there is, in each of the types of its file.

        Raises:
            UserError: none of these is; names what the smallest one takes.
        """
        if any(self.fits(each.latency_ms, each.file_mb, teacher) for each in smallest):
            return
        fastest = min(smallest, key=lambda each: each.latency_ms)
        lightest = min(smallest, key=lambda each: each.file_mb)
        speedup = teacher.latency_ms / fastest.latency_ms
        parts = []
        if self.max_latency_ms and fastest.latency_ms > self.max_latency_ms:
            parts.append(f"max_latency_ms is {self.max_latency_ms:g}, and the fastest student ({fastest.shape.name}) "
                         f"takes {fastest.latency_ms:.3g} ms here")
        if self.min_speedup and speedup < self.min_speedup:
            parts.append(f"min_speedup is {self.min_speedup:g}, and the fastest student ({fastest.shape.name}) is "
                         f"{speedup:.3g} times as fast as the teacher's float32 file here ({fastest.latency_ms:.3g} of "
                         f"{teacher.latency_ms:.3g} ms)")
        if self.max_size_mb and lightest.file_mb > self.max_size_mb:
            parts.append(f"max_size_mb is {self.max_size_mb:g}, and the smallest file ({lightest.shape.name}) has "
                         f"{lightest.file_mb:.3g} MB")
        if not parts:  # each limit alone can be kept
            parts.append(f"no file is both fast and small enough: {fastest.shape.name} takes {fastest.latency_ms:.3g} "
                         f"ms and {fastest.file_mb:.3g} MB, {lightest.shape.name} {lightest.latency_ms:.3g} ms and "
                         f"{lightest.file_mb:.3g} MB")
        raise UserError(f"no student of this teacher is within the budget: {'; '.join(parts)}; give it more")
