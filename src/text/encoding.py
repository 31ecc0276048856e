# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Token ids of many texts, word by word: each word is encoded once and then looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain
from typing import cast

import numpy as np
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

# Memory of the word cache: about 200 bytes an entry.
CACHED_WORDS = 1 << 18
CACHED_WORD_LENGTH = 32
# Words that the library encodes together, separated by a character that has a token of its own.
JOINED_WORDS = 100
SEPARATORS = "|~^`"
# Byte-level BPE: what makes a text be encoded as one piece, and what the first word of a text is marked with.
NOT_BY_WORDS = re.compile(r"\s\s|\x00")
FIRST_WORD = "\x00"
# Stands between texts that are split into words together, and the id that stands for it.
TEXT_END = "\n\x00\n"
END_MARK = np.array([-1], np.int32)
# Ideographs that the BERT normaliser surrounds with spaces; a subset of its ranges is enough here.
IDEOGRAPH = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
NOT_PLAIN = re.compile(r"[\s\x00\u3400-\u4dbf\u4e00-\u9fff]")
PIECES = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^ \u3400-\u4dbf\u4e00-\u9fff]+")


def is_byte_level(backend: tokenizers.Tokenizer) -> bool:
    """Whether this is byte-level BPE, as vocab.json and merges.txt describe it."""
    return isinstance(backend.model, models.BPE) and isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel)


class WordEncoder:
    """Encodes texts by their words where these do not depend on each other, else as a whole.

    Attributes:
        encode: texts -> all their token ids, int32 (tokens,), and how many belong to each, int64 (texts,).
    """

    def __init__(self, backend: tokenizers.Tokenizer):
        self.backend = backend
        # Word -> its ids as the bytes of an int32 array: joined without an object for each id.
        self._cache: dict[str, bytes] = {}
        self.encode = self._encode_whole
        # A text is cut at spaces and around ideographs: an added token must not reach over a cut.
        plain = not any(NOT_PLAIN.search(token.content) or token.rstrip or token.single_word
                        for token in backend.get_added_tokens_decoder().values())
        if plain and self._is_split_bert():
            self.encode = self._encode_by_words
        elif plain and self._is_split_byte_level():
            self.encode = self._encode_by_spaces

    def _is_split_bert(self) -> bool:
        """With BERT's normaliser and pre-tokenizer nothing depends on what lies beyond a space or an ideograph, so that
        the ids of a text are those of its parts one after the other, and words can be looked up."""
        backend = self.backend
        return (isinstance(backend.normalizer, normalizers.BertNormalizer)
                and bool(backend.normalizer.handle_chinese_chars)
                and isinstance(backend.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
                and isinstance(backend.model, models.WordPiece)
                and not any(token.lstrip for token in backend.get_added_tokens_decoder().values()))

    def _is_split_byte_level(self) -> bool:
        """GPT-2's pattern never joins a lone space to what precedes it: a text can be cut before each of them."""
        backend = self.backend
        return (is_byte_level(backend) and backend.normalizer is None and bool(backend.pre_tokenizer.use_regex)
                and not backend.model.dropout)

    @cached_property
    def _separator(self) -> tuple[str, int] | None:
        """A character, and its id, that stays a token by itself next to spaces."""
        for character in SEPARATORS:
            token_id = self.backend.token_to_id(character)
            twice = self.backend.encode(f"{character} {character}", add_special_tokens=False).ids
            if token_id is not None and twice == [token_id, token_id]:
                return character, token_id
        return None

    def _encode_whole(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        encoded = [encoding.ids for encoding in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]
        return (np.fromiter(chain.from_iterable(encoded), np.int32),
                np.fromiter(map(len, encoded), np.int64, len(encoded)))

    def _encode_by_words(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Look up the words of all texts at once; the texts' ends are a word of their own."""
        joined = f" {TEXT_END} ".join(texts)
        if joined.count(TEXT_END) != len(texts) - 1:
            return self._encode_whole(texts)
        words = joined.split(" ") if joined.isascii() or not IDEOGRAPH.search(joined) else PIECES.findall(joined)
        return self._look_up(words, self._encode_words)

    def _encode_by_spaces(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same for byte-level BPE, where a word keeps the space before it; the first word of a text has none."""
        words: list[str] = []
        for text in texts:
            parts = [text] if NOT_BY_WORDS.search(text) else text.split(" ")
            parts[0] = FIRST_WORD + parts[0]
            words += parts
            words.append(TEXT_END)
        return self._look_up(words[:-1], lambda new: self._encode_singly(
            [word[1:] if word.startswith(FIRST_WORD) else f" {word}" for word in new]))

    def _look_up(self, words: list[str], encode: Callable[[list[str]], list[bytes]]) -> tuple[np.ndarray, np.ndarray]:
        """Ids of words, and how many belong to each text, where TEXT_END stands between two texts."""
        cache = self._cache
        if len(cache) > CACHED_WORDS:
            cache.clear()
        cache[TEXT_END] = END_MARK.tobytes()
        ids = list(map(cache.get, words))
        unknown = [place for place, value in enumerate(ids) if value is None]
        if unknown:
            # Sorted: the work must not depend on the order of a set, which changes from process to process.
            new_words = sorted({words[place] for place in unknown})
            new = dict(zip(new_words, encode(new_words), strict=True))
            for place in unknown:
                ids[place] = new[words[place]]
            cache.update((word, value) for word, value in new.items() if len(word) <= CACHED_WORD_LENGTH)
        flat = np.frombuffer(b"".join(cast(list[bytes], ids)), np.int32)
        ends = np.flatnonzero(flat == END_MARK[0])
        lengths = np.diff(ends, prepend=-1, append=len(flat)) - 1
        return np.delete(flat, ends), lengths

    def _encode_words(self, words: list[str]) -> list[bytes]:
        """Ids of words without spaces. A call of the library costs more than a word: many go as one text."""
        if self._separator is None:
            return self._encode_singly(words)
        character, separator_id = self._separator
        joined = [word for word in words if character not in word]
        between = f" {character} "
        parts = [joined[start:start + JOINED_WORDS] for start in range(0, len(joined), JOINED_WORDS)]
        ids, _ = self._encode_whole([between.join(part) + between for part in parts])
        ends = np.flatnonzero(ids == separator_id).tolist()
        if len(ends) != len(joined):
            # Something else than the character itself became its token.
            return self._encode_singly(words)
        encoded = {word: ids[start:end].tobytes()
                   for word, start, end in zip(joined, [0, *(end + 1 for end in ends)], ends, strict=False)}
        others = [word for word in words if word not in encoded]
        encoded.update(zip(others, self._encode_singly(others), strict=True))
        return [encoded[word] for word in words]

    def _encode_singly(self, words: list[str]) -> list[bytes]:
        ids, lengths = self._encode_whole(words)
        ends = np.cumsum(lengths).tolist()
        return [ids[end - length:end].tobytes() for end, length in zip(ends, lengths.tolist(), strict=True)]
