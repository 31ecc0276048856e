# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A vocabulary cut to what a text uses: the same tokens wherever all of them stayed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from src.text.pruning import Pruning
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.small_vocabulary import GPT2, SPECIAL, WORDS, sentences, write_byte_level, write_vocabulary

OTHER = ["我爱北京天安门。", "the cat's mat,  café lower lowest", "unwanted running 12 22", "한국 ος ßs x"]


def trained(folder: Path, model: models.Model, trainer: trainers.Trainer, splits: pre_tokenizers.PreTokenizer) -> Path:
    """Train a tokenizer.json whose special tokens have the last ids, but for the trainer's own."""
    folder.mkdir()
    backend = tokenizers.Tokenizer(model)
    backend.normalizer, backend.pre_tokenizer = normalizers.NFKC(), splits
    backend.train_from_iterator(sentences(300) + OTHER * 3, trainer)
    backend.add_special_tokens(list(SPECIAL))
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")])
    backend.save(str(folder / "tokenizer.json"))
    return folder


def word_piece(folder: Path) -> Path:
    folder.mkdir()
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz0123456789.,'"]
    more = dict.fromkeys([*SPECIAL, *letters, *(f"##{c}" for c in letters), "lowest", "cats", "want", "##ted", "##门"])
    write_vocabulary(folder / "vocab.txt", tuple(dict.fromkeys((*more, *WORDS))))
    return folder


def unigram(folder: Path) -> Path:
    return trained(folder, models.Unigram(), trainers.UnigramTrainer(
        vocab_size=150, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False), pre_tokenizers.Metaspace())


def character_bpe(folder: Path) -> Path:
    return trained(folder, models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>"), trainers.BpeTrainer(
        vocab_size=150, end_of_word_suffix="</w>", special_tokens=["[UNK]"], show_progress=False),
        pre_tokenizers.Whitespace())


def words(folder: Path) -> Path:
    return trained(folder, models.WordLevel({}, unk_token="[UNK]"), trainers.WordLevelTrainer(
        special_tokens=["[UNK]"], show_progress=False), pre_tokenizers.Whitespace())


MAKERS: dict[str, Callable[[Path], Path]] = {
    "WordPiece": word_piece, "RoBERTa": write_byte_level, "GPT-2": lambda folder: write_byte_level(folder, GPT2),
    "Unigram": unigram, "BPE of characters": character_bpe, "WordLevel": words}


def counts_of(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    return np.bincount(tokenizer.encode_flat(texts)[0], minlength=tokenizer.vocab_size)


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_tokens_wherever_all_stayed(name: str, tmp_path: Path) -> None:
    old = load_tokenizer(MAKERS[name](tmp_path / "old"))
    pruning, texts = Pruning(old), sentences(60, seed=5, longest=4) + OTHER
    counts = counts_of(old, sentences(40, seed=3))
    least = len(pruning.needed(counts))
    for keep in (least, least + (old.vocab_size - least) // 2, old.vocab_size):
        kept = pruning.choose(counts, keep, pruning.needed(counts))
        assert len(kept) == keep
        (tmp_path / str(keep)).mkdir()
        pruning.cut(kept, "old").save(tmp_path / str(keep))
        new = load_tokenizer(tmp_path / str(keep))
        assert new.tokens == [old.tokens[each] for each in kept]
        assert [new.tokens[each] for each in new.special_ids] == [old.tokens[each] for each in old.special_ids]
        assert (new.rules, new.pruned["of"], new.pruned["kept"]) == (old.rules, old.vocab_size, keep)
        assert new.backend.encode("").tokens == old.backend.encode("").tokens  # what is put around texts
        place = {each: at for at, each in enumerate(kept.tolist())}
        same = 0
        for own, its in zip(old.encode_batch(texts), new.encode_batch(texts), strict=True):
            if name != "WordLevel" and old.unk_id not in own:
                assert new.unk_id not in its
            if set(own) <= place.keys():
                assert its == [place[each] for each in own]
                same += 1
            else:
                assert keep < old.vocab_size
        assert same == len(texts) if keep == old.vocab_size else same > (3 if keep > least else -1)


def test_characters_that_the_rules_never_give_go(shared_data: Callable[[str], Path]) -> None:
    pruning = Pruning(load_tokenizer(shared_data("zh_vocab/vocab.txt")))
    tokens, counts = pruning.tokenizer.tokens, np.zeros(21128, np.int64)
    needed = {tokens[each] for each in pruning.needed(counts)}
    assert len(needed) == 8562 and {"\u6211", "a", "##a", "[MASK]"} <= needed and "##\u6211" not in needed
    counts[[tokens.index("wifi"), tokens.index("\u6211")]] = 1
    used = {tokens[each] for each in pruning.needed(counts, "used")}
    assert used == {*SPECIAL, "\u6211", "w", "##i", "##f"}
