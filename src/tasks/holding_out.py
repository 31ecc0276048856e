# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which rows of one file are kept for the dev split."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any


def held_out(rows: Iterable[tuple[Any, str, str | None]], share: float, seed: int, is_regression: bool = False
             ) -> frozenset[int]:
    """Return the numbers, from 0, of the rows (label, text, second text) that are held out.

    Of each class the share, rounded, but one at least where it has two texts. Equal texts stay together. Which rows
    these are depends on texts and seed, not on the order of the file.
    """
    places: dict[bytes, list[int]] = defaultdict(list)
    classes: dict[bytes, Any] = {}
    for number, (label, text_a, text_b) in enumerate(rows):
        key = hashlib.sha256("\0".join((str(seed), text_a, text_b or "")).encode()).digest()
        places[key].append(number)
        classes.setdefault(key, None if is_regression else label)
    of_class: dict[Any, list[bytes]] = defaultdict(list)
    for key, label in classes.items():
        of_class[label].append(key)
    out: set[int] = set()
    for keys in of_class.values():
        total = sum(len(places[key]) for key in keys)
        room = max(round(share * total), 1) if len(keys) > 1 else 0
        for key in sorted(keys):
            if 0 < len(places[key]) <= room:
                out.update(places[key])
                room -= len(places[key])
    return frozenset(out)
