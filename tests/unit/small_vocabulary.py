# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small BERT vocabulary and sentences in its words, for tests of tokenisation and records."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "a", "cat", "dog", "sat", "on", "mat", "un", "##want", "##ed", "run", "##ning", "low", "##er", "lower",
         "cafe", "café", "The", "Cat", "hello", "world", "'", "-", ".", ",", "!", '"', "[", "]", "(", ")", "|", "1",
         "2",
         "##2", "##s", "##est", "e", "##e", "i", "s", "ss", "ß", "我", "爱", "北", "京", "天", "安", "门",
         "学", "。", "，", "한", "##국", "ο", "δ", "##ς", "##σ", "x")
VOCABULARY = (*SPECIAL, *WORDS)


def write_vocabulary(path: Path, tokens: tuple[str, ...] = VOCABULARY) -> Path:
    """Write a vocab.txt."""
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return path


def sentences(number: int, seed: int = 0, longest: int = 12) -> list[str]:
    """Sentences of 1 to `longest` words."""
    generator = np.random.default_rng(seed)
    words = [word for word in WORDS if word.isascii() and word.isalpha()]
    return [" ".join(generator.choice(words, generator.integers(1, longest + 1))) + " ." for _ in range(number)]


def write_corpus(path: Path, number: int, seed: int = 0) -> Path:
    """Write a text with an empty line after every seventh sentence."""
    lines = [line + ("\n" if index % 7 == 6 else "") for index, line in enumerate(sentences(number, seed))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
