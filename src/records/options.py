# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How text and task files become records. Single values are checked where settings are read; see `src.config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar

from src.common.typed import require
from src.config import DataConfig, PrepareTaskConfig, TaskConfig
from src.corpus.sources import InputOptions
from src.records.columns import Column, corpus_columns, sequence_columns
from src.records.writers import DatasetType

Made = TypeVar("Made")


def from_settings(cls: type[Made], settings: Mapping[str, Any]) -> Made:
    """Make a dataclass of the settings that it has fields for."""
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in settings.items() if name in names})


@dataclass(frozen=True)
class Options:
    """What all kinds of records have in common.

    Attributes:
        seq_length: length of the rows; of sequences the longest that is allowed, special tokens included.
        scheduler: address of a Dask scheduler whose workers are taken instead of `num_workers` processes.
        without_effect: settings that no row depends on.
    """

    seq_length: int = 128
    num_shards: int = 1
    num_workers: int = 1
    dataset_type: DatasetType = "tfrecord"
    scheduler: str = ""

    without_effect: ClassVar[tuple[str, ...]] = ("num_workers", "scheduler")

    def __post_init__(self) -> None:
        require(not self.scheduler or "://" in self.scheduler, f"scheduler is {self.scheduler!r}; expected the address "
                "of a Dask scheduler, such as tcp://10.0.0.1:8786")

    def settings(self) -> dict[str, Any]:
        """What the rows depend on."""
        return {name: value for name, value in asdict(self).items() if name not in self.without_effect}


@dataclass(frozen=True)
class TextRecordOptions(Options):
    """How texts are read, and whether documents that came before are left out (see `src.corpus.duplicates`)."""

    reading: InputOptions = InputOptions()
    deduplicate: Literal["none", "documents"] = "none"

    def settings(self) -> dict[str, Any]:
        """What the rows depend on; of what is read and deduplicated, what differs from the default."""
        values = super().settings()
        default = asdict(InputOptions())
        values |= {name: value for name, value in values.pop("reading").items() if value != default[name]}
        if self.deduplicate == "none":
            del values["deduplicate"]
        return values


@dataclass(frozen=True)
class TaskOptions(Options):
    """How a task's files become records; see `task` and `prepare_task` in default_config.yaml."""

    doc_stride: int = 128
    max_query_length: int = 64
    bad_rows: Literal["fail", "skip"] = "fail"
    max_unknown: float = 1.0

    without_effect: ClassVar[tuple[str, ...]] = (*Options.without_effect, "max_unknown")

    @classmethod
    def of(cls, settings: PrepareTaskConfig, task: TaskConfig, data: DataConfig) -> TaskOptions:
        """Return what the sections say."""
        return from_settings(cls, {**vars(data), **vars(task), **vars(settings)})


@dataclass(frozen=True)
class CorpusOptions(TextRecordOptions):
    """How a corpus becomes records; see `corpus` in default_config.yaml for each setting."""

    masked_lm_prob: float = 0.0
    max_predictions_per_seq: int = 20
    whole_word_mask: bool = False
    dupe_factor: int = 1
    seed: int = 0
    max_unknown: float = 1.0
    one_text_a_row: bool = False

    without_effect: ClassVar[tuple[str, ...]] = (*Options.without_effect, "max_unknown")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.dupe_factor == 1 or self.masked_lm_prob > 0, f"dupe_factor is {self.dupe_factor}, but without "
                "masked tokens all copies are the same; set masked_lm_prob, or leave dupe_factor at 1")

    def columns(self) -> tuple[Column, ...]:
        return corpus_columns(self.seq_length, self.max_predictions_per_seq if self.masked_lm_prob else 0)

    def settings(self) -> dict[str, Any]:
        """What the rows depend on."""
        values = super().settings()
        if not self.masked_lm_prob:
            for name in ("max_predictions_per_seq", "whole_word_mask", "dupe_factor", "seed"):
                del values[name]
        if not self.one_text_a_row:
            del values["one_text_a_row"]
        return values


@dataclass(frozen=True)
class SequenceOptions(TextRecordOptions):
    """How lines become sequences for distilling a language model; see `corpus` in default_config.yaml.

    `min_length=3` keeps every line that has a token, and a `max_unknown` above 1 keeps sequences of unknown tokens.
    Of a line that is too long "truncate" keeps the beginning, "split" makes several sequences.
    """

    min_length: int = 12
    max_unknown: float = 0.5
    too_long: Literal["split", "truncate"] = "split"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(3 <= self.min_length <= self.seq_length, f"min_length is {self.min_length}; it must be from 3 ([CLS], "
                f"a token, [SEP]) to seq_length, {self.seq_length}: shorter sequences are dropped")

    def columns(self) -> tuple[Column, ...]:
        return sequence_columns()
