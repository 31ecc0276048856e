# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exact search: the documents nearest to each query by the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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

RECALL_AT = (1, 5, 10, 100)
KEPT = 100
"""Documents that are kept of each query."""
_BLOCK_DOCUMENTS = 1024
_BLOCK_SCORES = 1 << 22
"""Scores that are in memory at a time: 32 MB."""

Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts -> float32 (texts, width)."""


def search(queries: np.ndarray, blocks: Iterable[np.ndarray], kept: int = KEPT) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest documents of each query, the best first.

    Scores are sums of float64, rounded to float32, so that they do not depend on the size of the blocks; documents of
    equal score keep their order.

    Args:
        queries: (Q, D).
        blocks: embeddings of the documents in their order, (documents, D) each; a vector of zeros is like nothing.
        kept: how many are returned, K; fewer where there are fewer documents.

    Returns:
        numbers of the documents int64 (Q, K), and their cosines float32 (Q, K).
    """
    units = _units(queries)
    numbers, scores = np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
    first = 0
    for block in blocks:
        documents = _units(block)
        step = max(1, _BLOCK_SCORES // max(1, len(documents)))
        best = [_merged(numbers[begin: begin + step], scores[begin: begin + step],
                        (units[begin: begin + step] @ documents.T).astype(np.float32), first, kept)
                for begin in range(0, len(units), step)]
        numbers, scores = (np.concatenate(parts) for parts in zip(*best, strict=True))
        first += len(documents)
    return numbers, scores


def _merged(numbers: np.ndarray, scores: np.ndarray, new: np.ndarray, first: int, kept: int
            ) -> tuple[np.ndarray, np.ndarray]:
    """The best of those that are kept and of the next documents, which are numbered from `first`."""
    theirs = np.broadcast_to(np.arange(first, first + new.shape[1]), new.shape)
    scores, numbers = np.concatenate([scores, new], 1), np.concatenate([numbers, theirs], 1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
    return np.take_along_axis(numbers, order, 1), np.take_along_axis(scores, order, 1)


def _units(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)


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
