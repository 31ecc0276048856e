# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""`convert_checkpoint.py static`: components and weights against NumPy and scikit-learn, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor
from sklearn.decomposition import PCA

from convert_checkpoint import main
from serving import Predictor
from serving.rows import padded, text_row
from src.checkpoints.checkpoint import LoadedModel, cell_of, load_model
from src.config import ExportConfig, HeadConfig, ModelConfig, StaticConfig
from src.config.model import WORD_EMBEDDINGS
from src.export.run import export_model
from src.pruning.token_vectors import ordinary_tokens, weights_of_counts, weights_of_ranks
from src.records.options import CorpusOptions
from src.records.prepare import prepare_texts
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import HEAD, TEACHER, VOCABULARY, save_random, write_vocabulary

ENCODER = replace(TEACHER, num_hidden_layers=1, pooler="none")
EMBEDDING = HeadConfig("embedding", pooling="mean", dense_size=24, dense_activation="tanh", normalize=True)
FIRST = VOCABULARY.index("good")  # what stands before it is special
TEXT = ["good w1 w1 bad", "w2 fine w1", "w1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher with an embedding head (`teacher`), one without a head (`bare`), and `text.txt`."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "text.txt").write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    for name, head in (("teacher", EMBEDDING), ("bare", HeadConfig()), ("classifier", HEAD)):
        encoder = replace(ENCODER, pooler="tanh" if name == "classifier" else "none")
        save_random(folder / name, ModelConfig(encoder, head), write_vocabulary(folder / "vocabulary"))
    return folder


def static(source: Path, target: Path, *options: object) -> LoadedModel:
    main(["static", str(source), str(target), *map(str, options)])
    return load_model(target)


def embed(loaded: LoadedModel, texts: list[str]) -> np.ndarray:
    tokenizer = loaded.tokenizer()
    rows = padded([text_row(ids, None, 16, tokenizer.cls_id, tokenizer.sep_id)
                   for ids in tokenizer.encode_batch(texts)], tokenizer.pad_id)
    return cell_of(loaded)(*(Tensor(each.astype(np.int32)) for each in rows)).asnumpy()


def test_the_weights_are_those_of_the_formula() -> None:
    assert weights_of_counts(np.array([0, 1, 3])).tolist() == pytest.approx([1.0, 1 / 2501, 1 / 7501])
    assert weights_of_ranks(3).tolist() == pytest.approx([1 / (1 + 1e4 * share) for share in (6 / 11, 3 / 11, 2 / 11)])


