# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Chinese words, by jieba: without the cache file that it leaves in the temporary folder, its log and its warnings."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any

IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff"
"""The range of Chinese characters, for a class of a regular expression."""

_CHINESE = re.compile(f"[{IDEOGRAPHS}]+")


def is_chinese(text: str) -> bool:
    """Whether a text is one Chinese character or more, and nothing else."""
    return _CHINESE.fullmatch(text) is not None


def chinese_words(text: str) -> list[str]:
    """Cut a text into words; joined they are the text again, spaces included."""
    return list(_jieba().cut(text))


def tagged_chinese_words(text: str) -> list[tuple[str, str]]:
    """The same, each with its part of speech ("n", "v", ...; "x" for punctuation and what is no word)."""
    return [(word, tag) for word, tag in _tagger().cut(text)]


def chinese_dictionary() -> dict[str, int]:
    """jieba's words and how often each was counted; 0: only the beginning of a word."""
    return _jieba().FREQ


@lru_cache(maxsize=1)
def _jieba() -> Any:
    with warnings.catch_warnings():
        # Its source has invalid escapes, and it imports pkg_resources where that is installed.
        warnings.simplefilter("ignore")
        import jieba
    tokenizer = jieba.Tokenizer()
    # What tokenizer.initialize() does, but for reading and writing <temporary folder>/jieba.cache, which every user of
    # the machine shares.
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer


@lru_cache(maxsize=1)
def _tagger() -> Any:
    tokenizer = _jieba()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from jieba import posseg
    tagger = posseg.dt
    tagger.tokenizer = tokenizer
    return tagger
