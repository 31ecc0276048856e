# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small vocabularies and sentences in their words, for tests of tokenisation and records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "a", "cat", "dog", "sat", "on", "mat", "un", "##want", "##ed", "run", "##ning", "low", "##er", "lower",
         "cafe", "café", "The", "Cat", "hello", "world", "'", "-", ".", ",", "!", '"', "[", "]", "(", ")", "|", "1",
         "2",
         "##2", "##s", "##est", "e", "##e", "i", "s", "ss", "ß", "我", "爱", "北", "京", "天", "安", "门",
         "学", "。", "，", "한", "##국", "ο", "δ", "##ς", "##σ", "x")
VOCABULARY = (*SPECIAL, *WORDS)
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
ALBERT = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
GPT2 = ("<|endoftext|>",)


def write_vocabulary(path: Path, tokens: tuple[str, ...] = VOCABULARY) -> Path:
    """Write a vocab.txt."""
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return path


def write_byte_level(folder: Path, special: tuple[str, ...] = ROBERTA) -> Path:
    """Train byte-level BPE on a few sentences and write its vocab.json and merges.txt into a new folder."""
    folder.mkdir(parents=True)
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(sentences(300) + ["我爱北京天安门。", "the cat's mat,  café"] * 3, trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(special), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    backend.model.save(str(folder))
    return folder


def write_modern(folder: Path) -> Path:
    """Write tokenizer.json and tokenizer_config.json as ModernBERT's into a new folder: byte-level BPE behind NFC, with
    added tokens of runs of blanks, and BERT's special tokens behind the vocabulary."""
    write_byte_level(folder, ("|||IP_ADDRESS|||", "<|padding|>"))
    backend = tokenizers.Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    for file in ("vocab.json", "merges.txt"):
        (folder / file).unlink()
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken("|||IP_ADDRESS|||", normalized=True), AddedToken("<|padding|>", special=True),
                        *(AddedToken(" " * count, normalized=True) for count in (4, 3, 2)),
                        AddedToken("|||EMAIL_ADDRESS|||", normalized=True), AddedToken("<|endoftext|>", special=True),
                        *(AddedToken(token, special=True) for token in ("[UNK]", "[CLS]", "[SEP]", "[PAD]")),
                        AddedToken("[MASK]", lstrip=True, special=True), AddedToken("[unused0]", normalized=True)])
    begin, end = (("[CLS]", backend.token_to_id("[CLS]")), ("[SEP]", backend.token_to_id("[SEP]")))
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
                                                           special_tokens=[begin, end])
    backend.save(str(folder / "tokenizer.json"))
    config = {f"{token[1:-1].lower()}_token": token for token in ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")} | {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 8192, "clean_up_tokenization_spaces": True,
        "model_input_names": ["input_ids", "attention_mask"], "added_tokens_decoder": {
            str(index): {name: getattr(token, name) for name in (
                "content", "lstrip", "normalized", "rstrip", "single_word", "special")}
            for index, token in backend.get_added_tokens_decoder().items()}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_unigram(folder: Path, special: tuple[str, ...] = ROBERTA) -> Path:
    """Write a tokenizer.json as XLM-R's or ALBERT's into a new folder: a map of characters, a unigram model, the
    mask at the end."""
    folder.mkdir(parents=True)
    words = [word.removeprefix("##") for word in WORDS if word.isalpha() or word.startswith("##")]
    pieces = dict.fromkeys(["▁", *(f"▁{word}" for word in words), *words, *"THECaft.,!12"])
    vocabulary = [(token, 0.0) for token in special[:4]] + [
        (piece, -3.0 - 0.37 * len(piece) - 0.01 * place) for place, piece in enumerate(pieces)]
    backend = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=special.index("<unk>")))
    backend.normalizer = normalizers.Precompiled(character_map(
        {"Ｔ": "T", "Ｈ": "H", "１": "1", "２": "2", "ｃ": "c", "é": "e", "\u200b": " ", "\t": " ", "ß": "ss"}))
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    backend.add_special_tokens([*special[:4], AddedToken(special[4], lstrip=True)])
    backend.save(str(folder / "tokenizer.json"))
    return folder


def character_map(replaced: dict[str, str]) -> bytes:
    """The compiled form of sentencepiece's maps: the size of a double-array trie of UTF-8 (Darts), its units (32 bits:
    value, or offset of the children and label of the byte that leads here), and the texts that its leaves name."""
    texts, starts = b"", {}
    for text in replaced.values():
        starts[text] = len(texts)
        texts += text.encode() + b"\0"
    prefixes = sorted({key.encode()[:end] for key in replaced for end in range(len(key.encode()) + 1)}, key=len)
    blocks = {prefix: 256 * (1 + number) for number, prefix in enumerate(prefixes)}  # of the children of each node
    units = np.zeros(256 * (1 + len(prefixes)), "<u4")
    leaves = {key.encode(): starts[text] for key, text in replaced.items()}
    for prefix, block in blocks.items():
        place = blocks[prefix[:-1]] ^ prefix[-1] if prefix else 0
        units[place] = (place ^ block) << 10 | (prefix in leaves) << 8 | (prefix[-1] if prefix else 0)
        if prefix in leaves:
            units[block] = leaves[prefix] | 1 << 31
    return np.uint32(units.nbytes).tobytes() + units.tobytes() + texts


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


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
