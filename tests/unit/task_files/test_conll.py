# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""CoNLL files as they come: columns and their order, indices, comments, headers, separators, line ends, schemes."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.task_files.problems import Problems
from src.tasks import get_task
from tests.refusals import refused

NER = get_task("ner")
RIGHT = [("Alice loved Paris", ("B-PER", "O", "B-LOC")), ("it was good", ("O", "O", "O"))]
INDEXED = "1 Alice I-PER\n2 loved O\n3 Paris I-LOC\n\n1 it O\n2 was O\n3 good O\n"
POS = "Alice NNP B-NP B-PER\nloved VBD B-VP O\nParis NNP B-NP B-LOC\n\n" \
      "it PRP B-NP O\nwas VBD B-VP O\ngood JJ B-ADJP O\n"
PLAIN = "Alice B-PER\nloved O\nParis B-LOC\n\nit O\nwas O\ngood O\n"


def read(folder: Path, text: str, split: str = "train", policy: str = "fail") -> tuple[list, Problems]:
    (folder / f"{split}.txt").write_bytes(text.encode())
    problems = Problems(policy)
    task = NER.resolve(folder, ("O", "B-LOC", "I-LOC", "B-PER", "I-PER") if split == "test" else ())
    return [(example.text, example.tags) for example in task.read(folder, split, problems)], problems


def swapped(text: str) -> str:
    return "\n".join(" ".join(reversed(line.split())) for line in text.split("\n"))


@pytest.mark.parametrize("text", [
    INDEXED, INDEXED.replace("1 ", "0 ").replace("2 ", "1 ").replace("3 ", "2 "), INDEXED.replace(" ", "\t"),
    INDEXED.replace("1 it", "4 it").replace("2 was", "5 was").replace("3 good", "6 good"),
    "# newdoc id = 7\n# text = Alice O\n" + INDEXED.replace("\n\n", "\n\n# sent_id = 2\n"),
    INDEXED.replace("2 loved", "1-2 Aliceloved _\n2 loved").replace("3 good", "2.1 _ _\n3 good"),
    "\n".join(f"d {line} x y" if line else "\n# text = O B-PER" for line in swapped(PLAIN).split("\n")),
    "1\t-DOCSTART-\tO\n\n" + INDEXED.replace(" ", "\t"), "-DOCSTART- -X- O O\n\n" + POS, POS, swapped(PLAIN),
    PLAIN.replace("\n", "\r\n"), PLAIN.replace("\n", "\r"), "\ufeff" + PLAIN.replace(" ", "\t"),
    PLAIN.replace(" ", "  "), PLAIN.replace(" ", "\u3000"), PLAIN.replace("\n", " \n"),
    PLAIN.replace("O\n", "O\u3000\n"),
    PLAIN.replace(" ", " \t "),
    PLAIN.replace(" ", "\t").replace("\n", "\t\n").replace("\t\n\t\n", "\t\n\n"), PLAIN.replace(" ", "\t\t"),
    PLAIN.replace("\n\n", "\n   \n\t\n"), "\n\n" + PLAIN, "word tag\n" + PLAIN,
    "Token\tNER\n\n" + PLAIN.replace(" ", "\t"),
    "# global.columns = FORM NER\n" + PLAIN, "tag word\n" + swapped(PLAIN),
    "\n".join(f"s{1 + (place > 3)} {line}" if line else "" for place, line in enumerate(PLAIN.split("\n"))),
    "\n".join(f"{1 + (place > 3)} {line}" if line else "" for place, line in enumerate(INDEXED.split("\n"))),
    "\n".join(f"{line} {place % 4}" if line else "" for place, line in enumerate(PLAIN.split("\n"))),
    "\n".join(f"NNP {line}" if line else "" for line in PLAIN.split("\n")),
    "\n".join(f"{line} 0.5" if line else "" for line in PLAIN.split("\n")),
    "\n".join(f"{line} O" if line else "" for line in PLAIN.split("\n")),
    PLAIN.replace("B-", "S-"), PLAIN.replace("B-", "U-"), PLAIN.replace("B-", "I-"),
])
def test_read_as_it_is_meant(text: str, tmp_path: Path) -> None:
    found, problems = read(tmp_path, text)
    assert found == RIGHT and not problems.number


