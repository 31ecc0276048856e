# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What each word of a text may be replaced by, as TinyBERT finds it (Jiao et al., arXiv:1909.10351, algorithm 1).

A word of one piece is masked, and the likeliest words at its place are its candidates, the word itself among them; a
word of several pieces gets the nearest words by their vectors. TinyBERT's code drops continuation pieces from the M
likeliest tokens; here the M likeliest are taken of the tokens that can be a word of the language, so that punctuation,
numbers, special tokens and pieces of words take none of the M places.

Chinese words have several characters, each a token. All of them are masked together, and the candidates are the words
of jieba's dictionary with as many characters, by the sum of their characters' logits. (The likeliest characters of each
place, freely combined, are seldom words.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from src.augmentation.neighbours import Neighbours, best
from src.augmentation.words import Language, is_replaceable, is_word, replaceable_words
from src.text.segmentation import chinese_dictionary, is_chinese
from src.text.tokenization import Tokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding

    from src.augmentation.masked_lm import MaskedLanguageModel, Query

MASKED_LM = "masked LM"
LONGEST_CHINESE = 4
"""Characters of the longest word whose characters are predicted together."""
_FREQUENT = 10
"""Words of jieba's dictionary that were counted less often are left out: names and misprints, mostly."""
_POOL = 30_000


class Slot(NamedTuple):
    """A word that may be replaced: its place, what by, and how that was found."""

    begin: int
    end: int
    candidates: tuple[str, ...]
    means: str


@dataclass(slots=True)
class _Word:
    begin: int
    end: int
    pieces: tuple[int, ...]
    places: tuple[int, ...]
    candidates: tuple[str, ...] = ()
    means: str = ""


@dataclass
class CandidateFinder:
    """Candidates of the words of texts."""

    tokenizer: Tokenizer  # the checkpoint's
    language: Language
    number: int  # candidates of a word
    neighbours: Neighbours  # for words that the masked language model is not asked about
    model: MaskedLanguageModel | None = None
    longest: int = 128  # tokens of the longest query
    words_a_pass: int = 1  # words of a sentence that are masked at the same time

    def __post_init__(self) -> None:
        self.is_cased = self.tokenizer.lower_case is not True
        if self.model is not None:
            self.choices = _choices(self.tokenizer, self.language)

    def find(self, texts: Sequence[str]) -> tuple[dict[str, list[Slot]], Counter]:
        """Return the slots of each text, and counts for the report: tokens, unknown, `words: MEANS`.

        What is found for one text does not depend on the others, but for the rounding of the model's sums.
        """
        texts = list(dict.fromkeys(texts))
        encoded = self.tokenizer.backend.encode_batch(texts, add_special_tokens=False)
        tokens = [token for encoding in encoded for token in encoding.ids]
        counts = Counter({"tokens": len(tokens), "unknown": sum(token == self.tokenizer.unk_id for token in tokens)})
        sentences = [_words_of(text, encoding, self.language) for text, encoding in zip(texts, encoded, strict=True)]
        if self.model is not None:
            self._predict(self.model, sentences, [encoding.ids for encoding in encoded])
        return {text: list(self._slots(text, sentence, counts))
                for text, sentence in zip(texts, sentences, strict=True)}, counts

    def _slots(self, text: str, sentence: list[_Word], counts: Counter) -> Iterator[Slot]:
        """Fill up with neighbours, put the letters into the case of the text, and count."""
        for word in sentence:
            original = text[word.begin:word.end]
            if not word.means:
                word.means, word.candidates = self.neighbours.means, self.neighbours.of(original, word.pieces)
            means = word.means if word.candidates else "no candidate"
            counts[f"words: {means}"] += 1
            if word.candidates:
                cased = tuple(dict.fromkeys(self._cased(candidate, original) for candidate in word.candidates))
                yield Slot(word.begin, word.end, cased, means)

    def _cased(self, candidate: str, original: str) -> str:
        """A vocabulary without capitals cannot tell them; with capitals a replacement begins as its word did."""
        if self.is_cased and original[0].isupper():
            return candidate[0].upper() + candidate[1:]
        return candidate

    def _is_predicted(self, word: _Word) -> bool:
        if self.language == "chinese":
            return len(word.pieces) == word.end - word.begin <= LONGEST_CHINESE and len(word.pieces) in self.choices
        return len(word.pieces) == 1

    def _predict(self, model: MaskedLanguageModel, sentences: list[list[_Word]], ids: list[list[int]]) -> None:
        asked = [each for sentence, tokens in zip(sentences, ids, strict=True)
                 for each in self._passes([word for word in sentence if self._is_predicted(word)], tokens)]
        for number, logits in model.logits([query for _, query in asked]):
            first = 0
            for word in asked[number][0]:
                count = len(word.places)
                word.means, word.candidates = MASKED_LM, self.choices[count].likeliest(
                    logits[first:first + count], self.number)
                first += count

    def _passes(self, words: list[_Word], tokens: list[int]) -> Iterator[tuple[list[_Word], Query]]:
        """Queries about the words of one sentence, with the words that each is about.

        Words that are masked at the same time stand as far from each other as they can: every n-th word.
        """
        from src.augmentation.masked_lm import make_query
        # A sentence that is cut to a window around its mask has one of them.
        together = self.words_a_pass if 2 * len(tokens) + 3 <= self.longest else 1
        number = -(-len(words) // together)
        for first in range(number):
            part = words[first::number]
            places = [place for word in part for place in word.places]
            yield part, make_query(tokens, places, self.tokenizer, self.longest)


@dataclass
class _Choices:
    """Words of as many tokens: texts (W,), and their tokens (W, tokens)."""

    texts: list[str]
    ids: np.ndarray

    def likeliest(self, logits: np.ndarray, number: int) -> tuple[str, ...]:
        """The words with the highest sum of logits (tokens, vocabulary) at their tokens."""
        scores = logits[0, self.ids[:, 0]]
        for place in range(1, len(logits)):
            scores = scores + logits[place, self.ids[:, place]]
        return tuple(self.texts[index] for index in best(scores, number))


def _choices(tokenizer: Tokenizer, language: Language) -> dict[int, _Choices]:
    """Number of tokens -> the words that may stand there."""
    tokens = word_tokens(tokenizer)
    words: dict[int, list[tuple[str, list[int]]]] = {}
    if language == "english":
        words[1] = [(text, [token_id]) for token_id, text in tokens.items() if is_word(text)]
    else:
        ids = {text: token_id for token_id, text in tokens.items() if len(text) == 1 and is_chinese(text)}
        words[1] = [(text, [token_id]) for text, token_id in ids.items()]
        for length in range(2, LONGEST_CHINESE + 1):
            words[length] = sorted((word, [ids[c] for c in word]) for word, count in chinese_dictionary().items()
                                   if len(word) == length and count >= _FREQUENT and all(c in ids for c in word))
    return {length: _Choices([text for text, _ in found], np.array([pieces for _, pieces in found], np.int64))
            for length, found in words.items() if found}


def word_tokens(tokenizer: Tokenizer) -> dict[int, str]:
    """Id -> text of the tokens that begin a word: no continuation pieces, no special tokens."""
    special = set(tokenizer.special_ids)
    ids = [token_id for token_id, token in enumerate(tokenizer.tokens) if token and token_id not in special]
    if tokenizer.is_word_piece:
        return {token_id: tokenizer.tokens[token_id] for token_id in ids if not tokenizer.continues_word[token_id]}
    # Byte-level BPE and its relatives write the space before a word into its token.
    return {token_id: tokenizer.backend.decoder.decode([tokenizer.tokens[token_id]]).strip() for token_id in ids
            if tokenizer.tokens[token_id][0] in "Ġ▁"}


def neighbour_pool(tokenizer: Tokenizer, language: Language) -> dict[str, Sequence[int]]:
    """Words among which neighbours by embeddings are found, and their pieces.

    The vocabulary's whole words; for Chinese the most frequent words of jieba's dictionary, because a word of several
    characters is none of its vocabulary.
    """
    tokens = word_tokens(tokenizer)
    if language == "english":
        return {text: (token_id,) for token_id, text in tokens.items() if is_replaceable(text, language)}
    ids = {text: token_id for token_id, text in tokens.items() if len(text) == 1}
    frequent = sorted(((count, word) for word, count in chinese_dictionary().items()
                       if count >= _FREQUENT and is_replaceable(word, language) and all(c in ids for c in word)),
                      reverse=True)[:_POOL]
    return {word: tuple(ids[c] for c in word) for _, word in frequent}


def _words_of(text: str, encoding: Encoding, language: Language) -> list[_Word]:
    """The replaceable words of a text with their tokens; words that no token is of are left out."""
    spans = replaceable_words(text, language)
    words, place = [], 0
    offsets, ids = encoding.offsets, encoding.ids
    for begin, end in spans:
        while place < len(ids) and offsets[place][1] <= begin:
            place += 1
        first = place
        # The token of byte-level BPE may begin with the space before the word.
        while place < len(ids) and offsets[place][1] <= end and offsets[place][0] >= begin - 1:
            place += 1
        if place > first:
            words.append(_Word(begin, end, tuple(ids[first:place]), tuple(range(first, place))))
    return words
