# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ONNX files of embedding models, called on one thread and timed in turn; times are the processor's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from src.checkpoints.checkpoint import LoadedModel

BATCH, WARM_UP = 32, 3


class File:
    """An open file of a model; `seconds` of the last call are those without tokenizer."""

    def __init__(self, path: Path, model: LoadedModel, batch_size: int = BATCH):
        from src.export.artefacts import run_onnx

        self.run, self.tokenizer, self.seconds = run_onnx(path, model.config, threads=1), model.tokenizer(), 0.0
        self.length, self.width, self.size = model.config.max_length, model.config.output_size, path.stat().st_size
        self.batch_size = batch_size

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return the embeddings, float32 (texts, width), of batches of texts of about the same length."""
        from serving.rows import padded, text_row

        rows = [text_row(ids, None, self.length, self.tokenizer.cls_id, self.tokenizer.sep_id)
                for ids in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(rows)), key=lambda place: len(rows[place].ids))
        found = np.zeros((len(rows), self.width), np.float32)
        for begin in range(0, len(rows), self.batch_size):
            places = order[begin: begin + self.batch_size]
            batch = padded([rows[place] for place in places], self.tokenizer.pad_id)._asdict()
            began = time.thread_time()
            found[places] = self.run(batch)[0]
            self.seconds = time.thread_time() - began
        return found


class Times(NamedTuple):
    """What a file takes: the median milliseconds of a call with one text, without and with the tokenizer; and texts a
    second, with it."""

    model: float
    whole: float
    texts: float


def time_files(files: Sequence[File], texts: Sequence[str]) -> list[Times]:
    """Call all files, of which there may be none, in turn with some batches of texts at a time, then with each text."""
    if not files:
        return []
    seconds = np.zeros(len(files))
    alone: list[list[tuple[float, float]]] = [[] for _ in files]

    def call(file: File, some: Sequence[str]) -> float:
        began = time.thread_time()
        file(some)
        return time.thread_time() - began

    for file in files:
        file(texts[:WARM_UP])  # a few: the tokenizer keeps words that it has seen
    size = 8 * max(file.batch_size for file in files)  # so many that sorting by length is worth it
    for begin in range(0, len(texts), size):
        seconds += [call(file, texts[begin: begin + size]) for file in files]
    for text in texts:
        for own, file in zip(alone, files, strict=True):
            whole = call(file, [text])
            own.append((file.seconds, whole))
    medians = [1e3 * np.median(own, axis=0) for own in alone]
    return [Times(float(own[0]), float(own[1]), len(texts) / float(taken))
            for own, taken in zip(medians, seconds, strict=True)]
