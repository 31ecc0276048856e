# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Token ids are those of transformers' BertTokenizer; faulty files are reported in one line."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from small_vocabulary import GPT2, ROBERTA, VOCABULARY, write_byte_level, write_vocabulary
from tokenizers import decoders, models, pre_tokenizers, trainers

from src.common.errors import UserError
from src.text import encoding
from src.text.tokenization import Tokenizer, has_tokenizer, load_tokenizer
from tests.refusals import refused

TEXTS = [
    "The cat sat on the mat.",
    "  unwanted running,lower-lowest  ",
    "Café CAFÉ cafe\u0301 caf\u00e9!",
    "我爱北京天安门。hello世界",
    "x我x 爱\u3000北",
    "ΟΔΟΣ οδός 한국 straße Straße",
    "[CLS] the [MASK] sat[SEP]on [unused1] [mask]",
    "\x00the\ufffd\u200bcat\u00a0dog\u2028sat\x0b\x0con\x1cmat\x85a\rb\tc",
    "",
    " ",
    "x" * 150,
    "\u0301\u0301a \u0301b 我\u0301",
    "𠀀𠀁 😀 \ud7ff",
]


def random_texts(number: int) -> list[str]:
    """Short texts of letters, controls, marks, ideographs and any other characters."""
    draw = random.Random(7)
    kinds = (lambda: draw.choice("the cat. aDE,'-[]ÉéİßΣςσ \t  "), lambda: chr(draw.randint(0x20, 0x24F)),
             lambda: chr(draw.randint(0x3400, 0x9FFF)), lambda: draw.choice("我爱北京天安门"),
             lambda: chr(draw.choice([0x300, 0x301, 0x327, 0x2028, 0x85, 0xA0, 0x3000, 0x200B, 0xFEFF, 0xB, 0x1C, 0xD,
                                      0, 0xFFFD, 0xAC00, 0x1100, 0x1161, 0xF900, 0x20000])),
             lambda: draw.choice(["[SEP]", "[MASK]", " [CLS]", "[UNK]"]),
             lambda: chr(draw.choice([draw.randint(0, 0xD7FF), draw.randint(0xE000, 0x10FFFF)])))
    return ["".join(draw.choice(kinds)() for _ in range(draw.randint(0, 40))) for _ in range(number)]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    return write_vocabulary(tmp_path / "vocab.txt")


@pytest.mark.medium
@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("source", ["small", "chinese"])
def test_ids_equal_those_of_transformers(vocabulary: Path, shared_data, source: str, lower_case: bool) -> None:
    transformers = pytest.importorskip("transformers")
    if source == "chinese":
        vocabulary = shared_data("zh_vocab/vocab.txt")
    reference = transformers.BertTokenizerFast(str(vocabulary), do_lower_case=lower_case)
    tokenizer = load_tokenizer(vocabulary, lower_case)
    texts = TEXTS + random_texts(1000)
    ours = tokenizer.encode_batch(texts)
    theirs = reference(texts, add_special_tokens=False)["input_ids"]
    assert reference.vocab_size == tokenizer.vocab_size
    assert [text for text, a, b in zip(texts, ours, theirs, strict=True) if a != b] == []
    assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, tokenizer.mask_id, tokenizer.unk_id) == (
        reference.cls_token_id, reference.sep_token_id, reference.pad_token_id, reference.mask_token_id,
        reference.unk_token_id)


def check_the_cache(tokenizer: Tokenizer, texts: list[str]) -> None:
    """The ids are the library's, however many texts are encoded at once."""
    plain = [encoding.ids for encoding in tokenizer.backend.encode_batch(texts, add_special_tokens=False)]
    assert tokenizer.encode_batch(texts) == plain
    parts = [tokenizer.encode_batch(texts[start:start + 10]) for start in range(0, len(texts), 10)]
    assert sum(parts, []) == plain
    # Bounded: cleared at 50, and one batch of ten short texts adds a few hundred at most.
    assert len(tokenizer.encoder._cache) < 1000


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("separators", ["|", "x", ""])
def test_word_cache_changes_nothing(vocabulary: Path, lower_case: bool, separators: str,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "CACHED_WORDS", 50)
    monkeypatch.setattr(encoding, "JOINED_WORDS", 7)
    # "x" is a letter of many words, and with lower_case "X" becomes its token too.
    monkeypatch.setattr(encoding, "SEPARATORS", separators)
    tokenizer = load_tokenizer(vocabulary, lower_case)
    texts = TEXTS + random_texts(2000) + ["X", "| a|b ||", "X x", "\u0301a | \u0301"]
    check_the_cache(tokenizer, texts)


