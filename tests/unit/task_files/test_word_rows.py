# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""CSV files with a tagged word a row, and their faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.task_files.problems import Problems
from src.tasks import get_task
from tests.refusals import refused

NER = get_task("ner")
SENTENCES = [(["Smith", ",", "of", '"EU"'], ("B-PER", "O", "O", "B-ORG")), (["Go", "!"], ("O", "O"))]


def write(folder: Path, text: str, name: str = "train.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(("text", "understood"), [
    ('Sentence #,Word,POS,Tag\nSentence: 1,Smith,NNP,B-PER\n,",",X,O\n,of,IN,O\n,"""EU""",NNP,B-ORG\n'
     "Sentence: 2,Go,VB,O\n,!,.,O\n", "sentences = Sentence #, words = Word, tags = Tag; not used: POS"),
    (',sentence_id;words;labels\n'.replace(",", "") + '0;Smith;B-PER\n0;,;O\n0;of;O\n0;"""EU""";B-ORG\n1;Go;O\n1;!;O\n',
     "CSV, separated by semicolons, a word a row, utf-8"),
])
def test_sentences_of_words(text: str, understood: str, tmp_path: Path) -> None:
    problems = Problems()
    examples = list(NER.read(write(tmp_path, text), "train", problems))
    assert [(example.words, example.tags) for example in examples] == SENTENCES
    assert [example.line for example in examples] == [2, 6]
    assert any(understood in line for line in problems.understood.lines())
    assert NER.resolve(tmp_path).labels == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")


def test_a_test_set_may_have_words_alone(tmp_path: Path) -> None:
    file = write(tmp_path, "sentence_id,word\n7,a\n7,b\n8,c\n", "test.csv")
    assert [(example.words, example.tags) for example in NER.read(tmp_path, "test")] == [(["a", "b"], None),
                                                                                      (["c"], None)]
    refused("there are no labels", lambda: list(NER.read(file, "train")))


def test_tabs_without_a_column_of_sentences_are_conll(tmp_path: Path) -> None:
    file = write(tmp_path, "word\ttag\nEU\tB-ORG\nGo\tO\n\nGo\tO\n!\tO\n")
    assert [example.words for example in NER.read(file, "train")] == [["EU", "Go"], ["Go", "!"]]


@pytest.mark.parametrize(("text", "message"), [
    ("word,tag\nEU,B-ORG\nGo,O\n", "no column says which sentence"),
    ("sentence,word,tag,ner\n1,EU,B-ORG,O\n1,a,O,O\n", "the columns 'tag', 'ner' may hold the tags"),
    ("sentence,word,tag\n,EU,B-ORG\n1,a,O\n", "csv:2: the first word belongs to no sentence"),
    ("sentence,word,tag\n1,EU,B-ORG\n2,a,O\n3,b,O\n", "each row has another 'sentence'"),
    ("sentence,word,tag\n1,EU,B-ORG\n1,,O\n", "csv:3: there is no word in the column 'word'"),
    ("sentence,word,tag\n1,EU,B-ORG\n1,a\n", "csv:3: 2 columns; expected 3"),
    ("sentence,word,tag\n1,EU,B-ORG\n1,a,O\n2,b,O\n2,c,O\n1,d,O\n", "csv:6: the sentence '1' comes again"),
    ("sentence,word,tag\n1,EU,B-ORG\n1,a,x y\n", "csv:3: .*tag"),
])
def test_faults(text: str, message: str, tmp_path: Path) -> None:
    refused(message, lambda: list(NER.read(write(tmp_path, text), "train")))
