# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Answers in Python: those of eval.py, in any order and batch, and what is no question."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eval as evaluation
from serving.answers import softmax
from src.config import HeadConfig, ModelConfig
from src.predict import load
from src.tasks import get_task
from tests.refusals import refused
from tests.tiny import BAD, GOOD, HEAD, PLAIN, TEACHER, save_random, write_vocabulary

SHORT = replace(TEACHER, num_hidden_layers=1, max_position_embeddings=24)
CLASSES = HeadConfig("classification", ("a", "b", "c"))
TAGS = HeadConfig("tagging", ("O", "B-GOOD", "I-GOOD", "B-BAD", "I-BAD"))
PAIRS = HeadConfig("classification", ("entailment", "not_entailment"))


def text(generator: np.random.Generator, words: int) -> str:
    return " ".join(generator.choice((*GOOD, *BAD, *PLAIN), words))


def texts(number: int, longest: int) -> list[str]:
    generator = np.random.default_rng(0)
    return [text(generator, int(generator.integers(1, longest))) for _ in range(number)]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    return write_vocabulary(tmp_path / "vocab")


def predicted(folder: Path, model: Path, task: str, length: int = 24) -> list[dict]:
    """What eval.py writes."""
    path = folder / "predictions.jsonl"
    evaluation.main(["--checkpoint", str(model), "--task_name", task, "--data_dir", str(folder), "--split", "test",
                     "--seq_length", str(length), "--predictions_path", str(path), "--device_target", "CPU",
                     "--batch_size", "4"])
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.medium
@pytest.mark.parametrize(("head", "task", "suffix"), [
    (CLASSES, "tsv", ""), (HeadConfig("regression"), "tsv-regression", ""), (PAIRS, "RTE", "pair")],
    ids=["classes", "score", "pairs"])
def test_answers_are_those_of_eval(tmp_path: Path, vocabulary: Path, head: HeadConfig, task: str, suffix: str) -> None:
    model = save_random(tmp_path / "run/model", ModelConfig(SHORT, head, task), vocabulary)
    first, second = texts(9, 10), texts(18, 10)[9:]
    asked = list(zip(first, second, strict=True)) if suffix else first
    if suffix:
        rows = [f"{number}\t{a}\t{b}" for number, (a, b) in enumerate(asked)]
        (tmp_path / "test.tsv").write_text("\n".join(["index\tsentence1\tsentence2", *rows]) + "\n")
    else:
        (tmp_path / "test.tsv").write_text("\n".join(["text", *asked]) + "\n")
    expected = predicted(tmp_path, model, task)
    answers = load(tmp_path / "run", seq_length=24, batch_size=2)(asked)
    if head.kind == "regression":
        assert [each["score"] for each in answers] == pytest.approx([each["prediction"] for each in expected], abs=1e-5)
        return
    ours = np.array([list(each["probabilities"].values()) for each in answers])
    theirs = softmax(np.array([each["logits"] for each in expected]))
    assert ours.shape == (9, len(head.labels)) and np.abs(ours - theirs).max() < 1e-6
    assert [each["label"] for each in answers] == [each["prediction"] for each in expected]
    assert [each["probability"] for each in answers] == ours.max(1).tolist()
    assert list(answers[0]["probabilities"]) == list(head.labels)


@pytest.mark.medium
def test_entities_are_those_of_eval(tmp_path: Path, vocabulary: Path) -> None:
    model = save_random(tmp_path / "model", ModelConfig(SHORT, TAGS, "ner"), vocabulary)
    asked = [*texts(5, 12), text(np.random.default_rng(1), 60)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({"text": each}) + "\n" for each in asked))
    answers = load(model)(asked)
    for own, its in zip(answers, predicted(tmp_path, model, "ner"), strict=True):
        assert (own["words"], own["tags"], own["entities"]) == (its["words"], its["prediction"], its["entities"])
    found = [(entity, each) for answer, each in zip(answers, asked, strict=True) for entity in answer["entities"]]
    assert found and all(each[entity["begin"]:entity["end"]] == entity["text"] for entity, each in found)


