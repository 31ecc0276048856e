# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The card of an artefact, and its tokenizer: whole rows as the model was trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from src.checkpoints.checkpoint import load_model
from src.common.files import sha256_of
from src.config import HeadConfig, ModelConfig, load_config
from src.export.card import card_of, whole_rows
from src.export.run import export_model
from src.tasks.texts import TextExample, encode_texts
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.tiny import HEAD, TEACHER, save_random, write_vocabulary


def export(folder: Path, target: Path, file_format: str = "ONNX") -> dict:
    export_model(load_config(export__checkpoint=str(folder), export__file_format=file_format,
                             export__output=str(target)).export)
    return json.loads(target.with_name(f"{target.name}.json").read_text(encoding="utf-8"))


@pytest.mark.medium
def test_what_the_card_says(tmp_path: Path) -> None:
    folder = save_random(tmp_path / "run/model", ModelConfig(TEACHER, HEAD, "SST-2"), write_vocabulary(tmp_path / "v"))
    card = export(folder.parent, tmp_path / "out/m.onnx")
    assert [(each["name"], each["dtype"], each["shape"]) for each in card["inputs"]] == [
        (name, "int64", ["batch", "length"]) for name in ("input_ids", "input_mask", "segment_ids")]
    output, = card["outputs"]
    assert (output["name"], output["dtype"], output["shape"]) == ("logits", "float32", ["batch", 2])
    assert (card["labels"], card["task_name"], card["max_length"], card["opset"]) == (["0", "1"], "SST-2", 64, 17)
    assert card["tokenizer"]["special_tokens"]["cls"] == {"id": 2, "token": "[CLS]"}
    assert card["tokenizer"]["lower_case"] is True and card["tokenizer"]["row"] == "[CLS] text [SEP]"
    assert card["source"]["manifest_sha256"] == sha256_of(folder / "manifest.json")
    assert card["sha256"] == sha256_of(tmp_path / "out/m.onnx") and "onnx" in card["versions"]
    assert 0 <= card["compared_with_the_checkpoint"]["max_abs_difference"] < 1e-4
    within = {each.key: each.value for each in onnx.load(str(tmp_path / "out/m.onnx")).metadata_props}
    own = json.loads(within["card"])
    assert own == {key: card[key] for key in own} and json.loads(within["labels"]) == ["0", "1"]
    # A model without a tokenizer in the same place does not leave the other's there.
    assert (tmp_path / "out" / card["tokenizer"]["file"]).is_file()
    bare = save_random(tmp_path / "bare", ModelConfig(TEACHER, HeadConfig("span")), None)
    assert export(bare, tmp_path / "out/m.onnx")["tokenizer"] is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["m.onnx", "m.onnx.json"]


@pytest.mark.parametrize(("head", "encoder", "outputs"), [
    (HeadConfig(), TEACHER, {"last_hidden_state": ["batch", "length", 32], "pooler_output": ["batch", 32]}),
    (HeadConfig("span"), TEACHER, {"logits": ["batch", "length", 2]}),
    (HeadConfig("masked_lm"), replace(TEACHER, pooler="none"), {"logits": ["batch", "length", 53]}),
    (HeadConfig("regression"), TEACHER, {"logits": ["batch", 1]}),
], ids=["none", "span", "masked lm", "score"])
def test_outputs_by_head(tmp_path: Path, head: HeadConfig, encoder, outputs: dict[str, list]) -> None:
    loaded = load_model(save_random(tmp_path / "m", ModelConfig(encoder, head), None))
    assert {each["name"]: each["shape"] for each in card_of(loaded, "MINDIR", "int32")["outputs"]} == outputs


def byte_level(*special: str) -> Tokenizer:
    """A byte-level BPE whose tokens are bytes."""
    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Backend(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.add_special_tokens(list(special))
    return Tokenizer(backend)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
@pytest.mark.parametrize("is_pair", [False, True], ids=["single", "pair"])
def test_rows_are_those_of_the_training(tmp_path: Path, kind: str, is_pair: bool) -> None:
    tokenizer = {"bert": lambda: load_tokenizer(write_vocabulary(tmp_path / "v")),
                 "roberta": lambda: byte_level("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
                 "gpt2": lambda: byte_level("<|endoftext|>")}[kind]()
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(("good", "w1", "w2", "Bad"), size)) for size in (1, 3, 9, 40, 6)]
    pairs = list(zip(texts, reversed(texts), strict=True))
    # Of an odd number of tokens that are left for two long texts, the library gives the odd one to the longer.
    longest = 25
    config = ModelConfig(replace(TEACHER, max_position_embeddings=longest), HEAD)
    rows = whole_rows(tokenizer, config).encode_batch(pairs if is_pair else texts)
    expected = encode_texts([TextExample(one, other if is_pair else None, None, 1) for one, other in pairs], tokenizer,
                            longest).values
    width = len(rows[0].ids)
    for name, values in (("input_ids", [row.ids for row in rows]), ("segment_ids", [row.type_ids for row in rows]),
                         ("input_mask", [row.attention_mask for row in rows])):
        assert np.array_equal(values, expected[name][:, :width]), name
    assert not expected["input_mask"][:, width:].any()
