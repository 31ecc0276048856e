# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Word vectors in a text file, one word a line, then its numbers: the form of GloVe, word2vec and fastText."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from src.common.errors import UserError


def word_vector_width(path: str | Path) -> int:
    """Return how many numbers stand after each word; raises as `read_word_vectors`."""
    return len(next(_lines(Path(path)))[2])


def read_word_vectors(path: str | Path, limit: int = 0,
                      wanted: Collection[str] | None = None) -> tuple[list[str], np.ndarray]:
    """Read words and their vectors, in the order of the file, line by line: memory holds what is returned.

    A first line of two whole numbers (word2vec, fastText) is passed over. A word listed twice has its first vector.

    Args:
        limit: lines that are read, the most frequent words as such files are sorted; 0 = all.
        wanted: words that are kept, best a set; None: all.

    Returns:
        words; float32 (words, width).

    Raises:
        UserError: no such file, no vectors in it, or a line that is not a word and as many numbers as in the first one.
    """
    path = Path(path)
    words: dict[str, None] = {}
    vectors, width = bytearray(), 0
    for number, word, values in islice(_lines(path), limit or None):
        width = width or len(values)
        if word in words or (wanted is not None and word not in wanted):
            continue
        try:
            vector = np.array(values, np.float32)
        except ValueError:
            vector = np.array([np.nan])
        if not np.isfinite(vector).all():
            raise UserError(f"{path}:{number}: the vector of {word!r} has values that are not finite numbers; correct "
                            "or remove the line")
        words[word] = None
        vectors += vector.tobytes()
    return list(words), np.frombuffer(bytes(vectors), np.float32).reshape(len(words), width)


def _lines(path: Path) -> Iterator[tuple[int, str, list[bytes]]]:
    """Yield the number of a line, its word and its numbers, not yet parsed, as many in every line."""
    width = 0
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                # Some files have words with spaces: what stands before the last `width` fields is the word.
                fields = line.rstrip().rsplit(b" ", width) if width else line.split()
                if not width and number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
                    continue
                width = width or len(fields) - 1
                if width < 1 or len(fields) != width + 1:
                    raise UserError(f"{path}:{number}: expected a word and {width or 'its'} numbers, separated by "
                                    f"spaces; got {len(fields)} fields; give a text file of word vectors")
                try:
                    yield number, fields[0].decode("utf-8"), fields[1:]
                except UnicodeDecodeError:
                    raise UserError(f"{path}:{number}: the word is not UTF-8 text; correct or remove the line, or "
                                    "give the text form of the vectors") from None
    except OSError as error:
        raise UserError(f"cannot read word vectors {str(path)!r}: {error.strerror}; give a text file with a word and "
                        "its numbers on each line") from error
    if not width:
        raise UserError(f"{path} holds no word vectors; expected a word and its numbers on each line")