@pytest.mark.medium
def test_answers_to_questions_are_those_of_eval(tmp_path: Path, vocabulary: Path) -> None:
    model = save_random(tmp_path / "model", ModelConfig(replace(SHORT, max_position_embeddings=72),
                                                        HeadConfig("span"), "SQuAD"), vocabulary)
    generator = np.random.default_rng(2)
    asked = [(text(generator, 4), text(generator, size)) for size in (6, 90)]
    (tmp_path / "test.json").write_text(json.dumps({"data": [{"paragraphs": [
        {"context": context, "qas": [{"id": str(number), "question": question}]}
        for number, (question, context) in enumerate(asked)]}]}))
    answers = load(model)(asked)
    expected = predicted(tmp_path, model, "SQuAD", 72)
    assert [each["answer"] for each in answers] == [each["prediction"] for each in expected]
    assert [each["score"] for each in answers] == pytest.approx([each["score"] for each in expected], abs=1e-5)
    assert all(context[each["begin"]:each["end"]] == each["answer"] for each, (_, context) in zip(
        answers, asked, strict=True))


def test_one_text_and_a_list(tmp_path: Path, vocabulary: Path) -> None:
    model = load(save_random(tmp_path / "model", ModelConfig(SHORT, HEAD, "SST-2"), vocabulary))
    one = model("good w1")
    assert isinstance(one, dict) and model([]) == [] and model.labels == ("0", "1")
    three = model(["w3 w2 bad w9 w9 w9", "good w1", ""])
    assert list(three[1]["probabilities"].values()) == pytest.approx(list(one["probabilities"].values()), abs=1e-6)
    assert model.logits(["good w1"]).shape == (1, 2)
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than seq_length 24 and were cut"):
        model(["good", "w1 " * 40])
    json.dumps(three)


def test_what_is_no_question(tmp_path: Path, vocabulary: Path) -> None:
    folder = save_random(tmp_path / "model", ModelConfig(SHORT, HEAD, "SST-2"), vocabulary)
    model = load(folder)
    for wrong in (3, None, ["good", 3], [["good", "bad"]], ("a", "b", "c"), {"text": "good"}):
        refused("expected a text .str., or a pair of texts", model, wrong)
    refused(r"text 1 is .*SST-2. takes a single text", model, ["good", ("good", "bad")])
    pairs = load(save_random(tmp_path / "pairs", ModelConfig(SHORT, PAIRS, "RTE"), vocabulary))
    refused(r"text 0 is 'good'.*RTE. takes a pair", pairs, "good")
    any_of = load(save_random(tmp_path / "any", ModelConfig(SHORT, HEAD, "tsv"), vocabulary))
    refused("single texts and pairs stand in one list", any_of, ["good", ("good", "bad")])
    assert any_of.task.labels == HEAD.labels and get_task("tsv").labels == ()
    refused("seq_length is 25, but .* knows 24 positions", load, folder, 25)
    refused("has no head that answers", load, save_random(tmp_path / "bare", ModelConfig(SHORT), vocabulary))
    refused("has no tokenizer", load, save_random(tmp_path / "words", ModelConfig(SHORT, HEAD), None))
    refused("does not exist", load, tmp_path / "absent")
    refused("expected the path of a model", load, 5)


@pytest.mark.parametrize(("setting", "value"), [
    ("batch_size", 0), ("batch_size", -1), ("batch_size", "2"), ("seq_length", -1), ("seq_length", 4),
    ("seq_length", "16")])
def test_sizes_are_whole_numbers(setting: str, value: object, tmp_path: Path, vocabulary: Path) -> None:
    model = save_random(tmp_path / "model", ModelConfig(SHORT, CLASSES, "tsv"), vocabulary)
    refused(f"{setting} is {value!r}; expected a whole number", load, model, **{setting: value})
