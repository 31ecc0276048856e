# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words nearest to a word, by the cosine of their vectors: of a file such as GloVe's, or a model's embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from src.augmentation.words import Language, is_replaceable
from src.common.errors import UserError
from src.corpus.word_vectors import read_word_vectors


class Neighbours:
    """Where replacements of a word come from, when no masked language model is asked.

    Args:
        unit: vectors of the words, of length 1, float32 (W, width).
        vector_of: the vector (width,) of a word, given as it stands in the text and by its token ids; None where it
            has none.
    """

    def __init__(self, means: str, words: Sequence[str], unit: np.ndarray, number: int,
                 vector_of: Callable[[str, Sequence[int]], np.ndarray | None]):
        self.means, self.words, self.unit, self.number, self.vector_of = means, words, unit, number, vector_of
        self.found: dict[tuple[str, tuple[int, ...]], tuple[str, ...]] = {}

    def of(self, word: str, pieces: Sequence[int]) -> tuple[str, ...]:
        """The words with the largest cosine, nearest first, without the word itself; () where it has no vector.

        One vector at a time: a product of matrices rounds differently for different numbers of rows, and what is
        found must not depend on what else is looked for.
        """
        key = (word, tuple(pieces))
        if key not in self.found:
            vector = self.vector_of(word, pieces)
            # The word itself may stand there in several cases of its letters.
            order = () if vector is None else best(self.unit @ vector, self.number + 4)
            found = (self.words[index] for index in order)
            self.found[key] = tuple(text for text in found if text.lower() != word.lower())[: self.number]
        return self.found[key]


def best(scores: np.ndarray, number: int) -> np.ndarray:
    """Places of the largest of `scores` (N,), at most `number`, largest first; of equal ones the first."""
    if number >= len(scores):
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, -number)[-number]
    above = np.flatnonzero(scores > least)
    above = above[np.argsort(-scores[above], kind="stable")]
    return np.concatenate([above, np.flatnonzero(scores == least)[: number - len(above)]])


def file_neighbours(path: Path, limit: int, number: int, language: Language) -> Neighbours:
    """Neighbours among the first words of a file of word vectors, looked up in lower case, as GloVe has them.

    Raises:
        UserError: see `read_word_vectors`; or no word of the language in the file.
    """
    words, vectors = read_word_vectors(path, limit)
    # Punctuation, numbers and stop words have vectors too; they stand for no word.
    chosen = [index for index, word in enumerate(words) if is_replaceable(word, language)]
    if not chosen:
        raise UserError(f"{path}: none of the first {limit} words is {language.title()}; give the vectors of this "
                        "language, or set --language")
    unit = _unit(vectors[chosen])
    vector_of = dict(zip((words[index] for index in chosen), unit, strict=True))
    return Neighbours("word vectors", list(vector_of), unit, number, lambda word, _: vector_of.get(word.lower()))


def embedding_neighbours(table: np.ndarray, pool: Mapping[str, Sequence[int]], number: int,
                         unknown: int | None) -> Neighbours:
    """Neighbours by a model's input embeddings: a word's vector is the mean of those of its pieces.

    Args:
        table: float32 (vocabulary, width).
        pool: the words among which neighbours are found, and the pieces of each.
        unknown: id of [UNK], whose vector says nothing of a word.
    """
    def vector_of(_: str, pieces: Sequence[int]) -> np.ndarray | None:
        known = [piece for piece in pieces if piece != unknown]
        return table[known].mean(0) if known else None

    vectors = np.stack([table[list(pieces)].mean(0) for pieces in pool.values()])
    return Neighbours("embeddings", list(pool), _unit(vectors), number, vector_of)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
