# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tagging against transformers and seqeval: the same pieces, predictions and scores."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.tags import entities
from src.convert.huggingface import read_directory
from src.convert.options import ReadOptions
from src.dataset import Batch
from src.evaluate.tasks import Predictor
from src.records.columns import INPUTS, LABEL
from src.task_files.bio import score_tags
from src.tasks import get_task
from src.tasks.features import DecodeOptions, EncodeOptions, Outputs
from src.text.tokenization import load_tokenizer
from tests.lazy import Lazy
from tests.small_vocabulary import GPT2, VOCABULARY, write_byte_level, write_vocabulary

torch = Lazy("torch")
transformers = Lazy("transformers")

LABELS = ("O", "B-LOC", "I-LOC", "B-组织", "I-组织")
WORDS = ("cat", "lower", "unwanted", "running", "Café", "我", "zzz", "lowest", "1", "!", "unrunning")


def score_by_seqeval(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    seqeval = pytest.importorskip("seqeval.metrics")
    strict = {"mode": "strict", "scheme": pytest.importorskip("seqeval.scheme").IOB2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not defined becomes 0, as here
        return {"f1": seqeval.f1_score(gold, predicted), "precision": seqeval.precision_score(gold, predicted),
                "recall": seqeval.recall_score(gold, predicted), "accuracy": seqeval.accuracy_score(gold, predicted),
                "f1_strict": seqeval.f1_score(gold, predicted, **strict)}


def random_tags(labels: Sequence[str], lengths: Sequence[int], seed: int) -> list[list[str]]:
    generator = np.random.default_rng(seed)
    return [[str(tag) for tag in generator.choice(labels, length)] for length in lengths]


@pytest.mark.parametrize("labels", [LABELS, ("O", "B-A", "I-A"), ("O", "I-A"), ("O", "B-A"), ("O",), ("B-A", "I-A"),
                                    ("O", "B-geo-loc", "I-geo-loc", "I-geo", "B-B", "I-B")])
def test_scores_are_those_of_seqeval(labels: tuple[str, ...]) -> None:
    generator = np.random.default_rng(len(labels))
    for seed in range(40):
        lengths = generator.integers(1, 9, generator.integers(1, 6))
        gold, predicted = (random_tags(labels, lengths, 2 * seed + offset) for offset in (0, 1))
        for others in (predicted, gold, [["O"] * length for length in lengths]):
            for one, other in ((gold, others), (others, gold)):
                assert score_tags(one, other) == pytest.approx(score_by_seqeval(one, other), abs=1e-12), (one, other)
        found = [(name, begin, end - 1) for name, begin, end in entities(gold[0])]
        assert found == importlib.import_module("seqeval.metrics.sequence_labeling").get_entities(gold[0])


def make_model(folder: Path) -> Any:
    """A tiny tagger whose predictions are of several classes."""
    torch.manual_seed(5)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=40, initializer_range=0.5, id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)})
    model = transformers.BertForTokenClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    return model


def evaluate_by_transformers(model: Any, tokenizer: Any, words: list[list[str]]) -> list[list[str]]:
    """The plain loop: a sentence at a time, the first piece of each word."""
    found = []
    for sentence in words:
        encoded = tokenizer(sentence, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            classes = model(**encoded).logits[0].argmax(-1).tolist()
        places = encoded.word_ids()
        found.append([LABELS[classes[place]] for place in range(len(places))
                      if places[place] is not None and places[place] != places[place - 1]])
    return found


@pytest.mark.medium
def test_a_tagger_scores_the_same_in_transformers(tmp_path: Path) -> None:
    model = make_model(tmp_path / "hf")
    write_vocabulary(tmp_path / "hf" / "vocab.txt")
    generator = np.random.default_rng(3)
    words = [[str(word) for word in generator.choice(WORDS, length)] for length in generator.integers(1, 9, 40)]
    tokenizer = transformers.BertTokenizerFast(str(tmp_path / "hf" / "vocab.txt"))
    predicted = evaluate_by_transformers(model, tokenizer, words)
    # The gold tags: the entities of some predictions, and none elsewhere.
    task = get_task("ner").with_labels(LABELS)
    gold = [tags if generator.random() < 0.5 else ["O"] * len(tags) for tags in map(in_order, predicted)]
    lines = ["".join(f"{word} {tag}\n" for word, tag in zip(*pair, strict=True))
             for pair in zip(words, gold, strict=True)]
    (tmp_path / "dev.conll").write_text("\n".join(lines), encoding="utf-8")

    converted = read_directory(tmp_path / "hf", ReadOptions())
    assert converted.config.head.labels == LABELS
    examples = list(task.read(tmp_path, "dev"))
    values = task.encode(examples, load_tokenizer(tmp_path / "hf"), EncodeOptions(40)).values
    batch = Batch(*(values[name].astype(np.int32) for name in INPUTS), values[LABEL])
    logits = Predictor(converted.config).load(converted.parameters).predict([batch], 16, (40,)).logits
    outputs = Outputs(logits, values, examples)
    lines = task.predictions(outputs, DecodeOptions())
    assert [line["words"] for line in lines] == words
    assert [line["prediction"] for line in lines] == predicted
    assert len({tag for tags in predicted for tag in tags}) >= 4
    scores = task.score(outputs, DecodeOptions())
    assert scores == pytest.approx(score_by_seqeval(gold, predicted), abs=1e-6)
    assert 0.2 < scores["f1"] < 1 and scores["f1"] != scores["f1_strict"]


def in_order(tags: Sequence[str]) -> list[str]:
    """The same entities in valid IOB2."""
    valid = ["O"] * len(tags)
    for name, begin, end in entities(tags):
        valid[begin:end] = [f"B-{name}", *[f"I-{name}"] * (end - begin - 1)]
    return valid


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2"])
def test_pieces_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    if family == "bert":
        tokenizer = transformers.BertTokenizerFast(str(write_vocabulary(tmp_path / "vocab.txt")))
    else:
        folder = write_byte_level(tmp_path / "bpe", *([GPT2] if family == "gpt2" else []))
        kind = transformers.GPT2TokenizerFast if family == "gpt2" else transformers.RobertaTokenizerFast
        tokenizer = kind(str(folder / "vocab.json"), str(folder / "merges.txt"), add_prefix_space=True)
    generator = np.random.default_rng(4)
    # Next to ideographs our text has no space, which a byte-level BPE sees.
    vocabulary = [word for word in WORDS if family == "bert" or word != "我"]
    words = [[str(word) for word in generator.choice(vocabulary, length)] for length in generator.integers(1, 9, 30)]
    (tmp_path / "test.txt").write_text("\n\n".join("\n".join(sentence) for sentence in words), encoding="utf-8")
    task = get_task("ner").with_labels(LABELS)
    ours = load_tokenizer(tmp_path if family == "bert" else tmp_path / "bpe")
    values = task.encode(list(task.read(tmp_path, "test")), ours, EncodeOptions(60)).values
    for row, sentence in enumerate(words):
        encoded = tokenizer(sentence, is_split_into_words=True, add_special_tokens=False)
        size = len(encoded["input_ids"])
        assert values["input_ids"][row, 1:size + 1].tolist() == encoded["input_ids"]
        assert values["input_mask"][row].sum() == size + 2
        places = encoded.word_ids()
        firsts = [-1 if index and place == places[index - 1] else place for index, place in enumerate(places)]
        assert values["word_ids"][row, 1:size + 1].tolist() == firsts
