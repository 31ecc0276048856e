# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Outputs out of files come to the rows that they are of; and several teachers against NumPy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from src.config import HeadConfig, TaskConfig, load_config
from src.dataset import TeacherLogits, open_records, read_columns
from src.dataset.mixture import MixedLogits
from src.dataset.teacher_files import outputs_of_file
from src.records.prepare import TaskOptions, prepare_task
from src.records.reading import RecordSource
from src.records.source_rows import NAME
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import write_vocabulary

pytestmark = pytest.mark.medium
CLASSES = HeadConfig("classification", ("neg", "pos"))
TAGS = HeadConfig("tagging", ("O", "B-PER", "I-PER"))
TEXTS = [("w1 good", "pos"), ("w2 bad", "neg"), ("w3 dull", "neg"), ("w4 fine", "pos"), ("w5 great", "pos")]


def records_of(folder: Path, name: str, file: str, lines: list, task: TaskConfig | None = None, split: str = "train",
               **options) -> RecordSource:
    """Prepare a training file, CSV or JSON lines."""
    (folder / "data").mkdir()
    text = lines if file.endswith(".csv") else map(json.dumps, lines)
    (folder / "data" / file).write_text("\n".join(text) + "\n")
    settled = get_task(name).with_settings(task or TaskConfig(), 0)
    prepare_task(settled, folder / "data", load_tokenizer(write_vocabulary(folder / "vocab")), folder / "records",
                 TaskOptions(seq_length=8, doc_stride=2, **options))
    return open_records(str(folder / "records" / split), load_config().data, "train_data_dir", "task", split)


def texts(folder: Path, with_ids: bool = False, **options) -> RecordSource:
    head = "id,text,label" if with_ids else "text,label"
    lines = [f"a{number},{text},{label}" if with_ids else f"{text},{label}"
             for number, (text, label) in enumerate(TEXTS)]
    return records_of(folder, "tsv", "train.csv", [head, *lines], **options)


def written(folder: Path, *entries: dict) -> Path:
    file = folder / "outputs.jsonl"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return file


def by_data(records: RecordSource, values: np.ndarray) -> list:
    """Values in the order of the data."""
    order = records.data_order()
    return values[slice(None) if order is None else order].tolist()


@pytest.mark.parametrize("by", ["id", "position", "order"])
def test_each_row_takes_its_own_outputs(tmp_path, by, capsys):
    records = texts(tmp_path, with_ids=True, num_shards=3)
    entries = [{**({"id": f"a{n}"} if by == "id" else {"position": n} if by == "position" else {}),
                "logits": {"pos": n, "neg": -n}} for n in range(5)]
    given = entries if by == "order" else [entries[place] for place in (3, 0, 4, 1, 2)]
    found = outputs_of_file(written(tmp_path, *given), records, CLASSES)
    assert by_data(records, found.values) == [[-n, n] for n in range(5)]
    assert (f"5 examples by {'their order' if by == 'order' else by}; 40.0% have the class of their label"
            in capsys.readouterr().out)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_positions_are_those_of_the_file(tmp_path, split):
    """Where rows were left out or held out, too."""
    lines = ["text,label", "one cell", *(f"{text},{label}" for text, label in TEXTS)]
    records = records_of(tmp_path, "tsv", "train.csv", lines, TaskConfig(dev_share=0.4), split, bad_rows="skip")
    labels = read_columns(records, ["label_ids"])["label_ids"][:, 0]
    rows = [json.loads(line)[0] for line in (records.files[0].parent / NAME).read_text().splitlines()]
    assert len(rows) < 5 and 0 not in rows
    assert [TEXTS[row - 1][1] == "pos" for row in rows] == labels.tolist()
    file = written(tmp_path, *({"position": row, "logits": [row, 0]} for row in rows[::-1]))
    assert outputs_of_file(file, records, CLASSES).values[:, 0].tolist() == rows
    refused("outputs.jsonl:1: position 0 is that of no training row", outputs_of_file,
            written(tmp_path, {"position": 0, "logits": [1, 0]}), records, CLASSES)


def test_labels_take_the_place_of_what_is_missing(tmp_path):
    records = texts(tmp_path)
    file = written(tmp_path, {"position": 1, "probabilities": [0.25, 0.75]}, {"position": 2, "logits": None})
    refused("lacks outputs of 4 of the 5 examples .* position 0; .*--missing_outputs labels", outputs_of_file, file,
            records, CLASSES)
    values = outputs_of_file(file, records, CLASSES, "labels").values.astype(np.float64)
    for temperature in (1, 4):
        soft = np.exp(values / temperature) / np.exp(values / temperature).sum(1, keepdims=True)
        assert np.abs(soft[[0, 2, 3, 4]] - [[0, 1], [1, 0], [0, 1], [0, 1]]).max() < 1e-12
    assert np.abs(np.exp(values[1]) - [0.25, 0.75]).max() < 1e-6


