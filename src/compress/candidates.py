# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The candidates: students of the shapes that are within the budget, cut out of the teacher by importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from src.checkpoints.checkpoint import LoadedModel, load_model, save_model
from src.common.files import atomic_folder
from src.compress.budget import Measured
from src.compress.shapes import Shape
from src.compress.spelling import respell_records
from src.config import DataConfig, EncoderConfig
from src.dataset import open_records
from src.device import Device
from src.pruning.counted_text import CountedText
from src.pruning.cut import choose, cut
from src.pruning.importance import Sample, measure
from src.pruning.vocabulary import PruneVocabularyOptions, prune
from src.records.reading import RecordSource
from src.tasks import Task

_MOST_UNKNOWN = 1.0
"""Share of unknown tokens that a smaller vocabulary may have: what is lost by it shows on dev."""


@dataclass(frozen=True)
class Candidate:
    """A student, and what a file of it takes; `measured` before anything was trained."""

    name: str
    measured: Measured

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return self.measured.shape


def name_of(shape: Shape) -> str:
    """Return the name of a candidate, and of its folder: `2x12x768-v8000-int8` has 2 layers of 12 heads and 768
    units, 8,000 tokens, and becomes int8."""
    return (f"{shape.layers}x{max(shape.heads)}x{max(shape.units)}-v{shape.vocab_size}-"
            f"{'int8' if shape.quantized else 'float32'}")


def candidates_of(measured: Sequence[Measured]) -> list[Candidate]:
    """Return the candidates of the shapes that were found, in their order."""
    return [Candidate(name_of(each.shape), each) for each in measured]


def start_of(run: Path, candidate: Candidate) -> LoadedModel:
    """Return what the distillation of a candidate begins with."""
    return load_model(run / "starts" / candidate.name)


def make_starts(run: Path, candidates: Sequence[Candidate], teacher: LoadedModel, rows: RecordSource,
                text: CountedText | None, device: Device, seed: int) -> None:
    """Write RUN/starts/NAME, a checkpoint directory of each candidate: all at once, or none of them.

    Importance of layers, heads and units is measured once, on the training rows, by the loss of the labels.

    Args:
        text: whose most frequent tokens stay; None: all tokens do.
    """
    folder = run / "starts"
    if folder.is_dir():
        return
    encoder = teacher.config.encoder
    assert isinstance(encoder, EncoderConfig)
    measured = measure(teacher, rows, None, device, Sample(batch_size=min(32, rows.rows), seed=seed))
    device.say(f"importance: {measured.described}")
    with atomic_folder(folder) as aside:
        smaller: dict[int, LoadedModel] = {encoder.vocab_size: teacher}
        for size in {each.shape.vocab_size for each in candidates} - smaller.keys():
            assert text is not None, "smaller vocabularies are of counted text"
            place = aside / f"v{size}"
            place.mkdir()
            options = PruneVocabularyOptions(keep=size, max_unknown=_MOST_UNKNOWN)
            smaller[size], notes = prune(teacher, text, options, place)
            for note in notes:
                device.say(f"{size} tokens: {note}")
        for candidate in candidates:
            shape, whole = candidate.shape, smaller[candidate.shape.vocab_size]
            kept = choose(encoder, measured.importances, shape.layers, max(shape.heads), max(shape.units))
            config, parameters = cut(whole.config, whole.parameters, kept)
            save_model(aside / candidate.name, config, parameters, whole.tokenizer_path)
            device.say(f"{candidate.name}: layers {', '.join(map(str, kept.layers))} of the teacher, counted from 0")


def rows_of(run: Path, candidate: Candidate, source: RecordSource, name: str, task: Task, teacher: LoadedModel,
            data: DataConfig) -> RecordSource:
    """Return rows as a candidate reads them; those in a smaller vocabulary are in RUN/vocabularies/N/NAME, and made
    where they are not there yet."""
    size = candidate.shape.vocab_size
    if size == teacher.config.encoder.vocab_size:
        return source
    folder = run / "vocabularies" / str(size) / name
    respell_records(source, task, start_of(run, candidate).tokenizer(), folder)
    return open_records(str(folder), replace(data, schema_dir=""), "train_data_dir", "task", is_labelled=False)


def described(candidate: Candidate) -> dict[str, Any]:
    """Return what pareto.json says of a candidate that has not been trained."""
    shape, its = candidate.shape, candidate.measured
    return {"name": candidate.name, "layers": shape.layers, "heads": list(shape.heads), "units": list(shape.units),
            "vocabulary": shape.vocab_size, "quantized": shape.quantized, "latency_ms": its.latency_ms,
            "file_mb": its.file_mb, "parameters": its.parameters}
