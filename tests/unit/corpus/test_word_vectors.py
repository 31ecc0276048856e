# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Word vectors in text files."""

from __future__ import annotations

import numpy as np
import pytest

from src.corpus.word_vectors import read_word_vectors, word_vector_width
from tests.refusals import refused

TEXT = "the 0.5 -1 2e-1\ncat 1 2 3\n. . . 4 5 6\nthe 9 9 9\n猫 7 8 9\n"


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_words_keep_their_order_and_a_word_listed_twice_its_first_vector(vectors):
    words, matrix = read_word_vectors(vectors)
    assert words == ["the", "cat", ". . .", "猫"]
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, np.array([[0.5, -1, 0.2], [1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32))
    assert word_vector_width(vectors) == 3


def test_limit_counts_lines_and_wanted_chooses(vectors):
    assert read_word_vectors(vectors, limit=2)[0] == ["the", "cat"]
    words, matrix = read_word_vectors(vectors, limit=4, wanted={"cat", "猫", "dog"})
    assert words == ["cat"] and matrix.tolist() == [[1, 2, 3]]
    words, matrix = read_word_vectors(vectors, wanted={"dog"})
    assert words == [] and matrix.shape == (0, 3)


def test_header_of_word2vec_is_no_word(tmp_path):
    path = tmp_path / "w2v.txt"
    path.write_text(f"5 3\n{TEXT}", encoding="utf-8")
    assert read_word_vectors(path, limit=1)[0] == ["the"]
    assert word_vector_width(path) == 3


@pytest.mark.parametrize(("content", "message"), [
    (b"", "holds no word vectors"),
    (b"5 3\n", "holds no word vectors"),
    (b"the\n", "bad.txt:1: expected a word and its numbers"),
    (b"the 1 2\ncat 1\n", "bad.txt:2: expected a word and 2 numbers"),
    (b"the 1 2\n\ncat 1 2\n", "bad.txt:2: expected a word and 2 numbers"),
    (b"the 1 2\nblack cat 1\n", "bad.txt:2: .* not finite numbers"),
    (b"the 1 nan\n", "bad.txt:1: .* not finite numbers"),
    (b"\xff\xfe 1 2\n", "bad.txt:1: the word is not UTF-8"),
])
def test_faulty_files_are_refused_with_their_line(tmp_path, content, message):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    refused(message, read_word_vectors, path)


def test_missing_file_is_refused(tmp_path):
    refused("cannot read word vectors .*none.txt", read_word_vectors, tmp_path / "none.txt")
