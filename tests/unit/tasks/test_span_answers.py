# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""From logits to answers: every pair tried one by one, and nothing that answers must not depend on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from src.tasks import get_task
from src.tasks.features import DecodeOptions, Outputs
from src.tasks.span import spans_of
from src.tasks.span_files import SpanExample

SQUAD, SQUAD2, CMRC = (get_task(name) for name in ("SQuAD", "SQuAD2", "CMRC2018"))
LENGTH, QUESTION = 24, 4
"""Length of the rows, and the place of the first token of the context."""


def make_outputs(seed: int, questions: int = 12, levels: int = 0) -> Outputs:
    """Made logits of questions with one to three windows; with `levels`, values that tie often."""
    generator = np.random.default_rng(seed)
    examples, ids, begins, ends = [], [], [], []
    for number in range(questions):
        words = [str(word) for word in generator.integers(0, 1000, generator.integers(1, 50))]
        context = "  ".join(words)
        starts = np.cumsum([0] + [len(word) + 2 for word in words[:-1]])
        examples.append(SpanExample(f"id{number}", "x", context, (("1", 0),) if number % 3 else ()))
        for first in range(0, len(words), 12):
            part = slice(first, first + LENGTH - QUESTION - 1)
            row = np.full((2, LENGTH), -1)
            place = slice(QUESTION, QUESTION + len(words[part]))
            row[0, place] = starts[part]
            row[1, place] = starts[part] + [len(word) for word in words[part]]
            ids.append(number)
            begins.append(row[0])
            ends.append(row[1])
    logits = generator.normal(0, 3, (len(ids), LENGTH, 2)).astype(np.float32)
    if levels:
        logits = generator.integers(0, levels, logits.shape).astype(np.float32)
    return Outputs(logits, {"example_ids": np.array(ids)[:, None], "token_begins": np.array(begins),
                            "token_ends": np.array(ends)}, examples)


def by_trying(outputs: Outputs, options: DecodeOptions) -> list[tuple[str, float, float]]:
    """Text and score of the best span, and score of no answer, of each question: every pair is looked at."""
    answers = []
    for number, example in enumerate(outputs.examples):
        candidates, null_scores = [], []
        for row in np.flatnonzero(outputs.values["example_ids"][:, 0] == number):
            begins, ends = outputs.values["token_begins"][row], outputs.values["token_ends"][row]
            start_logits, end_logits = outputs.logits[row].T.astype(float)
            null_scores.append(start_logits[0] + end_logits[0])
            places = [place for place in range(len(begins)) if begins[place] >= 0]
            best_starts = sorted(places, key=lambda place, x=start_logits: (-x[place], place))[:options.n_best_size]
            best_ends = sorted(places, key=lambda place, x=end_logits: (-x[place], place))[:options.n_best_size]
            candidates += [(start_logits[start] + end_logits[end], -int(begins[start]), -int(ends[end]))
                           for start in best_starts for end in best_ends
                           if 0 <= end - start < options.max_answer_length]
        score, begin, end = max(candidates, default=(-np.inf, 0, 0))
        answers.append((example.context[-begin: -end], score, min(null_scores)))
    return answers


@pytest.mark.parametrize("levels", [0, 2, 5])
@pytest.mark.parametrize("options", [DecodeOptions(), DecodeOptions(3, 4), DecodeOptions(1, 2), DecodeOptions(100, 1)])
def test_as_trying_every_pair(options: DecodeOptions, levels: int) -> None:
    for seed in range(10):
        outputs = make_outputs(seed, levels=levels)
        expected = by_trying(outputs, options)
        entries = SQUAD.predictions(outputs, options)
        assert [(entry["index"], entry["id"]) for entry in entries] == [(n, f"id{n}") for n in range(12)]
        assert [entry["prediction"] for entry in entries] == [text for text, _, _ in expected]
        scores = [-np.inf if entry["score"] is None else entry["score"] for entry in entries]
        assert scores == [score for _, score, _ in expected]
        assert [entry["label"] for entry in entries] == [["1"] if number % 3 else [] for number in range(12)]
        threshold = replace(options, null_score_threshold=0.5)
        assert [entry["prediction"] for entry in SQUAD2.predictions(outputs, threshold)] == [
            text if null - score <= 0.5 else "" for text, score, null in expected]
        assert [entry["null_score"] for entry in SQUAD2.predictions(outputs, threshold)] == [
            null for _, _, null in expected]


