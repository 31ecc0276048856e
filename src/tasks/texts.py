# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks on whole texts, single or in pairs: classification and regression, in tab-separated files or JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from src.common.errors import UserError
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs, Problems
from src.tasks.tables import Row, fail, is_json_lines, read_rows
from src.tasks.task import Task, is_test, model_inputs
from src.text.tokenization import Tokenizer


@dataclass(frozen=True, slots=True)
class TextExample:
    """One row of a file: the label is a name, a score (regression), or None in an unlabelled test set."""

    text_a: str
    text_b: str | None
    label: str | float | None
    line: int
    """Line in its file, from 1."""
    language: str | None = None


@dataclass(frozen=True)
class TextTask(Task):
    """A data set of texts or pairs of texts as data: adding one is an entry in `glue.py` or `clue.py`.

    Attributes:
        text_a, text_b, label: column names of the header, or keys of JSON lines; text_b is "" for single sentences.
        language: column of the texts' language, in data of several languages.
        aliases: other names of these columns -> the name here, for files that lack the latter.
        columns_without_header: the columns of files that have no header line; a test set's may lack the label.
        label_aliases: other spellings of labels -> the label.
        dropped_labels: rows with these are no examples: annotators who did not agree.
        submission_files: split -> file that the benchmark's server takes.
        submission_labels: label -> how the server calls it, where that differs.
    """

    text_a: str = "text"
    label: str = "label"
    text_b: str = ""
    language: str = ""
    aliases: dict[str, str] = field(default_factory=dict)
    columns_without_header: tuple[str, ...] = ()
    label_aliases: dict[str, str] = field(default_factory=dict)
    dropped_labels: tuple[str, ...] = ()
    submission_files: dict[str, str] = field(default_factory=dict)
    submission_labels: dict[str, str] = field(default_factory=dict)

    def read(self, directory_or_file: str | Path, split: str,
             problems: Problems | None = None) -> Iterator[TextExample]:
        """Yield a split's examples in the order of the file.

        `problems` may count: another number of columns than the header, an unknown label, a score that is no number,
        bytes that are not UTF-8, a line that is no JSON object. In an unlabelled test set they are always fatal,
        since a submission has a prediction for each row.

        Raises:
            UserError: naming file and line: such a row; or a file that is missing, unreadable or empty.
        """
        file = self.file(directory_or_file, split)
        first = next(read_rows(file), None)
        if first is None:
            raise UserError(f"{file} is empty; expected examples of task {self.name}")
        columns, has_header = self._columns(file, first, is_test(split))
        names = (self.text_a, self.text_b, self.label, self.language)
        places = {name: columns.index(name) for name in names if name in columns}
        faulty = (problems or Problems()).report if self.label in columns else fail
        number = 0
        for line, cells in islice(read_rows(file, faulty), int(has_header), None):
            number += 1
            try:
                if len(cells) != len(columns):
                    raise UserError(f"{len(cells)} tab-separated columns; expected {len(columns)} "
                                    f"({', '.join(columns)})")
                example = self._example({name: cells[place] for name, place in places.items()}, line)
            except UserError as error:
                faulty(f"{file}:{line}: {error}")
                continue
            if example.label not in self.dropped_labels:
                yield example
        if not number:
            raise UserError(f"{file} has a header but no examples")

    def _columns(self, file: Path, first: Row, may_lack_labels: bool) -> tuple[list[str], bool]:
        """Return names of the columns, and whether the file has them in its first row."""
        line, cells = first
        # Other names give way to the task's own where these are there too.
        columns = [cell if self.aliases.get(cell, cell) in cells else self.aliases[cell] for cell in cells]
        if self.text_a in columns and (not self.text_b or self.text_b in columns):
            if self.label not in columns and not may_lack_labels:
                raise UserError(f"{file}:{line}: the header has no column {self.label!r}, which task {self.name} "
                                f"needs; it has {cells}")
            return columns, True
        fixed = list(self.columns_without_header)
        if not fixed or is_json_lines(file):
            wanted = " and ".join(repr(name) for name in (self.text_a, self.text_b) if name)
            raise UserError(f"{file}:{line}: no header with {wanted} (task {self.name}); the first line has the "
                            f"columns {cells[:8]}")
        without_label = [name for name in fixed if name != self.label]
        return (without_label if may_lack_labels and len(cells) == len(without_label) else fixed), False

    def _example(self, row: dict[str, str | None], line: int) -> TextExample:
        """Return the example of a row, column -> text; raises `UserError` with what is wrong about it."""
        for name, text in row.items():
            if text is None:
                raise UserError(f"the object has no {name!r}")
        label = row.get(self.label)
        return TextExample(row[self.text_a] or "", row.get(self.text_b), None if label is None else self._label(label),
                           line, row.get(self.language))

    def _label(self, cell: str) -> str | float:
        """Return a label or score; raises `UserError` with what is wrong about it."""
        if self.is_regression:
            try:
                score = float(cell)
            except ValueError:
                score = math.nan
            if not math.isfinite(score):
                raise UserError(f"the score is {cell!r}; expected a number")
            return score
        label = self.label_aliases.get(cell, cell)
        if self.labels and label not in self.dropped_labels:
            self.label_id(label)
        return label

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

    def submission(self, outputs: Outputs, options: DecodeOptions, split: str) -> dict[str, str]:
        """GLUE's and CLUE's files; a row's number, from 0, is its index in the benchmark's test set."""
        split = self.split_name(split)
        if not self.submission_files:
            return super().submission(outputs, options, split)
        if split not in self.submission_files:
            raise UserError(f"task {self.name}: a submission is of split {' or '.join(self.submission_files)}, not of "
                            f"{split}; set --split {next(iter(self.submission_files))}")
        name = self.submission_files[split]
        values: Any = self._values(outputs)
        if not self.is_regression:
            values = [self.submission_labels.get(label, label) for label in (self.labels[value] for value in values)]
        if name.endswith(".json"):
            rows = [{"id": index, "label": label} for index, label in enumerate(values)]
            lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        else:
            # GLUE takes the scores of STS-B in [0, 5] with 3 decimals.
            named = [f"{score:.3f}" for score in np.clip(values, 0.0, 5.0)] if self.is_regression else values
            lines = ["index\tprediction", *(f"{index}\t{value}" for index, value in enumerate(named))]
        return {name: "\n".join(lines) + "\n"}

    def _values(self, outputs: Outputs) -> np.ndarray:
        return outputs.logits[:, 0] if self.is_regression else outputs.logits.argmax(1)

    def metrics(self, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Metrics of class ids, or of scores on a regression task; both (N,)."""
        # scikit-learn and SciPy take a second to import: only who scores pays for it.
        from src.tasks.metrics import compute
        return compute(self.metric_names, predictions, labels)


def encode_texts(examples: Sequence[TextExample], tokenizer: Tokenizer, seq_length: int) -> Features:
    """[CLS] a [SEP] or [CLS] a [SEP] b [SEP], segments 0 and 1, cut to `seq_length`, longest text first (BERT)."""
    is_pair = bool(examples) and examples[0].text_b is not None
    if is_pair and seq_length < 5:
        raise UserError(f"seq_length is {seq_length}; pairs of texts need at least 5")
    special = 3 if is_pair else 2
    all_a = tokenizer.encode_batch([example.text_a for example in examples])
    all_b = tokenizer.encode_batch([example.text_b or "" for example in examples]) if is_pair else [[]] * len(all_a)
    rows, first_lengths, shortened = [], [], 0
    for ids_a, ids_b in zip(all_a, all_b, strict=True):
        keep_a, keep_b = truncated_lengths(len(ids_a), len(ids_b), seq_length - special)
        shortened += keep_a < len(ids_a) or keep_b < len(ids_b)
        first = [tokenizer.cls_id, *ids_a[:keep_a], tokenizer.sep_id]
        first_lengths.append(len(first))
        rows.append([*first, *ids_b[:keep_b], tokenizer.sep_id] if is_pair else first)
    values = model_inputs(rows, first_lengths, seq_length, tokenizer.pad_id)
    tokens = values["input_ids"][values["input_mask"] > 0]
    return Features(values, tokens=len(tokens) - special * len(rows), unknown=tokenizer.count_unknown(tokens),
                    shortened=shortened)


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
