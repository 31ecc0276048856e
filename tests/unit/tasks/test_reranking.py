# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lists of documents: what their files may hold, the rows that are made of them, and batches of whole lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.config import load_config
from src.dataset import TrainingBatches, open_records, read_rows
from src.dataset.compatibility import check_relevance, list_size_of
from src.distill.objectives import label_objective
from src.evaluate.tasks import rows_of_records
from src.records.prepare import TaskOptions, prepare_task
from src.task_files.problems import Problems
from src.tasks import get_task
from src.tasks.candidate_lists import Candidates
from src.tasks.features import DecodeOptions, EncodeOptions, Outputs
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import PLAIN, write_vocabulary

TASK = get_task("reranking")
WHOLE = {"query": "w1 w2", "documents": ["w3", "w4 w5"], "relevance": [1, 0]}


def write_lists(folder: Path, split: str, lists: Sequence[Any]) -> Path:
    """Write a split, one JSON value a line; text as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [each if isinstance(each, str) else json.dumps(each) for each in lists]
    (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def random_lists(number: int, sizes: tuple[int, int], seed: int = 0) -> list[dict[str, Any]]:
    """Queries of which one document has the query's first word, and is relevant."""
    generator, lists = np.random.default_rng(seed), []
    for _ in range(number):
        words = generator.permutation(PLAIN)
        size = int(generator.integers(*sizes))
        right = int(generator.integers(size))
        documents = [" ".join([words[0] if place == right else words[1 + place],
                               *generator.choice(words[20:], generator.integers(1, 5))]) for place in range(size)]
        lists.append({"query": f"{words[0]} {words[19]}", "documents": documents,
                      "relevance": [int(place == right) for place in range(size)],
                      "scores": (generator.normal(size=size) * 3).round(3).tolist()})
    return lists


@pytest.mark.parametrize(("split", "line", "message"), [
    ("train", "{", "not a JSON object"),
    ("train", [1, 2], "JSON list; expected an object"),
    ("train", {"query": "w1", "relevance": [1]}, "no 'documents'.*the line has query, relevance"),
    ("train", {**WHOLE, "query": " "}, 'the query is " "; expected a text that is not empty'),
    ("train", {**WHOLE, "query": 7}, "the query is 7"),
    ("train", {**WHOLE, "documents": []}, r"documents is \[\]; expected a list of texts"),
    ("train", {**WHOLE, "documents": "w3"}, 'documents is "w3"'),
    ("train", {**WHOLE, "documents": ["w3", ""]}, 'document 2 is ""; expected a text that is not empty'),
    ("train", {**WHOLE, "documents": ["w3", None]}, "document 2 is null"),
    ("train", {**WHOLE, "relevance": [1, 0, 0]}, "relevance has 3 numbers, but there are 2 documents"),
    ("train", {**WHOLE, "relevance": 1}, "relevance is 1; expected a list of 2 numbers"),
    ("train", {**WHOLE, "relevance": [1, -1]}, "relevance of document 2 is -1; expected a number from 0 on"),
    ("train", {**WHOLE, "relevance": [True, 0]}, "relevance of document 1 is true"),
    ("train", {**WHOLE, "scores": [0.5]}, "scores has 1 numbers, but there are 2 documents"),
    ("train", {**WHOLE, "scores": [0.5, "1"]}, 'scores of document 2 is "1"; expected a number'),
    ("train", '{"query": "w1", "documents": ["w3"], "scores": [NaN]}', "scores of document 1 is NaN"),
    ("train", {"query": "w1", "documents": ["w3"]}, "neither relevance nor scores"),
    ("dev", {"query": "w1", "documents": ["w3"], "scores": [1]}, "no relevance, by which"),
    ("dev", {**WHOLE, "relevance": [0.5, 0]}, "relevance of document 1 is 0.5; expected a whole number"),
])
def test_what_is_no_list_is_refused_with_its_line(tmp_path: Path, split: str, line: Any, message: str) -> None:
    write_lists(tmp_path, split, [WHOLE, line])
    refused(rf"{split}.jsonl:2: .*{message}", lambda: list(TASK.read(tmp_path, split)))
    problems = Problems("skip")
    assert len(list(TASK.read(tmp_path, split, problems))) == problems.number == 1


def test_lists_of_a_file_are_alike(tmp_path: Path) -> None:
    scored = {"query": "w1", "documents": ["w3"], "scores": [2.5], "id": 4}
    write_lists(tmp_path, "train", [WHOLE, scored])
    refused("train.jsonl:2: this list has scores, the first has relevance; write", list, TASK.read(tmp_path, "train"))
    write_lists(tmp_path, "train", [scored, {**scored, "query": "w2"}])
    problems = Problems()
    assert list(TASK.read(tmp_path, "train", problems))[0] == Candidates("w1", ("w3",), None, (2.5,))
    assert problems.understood.columns["labels"] == "scores" and problems.understood.ignored == ["id"]
    write_lists(tmp_path, "test", [{"query": "w1", "documents": ["w3", "w4"]}])
    assert not TASK.is_labelled(list(TASK.read(tmp_path, "test")))
    (tmp_path / "dev.jsonl").write_text("\n")
    refused("dev.jsonl is empty", list, TASK.read(tmp_path, "dev"))


