# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""`convert_checkpoint.py prune-vocabulary`: every family and head, text and records, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor

from convert_checkpoint import main
from src.checkpoints.checkpoint import LoadedModel, cell_of, load_model
from src.config import BiLstmConfig, HeadConfig, ModelConfig
from src.dataset.compatibility import check_data
from src.pruning.vocabulary import VOCABULARY_ROWS, compare_outputs
from src.records.options import CorpusOptions
from src.records.prepare import prepare_texts
from src.records.reading import inspect
from tests.refusals import refused
from tests.tiny import HEAD, TEACHER, VOCABULARY, save_random, write_sst2, write_vocabulary

BERT = replace(TEACHER, num_hidden_layers=1)
DISTILBERT = replace(BERT, type_vocab_size=0, pooler="relu")
ROBERTA = replace(BERT, type_vocab_size=1, position_offset=2)
GPT2 = replace(BERT, type_vocab_size=0, pooler="none", causal=True, pre_norm=True, hidden_act="gelu_tanh")
BILSTM = BiLstmConfig(len(VOCABULARY), 12, 8, 6, 1, "last", 0.1)
TAGS = HeadConfig("tagging", ("O", "B-X"))
MODELS = {"bert": ModelConfig(BERT, HEAD, "SST-2"), "bert mlm": ModelConfig(BERT, HeadConfig("masked_lm")),
          "distilbert": ModelConfig(DISTILBERT, TAGS), "roberta": ModelConfig(ROBERTA, HeadConfig("span")),
          "gpt2": ModelConfig(GPT2, HeadConfig("causal_lm")), "gpt2 classifier": ModelConfig(GPT2, HEAD),
          "bilstm": ModelConfig(BILSTM, HEAD, "SST-2")}
