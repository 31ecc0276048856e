# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The words nearest to a word, by the cosine of their vectors: of a file such as GloVe's, or a model's embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from src.augmentation.words import Language, is_replaceable
from src.common.errors import UserError
from src.corpus.word_vectors import read_word_vectors


class Nearest:
    """Words by their vectors.

    Args:
        words: (W,).
        vectors: float32 (W, width).
        number: how many are found.
    """

    def __init__(self, words: Sequence[str], vectors: np.ndarray, number: int):
        self.words, self.number = words, number
        self.unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def find(self, vector: np.ndarray, word: str) -> tuple[str, ...]:
        """The words with the largest cosine to `vector` (width,), but for `word` in any case of its letters.

        One vector at a time: a product of matrices rounds differently for different numbers of rows, and what is
        found must not depend on what else is looked for.
        """
        # The word itself may stand there in several cases of its letters.
        order = best(self.unit @ vector, self.number + 4)
        found = (self.words[index] for index in order)
        return tuple(text for text in found if text.lower() != word.lower())[: self.number]


def best(scores: np.ndarray, number: int) -> np.ndarray:
    """Places of the largest of `scores` (N,), at most `number`, largest first; of equal ones the first."""
    if number >= len(scores):
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, -number)[-number]
    above = np.flatnonzero(scores > least)
    above = above[np.argsort(-scores[above], kind="stable")]
    return np.concatenate([above, np.flatnonzero(scores == least)[: number - len(above)]])


class FileNeighbours:
    """Neighbours among the first words of a file of word vectors, looked up in lower case, as GloVe has them.

    Attributes:
        means: name for the report.

    Raises:
        UserError: see `read_word_vectors`; or no word of the language in the file.
    """

    means = "word vectors"

    def __init__(self, path: Path, limit: int, number: int, language: Language):
        words, vectors = read_word_vectors(path, limit)
        # Punctuation, numbers and stop words have vectors too; they stand for no word.
        chosen = [index for index, word in enumerate(words) if is_replaceable(word, language)]
        if not chosen:
            raise UserError(f"{path}: none of the first {limit} words is {language.title()}; give the vectors of this "
                            "language, or set --language")
        self.places = {word: place for place, word in enumerate(words[index] for index in chosen)}
        self.nearest = Nearest(list(self.places), vectors[chosen], number)
        self.found: dict[str, tuple[str, ...]] = {}

    def of(self, word: str, pieces: Sequence[int]) -> tuple[str, ...]:
        """The nearest words, nearest first, without the word itself; () where it has no vector."""
        del pieces
        word = word.lower()
        if word not in self.found:
            place = self.places.get(word)
            self.found[word] = () if place is None else self.nearest.find(self.nearest.unit[place], word)
        return self.found[word]


class EmbeddingNeighbours:
    """Neighbours by a model's input embeddings: a word's vector is the mean of those of its pieces.

    Args:
        table: float32 (vocabulary, width).
        pool: the words among which neighbours are found, and the pieces of each.
        number: how many are found.
        unknown: id of [UNK], whose vector says nothing of a word.
    """

    means = "embeddings"

    def __init__(self, table: np.ndarray, pool: dict[str, Sequence[int]], number: int, unknown: int | None):
        self.table, self.unknown = table, unknown
        vectors = np.zeros((len(pool), table.shape[1]), np.float32)
        for row, pieces in enumerate(pool.values()):
            vectors[row] = table[list(pieces)].mean(0)
        self.nearest = Nearest(list(pool), vectors, number)
        self.found: dict[tuple[str, tuple[int, ...]], tuple[str, ...]] = {}

    def of(self, word: str, pieces: Sequence[int]) -> tuple[str, ...]:
        """The nearest words, nearest first, without the word itself; () where no piece (token id) is known."""
        key = (word, tuple(pieces))
        if key not in self.found:
            known = [piece for piece in pieces if piece != self.unknown]
            self.found[key] = self.nearest.find(self.table[known].mean(0), word) if known else ()
        return self.found[key]


Neighbours = FileNeighbours | EmbeddingNeighbours
