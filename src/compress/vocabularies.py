# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The smaller vocabularies that a teacher's can be cut to."""

from __future__ import annotations

from collections.abc import Collection

from src.checkpoints.checkpoint import LoadedModel
from src.pruning.counted_text import CountedText
from src.text.pruning import Pruning
from src.text.tokenization import Tokenizer

VOCABULARIES = (16000, 8000, 4000)


def possible_vocabularies(teacher: LoadedModel, text: CountedText, sizes: Collection[int] = VOCABULARIES
                          ) -> dict[int, Tokenizer]:
    """Return tokenizers of the smaller vocabularies that a teacher's can be cut to, by their size.

    Args:
        text: whose most frequent tokens stay (src/pruning/vocabulary.py).
        sizes: of which those are left out that are no smaller than the whole vocabulary, or too small for the special
            tokens and single characters that stay.
    """
    pruning = Pruning(teacher.tokenizer())
    needed = pruning.needed(text.counts, first=teacher.config.encoder.position_offset)
    return {size: pruning.cut(pruning.choose(text.counts, size, needed), teacher.directory.name)
            for size in sizes if len(needed) <= size < len(pruning.all_ids)}
