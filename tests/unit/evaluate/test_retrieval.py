# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Search: the same ranking for any size of the blocks, ties in the order of the documents, metrics by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval import main
from src.config import HeadConfig, ModelConfig
from src.evaluate import retrieval
from src.evaluate.retrieval import retrieve, search
from src.task_files.problems import Problems
from src.tasks import get_task
from src.tasks.collection import read_collection
from tests.refusals import refused
from tests.tiny import STUDENT, save_random, sentence, write_vocabulary

TASK = get_task("reranking")


def test_a_search_is_that_of_sorting_everything() -> None:
    generator = np.random.default_rng(0)
    documents = generator.normal(size=(300, 8)).astype(np.float32)
    documents[100:200] = documents[:100]  # ties
    documents[250] = 0
    queries = generator.normal(size=(7, 8)).astype(np.float32)
    lengths = [np.linalg.norm(each.astype(np.float64), axis=1)[:, None] for each in (queries, documents)]
    cosines = ((queries / lengths[0]) @ (documents / np.maximum(lengths[1], 1e-300)).T).astype(np.float32)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :40]
    for size in (1, 7, 64, 300):
        numbers, scores = search(queries, (documents[first: first + size] for first in range(0, 300, size)), 40)
        np.testing.assert_array_equal(numbers, order)
        np.testing.assert_array_equal(scores, np.take_along_axis(cosines, order, 1))
    assert search(queries, [documents[:3]])[0].shape == (7, 3)


def embed(texts: Sequence[str]) -> np.ndarray:
    """The letters of a text, counted."""
    return np.array([[text.count(letter) for letter in "abcdef"] for text in texts], np.float32)


def write(folder: Path, lists: list, documents: list | None = None) -> Path:
    (folder / "test.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lists), encoding="utf-8")
    if documents is not None:
        text = "".join(json.dumps(each) + "\n" for each in documents)
        (folder / "documents.jsonl").write_text(text, encoding="utf-8")
    return folder


LISTS = [{"query": "aab", "documents": ["ab", "aab f", "cd"], "relevance": [0, 2, 1]},
         {"query": "ef", "documents": ["cd", "fe"], "relevance": [0, 1]}]


@pytest.mark.parametrize("size", [1, 2, 1024])
def test_documents_of_all_lists_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(retrieval, "_BLOCK_DOCUMENTS", size)
    problems = Problems()
    collection = read_collection(TASK, write(tmp_path, LISTS, [{"document": "eeff"}, {"document": "cd"}]), "test",
                                 problems)
    assert list(collection.documents()) == ["ab", "aab f", "cd", "fe", "eeff"] and collection.number == 5
    assert problems.understood.columns["documents in all (documents.jsonl too)"] == "5"
    metrics, entries = retrieve(collection, embed)
    assert entries[0]["prediction"][:2] == [0, 1] and entries[0]["label"] == {"1": 2.0, "2": 1.0}
    assert entries[1]["prediction"][:2] == [3, 4]  # equal: the first one
    ranked = [entries[0]["prediction"].index(number) + 2 for number in (1, 2)]
    gain = (2 / np.log2(ranked[0]) + 1 / np.log2(ranked[1])) / (2 + 1 / np.log2(3))
    assert metrics == pytest.approx({"ndcg@10": (gain + 1) / 2, "mrr@10": 0.75, "recall@1": 0.5, "recall@5": 1.0,
                                     "recall@10": 1.0, "recall@100": 1.0})


def test_what_is_no_collection_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [{"query": "a", "documents": ["b"]}])
    refused("test.jsonl has no relevance", read_collection, TASK, tmp_path, "test", Problems())
    write(tmp_path, LISTS, [{"document": "x"}, {"text": "y"}])
    refused("documents.jsonl:2: the document is null", read_collection, TASK, tmp_path, "test", Problems())


@pytest.mark.medium
def test_models_that_embed_search(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    texts = [sentence(generator, number % 2) for number in range(40)]
    lists = [{"query": texts[20 + place], "documents": texts[5 * place: 5 * place + 5], "relevance": [1, 0, 0, 0, 0]}
             for place in range(4)]
    vocabulary = write_vocabulary(tmp_path / "vocab")
    model = save_random(tmp_path / "model", ModelConfig(replace(STUDENT, pooler="none"), HeadConfig("embedding")),
                        vocabulary)
    options = ["--task", "retrieval", "--data_dir", str(write(tmp_path, lists)), "--split", "test", "--device_target",
               "CPU", "--buckets", "16"]
    rankings = []
    for batch_size in ("3", "32"):
        main([*options, "--checkpoint", str(model), "--batch_size", batch_size, "--predictions_path",
              str(tmp_path / "found.jsonl"), "--metrics_path", str(tmp_path / "metrics.json")])
        found = map(json.loads, (tmp_path / "found.jsonl").read_text().splitlines())
        rankings.append([each["prediction"] for each in found])
    assert rankings[0] == rankings[1] and sorted(rankings[0][0]) == list(range(20))
    metrics = json.loads((tmp_path / "metrics.json").read_text())["metrics"]
    ranks = [ranking.index(5 * place) for place, ranking in enumerate(rankings[0])]
    assert metrics["mrr@10"] == pytest.approx(np.mean([1 / (rank + 1) if rank < 10 else 0.0 for rank in ranks]))
    assert metrics["recall@100"] == 1.0
    reranker = save_random(tmp_path / "reranker", ModelConfig(STUDENT, HeadConfig("regression")), vocabulary)
    refused("regression head; give a model that embeds texts", main, [*options, "--checkpoint", str(reranker)])
