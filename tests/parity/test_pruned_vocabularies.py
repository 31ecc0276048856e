# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pruned vocabularies through Hugging Face: `transformers`' tokenizer and model give our ids and logits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from mindspore import Tensor
from tokenizers import models, pre_tokenizers, trainers

from convert_checkpoint import main
from src.checkpoints.checkpoint import cell_of, load_model
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.text.tokenization import load_tokenizer
from tests.conftest import SHARED_DATA
from tests.lazy import Lazy
from tests.small_vocabulary import GPT2, SPECIAL, sentences, write_byte_level, write_vocabulary
from tests.tiny import HEAD, TEACHER, save_random

torch = Lazy("torch")
transformers = Lazy("transformers", minversion="5")

pytestmark = pytest.mark.medium

TOLERANCE = 1e-4
TEXTS = ["The cat sat on the mat.", "我爱北京天安门。hello世界", "unwanted running, lowest 12 22", "café ßs ος 한국 x",
         "a [MASK] <mask>", ""]
CHINESE = SHARED_DATA / "zh_vocab/vocab.txt"
BERT = replace(TEACHER, num_hidden_layers=1)
LANGUAGE = HeadConfig("masked_lm")
ROBERTA = replace(BERT, type_vocab_size=1, position_offset=2, layer_norm_eps=1e-5)
CAUSAL = replace(BERT, type_vocab_size=0, pooler="none", causal=True, pre_norm=True, hidden_act="gelu_tanh")


def english(folder: Path) -> None:
    folder.mkdir()
    write_vocabulary(folder / "vocab.txt")


def chinese(folder: Path) -> None:
    if not CHINESE.is_file():
        pytest.skip("../shared/data/zh_vocab is not on this machine")
    folder.mkdir()
    shutil.copy(CHINESE, folder)


def unigram(folder: Path) -> None:
    folder.mkdir()
    backend = tokenizers.Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.train_from_iterator(sentences(200) + TEXTS, trainers.UnigramTrainer(
        vocab_size=150, unk_token="[UNK]", special_tokens=list(SPECIAL), show_progress=False))
    backend.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize(("write", "encoder", "head", "keep"), [
    (english, BERT, LANGUAGE, 62), (chinese, BERT, HEAD, 9000), (unigram, BERT, HEAD, 66),
    (write_byte_level, ROBERTA, LANGUAGE, 300), (lambda folder: write_byte_level(folder, GPT2), CAUSAL, HEAD, 290),
], ids=("WordPiece", "Chinese", "unigram", "RoBERTa", "GPT-2"))
def test_transformers_gives_our_ids_and_logits(write: Callable[[Path], object], encoder: EncoderConfig,
                                               head: HeadConfig, keep: int, tmp_path: Path) -> None:
    write(tmp_path / "vocabulary")
    whole = load_tokenizer(tmp_path / "vocabulary")
    config = ModelConfig(replace(encoder, vocab_size=whole.vocab_size + 3), head)  # rows that no token has
    save_random(tmp_path / "model", config, tmp_path / "vocabulary")
    (tmp_path / "text.txt").write_text("\n".join(sentences(40, seed=2) + TEXTS[:2]), encoding="utf-8")
    command = ["prune-vocabulary", str(tmp_path / "model"), str(tmp_path / "own"), "--text", str(tmp_path / "text.txt"),
               "--keep", str(keep), "--max_unknown", "0.3"]
    main(command)
    main(["--from", "mindspore", "--to", "hf", str(tmp_path / "own"), str(tmp_path / "hf")])
    own = load_model(tmp_path / "own")
    tokenizer, reference = own.tokenizer(), transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert len(reference) == tokenizer.vocab_size == own.config.encoder.vocab_size == keep
    kind = transformers.AutoModelForSequenceClassification if head is HEAD else transformers.AutoModelForMaskedLM
    model, cell = kind.from_pretrained(tmp_path / "hf").eval(), cell_of(own)
    for text, ids in zip(TEXTS, tokenizer.encode_batch(TEXTS), strict=True):
        assert reference(text, add_special_tokens=False)["input_ids"] == ids
        row = np.array([[tokenizer.cls_id, *ids, tokenizer.sep_id]], np.int32)
        ours = cell(Tensor(row), Tensor(np.ones_like(row)), Tensor(np.zeros_like(row))).asnumpy()
        with torch.no_grad():
            theirs = model(input_ids=torch.tensor(row.astype(np.int64)),
                           attention_mask=torch.ones(row.shape, dtype=torch.int64)).logits.numpy()
        assert np.abs(ours - theirs).max() <= TOLERANCE
    main(["--from", "hf", "--to", "mindspore", str(tmp_path / "hf"), str(tmp_path / "back")])
    back = load_model(tmp_path / "back")
    assert back.vocab_hash == own.vocab_hash and back.tokenizer().pruned == tokenizer.pruned
    assert all(np.array_equal(back.parameters[name], value) for name, value in own.parameters.items()
               if name in back.parameters or head is HEAD)  # a language model of transformers has no pooler
