# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of task files of every family, of tokenizer files, word vectors and token counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.corpus.word_vectors import read_word_vectors
from src.records.token_counts import load_token_counts
from src.task_files.problems import Problems
from src.tasks import get_task
from src.tasks.features import EncodeOptions
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.fuzz.mutations import accepts, as_json, change_value, files, fuzz, json_files, seeds

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "film", "good", ".", "中", "|", "1")
VOCABULARY = "\n".join(WORDS).encode() + b"\n"
SQUAD = {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "a good film. 中文", "qas": [
    {"id": "1", "question": "what", "answers": [{"text": "good", "answer_start": 2}], "is_impossible": False},
    {"id": "2", "question": "中", "answers": [], "is_impossible": True}]}]}]}
CLUENER = b"\n".join(as_json({"text": "a good film", "label": label}) for label in (
    {"name": {"good": [[2, 5]]}}, {}, {"movie": {"film": [[7, 10]]}})) + b"\n"
SPANS = b'{"text": "a good film", "entities": [{"start": 2, "end": 6, "label": "name"}], "id": 3}\n' * 2
TASKS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "SST-2": ("train.tsv", (b"sentence\tlabel\na good film\t1\nbad\t0\n" * 3,)),
    "MRPC": ("train.tsv", (b"Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\ta film\tgood\n0\t3\t4\tb\tc\n",)),
    "STS-B": ("train.tsv", (b"index\tsentence1\tsentence2\tscore\n0\ta film\tgood\t2.5\n1\tb\tc\t5.000\n",)),
    "CoLA": ("train.tsv", (b"gj04\t1\t\tA film.\ngj04\t0\t*\tGood a.\n",)),
    "TNEWS": ("train.json", (b'{"label": "102", "sentence": "a good \\u4e2d film", "keywords": ""}\n' * 3,)),
    "XNLI": ("train.tsv", (b"premise\thypo\tlabel\na\tb\tneutral\nc\td\tcontradictory\n",)),
    "CLUENER": ("train.json", (CLUENER, SPANS)),
    "tsv": ("train.tsv", (b"text\tlabel\na film\tgood\nb\tbad\n" * 2,)),
    "NER": ("train.txt", (b"a\tO\ngood\tB-PER\nfilm\tI-PER\n\n.\tO\n", b"-DOCSTART- O\n\na O\nfilm B-LOC\n", SPANS)),
    "SQuAD": ("train-v1.1.json", (as_json(SQUAD),)),
    "SQuAD2": ("train-v2.0.json", (as_json(SQUAD),)),
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "vocab.txt").write_bytes(VOCABULARY)
    return load_tokenizer(folder)


def read_and_encode(name: str, folder: Path, tokenizer: Tokenizer, policy: str) -> None:
    """What prepare_data.py does with a training file."""
    task = get_task(name).resolve(folder)
    examples = list(task.read(folder, "train", Problems(policy)))
    if examples:
        task.encode(examples, tokenizer, EncodeOptions(16, 4, 6))


@pytest.mark.parametrize("name", TASKS)
def test_task_file(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    file, valid = TASKS[name]

    @fuzz(25)
    @given(content=st.one_of(files(*valid), json_files(SQUAD)) if name.startswith("SQuAD") else files(*valid),
           policy=st.sampled_from(("fail", "skip")))
    def check(content: bytes, policy: str) -> None:
        (tmp_path / file).write_bytes(content)
        accepts(lambda: read_and_encode(name, tmp_path, tokenizer, policy))

    (tmp_path / file).write_bytes(valid[0])
    assert accepts(lambda: read_and_encode(name, tmp_path, tokenizer, "skip"))
    check()


# Tokenizers


def byte_level(folder: Path) -> dict[str, bytes]:
    """vocab.json and merges.txt of a tiny RoBERTa, and the tokenizer.json of the same."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *(chr(code) for code in range(97, 123)), "Ġ", "th", "the"]
    (folder / "vocab.json").write_bytes(as_json({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_bytes(b"#version: 0.2\nt h\nth e\n")
    load_tokenizer(folder).save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def word_piece(folder: Path) -> dict[str, bytes]:
    (folder / "vocab.txt").write_bytes(VOCABULARY)
    (folder / "tokenizer_config.json").write_bytes(b'{"do_lower_case": true, "segment": ""}')
    load_tokenizer(folder).save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def use(folder: Path, name: str) -> None:
    """Load a tokenizer, and do with it what preparing records does."""
    read = load_tokenizer(folder / name if name in ("tokenizer.json", "vocab.txt") else folder)
    assert read.vocab_hash and read.vocab_size
    read.encode_batch(["a good film .", "", "the 中文  |~ ##b \u2028\0", "x" * 300])
    read.decode(read.special_ids)


@pytest.mark.parametrize(("make", "name"), [
    (word_piece, "tokenizer.json"), (word_piece, "vocab.txt"), (word_piece, "tokenizer_config.json"),
    (byte_level, "tokenizer.json"), (byte_level, "vocab.json"), (byte_level, "merges.txt")])
def test_tokenizer_file(make, name: str, tmp_path: Path) -> None:
    valid = make(tmp_path)[name]
    if name != "tokenizer.json" and name.startswith(("vocab", "merges")):
        (tmp_path / "tokenizer.json").unlink()
    changes = [files(valid)]
    if name.endswith(".json"):
        changes.append(st.builds(lambda seed, count: as_json(change_value(json.loads(valid), seed, count)), seeds(),
                                 st.integers(1, 3)))

    @fuzz(25)
    @given(content=st.one_of(changes))
    def check(content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        accepts(lambda: use(tmp_path, name))

    assert accepts(lambda: use(tmp_path, name))
    check()


@fuzz(25)
@given(content=files(b"2 3\nfilm 0.1 -2 3e-4\ngood 1 2 3\na b 1 2 3\n"))
def test_word_vectors(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "vectors.txt"
    path.write_bytes(content)
    accepts(lambda: read_word_vectors(path, 5))


@fuzz(25)
@given(content=json_files({"vocab_size": 3, "vocab_hash": "x", "counts": [17, 0, 2]}))
def test_token_counts(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "token_counts.json"
    path.write_bytes(content)
    accepts(lambda: load_token_counts(path, 3, "x"))
