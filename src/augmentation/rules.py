# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The rules of Tang et al. (arXiv:1903.12136, section 4.3): masks, words of the same part of speech, n-grams.

For each word of a text a number is drawn: the word is masked with one probability, else replaced with another by a word
of the same part of speech, as frequent ones as they are in the training set. With a third probability the copy is then
cut to one of its n-grams, n from 1 to 5. Of a pair the first text, the second and both are augmented in turn.

Parts of speech: of Chinese by jieba; of English by the tagger of TextBlob, a lexicon of 94,000 words with Brill's
rules, because it brings its data along where others download theirs.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from src.augmentation.copies import Row, RowCopies
from src.augmentation.words import ENGLISH, Language
from src.text.segmentation import tagged_chinese_words

LONGEST_NGRAM = 5
_NO_WORD = re.compile(r"[\W_]+")
# What the tagger is given: words, their apostrophes included, and single signs, which tell it where a sentence ends.
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")


class Tagged(NamedTuple):
    """A word: its place, and its part of speech, "" where it has none that another word could share."""

    begin: int
    end: int
    tag: str


def tag(text: str, language: Language) -> list[Tagged]:
    """The words of a text with their parts of speech."""
    tagged = _tag_chinese(text) if language == "chinese" else _tag_english(text)
    return [word for word in tagged if not _NO_WORD.fullmatch(text, word.begin, word.end)]


def _tag_chinese(text: str) -> Iterator[Tagged]:
    end = 0
    for word, kind in tagged_chinese_words(text):
        begin, end = end, end + len(word)
        yield Tagged(begin, end, "" if kind == "x" else kind)


def _tag_english(text: str) -> Iterator[Tagged]:
    spans = [match.span() for match in _TOKEN.finditer(text)]
    kinds = _english_tags([text[begin:end] for begin, end in spans])
    for (begin, end), kind in zip(spans, kinds, strict=True):
        word = text[begin:end]
        # The tagger calls what it does not know a noun, and contractions it does not know.
        is_piece = "'" in word or "’" in word or (word.lower() in ENGLISH and kind in ("NN", "NNP", "NNS"))
        yield Tagged(begin, end, "" if is_piece else kind)


def _english_tags(tokens: Sequence[str]) -> list[str]:
    with warnings.catch_warnings():
        # It leaves its data files to the garbage collector to close.
        warnings.simplefilter("ignore", ResourceWarning)
        from textblob.en import parser
        return [kind for _, kind in parser.find_tags(tokens)]


def count_tags(rows: Sequence[Row], language: Language) -> Counter:
    """How often each word has each part of speech: (part, word) -> number; runs in the workers."""
    return Counter((word.tag, text[word.begin:word.end]) for row in rows for text in row.texts
                   for word in tag(text, language) if word.tag)


class Distribution(NamedTuple):
    """Words of a part of speech, and the running sum of their counts."""

    words: list[str]
    sums: list[int]

    def draw(self, uniform: float) -> str:
        """The word at a share of the counts, from 0 to below 1."""
        return self.words[bisect_right(self.sums, uniform * self.sums[-1])]


def distributions(counts: Iterable[Mapping[tuple[str, str], int]]) -> dict[str, Distribution]:
    """Part of speech -> its words; the sum of what `count_tags` gave."""
    total: Counter = Counter()
    for part in counts:
        total.update(part)
    by_tag: dict[str, list[tuple[str, int]]] = {}
    for (kind, word), count in sorted(total.items()):
        by_tag.setdefault(kind, []).append((word, count))
    return {kind: Distribution([word for word, _ in found], list(accumulate(count for _, count in found)))
            for kind, found in by_tag.items()}


@dataclass(frozen=True)
class RuleCopies(RowCopies):
    """Each row and its copies; probabilities as in section `augment` of the settings."""

    seed: int
    copies: int
    language: Language
    mask_token: str
    by_tag: dict[str, Distribution]  # from `distributions`
    mask_probability: float
    pos_probability: float
    ngram_probability: float

    def copies_of(self, row: Row) -> Iterator[tuple[tuple[str, ...], Counter]]:
        generator = np.random.default_rng((self.seed, row.number))
        tagged = [tag(text, self.language) for text in row.texts]
        for number in range(self.copies):
            texts, changes = list(row.texts), Counter[str]()
            for index in ((0,), (1,), (0, 1))[number % 3] if len(texts) == 2 else (0,):
                texts[index] = self._text(row.texts[index], tagged[index], generator, changes)
            yield tuple(texts), changes

    def _text(self, text: str, tagged: Sequence[Tagged], generator: np.random.Generator, counts: Counter) -> str:
        """One copy of a text. As many random numbers are drawn whatever the probabilities are."""
        if not tagged:
            return text
        chosen, drawn = generator.random((2, len(tagged))).tolist()
        cut, length, start = generator.random(3).tolist()
        number, first = len(tagged), 0
        if cut < self.ngram_probability:
            number = min(1 + int(length * LONGEST_NGRAM), len(tagged))
            first = int(start * (len(tagged) - number + 1))
            counts["n-grams"] += 1
        end, last = (0, len(text)) if number == len(tagged) else (tagged[first].begin, tagged[first + number - 1].end)
        parts: list[str] = []
        for index in range(first, first + number):
            word = tagged[index]
            parts += text[end:word.begin], self._word(text[word.begin:word.end], word.tag, chosen[index], drawn[index],
                                                      counts)
            end = word.end
        return "".join((*parts, text[end:last]))

    def _word(self, word: str, kind: str, chosen: float, drawn: float, counts: Counter) -> str:
        if chosen < self.mask_probability:
            counts["replaced: mask"] += 1
            return self.mask_token
        if chosen < self.mask_probability + self.pos_probability and kind in self.by_tag:
            counts["replaced: same part of speech"] += 1
            return self.by_tag[kind].draw(drawn)
        return word
