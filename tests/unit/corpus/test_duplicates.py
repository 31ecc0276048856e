# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which documents count as the same, and which of them came before, against a plain set."""

from __future__ import annotations

import random

import pytest

from src.corpus import duplicates
from src.corpus.duplicates import HASH_BYTES, KnownDocuments, document_hash


@pytest.mark.parametrize(("one", "other", "is_same"), [
    (["The cat, sat.", "On it!"], ["the CAT sat", "on it"], True),
    (["The cat sat. On it!"], ["The cat sat.", "On it!"], True),
    (["the\tcat \u3000 sat"], ["the cat sat"], True),
    (["\uff21\uff22\uff23\uff01"], ["abc"], True),
    (["Straße"], ["STRASSE"], True),
    (["他说：“你好。”"], ["他说 你好"], True),
    (["the cat sat"], ["the cats at"], False),
    (["cat the sat"], ["the cat sat"], False),
    (["किताब"], ["कुताब"], False),
    (["1,5"], ["15"], False),
    (["。"], ["、"], False),
])
def test_documents_that_count_as_the_same(one: list[str], other: list[str], is_same: bool) -> None:
    assert len(document_hash(one)) == HASH_BYTES
    assert (document_hash(one) == document_hash(other)) is is_same


@pytest.mark.parametrize("recent", [3, 40, 1 << 17])
def test_known_documents_against_a_set(recent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "RECENT", recent)
    generator = random.Random(recent)
    known, expected = KnownDocuments(), set()
    for _ in range(200):
        # Zero bytes at the end must count like any others.
        hashes = [bytes([generator.randrange(9), *bytes(14), generator.randrange(9)]) if generator.random() < 0.5
                  else generator.randbytes(15) + b"\0" for _ in range(generator.randrange(20))]
        is_new = []
        for value in hashes:
            is_new.append(value not in expected)
            expected.add(value)
        assert known.add(b"".join(hashes)).tolist() == is_new
    assert known.number == len(expected) > 500
    again = KnownDocuments(b"".join(expected))
    assert again.number == known.number and not again.add(b"".join(expected)).any()
    assert again.add(b"").tolist() == []