KEPT = [*VOCABULARY[:18], "w7", "w9"]  # special tokens, those that decide, w0 to w4, and two of the text


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that returns a checkpoint directory of MODELS."""
    folder = tmp_path_factory.mktemp("models")
    write_vocabulary(folder / "vocab")

    def write(name: str) -> Path:
        path = folder / name.replace(" ", "-")
        return path if path.is_dir() else save_random(path, MODELS[name], folder / "vocab")

    return write


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """60 lines of words that all are in KEPT."""
    lines = [f"{VOCABULARY[5 + number % 8]} w7 w{number % 5} w9 w7" for number in range(60)]
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "text.txt"


def prune(source: Path, target: Path, *options: object) -> LoadedModel:
    main(["prune-vocabulary", str(source), str(target), *map(str, options)])
    return load_model(target)


def outputs(loaded: LoadedModel, texts: list[str]) -> np.ndarray:
    """Of texts of the same number of tokens."""
    tokenizer = loaded.tokenizer()
    rows = np.array([[tokenizer.cls_id, *ids, tokenizer.sep_id] for ids in tokenizer.encode_batch(texts)], np.int32)
    return cell_of(loaded)(Tensor(rows), Tensor(np.ones_like(rows)), Tensor(np.zeros_like(rows))).asnumpy()


@pytest.mark.medium
@pytest.mark.parametrize("name", MODELS)
def test_the_same_logits_to_the_bit(name: str, checkpoint: Callable[[str], Path], text: Path, tmp_path: Path,
                                    capsys: pytest.CaptureFixture[str]) -> None:
    source = checkpoint(name)
    pruned, whole = prune(source, tmp_path / "out", "--text", text, "--keep", 20), load_model(source)
    assert pruned.tokenizer().tokens == KEPT
    assert pruned.config == replace(whole.config, encoder=replace(whole.config.encoder, vocab_size=20))
    ids = [VOCABULARY.index(token) for token in KEPT]
    for key, value in whole.parameters.items():
        assert np.array_equal(pruned.parameters[key], value[ids] if key in VOCABULARY_ROWS else value)
    its, own = (outputs(model, text.read_text().splitlines()[:5]) for model in (whole, pruned))
    assert np.array_equal(its[..., ids] if whole.config.head.is_language_model else its, own)
    printed = capsys.readouterr().out
    assert "20 of 53 tokens stay, of which 0 do not occur" in printed and "60 of 60 texts stayed" in printed
    assert "(3 of 60 texts): 0.00%" in printed
    origin = pruned.tokenizer().pruned
    assert (origin["kept"], origin["of"], origin["vocab_sha256"]) == (20, 53, whole.vocab_hash)


def test_other_outputs_are_noticed(checkpoint: Callable[[str], Path]) -> None:
    loaded = load_model(checkpoint("bert"))
    refused("gives other outputs for the same tokens", compare_outputs, loaded, loaded, np.arange(53)[::-1], [])


@pytest.mark.medium
def test_records_are_counted_by_their_ids(checkpoint: Callable[[str], Path], text: Path, tmp_path: Path) -> None:
    source = checkpoint("bert")
    tokenizer = load_model(source).tokenizer()
    for folder, masked in (("plain", 0.0), ("masked", 0.15)):
        prepare_texts([text], tokenizer, tmp_path / folder, CorpusOptions(
            seq_length=16, masked_lm_prob=masked, max_predictions_per_seq=4 if masked else 0))
        pruned = prune(source, tmp_path / f"of {folder}", "--records", tmp_path / folder, "--keep", 20)
        assert pruned.tokenizer().tokens == KEPT
    records = inspect(tmp_path / "plain", kind="corpus")
    refused("vocabulary of 53 tokens, but the model of student has 20.*pruned vocabulary", check_data, pruned.config,
            pruned, records, "student")
    refused("vocabulary of 53 tokens, but the model of IN_DIR has 20", prune, tmp_path / "of plain", tmp_path / "out",
            "--records", tmp_path / "plain", "--keep", 18)


@pytest.mark.parametrize(("message", "options"), [
    ("--keep is missing", ["--text", "TEXT"]),
    ("--keep is -1", ["--text", "TEXT", "--keep", -1]),
    ("neither --text nor --records", ["--keep", 20]),
    ("both --text and --records", ["--text", "TEXT", "--records", "RECORDS", "--keep", 20]),
    ("--keep is 54, but the vocabulary of .* has 53", ["--text", "TEXT", "--keep", 54]),
    ("--keep is 4, below the smallest vocabulary possible, 5", ["--text", "TEXT", "--keep", 4]),
    ("matches no file", ["--text", "nothing.txt", "--keep", 20]),
    ("empty.txt|no text|no token", ["--text", "EMPTY", "--keep", 20]),
    ("not UTF-8", ["--text", "LATIN", "--keep", 20]),
    ("a table.*--input_format text", ["--text", "TABLE", "--keep", 20]),
    ("no records at|does not exist|no manifest", ["--records", "nowhere", "--keep", 20]),
    (r"of held-out text would be unknown \(0.00% .*--max_unknown 0.01", ["--text", "TEXT", "--keep", 14]),
    ("--max_unknown is 2.0", ["--text", "TEXT", "--keep", 20, "--max_unknown", 2]),
    ("the input is missing|the output is missing", ["--text", "TEXT", "OUT", "--keep", 20]),
])
def test_refused(message: str, options: list[object], checkpoint: Callable[[str], Path], text: Path,
                 tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "latin.txt").write_bytes("caf\xe9 w7 w1\n".encode("latin-1") * 40)
    write_sst2(tmp_path, {"dev": 3})
    named = {"TEXT": text, "EMPTY": tmp_path / "empty.txt", "LATIN": tmp_path / "latin.txt",
             "TABLE": tmp_path / "dev.tsv", "OUT": "out"}
    arguments = [named.get(str(each), each) for each in options]
    if "OUT" in options:
        refused(message, main, ["prune-vocabulary", *map(str, arguments)])
    else:
        refused(message, prune, checkpoint("bert"), tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_places_that_are_refused(checkpoint: Callable[[str], Path], text: Path, tmp_path: Path) -> None:
    options = ("--text", text, "--keep", 20)
    refused("output folder .* is not empty", prune, checkpoint("bert"), tmp_path, *options)
    refused("is the input", prune, checkpoint("bert"), checkpoint("bert"), *options)
    save_random(tmp_path / "bare", MODELS["bert"], None)
    refused("bare has no tokenizer", prune, tmp_path / "bare", tmp_path / "out", *options)
    shutil.rmtree(tmp_path / "bare")
    refused("bare does not exist", prune, tmp_path / "bare", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_a_text_of_few_lines_is_counted_and_measured(checkpoint: Callable[[str], Path], tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    write_sst2(tmp_path, {"dev": 1})
    prune(checkpoint("bert"), tmp_path / "out", "--text", tmp_path / "dev.tsv", "--keep", 30, "--input_format", "text",
          "--max_unknown", 0.9)
    assert "all text, too little to hold some out (2 of 2 texts)" in capsys.readouterr().out
