# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""From the logits of tokens to the tags of words, and to the entities that these stand for.

Tags are IOB2: B-TYPE begins an entity, I-TYPE continues it, O is outside of all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.words import Span

Entity = tuple[str, int, int]
"""Type, and begin and end (exclusive) in words."""

OUTSIDE = "O"


def entities(tags: Sequence[str], strict: bool = False) -> list[Entity]:
    """Return the entities that IOB2 tags stand for, in order.

    An I-TYPE that continues nothing begins an entity, as in conlleval and in seqeval's default mode; with `strict` it
    stands for nothing, as in seqeval's strict mode.
    """
    found: list[Entity] = []
    inside, begin = "", 0
    for place, tag in enumerate((*tags, OUTSIDE)):
        letter, _, name = tag.partition("-")
        if letter == "I" and name == inside:
            continue
        if inside:
            found.append((inside, begin, place))
        inside, begin = "" if strict and letter == "I" else name, place
    return found


def character_entities(spans: Sequence[Span], tags: Sequence[str]) -> list[Entity]:
    """Return type, begin and end (exclusive) in characters of the entities that tags of words stand for.

    Args:
        spans: the words, in characters.
    """
    return [(name, spans[begin][0], spans[end - 1][1]) for name, begin, end in entities(tags)]


def by_word(classes: np.ndarray, word_ids: np.ndarray, texts: np.ndarray) -> list[list[int]]:
    """Return the class of each word of each text, in order, from those of tokens.

    Args:
        classes: int (rows, length).
        word_ids: int (rows, length), the word that a token decides, -1 for none.
        texts: int (rows,), the text that a row is of, counted from 0; each has a row at least.
    """
    rows, places = np.nonzero(word_ids >= 0)
    order = np.lexsort((word_ids[rows, places], texts[rows]))
    rows, places = rows[order], places[order]
    values = classes[rows, places].tolist()
    ends = np.cumsum(np.bincount(texts[rows], minlength=int(texts.max(initial=-1)) + 1)).tolist()
    return [values[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
