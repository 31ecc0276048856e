# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Settings of run_compress.py: what a student may cost, and how long it is searched for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from src.common.typed import require, setting
from src.config.model import Dropout
from src.config.training import UNLABELLED_ROWS, PredictionDistillConfig


@dataclass(frozen=True)
class CompressDistillConfig(PredictionDistillConfig):
    """How each candidate is distilled: as in phase 2, for as many steps as its rung has."""

    student_dropout: Dropout = 0.0  # the teacher's outputs on many rows are harder to learn by heart than labels
    batch_size: int = 32
    learning_rate: float = 3e-4
    optimizer: Literal["adam_weight_decay", "adamw"] = "adamw"
    weight_decay: float = 0.01
    clip: Literal["per_tensor", "global"] = "global"


@dataclass(frozen=True)
class CompressConfig:
    max_latency_ms: float = setting(
        0.0, "most milliseconds of a row in ONNX Runtime, one thread, median; 0: no bound", least=0)
    min_speedup: float = setting(
        0.0, "at least so many times as fast as the teacher's float32 file, measured in the same run; 0: no bound",
        least=0)
    max_size_mb: float = setting(0.0, "largest ONNX file, in millions of bytes; 0: no bound", least=0)
    max_drop: float = setting(
        0.02, "most that the student's file may lose of the teacher's metric on dev, as a difference", least=0)
    minutes: float = setting(45.0, "time for all: latencies, distillation, export, evaluation", above=0)
    candidates: int = setting(6, "most shapes that are distilled", least=1)
    rung_steps: tuple[int, ...] = setting(
        (), "optimiser steps of each rung, in place of those that minutes allow; the last are the winner's", least=1)
    vocabularies: tuple[int, ...] = setting(
        (), "sizes of the vocabulary that are tried beside the teacher's; []: 16000, 8000 and 4000", least=1)
    augment_copies: int = setting(
        0, "copies of each training row, made by the rules of prepare_data.py augment of the files in data_dir",
        least=0)
    unlabelled_data_dir: str = setting("", UNLABELLED_ROWS, is_path=True)
    test_data_dir: str = setting(
        "", "labelled rows that teacher and winner are compared on at the end; empty: the test split of data_dir",
        is_path=True)
    distill: CompressDistillConfig = field(default_factory=CompressDistillConfig)

    def __post_init__(self) -> None:
        require(not (self.max_latency_ms and self.min_speedup),
                f"max_latency_ms {self.max_latency_ms:g} and min_speedup {self.min_speedup:g} both bound the latency; "
                "give one of them")
