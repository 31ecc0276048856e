# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of answers against their definitions, counted here in another way, on texts made to be difficult."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from src.tasks.span_metrics import cmrc_scores, longest_common_run, normalize, squad2_scores, squad_scores, words

PARTS = ("the", "a", "An", "cat", "Dog", "50%", "U.S.", "don't", "é", "…", "--", "'", "theatre", "an-other", "cat",
         "1,000", "“q”", "Ⅷ", "")
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def random_text(generator: np.random.Generator) -> str:
    separators = generator.choice(["", " ", "  ", "\t", "\u00a0"], 4, p=[0.1, 0.6, 0.1, 0.1, 0.1])
    return "".join(str(generator.choice(PARTS)) + separator for separator in separators)[: generator.integers(0, 30)]


def squad_words(text: str) -> list[str]:
    """The definition letter by letter: what stands between letters and digits ends a word for the articles."""
    text = "".join(letter for letter in text.lower() if letter not in PUNCTUATION)
    marked, word = "", ""
    for letter in text + " ":
        if letter.isalnum() or letter == "_":
            word += letter
        else:
            marked += (" " if word in ("a", "an", "the") else word) + letter
            word = ""
    return marked.split()


def f1_of(common: int, given: int, right: int) -> Fraction:
    """2 common / (given + right), which is the harmonic mean of common / given and common / right."""
    return Fraction(2 * common, given + right) if common else Fraction(0)


def squad_by_counting(prediction: str, gold: str) -> tuple[Fraction, bool]:
    given, right = squad_words(prediction), squad_words(gold)
    left = list(right)
    for word in given:
        if word in left:
            left.remove(word)
    return f1_of(len(right) - len(left), len(given), len(right)), given == right


@pytest.mark.parametrize(("prediction", "golds", "f1", "exact"), [
    ("the Cat!", ["cat"], 1, 1),
    ("cat", ["a dog", "the cat", "CAT."], 1, 1),
    ("black cat", ["cat", "black"], 2 / 3, 0),
    ("cat cat dog", ["cat dog dog"], 2 / 3, 0),
    ("", ["cat"], 0, 0),
    ("the", ["an"], 0, 1),                        # nothing is left of either: equal, but no word is shared
    ("...", ["!"], 0, 1),
    ("U.S.", ["us"], 1, 1),
    ("an-other", ["another"], 1, 1),
    ("theatre", ["the atre"], 0, 0),
    ("“cat”", ["cat"], 0, 0),                     # only ASCII punctuation is taken away
    ("tea-the-cat", ["teathecat"], 1, 1),
    ("caf\u00e9", ["cafe\u0301"], 0, 0),
    ("the\u00a0cat", ["cat"], 1, 1),
])
def test_squad(prediction: str, golds: list[str], f1: float, exact: float) -> None:
    assert squad_scores([prediction], [golds]) == pytest.approx({"f1": f1, "exact_match": exact}, abs=1e-12)


def test_squad_by_counting() -> None:
    generator = np.random.default_rng(0)
    predictions = [random_text(generator) for _ in range(600)]
    golds = [[random_text(generator) for _ in range(1 + number % 3)] for number in range(600)]
    for number in range(0, 600, 5):
        predictions[number] = golds[number][-1].upper()
    pairs = [[squad_by_counting(text, gold) for gold in right] for text, right in zip(predictions, golds, strict=True)]
    expected = {"f1": float(sum(max(f1 for f1, _ in pair) for pair in pairs) / 600),
                "exact_match": sum(any(same for _, same in pair) for pair in pairs) / 600}
    assert 0.1 < expected["exact_match"] < expected["f1"] < 0.9
    assert squad_scores(predictions, golds) == pytest.approx(expected, abs=1e-12)
    assert [normalize(text).split() for text in predictions] == [squad_words(text) for text in predictions]


def test_squad2() -> None:
    predictions = ["cat", "", "dog", "", "the", "black cat", ""]
    golds = [["cat"], [], [], ["cat"], [], ["cat"], ["the"]]
    # An article alone is no answer: the last question counts as one with an answer, which "" answers rightly.
    f1 = [1, 1, 0, 0, 1, 2 / 3, 1]
    exact = [1, 1, 0, 0, 1, 0, 1]
    has, no = [0, 3, 5, 6], [1, 2, 4]
    assert squad2_scores(predictions, golds) == pytest.approx({
        "f1": np.mean(f1), "exact_match": np.mean(exact),
        "has_answer_f1": np.mean([f1[number] for number in has]),
        "has_answer_exact_match": np.mean([exact[number] for number in has]),
        "no_answer_f1": np.mean([f1[number] for number in no]),
        "no_answer_exact_match": np.mean([exact[number] for number in no])})
    alone = squad2_scores(["cat"], [["cat"]])
    assert alone["has_answer_f1"] == 1.0 and alone["no_answer_f1"] == alone["no_answer_exact_match"] == 0.0