@pytest.mark.parametrize(("entries", "message"), [
    ([{"position": 1, "logits": [0, 1]}, {"position": 1, "logits": [0, 1]}], r":2: position 1 is there twice, first in "
     "row 1"), ([{"position": 5, "logits": [0, 1]}], ":1: position 5 is that of no training row; there are 5, up to"),
    ([{"id": "x", "logits": [0, 1]}], ':1: id "x" is that of no training row'),
    ([{"logits": [0, 1]}] * 4, "4 rows without id or position, and there are 5 training rows"),
    ([{"logits": [0, 1]}, {"position": 1, "logits": [0, 1]}], ":1: neither id nor position is in all rows"),
    ([{"position": 0, "logits": [0, 1, 2]}], ":1: logits has 3 numbers"), ([], "is empty")])
def test_misaligned_outputs_are_refused(tmp_path, entries, message):
    refused(f"outputs.jsonl.*{message}", outputs_of_file, written(tmp_path, *entries), texts(tmp_path, with_ids=True),
            CLASSES)


def test_ids_that_are_not_kept_are_refused(tmp_path):
    refused("names its rows by id, but the training records keep no ids", outputs_of_file,
            written(tmp_path, {"id": "a0", "logits": [0, 1]}), texts(tmp_path), CLASSES)
    refused("a span head are of tokens", outputs_of_file, tmp_path, None, HeadConfig("span"))


def test_words_of_windows_take_their_own_outputs(tmp_path):
    sentences = [(["w1", "w2"], ["O", "B-PER"]), ([f"w{n}" for n in range(9)], ["B-PER", "I-PER", *["O"] * 7])]
    records = records_of(tmp_path, "ner", "train.jsonl", [{"id": 7 - place, "tokens": words, "ner_tags": tags}
                                                          for place, (words, tags) in enumerate(sentences)])
    assert records.rows > 2
    entries = [{"id": 7 - place, "logits": [[10 * place + word, 0, -1] for word in range(len(words))]}
               for place, (words, _) in enumerate(sentences)]
    values = outputs_of_file(written(tmp_path, *entries[::-1]), records, TAGS).values
    columns = read_columns(records, ["word_ids", "example_ids"])
    is_word = columns["word_ids"] >= 0
    assert values.shape == (records.rows, 8, 3)
    assert is_word.sum() == 11
    assert np.array_equal(values[..., 0], np.where(is_word, 10 * columns["example_ids"] + columns["word_ids"], 0))
    assert np.array_equal(values[..., 2], np.where(is_word, -1, 0))
    entries[1]["logits"].pop()
    refused(":2: logits is 8 entries; expected .* each of the 9 words", outputs_of_file, written(tmp_path, *entries),
            records, TAGS)


def test_documents_take_their_own_scores(tmp_path):
    lists = [{"query": "w1", "documents": ["w2", "w3", "w4"], "relevance": [1, 0, 0]},
             {"query": "w5", "documents": ["w6", "w7"], "relevance": [0, 1]}]
    records = records_of(tmp_path, "reranking", "train.jsonl", lists)
    file = written(tmp_path, {"position": 1, "scores": [4, 5]}, {"position": 0, "scores": [1, 2, 3]})
    head = HeadConfig("regression")
    assert outputs_of_file(file, records, head).values[:, 0].tolist() == [1, 2, 3, 4, 5, 0]
    file = written(tmp_path, {"position": 0, "scores": [1, 2, 3]})
    assert outputs_of_file(file, records, head, "labels").values[:, 0].tolist() == [1, 2, 3, 0, 1, 0]
    refused(":1: 1 scores; the query has 3 documents", outputs_of_file, written(tmp_path, {"scores": [1]},
                                                                                {"scores": [1, 2]}), records, head)


@pytest.mark.parametrize("shape", [(6, 3), (6, 5, 3)])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_mean_of_softened_distributions(shape, temperature):
    logits = np.random.default_rng(0).normal(0, 5, (2, *shape)).astype(np.float32)
    parts = tuple(TeacherLogits(Path("."), each) for each in logits)
    index = np.array([4, 0, 5])
    found = MixedLogits(parts[0].path, parts[0].values, parts, (0.7, 0.3), temperature, True).of_rows(index, 5)
    assert found.dtype == np.float32

    def soft(values):
        powers = np.exp(values.astype(np.float64) / temperature)
        return powers / powers.sum(-1, keepdims=True)

    assert np.abs(soft(found) - (0.7 * soft(logits[0]) + 0.3 * soft(logits[1]))[index]).max() < 1e-6
    of_scores = MixedLogits(parts[0].path, parts[0].values, parts, (0.7, 0.3), temperature, False).of_rows(index, 5)
    assert np.abs(of_scores - (0.7 * logits[0] + 0.3 * logits[1])[index]).max() < 1e-6
    same = MixedLogits(parts[0].path, parts[0].values, (parts[0],) * 2, (0.7, 0.3), temperature, True)
    assert np.abs(same.of_rows(index, 5) - logits[0][index]).max() < 1e-5