def test_nothing_depends_on_padding_batches_or_order() -> None:
    options = DecodeOptions(3, 6)
    for levels in (0, 3):
        outputs = make_outputs(4, 30, levels)
        expected = SQUAD2.predictions(outputs, options)
        generator = np.random.default_rng(0)
        # More padding, whose logits are the largest of all.
        padded = {name: np.pad(values, ((0, 0), (0, 9)), constant_values=-1) if name != "example_ids" else values
                  for name, values in outputs.values.items()}
        logits = np.pad(outputs.logits, ((0, 0), (0, 9), (0, 0)), constant_values=99)
        assert SQUAD2.predictions(Outputs(logits, padded, outputs.examples), options) == expected
        # Rows in another order.
        order = generator.permutation(len(outputs.logits))
        mixed = {name: values[order] for name, values in outputs.values.items()}
        assert SQUAD2.predictions(Outputs(outputs.logits[order], mixed, outputs.examples), options) == expected
        # Questions in another order.
        new_place = generator.permutation(30)
        examples = [outputs.examples[old] for old in np.argsort(new_place)]
        renamed = {**outputs.values, "example_ids": new_place[outputs.values["example_ids"]]}
        entries = {entry["id"]: entry for entry in SQUAD2.predictions(Outputs(outputs.logits, renamed, examples),
                                                                     options)}
        assert [{**entries[entry["id"]], "index": entry["index"]} for entry in expected] == expected


def test_threshold_and_windows() -> None:
    """Two windows: the answer is taken from the better one, no answer is as good as in the worse one."""
    logits = np.full((2, 4, 2), -10, np.float32)
    logits[0, 0], logits[1, 0] = (2, 2), (1, 0.5)
    logits[0, 2], logits[1, 3] = (0, 0.5), (0.5, 0.5)
    begins, ends = np.array([[-1, -1, 0, 2], [-1, -1, 2, 4]]), np.array([[-1, -1, 1, 3], [-1, -1, 3, 5]])
    outputs = Outputs(logits, {"example_ids": np.zeros((2, 1), int), "token_begins": begins, "token_ends": ends},
                      [SpanExample("1", "x", "a b c", ())])
    best = spans_of(outputs, DecodeOptions())
    assert (best.begins, best.ends, best.scores, best.null_scores) == (4, 5, 1.0, 1.5)
    for threshold, text in ((0.0, ""), (0.49, ""), (0.5, "c"), (3.0, "c"), (-9.0, "")):
        assert SQUAD2.predictions(outputs, DecodeOptions(null_score_threshold=threshold))[0]["prediction"] == text
    assert SQUAD.predictions(outputs, DecodeOptions(null_score_threshold=-9.0))[0]["prediction"] == "c"


def test_no_valid_pair_and_not_a_number() -> None:
    logits = np.zeros((3, 4, 2), np.float32)
    logits[0, 2, 1] = logits[0, 3, 0] = 9  # the best start stands behind the best end
    logits[1] = np.nan
    places = np.array([[-1, -1, 0, 2]] * 2 + [[-1] * 4])
    outputs = Outputs(logits, {"example_ids": np.arange(3)[:, None], "token_begins": places,
                               "token_ends": places + (places >= 0)},
                      [SpanExample(context, "x", context, ()) for context in ("a b", "c d", "")])
    for task in (SQUAD, SQUAD2):
        entries = task.predictions(outputs, DecodeOptions(n_best_size=1))
        assert [(entry["prediction"], entry["score"]) for entry in entries] == [("", None)] * 3
        json.dumps(entries, allow_nan=False)


@pytest.mark.parametrize(("task", "name"), [(SQUAD, "predictions.json"), (SQUAD2, "predictions.json"),
                                            (CMRC, "cmrc2018_predict.json")])
def test_submission(task, name: str) -> None:
    outputs = make_outputs(2)
    options = DecodeOptions(null_score_threshold=-1.0)
    files = task.submission(outputs, options, "test")
    assert list(files) == [name]
    entries = task.predictions(outputs, options)
    assert json.loads(files[name]) == {entry["id"]: entry["prediction"] for entry in entries}
    unlabelled = replace(outputs, examples=[replace(example, answers=None) for example in outputs.examples])
    assert task.submission(unlabelled, options, "test") == files
    assert {entry["label"] for entry in task.predictions(unlabelled, options)} == {None}


def test_score_is_that_of_the_texts() -> None:
    outputs = make_outputs(3)
    texts = [entry["prediction"] for entry in SQUAD2.predictions(outputs, DecodeOptions())]
    right = [replace(example, answers=((text, 0),) if text else ())
             for example, text in zip(outputs.examples, texts, strict=True)]
    scores = SQUAD2.score(replace(outputs, examples=right), DecodeOptions())
    assert tuple(scores) == SQUAD2.metric_names and scores["f1"] == scores["exact_match"] == 1.0
    assert tuple(CMRC.score(outputs, DecodeOptions())) == CMRC.metric_names
