# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a task is: files, labels, the rows that a model reads, what its outputs mean, and how they are scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from src.common.errors import UserError, nearest
from src.config import HeadConfig, TaskConfig
from src.task_files.columnar import is_table, stored_as
from src.task_files.problems import Problems
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs
from src.text.tokenization import Tokenizer

UNLABELLED_SPLIT = "unlabelled"
SPLITS = ("train", "train_aug", "dev", "test", UNLABELLED_SPLIT)
"""What a data set is divided into; train_aug is what `prepare_data.py augment` makes of train, and no label is read of
unlabelled rows."""

DEV_STEMS = ("dev", "validation", "valid", "val")
"""What the file of the dev split may be called; `validation` on the Hugging Face hub."""

Kind = Literal["classification", "regression", "tagging", "span", "embedding"]


@dataclass(frozen=True)
class Task(ABC):
    """A data set: its files, and everything that depends on what is asked of a model.

    A family of tasks (texts, tagging, span) is a class below this one; a task is one value of such a class.

    Attributes:
        name: as users write it.
        labels: classes in the order of the logits; () where they are found in the data, for a regression and a span.
        kind: what is predicted.
        metric_names: what is reported; the first one chooses the best checkpoint.
        files: split -> the names that its file may have, the usual one first, where they are not `<split>` + a suffix.
        suffixes: extensions that the files may have, the usual one first.
        copies: how often TinyBERT's augmentation copies each text.
        takes_first: of several files of a split, of other names, the first is read; false: they are refused.
        file_split: the split that a single file is.
        learns: of a task on pairs for embeddings, one of LEARNT_PAIRS.
    """

    name: str
    labels: tuple[str, ...] = ()
    kind: Kind = "classification"
    metric_names: tuple[str, ...] = ("accuracy",)
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    suffixes: tuple[str, ...] = (".tsv",)
    copies: int = 20
    takes_first: bool = False
    file_split: str = "train"
    learns: str = ""

    extra_columns: ClassVar[dict[str, int]] = {}
    """Further columns of the rows, which evaluation reads: name -> width, 0 for the length of the rows."""

    keeps_lists: ClassVar[bool] = False
    """Whether rows belong to lists, which stay together: the documents of a query, the texts of a pair."""

    examples_a_piece: ClassVar[int] = 1024
    """Examples that become rows at a time."""

    label_field: ClassVar[str] = "label"
    """The examples' field that is None where they are not labelled."""

    kept_example: ClassVar[Any] = None
    """Class of the examples, a dataclass, where they are stored beside their records because scoring needs them."""

    @property
    def primary_metric(self) -> str:
        return self.metric_names[0]

    @property
    def is_regression(self) -> bool:
        return self.kind == "regression"

    @property
    def takes(self) -> str:
        """What a model is given at a time, a key of serving.bundle.TAKES."""
        return "text"

    def label_width(self, seq_length: int) -> int:
        """Width of label_ids: one a row, one a token, or start and end."""
        return {"tagging": seq_length, "span": 2}.get(self.kind, 1)

    def head(self, pooled_activation: Literal["none", "relu"] = "none") -> HeadConfig:
        """Return the head that a model of this task needs.

        Raises:
            UserError: the labels are not known yet.
        """
        if self.kind in ("classification", "tagging") and not self.labels:
            raise UserError(f"the labels of task {self.name} are not known; prepare records with prepare_data.py task, "
                            "which finds them in the training data")
        return HeadConfig(self.kind, self.labels, pooled_activation if self.kind != "tagging" else "none")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the task can have, in the order in which they are prepared."""
        several = {split: [name for name in self.files if name.startswith(f"{split}_") and name not in SPLITS]
                   for split in SPLITS}
        return tuple(name for split in SPLITS if not (self.keeps_lists and split == UNLABELLED_SPLIT)
                     for name in several[split] or [split])

    def split_name(self, split: str) -> str:
        """Return the name of a split in `splits`; "dev" and "test" mean the first (matched) of several."""
        for name in self.splits:
            if name == split or name.split("_")[0] == split:
                return name
        raise UserError(f"task {self.name} has no split {split!r}; it has {', '.join(self.splits)}"
                        f"{nearest(split, self.splits)}")

    def parts(self, split: str) -> tuple[str, ...]:
        """Return all splits that a name means: MNLI's "dev" is dev_matched and dev_mismatched."""
        first = self.split_name(split)
        same = tuple(name for name in self.splits if name.split("_")[0] == split and name not in SPLITS)
        return same if first in same else (first,)

    def file_names(self, split: str) -> tuple[str, ...]:
        """The names that a split's file may have, the usual one first."""
        name = self.split_name(split)
        stems = DEV_STEMS if name == "dev" else (name,)
        return self.files.get(name) or tuple(stem + suffix for stem in stems for suffix in self.suffixes)

    def file(self, directory_or_file: str | Path, split: str) -> Path:
        """Path of a split's file in a folder; a path to a file, or to the folder of one table, is itself.

        Raises:
            UserError: there is none, or there are several.
        """
        path = Path(directory_or_file)
        if is_table(path):
            return path
        if not path.is_dir():
            raise UserError(f"no such folder or file: {str(path)!r}; expected the data of task {self.name}, "
                            f"with {self._expected(split)}")
        found = self.files_there(path, split)
        if not found:
            raise UserError(f"{path} has no {self._expected(split)}; expected the data of task {self.name}")
        same = [file for file in found if file.stem == found[0].stem] if self.takes_first else found
        if len(same) > 1:
            names = ", ".join(file.name for file in same)
            raise UserError(f"{path} has several files for the split {split}: {names}; leave one of them there")
        return found[0]

    def files_there(self, folder: Path, split: str) -> list[Path]:
        """The files of a split that are in a folder; see `stored_as`."""
        return [there for name in self.file_names(split) if (there := stored_as(folder / name))]

    def _expected(self, split: str) -> str:
        """The names of a split's file, for people."""
        first, *others = self.file_names(split)
        if split in self.files or not others:
            return " or ".join((first, *others))
        return f"{first} (or {', '.join(self.suffixes[1:])})"

    def splits_in(self, directory_or_file: str | Path) -> tuple[str, ...]:
        """The splits whose files are there; of a single file `file_split`."""
        path = Path(directory_or_file)
        if is_table(path):
            return (self.file_split,)
        found = tuple(split for split in self.splits if self.files_there(path, split))
        if not found:
            expected = ", ".join(self.file_names(split)[0] for split in self.splits
                                 if split not in ("train_aug", UNLABELLED_SPLIT))
            there = sorted(file.name for file in path.iterdir() if file.is_file())[:8] if path.is_dir() else []
            raise UserError(f"no data of task {self.name} in {str(path)!r}; expected a folder with {expected}"
                            + (f"; it has {', '.join(there)}" if there else ""))
        return found

    def with_settings(self, settings: TaskConfig, seed: int = 0) -> Task:
        """Return the task with what the settings say of its files: columns, encoding, a share for the dev split.

        Raises:
            UserError: the task's files have nothing of the kind.
        """
        del seed
        for name in ("text_column", "text_columns", "text_b_column", "label_column", "encoding", "dev_share"):
            if getattr(settings, name) != getattr(TaskConfig, name):
                raise UserError(f"--{name} is a setting of tasks on whole texts, such as tsv; task {self.name} is a "
                                f"{self.kind} task; leave it out")
        return self

    def how_read(self, split: str) -> dict[str, Any]:
        """What of `with_settings` the examples of a split depend on, where it is not the default."""
        del split
        return {}

    def resolve(self, directory_or_file: str | Path, labels: Sequence[str] = ()) -> Task:
        """Return the task with everything settled that is found in the data, or `labels`; others return themselves."""
        del directory_or_file, labels
        return self

    def size_of(self, example: Any) -> int:
        """Return what `of_split` is given the largest of; 0 for most."""
        del example
        return 0

    def of_split(self, split: str, largest: int) -> Task:
        """Return the task with what the records of one split depend on; most return themselves."""
        del split, largest
        return self

    @abstractmethod
    def read(self, directory_or_file: str | Path, split: str, problems: Problems | None = None) -> Iterator[Any]:
        """Yield a split's examples in the order of the file.

        Raises:
            UserError: naming file and line: what is there and what was expected; or a file that is missing,
                unreadable or empty. What `problems` may count instead, a family says.
        """

    @abstractmethod
    def encode(self, examples: Sequence[Any], tokenizer: Tokenizer, options: EncodeOptions,
               first_index: int = 0) -> Features:
        """Turn examples, the first of which is number `first_index` of its split, into rows.

        The rows are labelled when the examples are. A row does not depend on its neighbours.

        Raises:
            UserError: an unknown label, or rows too short for the task.
        """

    def is_labelled(self, examples: Sequence[Any]) -> bool:
        """Whether examples of one split carry labels."""
        return bool(examples) and getattr(examples[0], self.label_field) is not None

    @abstractmethod
    def predictions(self, outputs: Outputs, options: DecodeOptions) -> list[dict[str, Any]]:
        """Return what the outputs mean, ready for JSON: one entry an example, in order, with its index, "prediction",
        and "label" (None where there is none)."""

    @abstractmethod
    def score(self, outputs: Outputs, options: DecodeOptions) -> dict[str, float]:
        """Return the metrics by name, the first of `metric_names` first; labelled data only."""

    def submission(self, outputs: Outputs, options: DecodeOptions, split: str) -> dict[str, str]:
        """Return file name -> text of what the benchmark's server takes for a test set.

        Raises:
            UserError: the task belongs to no benchmark that takes submissions.
        """
        raise UserError(f"task {self.name} has no submission format; write --predictions_path FILE instead")

    def label_id(self, label: str | float | None) -> int:
        """Position of a class name in `labels`."""
        try:
            return self.labels.index(label)
        except ValueError:
            raise UserError(f"unknown label {label!r}; task {self.name} has {', '.join(self.labels)}"
                            f"{nearest(str(label), self.labels)}") from None

    def with_labels(self, labels: Sequence[str]) -> Task:
        """Return the task with these classes, in this order."""
        return replace(self, labels=tuple(labels))


def is_test(split: str) -> bool:
    """Whether a split's labels may be missing: test, test_matched, ..., or are: unlabelled."""
    return split.split("_")[0] in ("test", UNLABELLED_SPLIT)


def stack(rows: Sequence[Sequence[int]], width: int, fill: int) -> np.ndarray:
    """Return rows of different lengths as int32 (rows, width), filled up with `fill`."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    values = np.full((len(rows), width), fill, np.int32)
    values[np.arange(width) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), np.int32, lengths.sum())
    return values


def model_inputs(rows: Sequence[Sequence[int]], first_lengths: Sequence[int], length: int, pad_id: int
                 ) -> dict[str, np.ndarray]:
    """Return input_ids int32, input_mask and segment_ids uint8, (rows, length) each.

    Args:
        rows: the tokens of each row, special ones included.
        first_lengths: how many of them are of segment 0; the others are of segment 1.
    """
    position = np.arange(length)
    mask = position < np.fromiter(map(len, rows), np.int64, len(rows))[:, None]
    segments = mask & (position >= np.array(first_lengths, np.int64)[:, None])
    return {"input_ids": stack(rows, length, pad_id), "input_mask": mask.astype(np.uint8),
            "segment_ids": segments.astype(np.uint8)}
