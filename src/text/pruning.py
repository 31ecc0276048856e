# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A smaller vocabulary: which tokens stay, and the tokenizer rewritten to them.

Wherever all tokens of a text stay, the rewritten tokenizer gives the same ones. WordPiece takes the longest token that
fits: among fewer tokens it is the same one. BPE applies the merge of lowest rank that fits: it is the same one as long
as a token's parts stay with it. A unigram model takes the segmentation of the highest score: it stays the highest
among fewer, with the same score of an unknown character, which is that of the least likely token less ten.

What stays in any case: special and added tokens, and single characters, so that words whose own tokens go are spelled.
Of byte-level BPE these are the 256 bytes. A WordPiece vocabulary has two tokens of a character, one that begins a word
and one that goes on (`a`, `##a`); those that its rules never give from any text go: where Chinese characters stand
apart nothing follows them in a word, so that 7,322 `##` tokens of Google's Chinese vocabulary were never in use. A word
vocabulary has no characters to spell with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

import numpy as np
import tokenizers
from tokenizers import normalizers, pre_tokenizers

from src.common.errors import UserError
from src.text.tokenization import Tokenizer
from src.text.tokenizer_classes import faults_of_library

Characters = Literal["all", "used"]
BYTE = re.compile("<0x[0-9A-F]{2}>")
_PAIRS = ("sep", "cls")
"""Where two post-processors of the library hold a token and its id."""