def test_special_and_unused_tokens_are_left_out(tmp_path: Path) -> None:
    names = ("[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "[unused1]", "unused2", "##b")
    assert ordinary_tokens(load_tokenizer(write_vocabulary(tmp_path, names))).tolist() == [6, 8, 9]


@pytest.mark.medium
@pytest.mark.parametrize("weighting", ["text", "records", "zipf", "none"])
def test_the_table_is_that_of_the_formula(weighting: str, place: Path, tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    given: tuple[object, ...] = ("--weighting", weighting)
    if weighting == "text":
        given = ("--text", place / "text.txt")
    elif weighting == "records":
        prepare_texts([place / "text.txt"], load_model(place / "teacher").tokenizer(), tmp_path / "records",
                      CorpusOptions(seq_length=16))
        given = ("--records", tmp_path / "records")
    student = static(place / "teacher", tmp_path / "out", "--dim", 8, *given)
    assert student.config == ModelConfig(StaticConfig(len(VOCABULARY), 8), HeadConfig("embedding", normalize=True))
    assert student.vocab_hash == load_model(place / "teacher").vocab_hash

    vectors = embed(load_model(place / "teacher"), list(VOCABULARY[FIRST:]))
    number = len(vectors)
    counts = np.array([sum(line.split().count(token) for line in TEXT) for token in VOCABULARY[FIRST:]])
    share = {"zipf": 1 / np.arange(1, number + 1) / (1 / np.arange(1, number + 1)).sum(), "none": 0.0}.get(
        weighting, counts / counts.sum())
    expected = PCA(8).fit_transform(vectors) / (1 + 1e4 * np.broadcast_to(share, number))[:, None]
    table = student.parameters[WORD_EMBEDDINGS]
    assert not table[:FIRST].any()
    signs = np.sign((table[FIRST:] * expected).sum(0))
    assert np.abs(table[FIRST:] - signs * expected).max() < 1e-5
    printed = capsys.readouterr().out
    assert "8 of 24 directions hold" in printed and "static 53 x 8, embedding head" in printed

    texts = ["w1 w2 good", "good", "[UNK] w5 [MASK] w5 unknown"]
    sums = np.array([table[[VOCABULARY.index(token) for token in text.split()[:4] if token in VOCABULARY]].sum(0)
                     for text in texts])
    assert np.abs(embed(student, texts) - sums / np.linalg.norm(sums, axis=1, keepdims=True)).max() < 1e-6


@pytest.mark.medium
def test_its_bundle_answers_as_it_does(place: Path, tmp_path: Path) -> None:
    student, texts = static(place / "teacher", tmp_path / "student", "--dim", 8), ["w1 w2 good", "[UNK] w5", "good"]
    export_model(ExportConfig(checkpoint=str(tmp_path / "student"), file_format="BUNDLE",
                              output=str(tmp_path / "bundle")))
    served = [answer["embedding"] for answer in Predictor(tmp_path / "bundle").predict(texts)]
    assert np.abs(np.array(served) - embed(student, texts)).max() < 1e-6


@pytest.mark.medium
def test_a_smaller_vocabulary_and_what_needs_more_than_a_table(place: Path, tmp_path: Path) -> None:
    student = static(place / "teacher", tmp_path / "student", "--dim", 8)
    main(["prune-vocabulary", str(tmp_path / "student"), str(tmp_path / "pruned"), "--text", str(place / "text.txt"),
          "--keep", "10"])
    assert np.abs(embed(load_model(tmp_path / "pruned"), TEXT) - embed(student, TEXT)).max() < 1e-6
    for command in (["--from", "mindspore", "--to", "tf", "IN", "OUT"], ["extract", "IN", "OUT", "--layers", "0"],
                    ["prune", "IN", "OUT", "--layers", "0,"]):
        places = {"IN": str(tmp_path / "student"), "OUT": str(tmp_path / "out")}
        refused("is a static model.* needs a transformer", main, [places.get(word, word) for word in command])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("message", "source", "options"), [
    ("has no head, but a static model", "bare", []),
    ("has a classification head, but a static model", "classifier", []),
    ("--dim is 25; expected a number from 1 to the 24", "teacher", ["--dim", 25]),
    ("--dim is 0; expected", "teacher", ["--dim", 0]),
    ("--weighting sif weights tokens by .* and none is given", "teacher", ["--dim", 4, "--weighting", "sif"]),
    ("--weighting zipf counts no tokens, but --text", "teacher", ["--weighting", "zipf", "--text", "TEXT"]),
    ("both --text and --records", "teacher", ["--text", "TEXT", "--records", "TEXT"]),
    ("--to tf writes a TensorFlow checkpoint, which has no place", "teacher", ["--to", "tf"]),
    ("missing.txt", "teacher", ["--dim", 4, "--text", "missing.txt"]),
    ("no token", "teacher", ["--dim", 4, "--text", "EMPTY"]),
])
def test_what_cannot_be_is_refused(message: str, source: str, options: list[object], place: Path, tmp_path: Path
                                   ) -> None:
    (tmp_path / "empty.txt").write_text("\n[SEP]\n", encoding="utf-8")
    files = {"TEXT": place / "text.txt", "EMPTY": tmp_path / "empty.txt"}
    refused(message, static, place / source, tmp_path / "out", *(files.get(str(each), each) for each in options))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_and_a_static_teacher_are_refused(place: Path, tmp_path: Path) -> None:
    refused("not empty", static, place / "teacher", place / "bare")
    config = ModelConfig(StaticConfig(len(VOCABULARY), 8), HeadConfig("embedding", normalize=True))
    save_random(tmp_path / "static", config, place / "vocabulary")
    refused("is a static model already", static, tmp_path / "static", tmp_path / "out")
    for head in (HEAD, replace(config.head, normalize=False), replace(config.head, pooling="max")):
        refused("a static model", ModelConfig, config.encoder, head)
