# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Any values in the files beside a vocabulary: they are read, and survive our folder, or refused in one line."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from small_vocabulary import VOCABULARY, write_byte_level, write_vocabulary

from src.common.errors import UserError, one_line
from src.text.tokenization import load_tokenizer

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
SIZE = len(VOCABULARY)
TEXTS = ("The Café sat on[HL]the mat.", "我爱北京 x y [MASK] <mask>", "", "the [Z]")
TOKEN = {"content": "[W]", "special": True, "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, SIZE - 1, SIZE, 10 ** 30, 1.5, "", "the", "[HL]", "[MASK]", "x y", "\n", [], {}, ["[X]"],
    [1], {"a": 1}, {"content": 1}, TOKEN, {"__type": "AddedToken", **TOKEN}, [TOKEN], {str(SIZE): TOKEN}, {"0": TOKEN},
    {"x": 1}, "BertTokenizer", "RobertaTokenizerFast", "PreTrainedTokenizerFast", "bert", "gpt2", "我", "\u0301")
NAMES = ("do_lower_case", "strip_accents", "tokenize_chinese_chars", "added_tokens_decoder",
         "additional_special_tokens", "extra_special_tokens", "mask_token", "cls_token", "unk_token", "pad_token",
         "image_token", "tokenizer_class", "model_type", "segment", "add_prefix_space", "never_split",
         "word_tokenizer_type", "[HL]", "x", "the")
FILES = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json")


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["vocab.txt", "vocab.json", "tokenizer.json"])
def test_values_beside_a_vocabulary(tmp_path: Path, kind: str) -> None:
    draw, read = random.Random(5), 0
    base = write_byte_level(tmp_path / "base") if kind == "vocab.json" else tmp_path / "base"
    base.mkdir(exist_ok=True)
    if kind != "vocab.json":
        tokenizer = load_tokenizer(write_vocabulary(base / "vocab.txt"))
        if kind == "tokenizer.json":
            (base / "vocab.txt").unlink()
            tokenizer.backend.save(str(base / kind))
    for number in range(EXAMPLES):
        folder, own = tmp_path / str(number), tmp_path / f"{number}.own"
        folder.mkdir()
        own.mkdir()
        for file in base.iterdir():
            (folder / file.name).hardlink_to(file)
        for name in FILES:
            values = {draw.choice(NAMES): draw.choice(VALUES) for _ in range(draw.randint(0, 2))}
            if values:
                (folder / name).write_text(json.dumps(values), encoding="utf-8")
        try:
            tokenizer = load_tokenizer(folder)
        except UserError as error:
            assert one_line(error)
            continue
        tokenizer.save(own)
        again = load_tokenizer(own)
        assert again.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)
        assert (again.special_ids, again.vocab_hash) == (tokenizer.special_ids, tokenizer.vocab_hash)
        assert again.describe().split(": ", 1)[1] == tokenizer.describe().split(": ", 1)[1]
        read += 1
    assert read > EXAMPLES // 20