def test_known_ids(vocabulary: Path) -> None:
    tokenizer = load_tokenizer(vocabulary)
    ids = tokenizer.encode_batch(["Unwanted RUNNING zebra 我爱x"])[0]
    assert [VOCABULARY[token_id] for token_id in ids] == ["un", "##want", "##ed", "run", "##ning", "[UNK]", "我", "爱",
                                                         "x"]
    assert tokenizer.vocab_size == len(VOCABULARY)
    assert tokenizer.vocab_hash == hashlib.sha256("\n".join(VOCABULARY).encode()).hexdigest()
    assert tokenizer.id_to_token(2) == "[CLS]"
    assert tokenizer.special_ids == (2, 3, 0, 4, 1)
    assert tokenizer.continues_word.sum() == sum(token.startswith("##") for token in VOCABULARY)
    texts = ["the cat", "", "unwanted"]
    flat, lengths = tokenizer.encode_flat(texts)
    assert flat.dtype == np.int32 and lengths.tolist() == [2, 0, 3]
    assert flat.tolist() == sum(tokenizer.encode_batch(texts), [])
    refused("token id 99999", tokenizer.id_to_token, 99999)


def test_truncation_and_padding_of_the_file_are_off(vocabulary: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(vocabulary)
    tokenizer.backend.enable_truncation(4)
    tokenizer.backend.enable_padding(length=6)
    file = tmp_path / "tokenizer.json"
    file.write_text(tokenizer.backend.to_str(), encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8"))["truncation"]["max_length"] == 4
    loaded = load_tokenizer(file)
    assert [len(ids) for ids in loaded.encode_batch(["the cat sat on the mat", "a"])] == [6, 1]


def test_saved_and_pickled_tokenizers_are_the_same(vocabulary: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(vocabulary, lower_case=False)
    (tmp_path / "saved").mkdir()
    tokenizer.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "vocab.txt").read_bytes() == vocabulary.read_bytes()
    for other in (load_tokenizer(tmp_path / "saved"), pickle.loads(pickle.dumps(tokenizer))):
        assert other.vocab_hash == tokenizer.vocab_hash
        assert other.lower_case is False
        assert other.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)


def test_lower_case_is_configured_or_given(vocabulary: Path, tmp_path: Path) -> None:
    assert load_tokenizer(vocabulary).lower_case is True
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    cased = load_tokenizer(tmp_path)
    assert cased.lower_case is False
    assert cased.encode_batch(["The Cat"]) == [[VOCABULARY.index("The"), VOCABULARY.index("Cat")]]
    cased.save(tmp_path)
    assert load_tokenizer(tmp_path, lower_case=True).encode_batch(["The Cat"]) == [
        [VOCABULARY.index("the"), VOCABULARY.index("cat")]]


def test_byte_level_tokenizer_is_used_as_it_stands(tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(["the cat sat on the mat"] * 3, trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.special_ids == (0, 2, 1, 4, 3)
    assert tokenizer.lower_case is None and not tokenizer.is_word_piece
    ids = tokenizer.encode_batch(["the  cat, 我"])[0]
    assert tokenizer.decode(ids) == "the  cat, 我"
    tokenizer.save(tmp_path)
    assert not (tmp_path / "vocab.txt").exists() and (tmp_path / "merges.txt").exists()
    refused("no BERT normaliser", load_tokenizer, tmp_path, lower_case=True)


BYTE_LEVEL = {"RobertaTokenizerFast": ROBERTA, "GPT2TokenizerFast": GPT2}


@pytest.mark.medium
@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("name", BYTE_LEVEL)
def test_byte_level_ids_equal_those_of_transformers(tmp_path: Path, name: str, prefix: bool) -> None:
    transformers = pytest.importorskip("transformers")
    folder = write_byte_level(tmp_path / "bpe", BYTE_LEVEL[name])
    reference = getattr(transformers, name).from_pretrained(str(folder), add_prefix_space=prefix)
    if prefix:
        (folder / "tokenizer_config.json").write_text('{"add_prefix_space": true}', encoding="utf-8")
    tokenizer = load_tokenizer(folder)
    texts = TEXTS + random_texts(500) + ["the <mask> cat", "<s> a</s>", "a <|endoftext|> b", "the cat's\n\n mat <pad>"]
    theirs = reference(texts, add_special_tokens=False)["input_ids"]
    assert [text for text, a, b in zip(texts, tokenizer.encode_batch(texts), theirs, strict=True) if a != b] == []
    assert tokenizer.vocab_size == len(reference)
    assert [tokenizer.decode(ids) for ids in theirs] == [
        reference.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) for ids in theirs]
    ids = (tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id)
    if name == "GPT2TokenizerFast":
        assert ids == (reference.bos_token_id, reference.eos_token_id, None)
    else:
        assert (*ids, tokenizer.pad_id, tokenizer.unk_id) == (
            reference.cls_token_id, reference.sep_token_id, reference.mask_token_id, reference.pad_token_id,
            reference.unk_token_id)


@pytest.mark.parametrize("prefix", ["true", "false"])
@pytest.mark.parametrize("special", [ROBERTA, GPT2])
def test_word_cache_of_byte_level_changes_nothing(tmp_path: Path, special: tuple[str, ...], prefix: str,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "CACHED_WORDS", 50)
    folder = write_byte_level(tmp_path / "bpe", special)
    (folder / "tokenizer_config.json").write_text(f'{{"add_prefix_space": {prefix}}}', encoding="utf-8")
    tokenizer = load_tokenizer(folder)
    draw = random.Random(3)
    pieces = (" ", " ", " ", "  ", "\n", "\t ", "\xa0", "\x1c", "the", "cat", "'s", " '", "12", "café", "我爱", "!",
              "\x00", "<mask>", "<s>", "<|endoftext|>", "\u0301", "<")
    texts = TEXTS + random_texts(1000) + ["".join(draw.choices(pieces, k=draw.randint(1, 12))) for _ in range(4000)]
    check_the_cache(tokenizer, texts)


@pytest.mark.parametrize("special", [ROBERTA, GPT2])
def test_saved_byte_level_tokenizer_is_the_same(tmp_path: Path, special: tuple[str, ...]) -> None:
    folder = write_byte_level(tmp_path / "bpe", special)
    tokenizer = load_tokenizer(folder)
    saved = tmp_path / "saved"
    saved.mkdir()
    tokenizer.save(saved)
    config = ["tokenizer_config.json"] * (special is ROBERTA)  # two separators between the texts of a pair
    assert sorted(file.name for file in saved.iterdir()) == ["merges.txt", "tokenizer.json", *config, "vocab.json"]
    for name in ("vocab.json", "merges.txt"):
        assert (saved / name).read_bytes() == (folder / name).read_bytes()
    others = [load_tokenizer(place) for place in (saved, saved / "vocab.json", saved / "merges.txt")]
    for other in (*others, pickle.loads(pickle.dumps(tokenizer))):
        assert other.vocab_hash == tokenizer.vocab_hash and other.special_ids == tokenizer.special_ids
        assert other.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)
    assert has_tokenizer(folder) and has_tokenizer(saved) and not has_tokenizer(tmp_path)


def test_gpt2_has_one_special_token(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_byte_level(tmp_path / "bpe", GPT2))
    end = tokenizer.backend.token_to_id("<|endoftext|>")
    assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, tokenizer.special_ids) == (end, end, end, (end,))
    assert tokenizer.mask_id is None and tokenizer.unk_id is None
    assert tokenizer.count_unknown(np.array([end, 1, 2])) == 0
    with pytest.raises(UserError, match=r"masked_lm_prob needs a mask token, but the vocabulary of .*vocab.json has no "
                                        r"\[MASK\] or <mask>; use a tokenizer of BERT or RoBERTa"):
        tokenizer.require_mask("masked_lm_prob")


