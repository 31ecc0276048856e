# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of answers as the official scripts of SQuAD v1.1, SQuAD v2.0 and CMRC2018 compute them, but from 0 to 1.

Each function takes the predicted text of each question ("" for no answer) and all its right answers, and returns
means over the questions.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

import numpy as np

ARTICLE = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
"""Marks that are left out. The official list has a double ellipsis too, which no single character equals."""

CHINESE = re.compile(r"([\u4e00-\u9fa5])")

Golds = Sequence[Sequence[str]]
Scores = dict[str, float]


def squad_scores(predictions: Sequence[str], golds: Golds) -> Scores:
    """SQuAD v1.1 (evaluate-v1.1.py): the best agreement with any of the answers.

    Returns:
        f1: of the words that prediction and answer share, as bags; 0 where they share none.
        exact_match: whether the normalised texts are equal.
    """
    return _means(predictions, golds, squad_f1, squad_exact)


def squad2_scores(predictions: Sequence[str], golds: Golds) -> Scores:
    """SQuAD v2.0 (evaluate-v2.0.py), where a question without answers is answered rightly by "".

    Answers of which normalisation leaves nothing do not count; a question that has no others is scored like one
    without answers.

    Returns:
        f1, exact_match: over all questions; with the prefix has_answer_ and no_answer_ over those with and without
        answers, 0.0 where there are none of them.
    """
    kept = [[text for text in texts if normalize(text)] or [""] for texts in golds]
    scores = _means(predictions, kept, squad2_f1, squad_exact)
    for prefix, has_answer in (("has_answer", True), ("no_answer", False)):
        chosen = [index for index, texts in enumerate(golds) if bool(texts) is has_answer]
        part = _means([predictions[index] for index in chosen], [kept[index] for index in chosen],
                      squad2_f1, squad_exact)
        scores.update({f"{prefix}_{name}": value for name, value in part.items()})
    return scores


def cmrc_scores(predictions: Sequence[str], golds: Golds) -> Scores:
    """CMRC2018 (cmrc2018_evaluate.py; Cui et al., arXiv:1810.07366): the best agreement with any of the answers.

    Returns:
        f1: of the longest common run of characters and words (`words`) and the lengths of the two texts.
        exact_match: whether the texts are equal but for case and the marks that are left out.
    """
    return _means(predictions, golds, cmrc_f1, cmrc_exact)


def _means(predictions: Sequence[str], golds: Golds, f1: Callable[[str, str], float],
           exact: Callable[[str, str], float]) -> Scores:
    """Means of the best F1 and the best exact match of each question; 0.0 without questions."""
    pairs = list(zip(predictions, golds, strict=True))
    return {name: float(np.mean([max((score(text, gold) for gold in texts), default=0.0) for text, texts in pairs]))
            if pairs else 0.0 for name, score in (("f1", f1), ("exact_match", exact))}


def normalize(text: str) -> str:
    """Lower case, without ASCII punctuation, then without English articles, words one space apart."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(PUNCTUATION)).split())


def squad_exact(prediction: str, gold: str) -> float:
    """1.0 when the normalised texts are equal."""
    return float(normalize(prediction) == normalize(gold))


def squad_f1(prediction: str, gold: str) -> float:
    """F1 of the words of the normalised texts."""
    given, right = normalize(prediction).split(), normalize(gold).split()
    return _f1(sum((Counter(given) & Counter(right)).values()), len(given), len(right))


def squad2_f1(prediction: str, gold: str) -> float:
    """The same, but 1.0 where both texts are empty."""
    return squad_f1(prediction, gold) if normalize(prediction) or normalize(gold) else 1.0


def cmrc_exact(prediction: str, gold: str) -> float:
    """1.0 when the texts are equal without marks."""
    return float(without_marks(prediction) == without_marks(gold))


def cmrc_f1(prediction: str, gold: str) -> float:
    """F1 of the longest run of words that the two texts share."""
    given, right = words(prediction), words(gold)
    return _f1(longest_common_run(given, right), len(given), len(right))


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    # NLTK takes a second to import: only who scores pays for it.
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()


def without_marks(text: str) -> str:
    """Lower case without surrounding spaces and without `MARKS`."""
    return "".join(character for character in text.lower().strip() if character not in MARKS)


def words(text: str) -> list[str]:
    """The words of Chinese text, mixed with other scripts, as CMRC2018's evaluation compares them, without `MARKS`.

    Every Chinese character is a word; what stands between them is split as NLTK's word_tokenize does it. Not
    reproduced: word_tokenize first looks for sentences with a trained model (Punkt), whose data would have to be
    downloaded, and so makes a word of a full stop that ends a sentence inside of a piece; here only one at the end of
    the piece is a word.
    """
    found: list[str] = []
    for place, piece in enumerate(CHINESE.split(without_marks(text))):
        # The split leaves characters at the odd places and what is between them at the even ones.
        found += [piece] if place % 2 else _tokenizer().tokenize(piece)
    return found


def longest_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest run of words that stands in both sequences."""
    return SequenceMatcher(None, first, second, autojunk=False).find_longest_match().size


def _f1(common: int, given: int, right: int) -> float:
    """Harmonic mean of common / given and common / right; 0.0 where nothing is common."""
    if not common:
        return 0.0
    precision, recall = common / given, common / right
    return 2 * precision * recall / (precision + recall)
