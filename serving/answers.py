# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a user is told of a model's outputs: dictionaries that are ready for JSON.

    classification  label, probability, probabilities (label -> probability, in the order of the logits)
    regression      score
    tagging         words, tags (one a word), entities (type, begin and end (exclusive) in characters, text)
    span            answer, begin and end (exclusive) in the text, score (None, and no answer, where nothing is one)
    embedding       embedding, a list of numbers
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.spans import BestSpans
from serving.tags import character_entities
from serving.words import Span

Answer = dict[str, Any]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities float64 of logits (rows, labels)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def classes(logits: np.ndarray, labels: Sequence[str]) -> list[Answer]:
    """Answers of a classifier, whose logits are (rows, labels)."""
    shares = softmax(logits)
    best = shares.argmax(-1)
    return [{"label": labels[place], "probability": float(row[place]),
             "probabilities": dict(zip(labels, row.tolist(), strict=True))}
            for row, place in zip(shares, best.tolist(), strict=True)]


def scores(logits: np.ndarray) -> list[Answer]:
    """Answers of a model of scores, whose logits are (rows, 1)."""
    return [{"score": value} for value in logits[:, 0].tolist()]


def embeddings(logits: np.ndarray) -> list[Answer]:
    """Answers of a model that embeds texts, whose outputs are (rows, width)."""
    return [{"embedding": row} for row in logits.tolist()]


def entities_in(text: str, spans: Sequence[Span], tags: Sequence[str]) -> list[Answer]:
    """The entities that the tags of words stand for."""
    return [{"type": name, "begin": begin, "end": end, "text": text[begin:end]}
            for name, begin, end in character_entities(spans, tags)]


def tagged(text: str, spans: Sequence[Span], tags: Sequence[str]) -> Answer:
    """Answer of a tagger for one text."""
    return {"words": [text[begin:end] for begin, end in spans], "tags": list(tags),
            "entities": entities_in(text, spans, tags)}


def answered(contexts: Sequence[str], best: BestSpans, has_impossible: bool, threshold: float) -> list[Answer]:
    """Answers to questions; `has_impossible`: whether a text may lack one, which is then ""."""
    is_none = best.is_null(threshold) if has_impossible else np.zeros(len(contexts), bool)
    found = []
    for context, begin, end, score, none in zip(contexts, best.begins.tolist(), best.ends.tolist(),
                                                best.scores.tolist(), is_none.tolist(), strict=True):
        begin, end = (0, 0) if none else (begin, end)
        found.append({"answer": context[begin:end], "begin": begin, "end": end,
                      "score": score if np.isfinite(score) else None})
    return found
