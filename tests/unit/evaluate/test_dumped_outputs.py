# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What `eval.py --write_teacher_outputs` writes is read back as the logits that it was written of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from src.config import load_config
from src.dataset import open_records
from src.dataset.teacher_files import outputs_of_file
from src.evaluate.tasks import head_of, rows_of_records
from src.evaluate.teacher_files import teacher_entries
from src.records.prepare import TaskOptions, prepare_task
from src.task_files.teacher_outputs import write_outputs
from src.tasks import get_task
from src.tasks.features import Outputs
from src.text.tokenization import load_tokenizer
from tests.tiny import write_vocabulary

pytestmark = pytest.mark.medium
FILES = {
    "tsv": [{"id": f"r{number}", "text": f"w{number} good", "label": "no" if number % 2 else "yes"}
            for number in range(5)],
    "tsv-regression": [{"text": f"w{number}", "score": number / 2} for number in range(5)],
    "ner": [{"tokens": [f"w{number}" for number in range(1 + 5 * place)], "ner_tags": ["B-PER"] + ["O"] * 5 * place}
            for place in range(3)],
    "reranking": [{"query": "w1", "documents": ["w2", "w3", "w4"], "relevance": [1, 0, 0]},
                  {"query": "w5", "documents": ["w6", "w7"], "relevance": [0, 1]}]}


@pytest.mark.parametrize("name", FILES)
def test_outputs_come_back_to_their_rows(tmp_path: Path, name: str):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in FILES[name]))
    prepare_task(get_task(name), tmp_path / "data", load_tokenizer(write_vocabulary(tmp_path / "vocab")),
                 tmp_path / "records", TaskOptions(seq_length=8, doc_stride=2,
                                                   num_shards=1 if name == "reranking" else 2))
    config = load_config()
    records = open_records(str(tmp_path / "records"), config.data, "data_dir", "task", "train")
    task, head = head_of(records, config.task)
    length = () if head.is_of_row else (8,)
    logits = np.random.default_rng(0).normal(size=(records.rows, *length, max(1, len(head.labels)))).astype(np.float32)
    rows = rows_of_records(records, task)
    entries = list(teacher_entries(task, rows.complete(Outputs(logits, {})), rows.names()))
    assert len(entries) == len(FILES[name])
    assert ("id" in entries[0]) is (name == "tsv")
    write_outputs(tmp_path / "outputs.jsonl", entries)
    found = outputs_of_file(tmp_path / "outputs.jsonl", records, head).values
    is_read = {"ner": lambda: rows.columns["word_ids"] >= 0, "reranking": lambda: rows.columns["example_ids"][:, 0] >= 0
               }.get(name, lambda: np.ones(records.rows, bool))()
    assert is_read.sum() == {"ner": 18, "reranking": 5}.get(name, 5)
    assert np.array_equal(found[is_read], logits[is_read])
    assert not found[~is_read].any()