def test_rows_of_a_list_stand_together(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_vocabulary(tmp_path))
    lists = [Candidates("w1", ("w2", "w3 w4 w5 w6"), (0.0, 1.0), (-1.5, 2.5)),
             Candidates("w7", ("w8",), (1.0,), (3.0,))]
    values = TASK.encode(lists, tokenizer, EncodeOptions(8), 5).values
    assert values["input_mask"].sum(1).tolist() == [5, 8, 5] and values["segment_ids"].sum(1).tolist() == [2, 5, 2]
    assert values["label_ids"].tolist() == [[0, -1.5], [1, 2.5], [1, 3.0]]
    assert values["example_ids"].ravel().tolist() == [5, 5, 6]
    filled = replace(TASK, list_size=3).encode(lists, tokenizer, EncodeOptions(8), 5)
    assert filled.values["input_mask"].sum(1).tolist() == [5, 8, 0, 5, 0, 0]
    assert filled.values["example_ids"].ravel().tolist() == [5, 5, -1, 6, -1, -1]
    for name, column in values.items():
        np.testing.assert_array_equal(filled.values[name][[0, 1, 3]], column)


def test_scores_become_rankings() -> None:
    logits = np.array([[1.0], [3.0], [3.0], [2.0], [5.0]], np.float32)
    labels = np.array([[0, 0], [0, 0], [1, 0], [1, 0], [0, 0]], np.float32)
    # The row between fills a list up.
    logits, labels = np.insert(logits, 3, 9.0, 0), np.insert(labels, 3, 0.0, 0)
    outputs = Outputs(logits, {"label_ids": labels, "example_ids": np.array([[0], [0], [0], [-1], [1], [1]])})
    options = DecodeOptions()
    assert TASK.predictions(outputs, options)[0] == {
        "index": 0, "scores": [1.0, 3.0, 3.0], "prediction": [1, 2, 0], "label": [0.0, 0.0, 1.0]}
    scores = TASK.score(outputs, options)
    assert scores["mrr@10"] == 0.5 and scores["recall@1"] == 0.0 and scores["ndcg@10"] == pytest.approx(1 / np.log2(3))


@pytest.mark.medium
def test_batches_are_whole_lists(tmp_path: Path) -> None:
    lists = random_lists(23, (2, 5))
    write_lists(tmp_path / "files", "train", lists)
    write_lists(tmp_path / "files", "dev", lists[:4])
    tokenizer = load_tokenizer(write_vocabulary(tmp_path / "vocab"))
    refused("num_shards is 2", prepare_task, TASK, tmp_path / "files", tokenizer, tmp_path / "records",
            TaskOptions(seq_length=16, num_shards=2))
    prepare_task(TASK, tmp_path / "files", tokenizer, tmp_path / "records", TaskOptions(seq_length=16))
    config = load_config()
    train, dev = (open_records(str(tmp_path / "records" / split), config.data, "data_dir", "task")
                  for split in ("train", "dev"))
    assert train.list_size == 4 and train.rows == 23 * 4 and dev.list_size == 0
    data = rows_of_records(dev, TASK)
    found = data.complete(Outputs(np.zeros((dev.rows, 1), np.float32),
                                  {"label_ids": np.concatenate([chunk.label_ids for chunk in data.chunks()])}))
    assert [entry["label"] for entry in TASK.predictions(found, DecodeOptions())] == [
        each["relevance"] for each in lists[:4]]
    refused("holds lists of documents that are not filled up", list_size_of, TASK, dev)
    check_relevance(label_objective(TASK.head(), 4), train)

    whole = next(iter(read_rows(train)))
    known = {row.tobytes() for row in np.concatenate([whole.input_ids, whole.label_ids], 1).reshape(23, -1)}
    batches = TrainingBatches(train, 8, 22, (8, 16), seed=1, ranks=2, accumulation=1)
    refused("batch_size is 6 rows.*by 4 .documents.*such as 8", len, _Lazy(replace(batches, batch_size=6)))
    seen, orders = set(), []
    for rank in range(2):
        for columns in replace(batches, rank=rank):
            named = dict(zip(batches.columns, columns, strict=True))
            ids = np.pad(named["input_ids"], ((0, 0), (0, 16 - named["input_ids"].shape[1])))
            parts = np.concatenate([ids, named["label_ids"]], 1).reshape(2, -1)
            assert all(part.tobytes() in known for part in parts)
            seen |= {part.tobytes() for part in parts}
            orders.append(parts.tobytes())
            if rank == 0 and named["step"] == 0:
                first = named["label_count"]
    assert len(seen) == 23 and len(set(orders)) > 22
    assert 0 < first < 2 * 8  # rows that fill lists up have no labels


class _Lazy:
    """`len` of the micro-steps of an epoch, which checks the batch size."""

    def __init__(self, batches: TrainingBatches):
        self.batches = batches

    def __len__(self) -> int:
        return self.batches.micro_steps_per_epoch
