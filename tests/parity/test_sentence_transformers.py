# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders of sentence-transformers, in both directions: the same embeddings of texts of every length."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert_checkpoint import main
from src.checkpoints.checkpoint import load_model
from src.predict import load
from tests.lazy import Lazy
from tests.parity.test_families import make_reference
from tests.refusals import refused

torch = Lazy("torch")
sentence_transformers = Lazy("sentence_transformers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{number}" for number in range(36))]
TEXTS = [" ".join(f"w{(place * 7 + length) % 36}" for place in range(length)) for length in range(1, 30)]
"""One of each length, up to more than the 16 tokens that a model below takes."""


def make_folder(folder: Path, *more: Any, pooling: str = "mean", length: int = 16, family: str = "Bert") -> Any:
    """Save a tiny random model, as sentence-transformers does; returns it."""
    pytest.importorskip("sentence_transformers")
    transformers = pytest.importorskip("transformers")
    modules = sentence_transformers.sentence_transformer.modules
    base = folder.parent / "base"
    make_reference(family, "Model").save_pretrained(base)
    (base / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    transformers.BertTokenizerFast(str(base / "vocab.txt")).save_pretrained(base)
    model = sentence_transformers.SentenceTransformer(modules=[
        modules.Transformer(str(base), max_seq_length=length), modules.Pooling(32, pooling), *more], device="cpu")
    model.save(str(folder))
    return model


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The largest cosine distance of two embeddings of a text."""
    one, other = (each.astype(np.float64) / np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other))
    return float((1 - (one * other).sum(axis=1)).max())


@pytest.mark.large
@pytest.mark.parametrize(("pooling", "dense", "norm", "family"), [
    ("mean", "", True, "Bert"), ("cls", "Tanh", False, "Bert"), ("max", "Identity", True, "Bert"),
    ("mean", "", True, "ModernBert")])
def test_the_same_embeddings_both_ways(tmp_path: Path, pooling: str, dense: str, norm: bool, family: str) -> None:
    pytest.importorskip("sentence_transformers")
    modules = sentence_transformers.base.modules
    torch.manual_seed(5)
    more = [modules.Dense(32, 24, activation_function=getattr(torch.nn, dense)())] if dense else []
    expected = make_folder(tmp_path / "theirs", *more, *([modules.Normalize()] if norm else []), pooling=pooling,
                           family=family)
    main(["--from", "hf", "--to", "mindspore", str(tmp_path / "theirs"), str(tmp_path / "own")])
    head = load_model(tmp_path / "own").config.head
    assert (head.pooling, head.dense_size, head.normalize, head.max_seq_length) == (pooling, 24 * bool(dense), norm, 16)
    wanted, found = expected.encode(TEXTS), load(tmp_path / "own").logits(TEXTS)
    assert found.shape == wanted.shape and distance(found, wanted) < 1e-5
    assert np.abs(found - wanted).max() < 1e-5 * max(1, np.abs(wanted).max())
    main(["--from", "mindspore", "--to", "hf", str(tmp_path / "own"), str(tmp_path / "back")])
    back = sentence_transformers.SentenceTransformer(str(tmp_path / "back"), device="cpu")
    assert back.max_seq_length == 16 and [type(each) for each in back] == [type(each) for each in expected]
    assert np.abs(back.encode(TEXTS) - wanted).max() < 2e-6 * max(1, np.abs(wanted).max())


def old(folder: Path) -> None:
    """What releases before 5.3 have written: other module paths and flags of pooling, the encoder in a folder."""
    modules = json.loads((folder / "modules.json").read_text())
    for each in modules:
        each["type"] = f"sentence_transformers.models.{each['type'].rpartition('.')[2]}"
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling/config.json").write_text(json.dumps(
        {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    (folder / "0_Transformer").mkdir()
    for file in [each for each in folder.iterdir() if each.is_file() and each.name != "modules.json"]:
        shutil.move(file, folder / "0_Transformer" / file.name)
    (folder / "0_Transformer/sentence_bert_config.json").write_text('{"max_seq_length": 12, "do_lower_case": false}')


def changed(name: str, **values: Any) -> Callable[[Path], None]:
    """Change values of a JSON object of a folder."""
    def change(folder: Path) -> None:
        known = json.loads((folder / name).read_text()) if (folder / name).is_file() else {}
        (folder / name).write_text(json.dumps(known | values))
    return change


def module(*types: str) -> Callable[[Path], None]:
    """Other modules."""
    def change(folder: Path) -> None:
        (folder / "modules.json").write_text(json.dumps(
            [{"idx": place, "name": str(place), "path": f"{place}_" if place else "", "type": each}
             for place, each in enumerate(types)]))
    return change


MODELS = "sentence_transformers.models."


@pytest.mark.medium
def test_old_folders_and_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = tmp_path / "whole"
    make_folder(whole)

    def convert(change: Callable[[Path], None], *options: str) -> Any:
        folder, out = tmp_path / "folder", tmp_path / "out"
        for each in (folder, out):
            shutil.rmtree(each, ignore_errors=True)
        shutil.copytree(whole, folder)
        change(folder)
        main(["--from", "hf", "--to", "mindspore", str(folder), str(out), *options])
        return load_model(out)

    read = convert(old)
    assert (read.config.head.pooling, read.config.head.max_seq_length) == ("cls", 12) and read.tokenizer_path
    assert convert(old, "--head", "drop").config.head.kind == "none"
    plain = convert(lambda folder: (folder / "modules.json").unlink(), "--pooling", "max", "--normalize", "true")
    head = plain.config.head
    assert (head.pooling, head.normalize, plain.config.encoder.pooler) == ("max", True, "none")
    convert(lambda folder: (folder / "modules.json").unlink(), "--pooling", "max", "--max_seq_length", "99")
    assert "cut to 20 tokens, all that the encoder takes, not to 99" in capsys.readouterr().out
    for change, options, says in (
            (module(f"{MODELS}Transformer", f"{MODELS}Pooling", f"{MODELS}LSTM"), (), "models.LSTM' is not built here"),
            (module("my_code.Transformer", f"{MODELS}Pooling"), (), "'my_code.Transformer' is not built here"),
            (module(f"{MODELS}Transformer"), (), "names no Pooling"),
            (module(*(f"{MODELS}{name}" for name in ("Transformer", "Pooling", "Normalize", "Dense"))), (),
             "in the order"),
            (changed("1_Pooling/config.json", pooling_mode="weightedmean"), (), "weightedmean.*is built here"),
            (changed("1_Pooling/config.json", pooling_mode=["mean", "max"]), (), r"\['mean', 'max'\]"),
            (changed("sentence_bert_config.json", do_lower_case=True), (), "do_lower_case is true"),
            (changed("sentence_bert_config.json", max_seq_length="x"), (), "cut to 'x' tokens"),
            (changed("config_sentence_transformers.json", default_prompt_name="q", prompts={"q": "query: "}), (),
             "'query: ' is put before each text"),
            (lambda folder: None, ("--pooling", "max"), "leave --pooling"),
            (lambda folder: None, ("--pooler", "random"), "reads no pooler"),
            (lambda folder: (folder / "modules.json").unlink(), ("--normalize", "true"), "give --pooling"),
            (lambda folder: (folder / "modules.json").write_text("{"), (), "is no list of modules")):
        refused(says, convert, change, *options)


@pytest.mark.large
def test_static_models_both_ways(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    theirs = sentence_transformers.sentence_transformer.modules.StaticEmbedding
    make_folder(tmp_path / "teacher")
    main(["--from", "hf", "--to", "mindspore", str(tmp_path / "teacher"), str(tmp_path / "own teacher")])
    main(["static", str(tmp_path / "own teacher"), str(tmp_path / "own"), "--dim", "6"])
    main(["--from", "mindspore", "--to", "hf", str(tmp_path / "own"), str(tmp_path / "static")])
    loaded = sentence_transformers.SentenceTransformer(str(tmp_path / "static"), device="cpu")
    texts = [*TEXTS, "w1 [SEP] nothing w2 [MASK]"]
    assert isinstance(loaded[0], theirs)
    assert np.abs(loaded.encode(texts) - load(tmp_path / "own").logits(texts)).max() < 1e-6
    # What it saves by itself comes back; a table that it has trained has vectors of special tokens too.
    loaded[0].embedding.weight.data[2:4] = 1.0
    loaded.save(str(tmp_path / "saved"))
    main(["--from", "hf", "--to", "mindspore", str(tmp_path / "saved"), str(tmp_path / "back")])
    assert np.abs(load(tmp_path / "back").logits(TEXTS) - loaded.encode(TEXTS)).max() < 1e-6
    modules = json.loads((tmp_path / "saved/modules.json").read_text())
    for change, options, says in ((modules[:1], (), "expected StaticEmbedding, then Normalize"),
                                  (modules, ("--pooling", "mean"), "--pooling does not apply to")):
        (tmp_path / "saved/modules.json").write_text(json.dumps(change))
        refused(says, main, ["--from", "hf", "--to", "mindspore", str(tmp_path / "saved"), str(tmp_path / "out"),
                             *options])
