# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rows of task files, tab-separated or JSON lines, and what is said of faulty ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.common.errors import UserError
from src.task_files.forms import form_of
from src.task_files.problems import Problems
from src.task_files.tables import read_rows
from src.tasks import get_task
from tests.refusals import refused


def test_json_lines_are_a_table_with_a_header(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_bytes('\ufeff{"id": 0, "text": "a\\tb\\n\\u00e9", "keywords": ["x", "é"]}\r\n\r\n'
                     '{"keywords": null, "text": "\u2028", "more": 1}\n{"text": true, "id": 1.5}'.encode())
    assert list(read_rows(file)) == [
        (1, ["id", "text", "keywords", "more"]), (1, [0, "a\tb\né", ["x", "é"], None]),
        (3, [None, "\u2028", None, 1]), (4, [1.5, True, None, None])]


@pytest.mark.parametrize(("name", "content", "expected"), [
    ("train.tsv", '{"text": "a"}\n', True), ("train.tsv", "{text\tx\n", False), ("train.tsv", "{}\n", True),
    ("train.tsv", "text\tlabel\n", False), ("train.tsv", "", False), ("train.jsonl", "text\tlabel\n", True),
    ("train.JSON", "", True), ("train.tsv", '\n{"text": "a"}\n', True),
])
def test_form_is_seen_from_the_file(name: str, content: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert form_of(tmp_path / name).has_names is expected


FAULTS = [
    (b'{"sentence": "x", "label": "101"\n', r"train.json:2: not a JSON object \(Expecting ',' delimiter at character"),
    (b'["x", "101"]\n', "train.json:2: a JSON list; expected an object, one a line"),
    (b'"x"\n', "train.json:2: a JSON str"),
    (b"x\t101\n", "train.json:2: not a JSON object"),
    (b'{"sentence": "x"}\n', "train.json:2: the object has no 'label'"),
    (b'{"sentence": null, "label": "101"}\n', "train.json:2: the object has no 'sentence'"),
    (b'{"sentence": "x", "label": "105"}\n', "train.json:2: unknown label '105'; task TNEWS has news_story, news_cult"),
    (b'{"sentence": "x", "label": 3}\n', "train.json:2: unknown label '3'"),
    (b'{"sentence": "\xe9", "label": "101"}\n', "train.json:2: not UTF-8 .byte 15 of the line is 0xe9"),
    (b'{"sentence": "\\ud83d", "label": "101"}\n', r"train.json:2: not a JSON object \(half of a surrogate pair"),
]


@pytest.mark.parametrize(("line", "message"), FAULTS)
def test_faults_of_json_lines(line: bytes, message: str, tmp_path: Path) -> None:
    good = b'{"sentence": "y", "label": "100"}\n'
    (tmp_path / "train.json").write_bytes(good + line + good)
    task = get_task("TNEWS")
    with pytest.raises(UserError, match=message) as raised:
        list(task.read(tmp_path, "train"))
    assert "--bad_rows skip" in str(raised.value) and "\n" not in str(raised.value)
    problems = Problems("skip")
    assert [example.line for example in task.read(tmp_path, "train", problems)] == [1, 3]
    assert problems.number == 1 and "train.json:2" in problems.summary()


def test_faults_of_an_unlabelled_test_set_are_fatal(tmp_path: Path) -> None:
    task, lines = get_task("TNEWS"), '{"id": 0, "sentence": "y"}\n{"id": 1}\n'
    (tmp_path / "test.json").write_text(lines, encoding="utf-8")
    refused("test.json:2: the object has no 'sentence'$", list, task.read(tmp_path, "test", Problems("skip")))
    for line in ('{"id": 0, "text": "y"}\n', '{"text": "y"}\n'):
        (tmp_path / "test.json").write_text(line, encoding="utf-8")
        refused("test.json:1: no header with 'sentence'", list, task.read(tmp_path, "test"))


@pytest.mark.parametrize(("name", "content", "message"), [
    ("CoLA", b"gj04\t1\t\tgood\ngj04\t1\tno mark\n", r"2: 3 tab-separated columns; expected 4 \(source, label, mark"),
    ("CoLA", b"gj04\t1\t\tgood\ngj04\tyes\t*\tbad\n", "2: unknown label 'yes'; task CoLA has 0, 1"),
    ("MNLI", b"sentence1\tsentence2\tgold_label\na\tb\tneutral\na\tb\tentails\n", "3: unknown label 'entails'"),
    ("STS-B", b"sentence1\tsentence2\tscore\na\tb\t4\na\tb\tinf\n", "3: the score is 'inf'; expected a number"),
    ("AFQMC", b"a\tb\t0\na\t1\n", r"2: 2 tab-separated columns; expected 3 \(sentence1, sentence2, label\)"),
    ("AFQMC", b"a\tb\t0\na\xff\tb\t1\n", "2: not UTF-8 .byte 2 of the line is 0xff"),
])
def test_faults_of_tables(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(content)
    task, problems = get_task(name), Problems("skip")
    refused(f"train.tsv:{message}", list, task.read(tmp_path, "train"))
    assert len(list(task.read(tmp_path, "train", problems))) == problems.number == 1


@pytest.mark.parametrize(("name", "rows", "message"), [
    ("SQuAD", "1,a cat,who,cat,four", 'csv:2: answer_start is "four"; expected a whole number'),
    ("SQuAD", "1,a cat,who,cat", r"csv:2: 4 columns; expected 5 .id, context, question, answer, answer_start."),
    ("SQuAD", "1,a cat,who,,", "csv:2: the question has no answer"),
    ("SQuAD", "1,a cat,who,cat,1", "csv:2: the answer 'cat' does not begin at character 1"),
    ("ner", "tokens,ner_tags\n\"['a']\",\"['O']\"", "csv:2: expected an object with .*found {.tokens.: .\\['a'\\]"),
    ("ner", "tokens,tokens\na,b", "the header has 'tokens' twice"),
])
def test_faults_of_csv_with_answers_or_lists(name: str, rows: str, message: str, tmp_path: Path) -> None:
    header = "id,context,question,answer,answer_start\n" if name == "SQuAD" else ""
    (tmp_path / "train.csv").write_text(header + rows + "\n", encoding="utf-8")
    task = get_task(name)
    refused(message, lambda: list(task.read(tmp_path, "train")))
