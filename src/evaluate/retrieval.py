# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exact search: the documents nearest to each query by the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from tqdm import tqdm

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.config import Config
from src.device import Device
from src.evaluate.embeddings import Embedder
from src.records.reading import has_records
from src.task_files.problems import Problems
from src.tasks.collection import Collection, read_collection
from src.tasks.ranking_metrics import means, names, of_ranking
from src.tasks.registry import get_task
from src.tasks.similarity import search

RECALL_AT = (1, 5, 10, 100)
_BLOCK_DOCUMENTS = 1024

Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts -> float32 (texts, width)."""


def retrieve(collection: Collection, embed: Embed) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Search the documents of a collection for each of its queries; shows how far it is, and the time left.

    Returns:
        the metrics, see `ranking_metrics`, with recall@100; and of each query index, prediction (numbers of the
        nearest documents, the best first), their scores, and label (number -> relevance).
    """
    queries = embed(collection.queries)
    with tqdm(total=collection.number, desc="documents", unit="documents", disable=None) as bar:

        def blocks() -> Iterator[np.ndarray]:
            texts = collection.documents()
            while some := list(islice(texts, _BLOCK_DOCUMENTS)):
                yield embed(some)
                bar.update(len(some))

        numbers, scores = search(queries, blocks())
    found, entries = [], []
    for index, (own, its, relevance) in enumerate(zip(numbers.tolist(), scores.tolist(), collection.relevance,
                                                      strict=True)):
        gains = np.array([relevance.get(number, 0.0) for number in own])
        found.append(of_ranking(gains, np.array(list(relevance.values())), RECALL_AT))
        entries.append({"index": index, "prediction": own, "scores": its,
                        "label": {str(number): value for number, value in relevance.items()}})
    return means(found, names(RECALL_AT)), entries


def evaluate(loaded: LoadedModel, config: Config, device: Device
             ) -> tuple[Collection, dict[str, float], list[dict[str, Any]]]:
    """Return what was searched of a split, and what `retrieve` returns.

    Raises:
        UserError: no model of embeddings, no files of lists, or what these may not hold.
    """
    settings = config.evaluate
    if loaded.config.head.kind != "embedding":
        raise UserError(f"--task retrieval searches by embeddings, and {loaded.directory} has a "
                        f"{loaded.config.head.kind} head; give a model that embeds texts; lists of a reranker's "
                        "candidates are --task reranking")
    if not settings.data_dir:
        raise UserError("data_dir is empty; give a folder with lists of documents: --data_dir DIR")
    if has_records(settings.data_dir, settings.split):
        raise UserError(f"{settings.data_dir} holds records, whose rows are a query and a document together, and these "
                        "are embedded apart; give the folder of the lists")
    problems = Problems(config.task.bad_rows)
    collection = read_collection(get_task("reranking"), settings.data_dir, settings.split, problems)
    problems.tell()
    embed = Embedder.by_settings(loaded, config, device)
    metrics, entries = retrieve(collection, embed)
    embed.tell_shortened(device.say)
    return collection, metrics, entries
