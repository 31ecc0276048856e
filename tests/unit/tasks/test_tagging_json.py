# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tags in JSON: words with a tag each, strings or numbers; entities as doccano, Label Studio and prodigy write them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.config import TaskConfig
from src.task_files.problems import Problems
from src.tasks import get_task
from src.tasks.registry import task_of
from tests.refusals import refused

NER = get_task("ner")
TEXT, TOKENS = "Alice loved Paris", ["Alice", "loved", "Paris"]
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
RIGHT = ("B-PER", "O", "B-LOC")
PAIRS = [[0, 5, "PER"], [12, 17, "LOC"]]
VALUES = [{"start": begin, "end": end, "text": TEXT[begin:end], "labels": [name]} for begin, end, name in PAIRS]


def info(column: str = "ner_tags", names: Any = NAMES) -> dict[str, Any]:
    return {"features": {column: {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}}}


def read(folder: Path, *records: Any, task=NER, labels: tuple[str, ...] = (), split: str = "train") -> list:
    text = "\n".join(json.dumps(record) for record in records)
    (folder / f"{split}.json").write_text(text, encoding="utf-8")
    return [(example.text, example.tags) for example in task.resolve(folder, labels).read(folder, split)]


@pytest.mark.parametrize("record", [
    {"text": TEXT, "label": PAIRS}, {"text": TEXT, "labels": PAIRS[::-1]}, {"text": TEXT, "entities": PAIRS},
    {"text": TEXT, "spans": [{"start": 0, "end": 5, "label": "PER"}, {"start": 12, "end": 17, "label": "LOC"}],
     "tokens": [{"text": "Alice"}], "answer": "accept"},
    {"id": 1, "text": TEXT, "relations": [], "Comments": [], "entities": [
        {"id": 8, "label": name, "start_offset": begin, "end_offset": end} for begin, end, name in PAIRS]},
    {"id": 1, "text": TEXT, "label": VALUES},
    {"id": 1, "data": {"text": TEXT}, "annotations": [{"result": [{"value": value} for value in VALUES]}]},
    {"tokens": TOKENS, "ner_tags": RIGHT, "pos_tags": [1, 2, 1]}, {"words": TOKENS, "tags": ["S-PER", "O", "S-LOC"]},
    {"words": TOKENS, "labels": ["I-PER", "O", "I-LOC"]},
])
def test_forms(record: dict[str, Any], tmp_path: Path) -> None:
    assert read(tmp_path, record) == [(TEXT, RIGHT)]
    (tmp_path / "train.json").write_text(json.dumps([record, record], indent=1), encoding="utf-8-sig")
    assert [example.tags for example in NER.resolve(tmp_path).read(tmp_path, "train")] == [RIGHT, RIGHT]


def test_numbers_need_names(tmp_path: Path) -> None:
    record = {"tokens": TOKENS, "ner_tags": [1, 0, 3]}
    refused("train.json:1: ner_tags is .1, 0, 3.: numbers, .*--tag_names O,B-PER,I-PER.*dataset_info.json", read,
            tmp_path, record)
    named = task_of(TaskConfig(task_name="ner", tag_names=tuple(NAMES)))
    assert read(tmp_path, record, {"tokens": TOKENS, "ner_tags": RIGHT}, task=named) == [(TEXT, RIGHT)] * 2
    assert read(tmp_path, record, labels=tuple(NAMES)) == [(TEXT, RIGHT)]
    assert named.resolve(tmp_path).labels == tuple(NAMES) and named.resolve(tmp_path).how_read("train")
    for content in (info(), {"conll": info()}):
        (tmp_path / "dataset_info.json").write_text(json.dumps(content))
        assert read(tmp_path, record) == [(TEXT, RIGHT)] and NER.resolve(tmp_path).labels == tuple(NAMES)
    # What the file itself says comes before the order of a model.
    assert read(tmp_path, record, labels=("O", "B-LOC", "I-LOC", "B-PER", "I-PER")) == [(TEXT, RIGHT)]
    (tmp_path / "dataset_info.json").write_text(json.dumps({"a": info(), "b": info(names=NAMES[::-1])}))
    refused("names the classes of ner_tags in several ways", read, tmp_path, record)
    (tmp_path / "dataset_info.json").unlink()
    refused("no tags in .* are numbers", read, tmp_path, {"tokens": TOKENS, "ner_tags": RIGHT}, task=named)
    refused("--tag_names names the tags of words; task SQuAD", task_of, TaskConfig(task_name="SQuAD", tag_names=("O",)))


