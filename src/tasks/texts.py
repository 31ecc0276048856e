# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tasks on whole texts, single or in pairs: classification and regression; see `src.task_files` for the files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from src.common.errors import UserError, nearest
from src.config import TaskConfig
from src.task_files.forms import Form, fail, form_of, lines_form
from src.task_files.headers import cut, is_known, normal
from src.task_files.json_records import short
from src.task_files.labels import UNLABELLED, count_in_order, is_missing, normal_label, score_of
from src.task_files.problems import Problems
from src.task_files.tables import Row, read_rows
from src.tasks.features import DecodeOptions, EncodeOptions, Features, Outputs
from src.tasks.task import UNLABELLED_SPLIT, Task, is_test
from src.tasks.text_encoding import encode_texts
from src.tasks.text_example import TextExample
from src.tasks.text_layout import Layout
from src.text.tokenization import Tokenizer

SUFFIXES = (".tsv", ".csv", ".jsonl", ".json", ".parquet", ".arrow")


@dataclass(frozen=True)
class TextTask(Task):
    """A data set of texts or pairs of texts as data: adding one is an entry in `glue.py` or `clue.py`.

    Attributes:
        text_a, text_b, label: column names of the header, or keys of JSON lines; text_b is "" for single sentences.
        language: column of the texts' language, in data of several languages.
        aliases: other names of these columns -> the name here, for files that lack the latter.
        columns_without_header: the columns of files that have no header line; a test set's may lack the label.
        label_aliases: other spellings of labels -> the label.
        hub_labels: the classes in the order of the Hugging Face hub, whose files have their numbers as labels.
        dropped_labels: rows with these are no examples: annotators who did not agree.
        submission_files: split -> file that the benchmark's server takes.
        submission_labels: label -> how the server calls it, where that differs.
        text_column, text_b_column, label_column, encoding: see `task` in default_config.yaml.
    """

    suffixes: tuple[str, ...] = SUFFIXES
    text_a: str = "text"
    label: str = "label"
    text_b: str = ""
    language: str = ""
    aliases: dict[str, str] = field(default_factory=dict)
    columns_without_header: tuple[str, ...] = ()
    label_aliases: dict[str, str] = field(default_factory=dict)
    hub_labels: tuple[str, ...] = ()
    dropped_labels: tuple[str, ...] = ()
    submission_files: dict[str, str] = field(default_factory=dict)
    submission_labels: dict[str, str] = field(default_factory=dict)
    text_column: str = ""
    text_b_column: str = ""
    label_column: str = ""
    encoding: str = "utf-8"

    @property
    def takes(self) -> str:
        return "pair" if self.text_b else "text"

    def with_settings(self, settings: TaskConfig, seed: int = 0) -> Task:
        """Return the task with columns and encoding as the user names them."""
        if settings.text_columns:
            raise UserError(f"--text_columns joins columns of --task_name tsv; task {self.name} takes one of them: "
                            "name it with --text_column")
        if settings.dev_share:
            raise UserError(f"--dev_share divides one file of --task_name tsv; task {self.name} has files of its own "
                            "for each split; leave it out")
        return self._with_columns(settings)

    def _with_columns(self, settings: TaskConfig) -> TextTask:
        return replace(self, text_column=settings.text_column, text_b_column=settings.text_b_column,
                       label_column=settings.label_column, encoding=settings.encoding)

    def how_read(self, split: str) -> dict[str, Any]:
        given = {"text_column": self.text_column, "text_b_column": self.text_b_column,
                 "label_column": self.label_column, "encoding": "" if self.encoding == "utf-8" else self.encoding}
        return {} if split == "train_aug" else {name: value for name, value in given.items() if value}

    def file_names(self, split: str) -> tuple[str, ...]:
        """See `Task.file_names`; unlabelled texts may be the lines of a file."""
        names = super().file_names(split)
        return (*names, f"{split}.txt") if split == UNLABELLED_SPLIT else names

    def read(self, directory_or_file: str | Path, split: str,
             problems: Problems | None = None) -> Iterator[TextExample]:
        """Yield a split's examples in the order of the file.

        `problems` may count: another number of columns than the header, an unknown or missing label, a score that is
        no number, bytes that cannot be decoded, a line that is no JSON object. In an unlabelled test set they are
        always fatal, since a submission has a prediction for each row. `problems.understood` tells how the file was
        read, once all of it is.

        Raises:
            UserError: naming file and line: such a row; or a file that is missing, unreadable or empty.
        """
        problems = problems or Problems()
        understood, counts = problems.understood, Counter[str]()
        for example in self._chosen(self._read(directory_or_file, split, problems), directory_or_file, split):
            if example.label is not None and self.kind == "classification":
                counts[str(example.label)] += 1
            yield example
        if counts:
            understood.classes = count_in_order(counts, self.labels or sorted(counts))
        if problems.number:
            understood.left_out["faulty rows"] = problems.number

    def _chosen(self, examples: Iterator[TextExample], directory_or_file: str | Path, split: str
                ) -> Iterator[TextExample]:
        """Yield the examples of a file that belong to the split."""
        del directory_or_file, split
        return examples

    @property
    def _roles(self) -> dict[str, str]:
        """What each column is called where it is told how a file was read."""
        return {self.text_a: "text_a" if self.text_b else "text", self.text_b: "text_b", self.label: "label",
                self.language: "language"}

    def _read(self, directory_or_file: str | Path, split: str, problems: Problems) -> Iterator[TextExample]:
        file, understood, found = self.file(directory_or_file, split), problems.understood, 0
        layout = self._layout(file, split)
        layout.tell(file, understood, self._roles)
        given = self.label in layout.places
        # Whether a test set is labelled is told by its first row, which may have an empty label.
        labelled = None if given and is_test(split) else given
        numbered: bool | None = None

        def faulty(message: str) -> None:
            nonlocal found
            found += 1
            (fail if labelled is False and is_test(split) else problems.report)(message)

        for line, cells in islice(read_rows(file, faulty, layout.form), int(layout.has_header), None):
            try:
                self._check_cells(cells, layout)
                row = {name: cells[place] for name, place in layout.places.items()}
                if given:
                    row[self.label] = layout.class_of(row[self.label], is_test(split))
                if labelled is None:
                    labelled = not self._is_unlabelled(row[self.label])
                if given and not labelled:
                    if not self._is_unlabelled(row.pop(self.label)):
                        raise UserError("this row has a label, the first one has none; a test set is labelled as a "
                                        "whole or not at all")
                elif given and self.hub_labels:
                    is_number = self._is_hub_label(row[self.label])
                    numbered = is_number if numbered is None else numbered
                    if is_number is not numbered:
                        raise UserError(f"unknown label {cut(str(row[self.label]))!r}: the rows before have "
                                        f"{'numbers' if numbered else 'names'}; write all labels alike")
                if layout.joined:
                    row[self.text_a] = self._joined([row[self.text_a], *(cells[place] for place in layout.joined)])
                example = replace(self._example(row, line), row=found, id=layout.id_of(cells))
                if split == UNLABELLED_SPLIT and not cut(example.text_a):
                    raise UserError("the text is empty")
            except UserError as error:
                faulty(f"{file}:{line}: {error}")
                continue
            found += 1
            if example.label in self.dropped_labels:
                reason = f"rows with the label {example.label!r}"
                understood.left_out[reason] = understood.left_out.get(reason, 0) + 1
            else:
                yield example
        if not found:
            raise UserError(f"{file} has a header but no examples")
        if numbered:
            order = ", ".join(f"{number} = {label}" for number, label in enumerate(self.hub_labels))
            understood.notes.append(f"labels are numbers, read in the order of the Hugging Face hub: {order}")
        if given and labelled is False:
            understood.notes.append(f"no row has a label ({UNLABELLED} or empty): an unlabelled test set")

    def _check_cells(self, cells: Sequence[Any], layout: Layout) -> None:
        if len(cells) != len(layout.columns):
            separated = "tab-separated columns" if layout.form.kind == "tsv" else "columns"
            raise UserError(f"{len(cells)} {separated}; expected {len(layout.columns)} ({', '.join(layout.columns)})")
        if layout.has_header and not layout.form.has_names and [cut(cell) for cell in cells] == layout.columns:
            raise UserError("the header again; files that are joined have one header")

    def _layout(self, file: Path, split: str, may_lack_labels: bool = False) -> Layout:
        """Return where the columns of a file are; a test set may lack its labels.

        Raises:
            UserError: the file is empty, has no header and needs one, or its header lacks a column or has it twice.
        """
        if split == UNLABELLED_SPLIT:
            return self._unlabelled_layout(file)
        own = split == "train_aug"  # as augmentation writes it
        form = form_of(file, "utf-8" if own else self.encoding, understands_quotes=self._may_be_quoted(file, own))
        first = next(read_rows(file, fail, form), None)
        if first is None:
            raise UserError(f"{file} is empty; expected examples of task {self.name}")
        task = replace(self, text_column="", text_b_column="", label_column="") if own else self
        layout = task._columns(file, form, first, may_lack_labels or is_test(split))
        return layout if self.is_regression else layout.with_classes(file, self.label, self.labels)

    def _unlabelled_layout(self, file: Path) -> Layout:
        """Return where the texts of a file are whose labels, if it has some, are not read."""
        if file.suffix.lower() == ".txt" and self.text_b:
            raise UserError(f"{file} has one text a line, but rows of {self.name} two: give .tsv, .csv or .jsonl")
        if file.suffix.lower() == ".txt":
            return Layout(lines_form(file, self.encoding), [self.text_a], {self.text_a: 0}, False)
        layout = replace(self, label_column="", file_split=UNLABELLED_SPLIT)._layout(file, "test")
        if not layout.has_header and self.file_split == UNLABELLED_SPLIT and len(layout.columns) > 1:
            raise UserError(f"{file} has {len(layout.columns)} columns and no header: put one before the rows, since a "
                            "second text and a label cannot be told apart")
        return layout.without(self.label)

    def _may_be_quoted(self, file: Path, is_own: bool) -> bool:
        """Whether the quotes of a tab-separated file may be a CSV writer's: not in the benchmark's own files."""
        if is_own:
            return False
        _, cells = next(read_rows(file, lambda message: None, form_of(file, self.encoding)), (0, []))
        return any(normal(str(cell).strip('"')) in ("idx", *self.aliases) for cell in cells)

    def _named(self) -> dict[str, str]:
        """The task's columns that the user names -> the name in the file."""
        named = {self.text_a: self.text_column, self.text_b: self.text_b_column, self.label: self.label_column}
        if self.text_b_column and not self.text_b:
            raise UserError(f"--text_b_column {self.text_b_column}: task {self.name} has single texts; leave it out")
        return {own: name for own, name in named.items() if name}

    def _columns(self, file: Path, form: Form, first: Row, may_lack_labels: bool) -> Layout:
        """Return the layout that the first row tells."""
        line, cells = first
        columns = [cut(str(cell)) for cell in cells]
        named = self._named()
        # Other names give way to the task's own where these are there too.
        own = [column if self.aliases.get(column, column) in columns else self.aliases[column] for column in columns]
        for name, given in named.items():
            if given not in columns and not (name == self.label and may_lack_labels):
                raise UserError(f"{file}:{line}: no column {given!r}; the first line has {columns[:8]}"
                                f"{nearest(given, columns)}")
            own = [name if column == given else "" if other == name else other
                   for column, other in zip(columns, own, strict=True)]
        if self.text_a in own and (not self.text_b or self.text_b in own):
            if self.label not in own and not may_lack_labels:
                raise UserError(f"{file}:{line}: the header has no column {self.label!r}, which task {self.name} "
                                f"needs; it has {columns}{self._misspelt(columns)}")
            return self._with_places(file, form, line, columns, own)
        fixed = list(self.columns_without_header)
        words = [normal(name) for name in (self.text_a, self.text_b, self.label) if name]
        is_header = any(normal(column) in words for column in columns) or self._is_header(columns)
        if not fixed or form.has_names or is_header:
            wanted = " and ".join(repr(name) for name in (self.text_a, self.text_b) if name)
            raise UserError(f"{file}:{line}: no header with {wanted} (task {self.name}); the first line has the "
                            f"columns {columns[:8]}{self._misspelt(columns)}")
        without_label = [name for name in fixed if name != self.label]
        fixed = without_label if may_lack_labels and len(columns) == len(without_label) else fixed
        places = {name: fixed.index(name) for name in (self.text_a, self.text_b, self.label) if name in fixed}
        return Layout(form, fixed, places, False, ("no header: the columns are told by their place",))

    @staticmethod
    def _is_header(columns: Sequence[str]) -> bool:
        """Whether a first line with names that the task does not know is a header nevertheless."""
        return len(columns) > 1 and all(map(is_known, columns))

    def _with_places(self, file: Path, form: Form, line: int, columns: list[str], own: list[str]) -> Layout:
        names = [name for name in (self.text_a, self.text_b, self.label, self.language) if name]
        for name in names:
            if own.count(name) > 1:
                same = [column for column, other in zip(columns, own, strict=True) if other == name]
                raise UserError(f"{file}:{line}: the header has {len(same)} columns for {name!r}: {', '.join(same)}; "
                                "leave one of them")
        return Layout(form, columns, {name: own.index(name) for name in names if name in own}, True)

    def _misspelt(self, columns: Sequence[str]) -> str:
        """The remedy for a header whose names differ from the task's in case or blanks only, or nearly so."""
        known = {normal(name): name for name in (self.text_a, self.text_b, self.label, *self.aliases) if name}
        for column in columns:
            name = known.get(normal(column))
            if name and name != column:
                return f"; did you mean {name!r}, where the file has {column!r}? Write it as the task does"
        options = ["--text_column", *(["--text_b_column"] if self.text_b else []), "--label_column"]
        return f"; name the file's columns with {', '.join(options)}"

    def _example(self, row: dict[str, Any], line: int) -> TextExample:
        """Return the example of a row, column -> cell; raises `UserError` with what is wrong about it."""
        text_a, text_b = self._text(row, self.text_a), self._text(row, self.text_b) if self.text_b else None
        label = self._label(row[self.label]) if self.label in row else None
        language = self._text(row, self.language) if self.language in row else None
        return TextExample(text_a, text_b, label, line, language)

    @staticmethod
    def _text(row: dict[str, Any], name: str) -> str:
        cell = row[name]
        if cell is None:
            raise UserError(f"the object has no {name!r}")
        if isinstance(cell, bool) or not isinstance(cell, str | int | float) or cell != cell:
            raise UserError(f"the {name} is {short(cell)}; expected a text")
        return cell if isinstance(cell, str) else json.dumps(cell)

    def _joined(self, cells: Sequence[Any]) -> str:
        """The texts of several columns, with a blank between; those that are empty or missing are left out."""
        texts = (self._text({self.text_a: cell}, self.text_a) for cell in cells if cell is not None)
        return " ".join(text for text in texts if cut(text))

    def label_id(self, label: str | float | None) -> int:
        """See `Task.label_id`."""
        try:
            return super().label_id(label)
        except UserError as error:
            hint = "; that is how the Hugging Face hub marks rows without a label" if label == UNLABELLED else ""
            raise UserError(f"{error}{hint}") from None

    def _label(self, cell: Any) -> str | float:
        """Return a label or score; raises `UserError` with what is wrong about it."""
        if self.is_regression:
            if cell is None:
                raise UserError(f"the object has no {self.label!r}")
            return score_of(cell)
        label = normal_label(cell, self.label)
        as_written = cut(cell) if isinstance(cell, str) else label
        if as_written in self.labels:  # a model may have been trained on labels of another form
            return as_written
        if self._is_hub_label(cell):
            return self.hub_labels[int(label)]
        label = self.label_aliases.get(label, label)
        if self.labels and label not in self.dropped_labels:
            self.label_id(label)
        return label

    def _is_hub_label(self, cell: Any) -> bool:
        """Whether a label is the number of a class in the hub's order, where the task's own labels are others."""
        if not self.hub_labels or is_missing(cell) or isinstance(cell, bool | list | dict):
            return False
        label = normal_label(cell)
        return (label not in self.labels and label not in self.label_aliases and label.isascii() and label.isdigit()
                and int(label) < len(self.hub_labels))

    def _is_unlabelled(self, cell: Any) -> bool:
        """Whether a row of a test set has no label."""
        if is_missing(cell):
            return True
        if isinstance(cell, bool | list | dict) or UNLABELLED in self.labels:
            return False
        return normal_label(cell) == UNLABELLED

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