def test_squad2_is_squad_where_there_are_answers() -> None:
    generator = np.random.default_rng(1)
    predictions = [random_text(generator) + " x" for _ in range(200)]
    golds = [[random_text(generator) + " x"] for _ in range(200)]
    first, second = squad_scores(predictions, golds), squad2_scores(predictions, golds)
    assert first == {name: second[name] for name in first} == {name: second[f"has_answer_{name}"] for name in first}


@pytest.mark.parametrize(("text", "expected"), [
    ("光荣和ω-force", ["光", "荣", "和", "ωforce"]),
    ("《战国无双3》（PC）。", ["战", "国", "无", "双", "3pc"]),
    ("1999年12月", ["1999", "年", "12", "月"]),
    ("约1,000.5米, 50%", ["约", "1,000.5", "米", ",", "50", "%"]),
    ("He said \"no\" (twice).", ["he", "said", "``", "no", "''", "(", "twice", ")", "."]),
    # The full stop that ends a piece is a word, one before further words is not.
    ("U.S. Army don't they'll John's 'tis U.S.",
     ["u.s.", "army", "do", "n't", "they", "'ll", "john", "'s", "'", "tis", "u.s", "."]),
    ("cannot gonna", ["can", "not", "gon", "na"]),
    ("a,b c, d...e; f!", ["a", ",", "b", "c", ",", "d", "...", "e", ";", "f", "!"]),
    ("カタカナ 한국어", ["カタカナ", "한국어"]),
    ("—中—", ["—", "中", "—"]),
    ("……·、", ["……"]),
    (" \u3000", []),
])
def test_words_of_mixed_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(("prediction", "golds", "f1", "exact"), [
    ("《战国无双3》", ["战国无双3"], 1, 1),
    ("战国无双", ["战国无双3"], 8 / 9, 0),
    ("无双战国", ["战国无双"], 1 / 2, 0),                    # a run, not a bag
    ("在1999年", ["1998年", "1999年"], 4 / 5, 0),
    ("", ["战国"], 0, 0),
    ("。", ["，"], 0, 1),
    ("iPhone 4S", ["iphone 4s"], 1, 1),
    ("iPhone 4", ["iphone 4s"], 1 / 2, 0),
])
def test_cmrc(prediction: str, golds: list[str], f1: float, exact: float) -> None:
    assert cmrc_scores([prediction], [golds]) == pytest.approx({"f1": f1, "exact_match": exact}, abs=1e-12)


def test_longest_common_run() -> None:
    def by_trying(first: str, second: str) -> int:
        return max((end - begin for begin, end in product(range(len(first) + 1), repeat=2)
                    if begin < end and first[begin:end] in second), default=0)

    generator = np.random.default_rng(0)
    for _ in range(300):
        first, second = ("".join(generator.choice(list("ab"), generator.integers(0, 9))) for _ in range(2))
        assert longest_common_run(first, second) == by_trying(first, second)


@pytest.mark.medium
def test_gold_answers_of_cmrc_score_one(shared_data) -> None:
    content = json.loads(shared_data("cmrc2018/cmrc2018_dev.squad-style.json").read_text(encoding="utf-8"))
    golds = [[answer["text"] for answer in question["answers"]]
             for article in content["data"] for paragraph in article["paragraphs"] for question in paragraph["qas"]]
    golds = golds[::10]
    assert cmrc_scores([texts[-1] for texts in golds], golds) == {"f1": 1.0, "exact_match": 1.0}
    # The first of the three answers, scored by the last one alone.
    other = cmrc_scores([texts[0] for texts in golds], [texts[2:] for texts in golds])
    assert 0.5 < other["exact_match"] < other["f1"] < 1.0


def test_no_questions() -> None:
    assert squad_scores([], []) == cmrc_scores([], []) == {"f1": 0.0, "exact_match": 0.0}
