# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The same rows become the same records, whatever form their file has."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_vocabulary import write_vocabulary

from src.config import TaskConfig
from src.records.prepare import TaskOptions, prepare_task
from src.tasks.registry import task_of
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.columnar import Columns, save_to_disk, write_parquet

PAIRS: Columns = {"title": ['the "old" house, red', "国 人", "12", "a"], "body": ["sat", " on the", "x\u2028y", "b c"],
                  "topic": ["yes", "no", "no", "yes"], "score": [1.5, 2.0, 0.25, -1.0]}
WORDS: Columns = {"tokens": [["the", "cat"], ["国", "人", "12"]], "ner_tags": [["O", "B-PER"], ["B-LOC", "I-LOC", "O"]]}
QUESTIONS: Columns = {"id": ["1", "2"], "question": ["who sat", "where"], "context": ["the cat sat", "on the house"],
                      "answers": [{"text": ["cat"], "answer_start": [4]}, {"text": ["house"], "answer_start": [7]}]}
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def as_objects(columns: Columns) -> list[dict]:
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def as_tsv(folder: Path, columns: Columns) -> None:
    rows = [columns, *zip(*columns.values(), strict=True)]
    (folder / "train.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


def as_csv(folder: Path, columns: Columns) -> None:
    with open(folder / "train.csv", "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([list(columns), *zip(*columns.values(), strict=True)])


def as_conll(folder: Path, columns: Columns) -> None:
    sentences = ["".join(f"{word}\t{tag}\n" for word, tag in zip(*pair, strict=True))
                 for pair in zip(columns["tokens"], columns["ner_tags"], strict=True)]
    (folder / "train.tsv").write_text("\n".join(sentences), encoding="utf-8")


def as_csv_of_lists(folder: Path, columns: Columns) -> None:
    as_csv(folder, {name: [cell if isinstance(cell, str) else json.dumps(cell) for cell in cells]
                    for name, cells in columns.items()})


def as_csv_of_answers(folder: Path, columns: Columns) -> None:
    given = columns["answers"]
    flat = {"answer": [each["text"][0] for each in given], "answer_start": [each["answer_start"][0] for each in given]}
    as_csv(folder, {name: cells for name, cells in columns.items() if name != "answers"} | flat)


def as_json_lines(folder: Path, columns: Columns) -> None:
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in as_objects(columns)))


def as_json_list(folder: Path, columns: Columns) -> None:
    (folder / "train.json").write_text(json.dumps(as_objects(columns), indent=1))


def numbered(columns: Columns) -> tuple[Columns, dict[str, tuple[str, ...]]]:
    """Labels as numbers, and their names."""
    if "topic" in columns:
        return {**columns, "topic": [("no", "yes").index(name) for name in columns["topic"]]}, {"topic": ("no", "yes")}
    if "ner_tags" in columns:
        return {**columns, "ner_tags": [[TAGS.index(tag) for tag in tags] for tags in columns["ner_tags"]]}, {
            "ner_tags": TAGS}
    return columns, {}


def as_parquet(folder: Path, columns: Columns) -> None:
    write_parquet(folder / "train.parquet", *numbered(columns))


def as_saved(folder: Path, columns: Columns) -> None:
    save_to_disk(folder / "train", *numbered(columns))


FORMS = (as_tsv, as_csv, as_json_lines, as_json_list, as_parquet, as_saved)
CASES: dict[str, tuple[TaskConfig, Columns, tuple[Callable[[Path, Columns], None], ...]]] = {
    "one column": (TaskConfig("tsv", text_column="title", label_column="topic"), PAIRS, FORMS),
    "joined columns": (TaskConfig("tsv", text_columns=("title", "body"), label_column="topic"), PAIRS, FORMS),
    "a pair": (TaskConfig("tsv", text_column="title", text_b_column="body", label_column="topic"), PAIRS, FORMS),
    "scores": (TaskConfig("tsv-regression", text_column="title"), PAIRS, FORMS),
    "tags": (TaskConfig("ner"), WORDS, (as_conll, as_csv_of_lists, *FORMS[2:])),
    "questions": (TaskConfig("SQuAD"), QUESTIONS, (as_csv_of_lists, as_csv_of_answers, *FORMS[2:])),
}


def records(folder: Path, config: TaskConfig, tokenizer: Tokenizer) -> list[bytes]:
    prepare_task(task_of(config), folder, tokenizer, folder / "records", TaskOptions(seq_length=72, num_workers=0))
    return [file.read_bytes() for file in sorted((folder / "records/train").glob("*.tfrecord"))]


@pytest.mark.parametrize(("config", "columns", "forms"), CASES.values(), ids=CASES)
def test_records_do_not_depend_on_the_form(config: TaskConfig, columns: Columns,
                                           forms: tuple[Callable[[Path, Columns], None], ...], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_vocabulary(tmp_path / "vocab.txt"))
    made = []
    for form in forms:
        folder = tmp_path / form.__name__
        folder.mkdir()
        form(folder, columns)
        made.append(records(folder, config, tokenizer))
    assert made[0] and all(each == made[0] for each in made)
