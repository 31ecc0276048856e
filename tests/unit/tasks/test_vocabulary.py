# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Vocabularies of words, characters and Chinese words, and the tokenizers that they make."""

from __future__ import annotations

import json
import pickle

import pytest

from prepare_data import main
from src.common.errors import UserError
from src.config import load_config
from src.records.options import TaskOptions
from src.records.prepare import prepare_task
from src.records.reading import inspect
from src.tasks import get_task
from src.tasks.vocabulary import SPECIAL, make_vocabulary
from src.text.tokenization import Tokenizer, load_tokenizer
from tests.refusals import refused

ENGLISH = {"train": ["The cat sat.", "the cat ran", "A dog ran, ran!"], "dev": ["the bird ran"]}
CHINESE = {"train": ["我爱北京天安门", "北京的天气很好", "我 爱 iPhone"], "dev": ["天气不好"]}


@pytest.fixture
def data(tmp_path):
    """A function that writes the files of a task and returns their folder."""

    def write(splits: dict[str, list[str]]):
        folder = tmp_path / "data"
        folder.mkdir()
        for split, texts in splits.items():
            lines = ["text\tlabel", *(f"{text}\t{number % 2}" for number, text in enumerate(texts))]
            (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return write


def vocabulary(folder, output, **settings) -> Tokenizer:
    values = {"data_dir": str(folder), "output_dir": str(output), **settings}
    config = load_config(task__task_name="tsv", **{f"vocabulary__{name}": value for name, value in values.items()})
    make_vocabulary(config.vocabulary, config.task)
    return load_tokenizer(output)


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.id_to_token(token_id) for token_id in tokenizer.encode_batch([text])[0]]


@pytest.mark.parametrize(("settings", "text", "expected"), [
    ({}, "THE cat, ran", ["the", "cat", ",", "ran"]),
    ({}, "the zebra", ["the", "[UNK]"]),
    ({"lower_case": False}, "The THE", ["The", "[UNK]"]),
    ({"segment": "characters"}, "Cat rug", ["c", "a", "t", "r", "[UNK]", "g"]),
])
def test_english(data, tmp_path, settings, text, expected) -> None:
    tokenizer = vocabulary(data(ENGLISH), tmp_path / "vocab", **settings)
    assert pieces(tokenizer, text) == expected


@pytest.mark.parametrize(("segment", "expected"), [
    ("words", ["我", "爱", "北", "京", "iphone"]),
    ("characters", ["我", "爱", "北", "京", "i", "p", "h", "o", "n", "e"]),
    ("jieba", ["我", "爱", "北京", "iphone"]),
])
def test_chinese(data, tmp_path, segment, expected) -> None:
    tokenizer = vocabulary(data(CHINESE), tmp_path / "vocab", segment=segment)
    assert pieces(tokenizer, "我爱北京 iPhone") == expected
    assert tokenizer.segment == ("jieba" if segment == "jieba" else "")


def test_ids_are_special_tokens_then_falling_frequency(data, tmp_path) -> None:
    tokenizer = vocabulary(data(ENGLISH), tmp_path / "vocab")
    assert tuple(tokenizer.tokens[:6]) == (*SPECIAL, "ran")
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.mask_id) == (0, 1, 4)
    assert tokenizer.lower_case is True


def test_size_and_rare_words(data, tmp_path) -> None:
    folder = data(ENGLISH)
    assert vocabulary(folder, tmp_path / "small", vocab_size=11).vocab_size == 11
    frequent = vocabulary(folder, tmp_path / "frequent", min_count=2)
    assert set(frequent.tokens[len(SPECIAL):]) == {"the", "cat", "ran"}
    with pytest.raises(UserError, match="no token that occurs 9 times; lower --min_count"):
        vocabulary(folder, tmp_path / "none", min_count=9)
    assert not (tmp_path / "none").exists()


def test_a_segmenter_survives_saving_pickling_and_records(data, tmp_path) -> None:
    folder = data(CHINESE)
    tokenizer = vocabulary(folder, tmp_path / "vocab", segment="jieba")
    reports = prepare_task(get_task("tsv"), folder, tokenizer, tmp_path / "records", TaskOptions(seq_length=12))
    assert [report.counts["unknown"] for report in reports] == [0, 1]  # dev: 不好
    records = inspect(tmp_path / "records/train", kind="task")
    copies = (load_tokenizer(records.tokenizer_path), pickle.loads(pickle.dumps(tokenizer)))
    for copy in copies:
        assert pieces(copy, "我爱北京") == ["我", "爱", "北京"]
        assert copy.vocab_hash == tokenizer.vocab_hash == records.manifest.vocab_hash
    # The same tokens without the segmenter are another vocabulary.
    assert Tokenizer(tokenizer.backend).vocab_hash != tokenizer.vocab_hash


def test_what_is_covered_is_printed_and_the_command_can_be_repeated(data, tmp_path, capsys) -> None:
    options = ["vocab", "--task_name", "tsv", "--data_dir", str(data(ENGLISH)), "--output_dir", str(tmp_path / "vocab")]
    main(options)
    first = (tmp_path / "vocab/tokenizer.json").read_bytes()
    assert "train: 13 tokens, 0.00% of them unknown\ndev: 3 tokens, 33.33% of them unknown" in capsys.readouterr().out
    main(options)
    assert (tmp_path / "vocab/tokenizer.json").read_bytes() == first
    refused("exists and holds something else", main, [*options, "--segment", "characters"])
    for missing in ("--task_name", "--data_dir", "--output_dir"):
        place = options.index(missing)
        refused(f"{missing} is not set", main, options[:place] + options[place + 2:])


def test_without_training_texts_there_is_no_vocabulary(data, tmp_path) -> None:
    with pytest.raises(UserError, match="has no train.tsv, whose texts the vocabulary is made of"):
        vocabulary(data({"dev": ["a"]}), tmp_path / "vocab")


def test_answers_in_a_text_need_a_transformer(tmp_path) -> None:
    with pytest.raises(UserError, match="need a transformer"):
        config = load_config(task__task_name="SQuAD", vocabulary__data_dir="a", vocabulary__output_dir="b")
        make_vocabulary(config.vocabulary, config.task)


def test_an_unknown_segmenter_is_refused(data, tmp_path) -> None:
    vocabulary(data(CHINESE), tmp_path / "vocab", segment="jieba")
    (tmp_path / "vocab/tokenizer_config.json").write_text(json.dumps({"segment": "other"}))
    refused("names the segmenter 'other'; this version knows jieba", load_tokenizer, tmp_path / "vocab")