@pytest.mark.parametrize(("text", "message"), [
    ("5 Alice B-PER\n9 loved O\n\n3 it O\n7 was O\n", "column 1 holds numbers that do not count the words of"),
    ("1 B-PER\n2 O\n\n1 O\n2 O\n", "tags, and a count of words, but no words"),
    ("B-PER\nO\n", "there are tags but no words"),
    ("Alice B-PER B-ORG\nloved O O\n", "columns 2 and 3 hold entity tags"),
    ("Alice B-NP PER-B\nloved B-VP O\nit B-NP X\n", "column 2 holds phrases .*, and the last column no tags"),
    ("O Alice B-NP\nO loved B-VP\n", "columns 1 and 3 hold tags, O alone and phrases"),
    ("NNP 1 B-PER\nVB 9 O\n", "cannot tell which of the columns 1 .'NNP'., 2 .'1'. holds the words"),
    ("t1 Alice B-PER\nt2 loved O\n\nt1 it O\nt2 was O\n", "column 1, such as 't1', has a digit in each line"),
    ("科0 O\n技1 O\n\n李0 B-PER\n", "such as '科0', have their place in a word behind them"),
    ("# x = y\nid\tword\ttag\n1: a\tAlice\tB-PER\n\tloved\tO\n1: b\tit\tO\n\twas\tO\n",
     "column 1 seems to number the sentences .'1: a', '1: b'.*put one behind each sentence"),
    ("李四去北京开会\n张三在上海工作\n", "a line such as '李四去北京开会' is a whole sentence"),
    ("Alice it\tB-PER O\nit was\tO\n", "unknown tag 'B-PER O'"), ("Alice\tB- PER\nloved\tO\n", "mean B-PER?"),
    ("Alice B\nloved O\n", "unknown tag 'B'"), ("Alice B_PER\nloved O\n", "unknown tag 'B_PER'.*mean B-PER?"),
    ("Alice b-PER\nloved O\n", "unknown tag 'b-PER'.*mean B-PER?"), ("Alice PER-B\nloved O\n", "mean B-PER?"),
    ("Alice B-PER\nloved 0\n", ":2: unknown tag '0'.*mean O?"),
    ("Alice\tB-PER\nloved\t\n", ":2: there is no tag"), ("Alice B-PER\nloved\n", ":2: 1 columns; expected 2"),
    ("#hash\nloved O\nAlice B-PER\n", ":1: 1 columns; expected 2"), ("# \tO\nAlice\tB-PER\n#\nx\tO", ":3: 1 columns"),
    (INDEXED.replace("2 loved", "4 loved") + "\n" + INDEXED, ":2: column 1 counts the words of .*, but is '4'"),
    ("Alice B-PER\nloved O\n\nParis S-LOC\nx O\n\nAcme B-ORG\n", ":4: tag 'S-LOC' is not of IOB2"),
    ("a B-PER\nb E-PER\n\nc S-LOC\n\nd U-LOC\n", ":6: tag 'U-LOC' is not of IOBES .B, I, E, S and O."),
    ("a I-PER\nb I-PER\n\nc I-LOC\n\nd B-LOC\n", ":6: tag 'B-LOC' begins a sentence; expected I-LOC"),
    ("a B-PER\nb M-PER\nc O\n", ":2: tag 'M-PER' is not of IOB2"),
    ("Alice B-PER\nloved O\n\u3000\nit O\n", ":3: 1 columns; expected 2"),
    ("word tag x\nAlice B-PER\nit O\n", "names 3 columns"),
    ("Alice\tB-PER\nit\rO\tO\nit\tO\n", ":2: 3 columns; expected 2|carriage return"),
    ("Alice\tB-PER\ni\rt\tO\n", ":2: a carriage return within the line"),
])
def test_refused_with_the_reason(text: str, message: str, tmp_path: Path) -> None:
    refused(f"train.txt.*{message}", read, tmp_path, text)


@pytest.mark.parametrize(("text", "words"), [
    ("Alice\nloved\n\nit\n", ["Alice loved", "it"]), ("1 Alice\n2 loved\n\n1 it\n", ["Alice loved", "it"]),
    ("#\nO\n1\n\n# text = x\nit\n", ["# O 1", "it"]), ("\u3000\n中\n", ["\u3000中"]),
])
def test_without_tags(text: str, words: list[str], tmp_path: Path) -> None:
    found, _ = read(tmp_path, text, "test")
    assert [sentence for sentence, _ in found] == words and all(tags is None for _, tags in found)


def test_what_was_understood(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "# text = x\n" + INDEXED)
    said = " ".join(problems.understood.lines())
    for part in ("words = column 2 ('Alice'), tags = column 3 ('I-PER')", "column 1 (counts the words)", "1 comments",
                 "tags are IOB1 (I, O)", "classes: LOC 1, PER 1", "2 sentences of 6 words, 2 entities"):
        assert part in said
    _, problems = read(tmp_path, POS)
    assert problems.understood.ignored == ["column 2 (such as 'NNP')", "column 3 (tags, such as 'B-NP')"]


def test_one_fault_costs_one_sentence(tmp_path: Path) -> None:
    found, problems = read(tmp_path, PLAIN + "\nx B-PER\ny Q-PER\n\nz\n\n" + PLAIN, policy="skip")
    assert found == RIGHT * 2 and problems.number == 2
    refused("has no entity; 1 faulty rows: .*unknown tag 'Q-PER'; expected O, B-TYPE or I-TYPE$", read, tmp_path,
            "a\tQ-PER\nb\tO\n", policy="skip")
