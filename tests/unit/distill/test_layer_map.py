# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Layer maps and what they refuse."""

from __future__ import annotations

import pytest

from src.common.errors import UserError
from src.distill.layer_map import resolve_layer_map


@pytest.mark.parametrize(("layer_map", "student", "teacher", "pairs"), [
    ("uniform", 4, 12, ((0, 0), (1, 3), (2, 6), (3, 9), (4, 12))),
    ("uniform", 3, 3, ((0, 0), (1, 1), (2, 2), (3, 3))),
    ("first", 2, 6, ((0, 0), (1, 1), (2, 2))),
    ("last", 2, 6, ((0, 0), (1, 5), (2, 6))),
    (((2, 5), (0, 0), (1, 2)), 2, 5, ((0, 0), (1, 2), (2, 5))),
    (((1, 4),), 2, 5, ((1, 4),)),
])
def test_pairs(layer_map, student, teacher, pairs):
    assert resolve_layer_map(layer_map, student, teacher) == pairs


@pytest.mark.parametrize(("layer_map", "student", "teacher", "message"), [
    ("uniform", 5, 12, "does not divide"),
    ("uniform", 6, 4, "not deeper"),
    ("upper", 2, 4, "expected uniform, first, last"),
    (((0, 0), (1, 13)), 2, 12, r"\[1, 13\]"),
    (((0, 1), (1, 2)), 2, 12, "embeddings"),
    (((1, 1), (1, 2)), 2, 12, "at most once"),
    (((1, 2, 3),), 2, 12, "pairs"),
    ((), 2, 12, "at least one"),
])
def test_refused(layer_map, student, teacher, message):
    with pytest.raises(UserError, match=message):
        resolve_layer_map(layer_map, student, teacher)


def test_the_example_of_a_refusal_is_a_map_that_works():
    with pytest.raises(UserError) as error:
        resolve_layer_map("uniform", 5, 12)
    text = str(error.value).split("'")[-2]
    pairs = tuple(tuple(map(int, pair.split(","))) for pair in text[2:-2].split("],["))
    assert resolve_layer_map(pairs, 5, 12) == pairs
