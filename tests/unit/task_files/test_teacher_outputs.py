# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Objects of a file of teacher outputs: as logits, against NumPy; and what is no such object."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from src.task_files.teacher_outputs import FLOOR, class_logits, read_outputs, score_of, scores_of, write_outputs
from tests.refusals import refused

LABELS = ("a", "b", "c")


@pytest.mark.parametrize(("form", "value", "expected"), [
    ("logits", [1.5, -2, 0], [1.5, -2, 0]),
    ("logits", {"c": 3, "a": 1, "b": 2}, [1, 2, 3]),
    ("probabilities", [0.5, 0.5, 0], np.log([0.5, 0.5, FLOOR])),
    ("probabilities", {"b": 1.0}, np.log([FLOOR, 1, FLOOR])),
    # What is missing shares the rest.
    ("top_logprobs", {"b": np.log(0.8)}, np.log([0.1, 0.8, 0.1])),
    ("top_logprobs", {"b": np.log(0.6), "c": np.log(0.4), "a": None}, np.log([FLOOR, 0.6, 0.4])),
    # All labels are there: the rest is that of other answers.
    ("top_logprobs", {"a": np.log(0.1), "b": np.log(0.3), "c": np.log(0.1)}, np.log([0.2, 0.6, 0.2])),
    ("top_logprobs", {"a": -np.inf, "b": 0.0, "c": -1e9}, np.log([FLOOR, 1, FLOOR]))])
def test_classes(form, value, expected):
    logits = class_logits(form, value, LABELS)
    assert logits.dtype == np.float32
    assert np.abs(logits - np.asarray(expected)).max() < 1e-6


@pytest.mark.parametrize(("form", "value", "message"), [
    ("probabilities", [0.5, 0.6, 0], "sum to 1.1"), ("probabilities", {"a": 0.9}, "sum to 0.9"),
    ("probabilities", [1.2, -0.2, 0], "the least is -0.2"), ("logits", [1, 2], "2 numbers; the rows have 3 classes"),
    ("logits", {"a": 1, "b": 2}, "logits lacks c"), ("logits", {"a": 1, "b": 2, "d": 3}, "unknown label 'd'"),
    ("logits", "1 2 3", "expected a list in the order of the labels"), ("logits", [1, 2, True], "has true; expected a"),
    ("logits", [1, 2, float("inf")], "expected a finite number"), ("score", 1.0, "these rows have classes"),
    ("top_logprobs", {"a": -0.1, "b": -0.1}, "sum to 1.8"), ("top_logprobs", {"A ": -0.1}, "unknown label 'A '"),
    ("top_logprobs", {}, "names no label"), ("top_logprobs", [["a", 1]], "an object, label -> log-probability")])
def test_what_is_no_distribution(form, value, message):
    refused(message, class_logits, form, value, LABELS)


def test_scores():
    assert score_of("score", 3) == 3.0 and score_of("logits", [0.5]) == 0.5
    assert scores_of("scores", [1, 0.5], 2) == [1.0, 0.5]
    refused("these rows have scores", score_of, "logits", [1, 2])
    refused("the query has 3 documents", scores_of, "scores", [1, 2], 3)
    refused("score has null", score_of, "score", None)


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_what_was_written_is_read(tmp_path: Path, name: str):
    entries = [{"position": 0, "id": "x", "logits": {"a": float(np.float32(0.1)), "b": -1e-30}},
               {"position": 2, "id": "y", "logits": {"a": 1.5, "b": 2.0}}]
    write_outputs(tmp_path / name, entries)
    found = list(read_outputs(tmp_path / name))
    assert [(each.id, each.position, each.form) for each in found] == [("x", 0, "logits"), ("y", 2, "logits")]
    assert [each.value for each in found] == [entry["logits"] for entry in entries]


@pytest.mark.parametrize(("line", "message"), [
    ({"id": 1.5, "logits": [1]}, "id is 1.5; expected a text"), ({"position": -1, "score": 1}, "position is -1"),
    ({"id": 1, "logits": [1], "score": 1}, "logits and score; expected one"), ({"id": 1, "probs": [1]}, "keys are id"),
    ([1], "expected an object")])
def test_what_is_no_object(tmp_path: Path, line, message):
    file = tmp_path / "out.jsonl"
    file.write_text(json.dumps({"id": 1, "score": 2}) + "\n" + json.dumps(line) + "\n")
    refused(f"out.jsonl:2: .*{message}", lambda: list(read_outputs(file)))


def test_other_files_are_refused(tmp_path: Path):
    refused("no such file", lambda: list(read_outputs(tmp_path / "out.jsonl")))
    (tmp_path / "out.csv").write_text("id,score\n1,2\n")
    refused("expected JSON lines or Parquet", lambda: list(read_outputs(tmp_path / "out.csv")))