def test_faulty_byte_level_files(tmp_path: Path) -> None:
    folder = write_byte_level(tmp_path / "bpe", ("<s>", "</s>", "<pad>"))
    refused(r"vocab.json \(\d+ tokens\) has no <unk>, <mask>: expected the vocabulary of a Roberta", load_tokenizer,
            folder)
    refused("vocab.json has no <s> or <.endoftext.>", load_tokenizer, write_byte_level(tmp_path / "bare", ()))
    (folder / "merges.txt").write_text("nothing that can be merged\n", encoding="utf-8")
    refused("vocab.json and merges.txt are no byte-level BPE", load_tokenizer, folder)
    (folder / "merges.txt").unlink()
    refused("vocab.json needs the merges.txt of the same tokenizer beside it", load_tokenizer, folder)
    with pytest.raises(UserError, match="no BERT normaliser; leave lower_case unset"):
        load_tokenizer(write_byte_level(tmp_path / "cased", GPT2), lower_case=True)


def test_windows_lines_and_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "vocab.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "".join(f"{token}\r\n" for token in VOCABULARY).encode())
    assert load_tokenizer(file).vocab_hash == load_tokenizer(write_vocabulary(tmp_path / "unix.txt")).vocab_hash


def test_faulty_files(tmp_path: Path) -> None:
    refused("no tokenizer in .*vocab.txt, or vocab.json and merges.txt", load_tokenizer, tmp_path)
    refused("no tokenizer in", load_tokenizer, tmp_path / "absent.txt")
    write_vocabulary(tmp_path / "vocab.txt", ("[PAD]", "[UNK]", "[SEP]", "the"))
    refused(r"vocab.txt \(4 tokens\) has no \[CLS\], \[MASK\]", load_tokenizer, tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"[PAD]\n\xff\xfe\n")
    refused("vocab.txt:2: not UTF-8", load_tokenizer, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    refused("tokenizer.json is not a tokenizer.json", load_tokenizer, tmp_path)
    bare = tokenizers.Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    bare.save(str(tmp_path / "tokenizer.json"))
    refused(r"has no \[CLS\] or <s>", load_tokenizer, tmp_path)
