# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pairs and triplets for embeddings: what their files may hold, the rows that are made of them, and their metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from src.config import TaskConfig, load_config
from src.dataset import open_records, read_columns
from src.dataset.compatibility import check_batch_of_pairs, list_size_of
from src.evaluate.tasks import rows_of_records
from src.records.prepare import TaskOptions, prepare_task
from src.task_files.problems import Problems
from src.tasks import get_task, task_of
from src.tasks.features import DecodeOptions, EncodeOptions, Outputs
from src.tasks.similarity import cosines
from src.tasks.texts import TextTask
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import write_vocabulary

PAIR = {"query": "w1 w2", "answer": "w3"}


def write(folder: Path, split: str, *rows: object) -> Path:
    """Write a split of a folder, JSON lines; text is a TSV file."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(rows[0], str):
        (folder / f"{split}.tsv").write_text("\n".join(map(str, rows)) + "\n", encoding="utf-8")
    else:
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("task", "rows", "message"), [
    ("pairs", [PAIR, {"query": "w1", "answer": " "}], "train.jsonl:2: the positive is empty"),
    ("pairs", [PAIR, {"query": None, "answer": "w1"}], "train.jsonl:2: the object has no 'anchor'"),
    ("pairs", [PAIR | {"question": "w1"}], "header has 2 columns for 'anchor': query, question"),
    ("pairs", ["w1 w2\tw3", "w4\tw5"], "no header with 'anchor' and 'positive'.*--text_column, --text_b_column"),
    ("triplets", [PAIR], "the header has no column 'negative'"),
    ("triplets", ["anchor\tpositive\tnegative", "w1\tw2\tw3", "w1\tw2\t"], "train.tsv:3: the negative is empty"),
    ("triplets", ["anchor\tpositive\tnegative", "w1\tw2"], "train.tsv:2: 2 tab-separated columns; expected 3"),
    ("sts", ["sentence1\tsentence2\tscore", "w1\tw2\t5.5"], "train.tsv:2: the score is 5.5; expected a number from 0"),
    ("sts", ["sentence1\tsentence2\tscore", "w1\tw2\t-1"], "train.tsv:2: the score is -1; .*from 0 to 5"),
    ("sts", ["sentence1\tsentence2\tscore", "w1\tw2\tgood"], "train.tsv:2: the score is 'good'; expected a number"),
    ("sts", ["sentence1\tsentence2\tscore", "w1\t\t3"], "train.tsv:2: the sentence2 is empty"),
    ("sts", [{"sentence1": "w1", "sentence2": "w2"}], "the header has no column 'score'"),
])
def test_faulty_files_are_refused_by_line(tmp_path: Path, task: str, rows: list, message: str) -> None:
    refused(message, list, get_task(task).read(write(tmp_path, "train", *rows), "train"))


def test_faulty_rows_can_be_left_out_and_columns_named(tmp_path: Path) -> None:
    folder = write(tmp_path, "train", PAIR, {"query": "", "answer": "w1"}, {"query": "w5", "answer": "w6", "id": 3})
    problems = Problems("skip")
    found = list(get_task("pairs").read(folder, "train", problems))
    assert [(each.text_a, each.text_b) for each in found] == [("w1 w2", "w3"), ("w5", "w6")]
    assert "anchor = query, positive = answer; not used: id" in "\n".join(problems.understood.lines())
    assert problems.number == 1

    plain = write(tmp_path / "plain", "train", "7\tw1\tw2", "8\tw3\tw4")
    named = task_of(TaskConfig(text_column="2", text_b_column="3"), 0, "pairs")
    assert [(each.text_a, each.text_b) for each in named.read(plain, "train")] == [("w1", "w2"), ("w3", "w4")]
    refused("need --text_column, --text_b_column", list,
            task_of(TaskConfig(text_column="2"), 0, "pairs").read(plain, "train"))
    refused("--label_column x: task pairs has two texts", task_of, TaskConfig(label_column="x"), 0, "pairs")
    refused("--score_scale 1 is the highest score of the task sts; task pairs", task_of, TaskConfig(score_scale=1.0), 0,
            "pairs")
    scored = task_of(TaskConfig(text_column="a", text_b_column="b", label_column="sim", score_scale=1.0), 0, "sts")
    folder = write(tmp_path / "scored", "train", {"a": "w1", "b": "w2", "sim": 0.25})
    assert [each.label for each in scored.read(folder, "train")] == [0.25]


def test_the_files_of_sts_b_are_read_as_the_benchmark_has_them(shared_data: Callable[[str], Path]) -> None:
    theirs, ours = (list(get_task(name).read(shared_data("glue/STS-B"), "dev")) for name in ("STS-B", "sts"))
    assert len(ours) == 1500 and [(each.text_a, each.text_b, each.label / 5) for each in theirs] == [
        (each.text_a, each.text_b, each.label) for each in ours]


@pytest.mark.parametrize(("name", "columns", "expected"), [
    ("sts", {"sentence1": "w1 w2", "sentence2": "w2", "score": 2.5}, [0.5, 0.5]),
    ("pairs", {"anchor": "w1 w2", "positive": "w2"}, [0, 1]),
    ("triplets", {"anchor": "w1 w2", "positive": "w2", "negative": "w3"}, [0, 1, -1])])
@pytest.mark.medium
def test_each_text_is_a_row_and_texts_of_an_example_stay_together(tmp_path: Path, name: str, columns: dict,
                                                                    expected: list) -> None:
    task, tokenizer, size = get_task(name), load_tokenizer(write_vocabulary(tmp_path / "vocab")), len(expected)
    folder = write(tmp_path / "files", "train", columns, columns | {next(iter(columns)): "w5"})
    features = task.encode(list(task.read(folder, "train")), tokenizer, EncodeOptions(6))
    texts = [text for text in columns.values() if isinstance(text, str)]
    rows = [[tokenizer.cls_id, *tokenizer.encode_batch([text])[0], tokenizer.sep_id] for text in [*texts, "w5"]]
    ids = [[token for token in row if token != tokenizer.pad_id] for row in features.values["input_ids"].tolist()]
    assert ids[:size] == rows[:size] and ids[size] == rows[-1]
    assert features.values["label_ids"][:, 0].tolist() == expected * 2 and not features.values["segment_ids"].any()
    keys = [tuple(key) for key in features.values["text_keys"].tolist()]
    assert keys[1] == keys[size + 1] and len(set(keys)) == size + 1 and min(map(min, keys)) >= 0

    prepare_task(task, folder, tokenizer, tmp_path / "records", TaskOptions(seq_length=6))
    source = open_records(str(tmp_path / "records"), load_config().data, "data_dir", "task", "train")
    assert source.rows == 2 * size and list_size_of(task, source) == size
    np.testing.assert_array_equal(read_columns(source, ["text_keys"])["text_keys"], features.values["text_keys"])
    assert rows_of_records(source, task).is_labelled
    if name != "sts":
        refused(f"batch_size is {size} texts.*set it to {2 * size}", check_batch_of_pairs, task, source, size)
    refused("num_shards is 2.*belong together", prepare_task, task, folder, tokenizer, tmp_path / "two",
            TaskOptions(seq_length=6, num_shards=2))


def outputs_of(name: str, number: int) -> tuple[TextTask, Outputs]:
    """Random embeddings of examples, two of which have the same positive."""
    task, generator = get_task(name), np.random.default_rng(number)
    assert isinstance(task, TextTask)
    size = 3 if name == "triplets" else 2
    keys = np.arange(number * size)
    keys[size + 1] = keys[1]
    logits = generator.normal(size=(number * size, 8)).astype(np.float32)
    logits[1::size] += logits[0::size]
    logits[size + 1] = logits[1]
    labels = np.repeat(generator.random(number), size) if name == "sts" else np.tile([0, 1, -1][:size], number)
    return task, Outputs(logits, {"label_ids": labels.astype(np.float32)[:, None],
                                  "text_keys": np.stack([keys, keys], 1).astype(np.int32)})


@pytest.mark.parametrize("name", ["pairs", "triplets"])
def test_positives_are_looked_for_among_all_texts_that_are_no_anchors(name: str) -> None:
    task, outputs = outputs_of(name, 12)
    size, found = 3 if name == "triplets" else 2, task.score(outputs, DecodeOptions())
    keys = outputs.values["text_keys"][:, 0]
    documents = [row for row in range(len(keys)) if row % size and row != size + 1]  # one text is there twice
    ranks = []
    for query in range(0, len(keys), size):
        near = cosines(np.repeat(outputs.logits[query: query + 1], len(documents), 0), outputs.logits[documents])
        ranks.append(1 + [int(keys[documents[place]]) for place in np.argsort(-near)].index(keys[query + 1]))
    assert 1 < np.mean(ranks) < 5
    assert found["mrr@10"] == pytest.approx(np.mean([1 / rank if rank <= 10 else 0 for rank in ranks]))
    assert found["recall@1"] == pytest.approx(np.mean(np.array(ranks) == 1))
    near = [cosines(outputs.logits[::size], outputs.logits[place::size]) for place in range(1, size)]
    entries = task.predictions(outputs, DecodeOptions())
    assert [each["prediction"] for each in entries] == near[0].tolist()
    assert tuple(found) == task.metric_names
    if size == 3:
        assert found["accuracy"] == np.mean(near[0] > near[1])
        assert [each["negative"] for each in entries] == near[1].tolist()


def test_scores_are_compared_with_cosines() -> None:
    task, outputs = outputs_of("sts", 9)
    near, scores = cosines(outputs.logits[::2], outputs.logits[1::2]), outputs.values["label_ids"][::2, 0]
    found = task.score(outputs, DecodeOptions())
    assert found["pearson"] == pytest.approx(np.corrcoef(near, scores)[0, 1], abs=1e-6)
    assert [(each["prediction"], each["label"]) for each in task.predictions(outputs, DecodeOptions())] == list(
        zip(near.tolist(), scores.tolist(), strict=True))
