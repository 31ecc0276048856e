# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Documents that stand in a corpus more than once: each is kept where it comes first.

Two documents are the same when their texts are, after Unicode's NFKC form, without regard to case, punctuation,
symbols, white space and where sentences and paragraphs end. Titles do not count. A document is known by 128 bits of
BLAKE2b of that text: among 10^9 documents the chance that two different ones are taken for the same is 10^-21.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

HASH_BYTES = 16
KNOWN = np.dtype(f"S{HASH_BYTES}")
# Hashes that are looked up in a set (some 100 bytes each) before they are sorted in (16 bytes each).
RECENT = 1 << 17


class _Folded(dict):
    """What each character is replaced by, found out when it is met."""

    def __missing__(self, code: int) -> int:
        # Punctuation, symbols, separators, control characters.
        self[code] = 32 if unicodedata.category(chr(code))[0] in "PSZC" else code
        return self[code]


_FOLDED = _Folded()


def document_hash(sentences: Iterable[str]) -> bytes:
    """16 bytes that are the same for documents that count as the same."""
    text = " ".join(sentences)
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_FOLDED)
    # A text of punctuation alone is only like itself.
    words = folded.split() or [text]
    return blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


class KnownDocuments:
    """The documents so far: 16 bytes each, as many again for a moment while recent ones are sorted in, and some 15 MB.

    Attributes:
        number: how many there are.
    """

    def __init__(self, hashes: bytes = b"") -> None:
        self._sorted = np.sort(np.frombuffer(hashes, KNOWN))
        self._recent: set[bytes] = set()

    @property
    def number(self) -> int:
        return len(self._sorted) + len(self._recent)

    def add(self, hashes: bytes) -> np.ndarray:
        """Add documents, in order.

        Args:
            hashes: of `document_hash`, one after the other.

        Returns:
            bool (documents,): true where a document is new.
        """
        given = np.frombuffer(hashes, KNOWN)
        is_new = np.zeros(len(given), bool)
        distinct, first = np.unique(given, return_index=True)
        places = np.minimum(np.searchsorted(self._sorted, distinct), max(len(self._sorted) - 1, 0))
        is_new[first] = self._sorted[places] != distinct if len(self._sorted) else True
        for index in np.flatnonzero(is_new):
            is_new[index] = given[index] not in self._recent
        self._recent.update(given[is_new].tolist())
        if len(self._recent) > RECENT:
            recent = np.sort(np.array(list(self._recent), KNOWN))
            self._sorted = np.insert(self._sorted, np.searchsorted(self._sorted, recent), recent)
            self._recent = set()
        return is_new