@pytest.mark.parametrize(("record", "message"), [
    ({"tokens": TOKENS, "ner_tags": [1, 0]}, "ner_tags has 2 tags, and tokens 3 words"),
    ({"tokens": TOKENS, "ner_tags": ["1", "0", "3"]}, "numbers are written without quotes"),
    ({"tokens": TOKENS, "ner_tags": [1, 0, 9]}, "the number 9; there are 5 names"),
    ({"tokens": TOKENS, "ner_tags": [True, 0, 1]}, "expected tags such as O and B-PER"),
    ({"tokens": TOKENS, "ner_tags": "O O O"}, 'ner_tags has "O O O"'), ({"tokens": TOKENS, "fine_labels": [1, 0, 1]},
                                                                      "there is fine_labels"),
    ({"tokens": ["Alice", " ", "x"], "ner_tags": RIGHT}, "word 2 of tokens is ' '"),
    ({"tokens": TOKENS, "tags": RIGHT, "labels": ["O"] * 3}, "tags and labels both hold tags"),
    ({"tokens": TOKENS, "words": TOKENS[::-1], "tags": RIGHT}, "tokens and words both hold words"),
    ({"tokens": TOKENS, "ner_tags": ["O", "I-PER", "O"]}, "tag 'I-PER' follows 'O'"),
    ({"text": TEXT, "label": [[0, 4, "PER"]]}, "begins or ends inside of the word 'Alice'"),
    ({"text": TEXT, "label": [[0, 5, "PER"], [0, 11, "LOC"]]}, "overlaps"),
    ({"text": TEXT, "label": [[0, 99, "PER"]]}, "does not lie in the text, which has 17 characters"),
    ({"text": TEXT, "label": [[4, 4, "PER"]]}, "ends may be inclusive here"),
    ({"text": TEXT, "label": [["0", 5, "PER"]]}, "'0' to 5 .exclusive. does not lie"),
    ({"text": TEXT, "label": [[0, 5]]}, "label is .* expected"),
    ({"text": TEXT, "label": ["PER"]}, "label is .* expected"),
    ({"text": TEXT, "label": None}, "label is null"),
    ({"text": TEXT, "label": PAIRS, "entities": PAIRS[:1]}, "both hold"),
    ({"text": TEXT, "label": [{"start": 0, "end": 5, "text": "Alic", "labels": ["PER"]}]}, "'Alic' is not what"),
    ({"text": TEXT, "label": [{"start": 0, "end": 4, "label": "PER", "entity": "Alice"}]},
     "'Alic' in the text: ends are"),
    ({"text": TEXT, "label": [{"start": 0, "end": 5, "labels": ["PER", "LOC"]}]}, "label is .* expected"),
    ({"text": TEXT, "spans": [{"start": 0, "end": 5, "label": "PER"}], "answer": "reject"}, "did not accept it"),
    ({"data": {"text": TEXT}, "annotations": [{"result": []}] * 2}, "the task has 2 annotations; expected one"),
])
def test_faults(record: dict[str, Any], message: str, tmp_path: Path) -> None:
    good = {"text": TEXT, "label": PAIRS} if "tokens" not in record else {"tokens": TOKENS, "ner_tags": [1, 0, 3]}
    task = replace(NER, labels=tuple(NAMES))
    (tmp_path / "dataset_info.json").write_text(json.dumps(info()))
    refused(f"train.json:2: .*{message}.*--bad_rows skip", read, tmp_path, good, record, task=task)
    problems = Problems("skip")
    assert [example.tags for example in task.resolve(tmp_path).read(tmp_path, "train", problems)] == [RIGHT]
    assert problems.number == 1 and "--bad_rows" not in problems.summary()


def test_forms_are_not_mixed(tmp_path: Path) -> None:
    refused("train.json:2: the record holds a list of words, the first one a text", read, tmp_path,
            {"text": TEXT, "label": PAIRS}, {"tokens": TOKENS, "ner_tags": RIGHT})
    (tmp_path / "train.json").write_text('[["Alice", "B-PER"]]')
    refused("train.json:1: begins with .*; expected JSON objects, one a line or in a list", NER.resolve, tmp_path)
