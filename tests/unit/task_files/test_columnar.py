# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parquet and Arrow: which files are one table, what their cells become, and what is refused."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import pytest

from src.config import TaskConfig
from src.task_files.columnar import files_of, read_records, stored_as
from src.task_files.problems import Problems
from src.tasks.registry import task_of
from tests.columnar import save_to_disk, write_parquet
from tests.refusals import refused

GOOD = {"text": ["a", "b"], "label": [1, 0]}
NAMES = {"label": ("bad", "good")}


def read(folder: Path, name: str = "tsv", split: str = "train", **settings: Any) -> tuple[list[tuple], Problems]:
    task, problems = task_of(TaskConfig(task_name=name, **settings)).resolve(folder), Problems()
    return [(e.text_a, e.label) for e in task.read(folder, split, problems)], problems


def test_parts_are_one_table(tmp_path: Path) -> None:
    for part in range(2):
        write_parquet(tmp_path / f"train-{part:05d}-of-00002.parquet", GOOD)
    save_to_disk(tmp_path / "validation", {"text": ["c", None], "label": [0, 1]})
    first = stored_as(tmp_path / "train.parquet")
    assert first and [number for number, _ in read_records(first)] == [1, 2, 3, 4]
    assert list(read_records(tmp_path / "validation")) == [(1, {"text": "c", "label": 0}),
                                                           (2, {"text": None, "label": 1})]
    assert len(list(read_records(tmp_path / "validation/data-00001-of-00002.arrow"))) == 2
    assert task_of(TaskConfig("tsv")).splits_in(tmp_path) == ("train", "dev")
    assert read(tmp_path)[1].understood.file == "train-00000-of-00002.parquet and 1 more"
    (tmp_path / "train-00001-of-00002.parquet").unlink()
    refused("lacks train-00001-of-00002.parquet of 2 parts", files_of, first)
    write_parquet(tmp_path / "train-00000-of-00003.parquet", GOOD)
    refused("parts of two divisions", stored_as, tmp_path / "train.parquet")


@pytest.mark.parametrize(("name", "names", "expected"), [
    ("tsv", NAMES, ["good", "bad"]), ("SST-2", NAMES, ["1", "0"]), ("tsv", {}, ["1", "0"]),
    ("RTE", {"label": ("entailment", "not_entailment")}, ["not_entailment", "entailment"]),
    ("RTE", {"label": ("not_entailment", "entailment")}, ["entailment", "not_entailment"]),
])
def test_names_of_classes_are_those_of_the_schema(name: str, names: dict, expected: list[str], tmp_path: Path) -> None:
    texts = {"sentence1": ["a", "b"], "sentence2": ["c", "d"]} if name == "RTE" else {"sentence": ["a", "b"]}
    save_to_disk(tmp_path / "train", texts | {"label": [1, 0]}, names)
    assert [label for _, label in read(tmp_path, name)[0]] == expected


def test_minus_one_marks_rows_without_a_label(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", GOOD, NAMES)
    write_parquet(tmp_path / "test.parquet", GOOD | {"label": [-1, -1]}, NAMES)
    rows, problems = read(tmp_path, split="test")
    assert rows == [("a", None), ("b", None)] and "an unlabelled test set" in problems.understood.notes[-1]
    write_parquet(tmp_path / "train.parquet", GOOD | {"label": [1, -1]}, NAMES)
    refused("parquet:2: the label is -1; the schema names the classes 0 to 1; that is how", read, tmp_path)


@pytest.mark.parametrize(("columns", "settings", "message"), [
    ({"text": [{"a": "x"}] * 2}, {}, r'parquet:1: the text is {"a": "x"}; expected a text'),
    ({"text": [["x"]] * 2}, {}, r'parquet:1: the text is \["x"\]; expected a text'),
    ({"text": [datetime.date(2020, 1, 1)] * 2}, {}, "parquet:1: the text is .*type date32.*; expected a text"),
    ({"text": [b"x", b"y"]}, {}, "parquet:1: the text is .*type binary.*; expected a text"),
    ({"text": [float("nan"), 1.5]}, {}, "parquet:1: the text is NaN; expected a text"),
    ({"text": ["a", None]}, {}, "parquet:2: the object has no 'text'"),
    ({"label": [datetime.date(2020, 1, 1)] * 2}, {}, "parquet:1: the label is .*type date32.*; expected one class"),
    ({"label": [[0, 1]] * 2}, {}, r"parquet:1: the label is \[0, 1\], a list"),
    ({}, {"encoding": "gb18030"}, "Parquet, whose texts are UTF-8; leave --encoding gb18030 out"),
    ({}, {"text_column": "txt"}, "did you mean 'text'"),
    ({}, {"text_columns": ("text", "title")}, "--text_columns title: the first line has no column"),
    ({}, {"text_columns": ("text", "label")}, "--text_columns names a column twice, or one that is"),
    ({}, {"text_columns": ("text",), "text_column": "text"}, "--text_column and --text_columns both name the text"),
    ({}, {"text_columns": ("text",), "name": "SST-2"}, "--text_columns joins columns of --task_name tsv"),
])
def test_refused(columns: dict[str, list], settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", GOOD | columns)
    refused(message, read, tmp_path, **settings)


def test_files_that_are_none(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "train.parquet", GOOD)
    whole = file.read_bytes()
    for content, message in ((whole[:-20], "the file is damaged, or cut off"),
                             (b"text,label\n", "does not begin as such"),
                             (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS")):
        file.write_bytes(content)
        refused(message, read, tmp_path)
    file.unlink()
    saved = save_to_disk(tmp_path / "train", GOOD)
    (saved / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    refused("names no data files of a table", read, tmp_path)


def test_without_pyarrow_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused("pip install -r requirements-parquet.txt, or save", read, tmp_path)


def test_joined_texts_leave_out_what_is_empty(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", {"title": ["a", None, ""], "body": ["b", "c", "d"], "topic": [0, 1, 0]})
    rows, problems = read(tmp_path, text_columns=("title", "body"), label_column="topic")
    assert [text for text, _ in rows] == ["a b", "c", "d"]
    assert problems.understood.columns["text"] == "title + body" and not problems.understood.ignored


def test_tags_have_one_order_of_names(tmp_path: Path) -> None:
    columns = {"tokens": [["a", "b"]], "ner_tags": [[1, 0]]}
    save_to_disk(tmp_path / "train", columns, {"ner_tags": ("O", "B-PER")})
    save_to_disk(tmp_path / "validation", columns, {"ner_tags": ("B-PER", "O")})
    task = task_of(TaskConfig("ner"))
    refused("several orders: train: O, B-PER; validation: B-PER, O; save them alike", task.resolve, tmp_path)
    named = task_of(TaskConfig("ner", tag_names=("O", "B-PER"))).resolve(tmp_path)
    assert [example.tags for example in named.read(tmp_path, "dev")] == [("B-PER", "O")]
