# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Model folders as they are found: wrapped names, other files' names, byte order marks, tokenizer settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from src.checkpoints.checkpoint import LoadedModel, load_model
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.convert.formats import HUB_FILES, convert
from src.convert.google_bert import _write_vocabulary
from src.convert.huggingface import read_directory, write_huggingface
from src.convert.options import ReadOptions
from src.convert.parameters import parameter_shapes
from src.text.tokenization import load_tokenizer
from tests.refusals import refused

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "café", "cat", "the", "我", "我们", "##们")
SETTINGS = {"model_type": "bert", "vocab_size": len(WORDS), "hidden_size": 8, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 6, "max_position_embeddings": 10, "type_vocab_size": 2,
            "architectures": ["BertModel"]}
ENCODER = EncoderConfig(len(WORDS), 8, 2, 2, 6, "gelu", 0.1, 0.1, 10, 2, 0.02, 1e-12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Hugging Face folder of a BERT with random weights."""
    return write(tmp_path / "source", len(WORDS))


def write(place: Path, rows: int) -> Path:
    generator = np.random.default_rng(1)
    config = ModelConfig(replace(ENCODER, vocab_size=rows), HeadConfig(), family="bert")
    parameters = {name: generator.normal(size=shape).astype(np.float32)
                  for name, shape in parameter_shapes(config).items()}
    write_huggingface(LoadedModel(place, config, parameters, None), place)
    (place / "config.json").write_text(json.dumps({**SETTINGS, "vocab_size": rows}), encoding="utf-8")
    (place / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    return place


def rename(folder: Path, prefix: str) -> dict[str, np.ndarray]:
    tensors = load_file(folder / "model.safetensors")
    save_file({prefix + name: array for name, array in tensors.items()}, folder / "model.safetensors")
    return tensors


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module.bert.", "network.module.", "bert."])
def test_names_behind_a_wrapper(folder: Path, prefix: str) -> None:
    own = read_directory(folder, ReadOptions())
    rename(folder, prefix)
    read = read_directory(folder, ReadOptions())
    assert all(np.array_equal(read.parameters[name], own.parameters[name]) for name in own.parameters)
    wrapper = prefix.removesuffix("bert.")
    assert [wrapper in note for note in read.notes] == [True] * bool(wrapper)


def test_names_of_another_family(folder: Path) -> None:
    rename(folder, "bert.")
    values = {**SETTINGS, "model_type": "roberta", "architectures": ["RobertaModel"]}
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    refused(r"model_type is 'roberta', but .* those of a bert .*model_type bert, architectures \[BertModel\]",
            read_directory, folder, ReadOptions())


def test_names_of_files_and_byte_order_marks(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").rename(folder / "bert_config.json")
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    for name in ("bert_config.json", "vocab.txt"):
        (folder / name).write_text((folder / name).read_text(encoding="utf-8"), encoding="utf-8-sig")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8-sig")
    _, notes = convert("hf", "mindspore", str(folder), tmp_path / "own")
    assert "bert_config.json is read in its place" in notes[0]
    assert "pytorch_model.bin beside it is not" in "".join(notes)
    assert load_tokenizer(tmp_path / "own").lower_case is False
    (folder / "bert_config.json").write_text("version https://git-lfs.github.com/spec/v1\noid", encoding="utf-8")
    refused("bert_config.json is a pointer of Git LFS", read_directory, folder, ReadOptions())


@pytest.mark.parametrize(("files", "text", "expected"), [
    ({"tokenizer_config.json": {"strip_accents": False}}, "Café", ["café"]),
    ({"tokenizer_config.json": {"tokenize_chinese_chars": False}}, "我们", ["我们"]),
    ({"added_tokens.json": {"[HL]": 12}}, "the[HL]cat [hl]", ["the", "[HL]", "cat", "[HL]"]),
    ({"tokenizer_config.json": {"added_tokens_decoder": {"12": {"content": "[HL]", "special": True}}}}, "a[HL]",
     ["[UNK]", "[HL]"]),
    ({"special_tokens_map.json": {"mask_token": "cat"}}, "the cat", ["the", "cat"]),
])
def test_tokenizer_settings_on_all_ways(tmp_path: Path, files: dict[str, Any], text: str, expected: list[str]) -> None:
    folder = write(tmp_path / "source", len(WORDS) + 1)
    for name, values in files.items():
        (folder / name).write_text(json.dumps(values), encoding="utf-8")
        assert name in HUB_FILES
    own, back, google = tmp_path / "own", tmp_path / "back", tmp_path / "google"
    _, notes = convert("hf", "mindspore", str(folder), own)
    assert any(note.startswith("tokenizer ") and "special tokens cls [CLS] 2" in note for note in notes)
    convert("mindspore", "hf", str(own), back)
    google.mkdir()
    _write_vocabulary(own, google)
    for place in (folder, own, back, google):
        tokenizer = load_tokenizer(place)
        assert [tokenizer.tokens[index] for index in tokenizer.encode_batch([text])[0]] == expected, place
        assert tokenizer.special_ids == load_tokenizer(folder).special_ids
        assert tokenizer.vocab_hash == load_model(own).vocab_hash


def test_tokens_beyond_the_embeddings(folder: Path, tmp_path: Path) -> None:
    (folder / "added_tokens.json").write_text('{"[HL]": 12}', encoding="utf-8")
    refused("has 13 tokens and the model 12 word embeddings.*\\[HL\\]", convert, "hf", "mindspore", str(folder),
            tmp_path / "own")