class Pruning:
    """What decides which tokens of a tokenizer may go.

    Attributes:
        special: ids of the tokens that stay whatever a text holds.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self._values: dict[str, Any] = json.loads(tokenizer.backend.to_str())
        self._model: dict[str, Any] = self._values["model"]
        vocabulary = self._model["vocab"]
        is_list = isinstance(vocabulary, list)  # of a unigram model: [[token, score], ...]
        self._ids: dict[str, int] = {entry[0]: at for at, entry in enumerate(vocabulary)} if is_list else vocabulary
        self.special = self._special()

    @property
    def kind(self) -> str:
        """WordPiece, BPE, Unigram or WordLevel."""
        return str(self._model["type"])

    @cached_property
    def all_ids(self) -> frozenset[int]:
        """Ids that have a token."""
        return frozenset(self.tokenizer.backend.get_vocab(with_added_tokens=True).values())

    def _special(self) -> frozenset[int]:
        unknown = self._model.get("unk_token")
        found = {*self.tokenizer.special_ids, *self.tokenizer.backend.get_added_tokens_decoder(),
                 *_ids_in(self._values["post_processor"]), self._ids.get(unknown) if unknown else None}
        if self.kind == "Unigram":
            scores = [score for _, score in self._model["vocab"]]
            found |= {self._model.get("unk_id"), scores.index(min(scores))}
        return frozenset(each for each in found if each in self.all_ids)

    @cached_property
    def characters(self) -> frozenset[int]:
        """Ids of the single characters, or bytes, that texts are spelled with."""
        if self.kind == "WordLevel":
            return frozenset()
        return frozenset(each for token, each in self._ids.items()
                         if self._is_byte(token) or (self._spelled(token) == [token] and self._is_given(token)))

    def characters_of(self, counts: np.ndarray) -> frozenset[int]:
        """Ids of the single characters that the tokens of a text consist of; bytes all.

        Args:
            counts: int64 (vocab_size,), how often each token occurs.
        """
        rules = json.dumps([self._values["normalizer"], self._values["pre_tokenizer"]])
        if '"ByteLevel"' in rules:
            return self.characters
        tokens = self.tokenizer.tokens
        used = {name for each in np.flatnonzero(counts[:len(tokens)]).tolist() for name in self._spelled(tokens[each])}
        return frozenset(each for token, each in self._ids.items()
                         if each in self.characters and (token in used or self._is_byte(token)))

    @property
    def _prefix(self) -> str:
        """What begins a token that goes on a word, such as ##."""
        return self._model.get("continuing_subword_prefix") or ""

    def _goes_on(self, token: str) -> bool:
        return bool(self._prefix) and token.startswith(self._prefix) and token != self._prefix

    def _spelled(self, token: str) -> list[str]:
        """The tokens of single characters that a token can be put together from; itself where it is one."""
        ending = self._model.get("end_of_word_suffix") or ""
        bare = token.removeprefix(self._prefix) if self._goes_on(token) else token
        ends = bool(ending) and bare.endswith(ending) and bare != ending
        bare = bare.removesuffix(ending) if ends else bare
        last = len(bare) - 1
        return [(self._prefix if place or self._goes_on(token) else "") + character
                + (ending if ends and place == last else "") for place, character in enumerate(bare)]

    def _is_byte(self, token: str) -> bool:
        """Whether it stands for a byte of characters that have no token."""
        return bool(self._model.get("byte_fallback")) and BYTE.fullmatch(token) is not None

    def _is_given(self, token: str) -> bool:
        """Whether BERT's rules give this character, at this place of a word, from any text."""
        normalizer, splitter = self.tokenizer.backend.normalizer, self.tokenizer.backend.pre_tokenizer
        if not (isinstance(normalizer, normalizers.BertNormalizer)
                and isinstance(splitter, pre_tokenizers.BertPreTokenizer)):
            return True
        word = "a" + token.removeprefix(self._prefix) if self._goes_on(token) else token
        return any(part == word for part, _ in splitter.pre_tokenize_str(normalizer.normalize_str(word)))

    def needed(self, counts: np.ndarray, characters: Characters = "all", first: int = 0) -> frozenset[int]:
        """Return the ids that stay in any case.

        Args:
            counts: int64 (vocab_size,), how often a text holds each token.
            characters: all single characters, or those that the text holds.
            first: ids below this one stay too: a model counts its positions from the padding token's.
        """
        singles = self.characters if characters == "all" else self.characters_of(counts)
        return self.special | singles | {each for each in range(first) if each in self.all_ids}

    def choose(self, counts: np.ndarray, keep: int, needed: Iterable[int]) -> np.ndarray:
        """Return the old ids of the `keep` tokens that stay, int64 (keep,), in the order of their new ids: the needed
        ones, then by falling count, equal ones by id; of BPE each with the tokens that it is merged from.

        New ids follow the old ones, tokens that are added to the model's own behind these.
        """
        kept = set(needed)
        rest = np.array(sorted(self.all_ids - kept), np.int64)
        order = rest[np.argsort(-counts[rest], kind="stable")].tolist()
        while len(kept) < keep and order:
            before = len(kept)
            for each in order:
                lacking = self._lacking(each, kept)
                if len(kept) + len(lacking) <= keep:
                    kept |= lacking
            order = [each for each in order if each not in kept]
            if len(kept) == before:
                break  # what is left needs more parts than there is room for
        own = set(self._ids.values())
        return np.array([*sorted(kept & own), *sorted(kept - own)], np.int64)

    def _lacking(self, token_id: int, kept: set[int]) -> set[int]:
        """The token and what it is merged from, as far as it is not kept yet."""
        found: set[int] = set()
        todo = [token_id]
        while todo:
            each = todo.pop()
            if each not in kept and each not in found:
                found.add(each)
                todo += self._parts.get(each, ())
        return found

    @cached_property
    def _merges(self) -> list[tuple[str, str, int]]:
        """(left, right, id of what they make), by rank."""
        return [(left, right, self._ids[left + right[len(self._prefix):]])
                for left, right in self._model.get("merges") or ()]

    @cached_property
    def _parts(self) -> dict[int, list[int]]:
        """What each token is merged from, in all ways."""
        parts: dict[int, list[int]] = {}
        for left, right, made in self._merges:
            parts.setdefault(made, []).extend((self._ids[left], self._ids[right]))
        return parts

    def cut(self, kept: np.ndarray, origin: str) -> Tokenizer:
        """Return the tokenizer of the tokens that stay.

        Args:
            kept: what `choose` returns.
            origin: where the whole vocabulary is, for who reads the new one's files.

        Raises:
            UserError: the library does not take what is left of the vocabulary.
        """
        old, new = self.tokenizer, {each: place for place, each in enumerate(kept.tolist())}
        model = dict(self._model)
        if self.kind == "Unigram":
            model["vocab"] = [self._model["vocab"][each] for each in kept.tolist() if each < len(self._ids)]
            model["unk_id"] = new.get(self._model.get("unk_id"))
        else:
            model["vocab"] = {token: new[each] for token, each in self._ids.items() if each in new}
        if "merges" in model:
            model["merges"] = [[left, right] for left, right, made in self._merges
                               if made in new and self._ids[left] in new and self._ids[right] in new]
        added = [{**token, "id": new[token["id"]]} for token in self._values["added_tokens"]]
        values = {**self._values, "model": model, "added_tokens": sorted(added, key=lambda token: token["id"]),
                  "post_processor": _renumbered(self._values["post_processor"], new)}
        with faults_of_library(f"the vocabulary of {old.source} cannot be cut"):
            backend = tokenizers.Tokenizer.from_str(json.dumps(values))
        pruned = {"kept": len(kept), "of": len(self.all_ids), "vocab_sha256": old.vocab_hash, "from": origin}
        tokenizer = Tokenizer(backend, old.source, old.segment, old.special, pruned=pruned, separators=old.separators)
        if tokenizer.tokens != [old.tokens[each] for each in kept.tolist()]:
            raise UserError(f"the vocabulary of {old.source} cannot be cut: the tokenizers library numbers what is "
                            "left in another order; give a vocabulary in which no token stands twice")
        return tokenizer


def _ids_in(part: dict[str, Any] | None) -> set[int]:
    """Ids that a post-processor puts around texts."""
    if part is None:
        return set()
    found = {each for inner in part.get("processors", ()) for each in _ids_in(inner)}
    found |= {each for entry in part.get("special_tokens", {}).values() for each in entry["ids"]}
    return found | {part[name][1] for name in _PAIRS if name in part}


def _renumbered(part: dict[str, Any] | None, new: dict[int, int]) -> dict[str, Any] | None:
    """A post-processor with the new ids."""
    if part is None:
        return None
    changed: dict[str, Any] = {name: [part[name][0], new.get(part[name][1], 0)] for name in _PAIRS if name in part}
    if "processors" in part:
        changed["processors"] = [_renumbered(inner, new) for inner in part["processors"]]
    if "special_tokens" in part:
        changed["special_tokens"] = {name: {**entry, "ids": [new.get(each, 0) for each in entry["ids"]]}
                                     for name, entry in part["special_tokens"].items()}
    return part | changed
