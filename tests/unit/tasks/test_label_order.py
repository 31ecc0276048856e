# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Labels found in files take the order of a model's; files with other classes than the model's are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.config import HeadConfig
from src.tasks import get_task
from src.tasks.label_order import LabelModel, resolve_labels
from tests.refusals import refused

NAMES = ("投诉", "咨询", "表扬")


def write(folder: Path, labels: str, split: str = "train", task: str = "tsv") -> Path:
    if task == "ner":
        lines = [line for tag in labels.split() for line in (f"word {tag}", "")]
        (folder / f"{split}.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        text = "premise\thypothesis\tlabel" if task == "RTE" else "text\tlabel"
        row = "a\tb" if task == "RTE" else "a text"
        rows = [f"{row}\t{label}" for label in labels.split()]
        (folder / f"{split}.tsv").write_text("\n".join([text, *rows]) + "\n", encoding="utf-8")
    return folder


def model(*labels: str, kind: str = "classification", required: bool = True) -> LabelModel:
    return LabelModel(HeadConfig(kind, labels), "model M", required)


@pytest.mark.parametrize("task, found, given, labels", [
    ("tsv", "咨询 投诉 表扬", model(*NAMES), NAMES),
    ("tsv", "1 0 2", model("2", "0", "1"), ("2", "0", "1")),
    ("tsv", "咨询 投诉", model(*NAMES), NAMES),  # one class has no training row
    ("tsv", "b a", None, ("a", "b")),
    ("tsv", "b a", model("b", "a", required=False), ("b", "a")),
    ("tsv", "b a", model("x", "a", required=False), ("a", "b")),  # a new head is trained on them
    ("tsv", "b a", model("a", "b", "c", required=False), ("a", "b")),
    ("tsv", "b a", LabelModel(HeadConfig(), "model M", False), ("a", "b")),
    ("SST-2", "0 1", model("1", "0"), ("1", "0")),
    ("ner", "B-A B-B O", model("O", "B-B", "I-B", "B-A", "I-A", kind="tagging"), ("O", "B-B", "I-B", "B-A", "I-A")),
    ("ner", "B-A O", model("B-B", "O", "I-B", "B-A", "I-A", kind="tagging"), ("B-B", "O", "I-B", "B-A", "I-A")),
])
def test_labels(tmp_path, task, found, given, labels):
    folder, said = write(tmp_path, found, task=task), []
    if task == "SST-2":
        (folder / "train.tsv").write_text("sentence\tlabel\na\t0\nb\t1\n", encoding="utf-8")
    resolved = resolve_labels(get_task(task), folder, given, said.append)
    assert resolved.labels == labels
    is_ordered = given is not None and labels == given.head.labels
    assert any("in the order of model M" in line for line in said) == is_ordered
    lacking = [label for label in labels if label not in resolve_labels(get_task(task), folder).labels]
    assert any("no training row" in line and ", ".join(lacking) in line for line in said) == bool(lacking)
    # The examples are read with them.
    assert sum(1 for _ in resolved.read(folder, "train")) >= 2


@pytest.mark.parametrize("task, found, given, message", [
    ("tsv", "投诉 咨询 建议", model(*NAMES), "predicts 投诉, 咨询, 表扬; .*咨询, 建议, 投诉; the model has no 建议"),
    ("tsv", "Positive Negative", model("negative", "positive"), "spelling only.*--labels Negative,Positive"),
    ("tsv", "a b", model("LABEL_0", "LABEL_1"), "no names of their own"),
    ("tsv", "a b", LabelModel(HeadConfig(), "model M"), "model M has no head, but task tsv needs classification"),
    ("tsv", "a b", LabelModel(HeadConfig("regression"), "model M"), "a regression head"),
    ("SST-2", "0 1", model("0", "1", "2"), "labels of task SST-2 in .* are 0, 1; the two must be the same"),
    ("ner", "B-A O", model("O", "B-A", "I-A", "E-A", "S-A", kind="tagging"), "IOB2|also has E-A, S-A"),
    ("ner", "B-A O", model("O", "B-a", "I-a", kind="tagging"), "spelling only.*--labels O,B-A,I-A"),
    ("ner", "B-A O", model("O", "B-C", "I-C", kind="tagging"), "the model has no B-A, I-A"),
])
def test_other_classes_are_refused(tmp_path, task, found, given, message):
    folder = write(tmp_path, found, task=task)
    if task == "SST-2":
        (folder / "train.tsv").write_text("sentence\tlabel\na\t0\nb\t1\n", encoding="utf-8")
    refused(message, resolve_labels, get_task(task), folder, given)


def test_a_test_set_alone_takes_the_labels_of_the_model(tmp_path):
    (tmp_path / "test.tsv").write_text("text\na text\n", encoding="utf-8")
    assert resolve_labels(get_task("tsv"), tmp_path, model(*NAMES)).labels == NAMES
    assert resolve_labels(get_task("tsv-regression"), write(tmp_path, "1 2"), model(*NAMES)).labels == ()
