# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks on whole texts, single or in pairs: classification and regression, in tab-separated files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from src.errors import UserError
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs, Problems
from src.tasks.task import Task
from src.tokenization import Tokenizer

Row = tuple[int, list[str]]
"""Line number, from 1, and cells."""


@dataclass(frozen=True, slots=True)
class TextExample:
    """One row of a file: the label is a name, a score (regression), or None in an unlabelled test set."""

    text_a: str
    text_b: str | None
    label: str | float | None
    line: int
    """Line in its file, from 1."""


@dataclass(frozen=True)
class TextTask(Task):
    """A data set of GLUE's kind as data: adding one is an entry in `glue.py`.

    Attributes:
        text_a, text_b, label: column names of the header; text_b is "" for single sentences.
        columns_without_header: the columns of labelled files that have no header line (CoLA).
    """

    text_a: str = "text"
    label: str = "label"
    text_b: str = ""
    columns_without_header: tuple[str, ...] = ()

    @property
    def is_pair(self) -> bool:
        return bool(self.text_b)

    def read(self, directory_or_file: str | Path, split: str,
             problems: Problems | None = None) -> Iterator[TextExample]:
        """Yield a split's examples in the order of the file.

        Raises:
            UserError: naming file and line: another number of columns than the header, an unknown label, a score
                that is no number, bytes that are not UTF-8; or a file that is missing, unreadable or empty.
        """
        file = self.file(directory_or_file, split)
        rows = read_rows(file)
        unlabelled = split.split("_")[0] == "test"
        first = next(rows, None)
        if first is None:
            raise UserError(f"{file} is empty; expected examples of task {self.name}")
        columns = self._columns(file, first[1], unlabelled)
        index_a, index_b, index_label = (columns.index(name) if name in columns else None
                                         for name in (self.text_a, self.text_b, self.label))
        if not self._is_header(first[1]):
            rows = chain((first,), rows)
        number = 0
        for line, cells in rows:
            if len(cells) != len(columns):
                raise UserError(f"{file}:{line}: {len(cells)} tab-separated columns; expected {len(columns)} "
                                f"({', '.join(columns)})")
            label = None if index_label is None else self._label(cells[index_label], file, line)
            yield TextExample(cells[index_a], None if index_b is None else cells[index_b], label, line)
            number += 1
        if not number:
            raise UserError(f"{file} has a header but no examples")

    def _is_header(self, cells: list[str]) -> bool:
        return self.text_a in cells and (not self.text_b or self.text_b in cells)

    def _columns(self, file: Path, first: list[str], unlabelled: bool) -> list[str]:
        """Column names, from the header or, for a file without one, from the task."""
        if not self._is_header(first):
            if self.columns_without_header and not unlabelled:
                return list(self.columns_without_header)
            wanted = [name for name in (self.text_a, self.text_b) if name]
            raise UserError(f"{file}:1: no header with {' and '.join(map(repr, wanted))} (task {self.name}); the first "
                            f"line has the columns {first[:8]}")
        if self.label not in first and not unlabelled:
            raise UserError(f"{file}:1: the header has no column {self.label!r}, which task {self.name} needs; it has "
                            f"{first}")
        return first

    def _label(self, cell: str, file: Path, line: int) -> str | float:
        if self.is_regression:
            try:
                score = float(cell)
            except ValueError:
                score = math.nan
            if not math.isfinite(score):
                raise UserError(f"{file}:{line}: the score is {cell!r}; expected a number")
            return score
        if self.labels and cell not in self.labels:
            raise UserError(f"{file}:{line}: unknown label {cell!r}; task {self.name} has {', '.join(self.labels)}")
        return cell

    def is_labelled(self, examples: Sequence[TextExample]) -> bool:
        return bool(examples) and examples[0].label is not None

    def encode(self, examples: Sequence[TextExample], tokenizer: Tokenizer, options: EncodeOptions,
               first_index: int = 0) -> Features:
        """[CLS] a [SEP] or [CLS] a [SEP] b [SEP], and label_ids (rows, 1): int32 classes or float32 scores."""
        features = encode_texts(examples, tokenizer, options.seq_length)
        if self.is_labelled(examples):
            labels = [example.label if self.is_regression else self.label_id(example.label) for example in examples]
            features.values["label_ids"] = np.array(labels, np.float32 if self.is_regression else np.int32)[:, None]
        return features

    def predictions(self, outputs: Outputs, options: DecodeOptions) -> list[dict[str, Any]]:
        """index, logits, prediction (class by name, or score), label."""
        named = (lambda value: float(value)) if self.is_regression else (lambda value: self.labels[int(value)])
        labels = outputs.values.get("label_ids")
        return [{"index": index, "logits": [float(x) for x in outputs.logits[index]], "prediction": named(value),
                 "label": None if labels is None else named(labels[index, 0])}
                for index, value in enumerate(self._values(outputs))]

    def score(self, outputs: Outputs, options: DecodeOptions) -> dict[str, float]:
        return self.metrics(self._values(outputs), outputs.values["label_ids"])

    def _values(self, outputs: Outputs) -> np.ndarray:
        return outputs.logits[:, 0] if self.is_regression else outputs.logits.argmax(1)

    def metrics(self, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Metrics of class ids, or of scores on a regression task; both (N,)."""
        # scikit-learn and SciPy take a second to import: only who scores pays for it.
        from src.tasks.metrics import compute
        return compute(self.metric_names, predictions, labels)


def read_rows(file: Path) -> Iterator[Row]:
    """Yield (line number, cells) of a tab-separated UTF-8 file: quotes mean nothing, empty lines are skipped.

    Lines end at "\\n" or "\\r\\n" only: the other separators that Python knows of (U+2028, form feed) do occur inside
    of fields. A byte order mark at the beginning is dropped.
    """
    try:
        with open(file, "rb") as stream:
            for number, raw in enumerate(stream, 1):
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(f"{file}:{number}: not UTF-8 (byte {error.start + 1} of the line is "
                                    f"0x{raw[error.start]:02x}); convert the file to UTF-8") from error
                text = text.rstrip("\r\n")
                if text:
                    yield number, text.split("\t")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error


def encode_texts(examples: Sequence[TextExample], tokenizer: Tokenizer, seq_length: int) -> Features:
    """[CLS] a [SEP] or [CLS] a [SEP] b [SEP], segments 0 and 1, cut to `seq_length`, longest text first (BERT)."""
    encoded_a = tokenizer.encode_batch([example.text_a for example in examples])
    is_pair = bool(examples) and examples[0].text_b is not None
    if is_pair and seq_length < 5:
        raise UserError(f"seq_length is {seq_length}; pairs of texts need at least 5")
    encoded_b = tokenizer.encode_batch([example.text_b or "" for example in examples]) if is_pair else None
    flat: list[int] = []
    lengths, first_lengths = [], []
    shortened = 0
    cls_id, sep_id = tokenizer.cls_id, tokenizer.sep_id
    for index, ids_a in enumerate(encoded_a):
        ids_b = encoded_b[index] if encoded_b else []
        keep_a, keep_b = truncated_lengths(len(ids_a), len(ids_b), seq_length - (3 if is_pair else 2))
        shortened += keep_a < len(ids_a) or keep_b < len(ids_b)
        begin = len(flat)
        flat.append(cls_id)
        flat += ids_a[:keep_a]
        flat.append(sep_id)
        first_lengths.append(len(flat) - begin)
        if is_pair:
            flat += ids_b[:keep_b]
            flat.append(sep_id)
        lengths.append(len(flat) - begin)
    position = np.arange(seq_length)
    mask = position < np.array(lengths, np.int64)[:, None]
    input_ids = np.full(mask.shape, tokenizer.pad_id, np.int32)
    tokens = np.array(flat, np.int32)
    input_ids[mask] = tokens
    segments = mask & (position >= np.array(first_lengths, np.int64)[:, None])
    values = {"input_ids": input_ids, "input_mask": mask.astype(np.uint8), "segment_ids": segments.astype(np.uint8)}
    return Features(values, tokens=len(flat) - (3 if is_pair else 2) * len(examples),
                    unknown=tokenizer.count_unknown(tokens), shortened=int(shortened))


def truncated_lengths(length_a: int, length_b: int, room: int) -> tuple[int, int]:
    """Lengths after taking tokens from the end of the longer text until both fit into `room`; on a tie from b."""
    if length_a + length_b <= room:
        return length_a, length_b
    half_a, half_b = room - room // 2, room // 2
    if length_b <= half_b:
        return room - length_b, length_b
    if length_a <= half_a:
        return length_a, room - length_a
    return half_a, half_b
