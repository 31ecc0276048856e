# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lists out of questions and paragraphs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prepare_data import main
from tests.refusals import refused


def write_squad(file: Path, articles: int) -> None:
    """Three paragraphs an article, two questions a paragraph, of which one has no answer in the first."""
    data = [{"paragraphs": [{"context": f"text {article} {paragraph}", "qas": [
        {"id": f"{article}-{paragraph}-{number}", "question": f"ask {article} {paragraph} {number}",
         "is_impossible": paragraph == number == 0,
         "answers": [] if paragraph == number == 0 else [{"text": "text", "answer_start": 0}]} for number in (0, 1)]}
        for paragraph in range(3)]} for article in range(articles)]
    file.write_text(json.dumps({"data": data}), encoding="utf-8")


def test_lists_are_made_of_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_squad(tmp_path / "squad.json", 10)
    options = ["lists", "--input", str(tmp_path / "squad.json"), "--candidates", "5"]
    for name in ("one", "other"):
        main([*options, "--output_dir", str(tmp_path / name)])
    main([*options, "--output_dir", str(tmp_path / "third"), "--seed", "7"])
    main([*options, "--output_dir", str(tmp_path / "short"), "--train_candidates", "2"])
    said = capsys.readouterr().out
    assert "short/train.jsonl: 40 questions, 2 candidates each" in said
    for split in ("dev", "test"):
        assert (tmp_path / f"short/{split}.jsonl").read_bytes() == (tmp_path / f"one/{split}.jsonl").read_bytes()
    assert "one/train.jsonl: 40 questions, 5 candidates each, of 24 paragraphs in 8 articles (seed 42)" in said
    assert "one/dev.jsonl: 5 questions, 3 candidates" in said and "left out: 10 questions that" in said
    articles, places = [], []
    for split in ("train", "dev", "test"):
        text = (tmp_path / "one" / f"{split}.jsonl").read_text(encoding="utf-8")
        assert text == (tmp_path / "other" / f"{split}.jsonl").read_text(encoding="utf-8")
        assert text != (tmp_path / "third" / f"{split}.jsonl").read_text(encoding="utf-8")
        seen = set()
        for each in map(json.loads, text.splitlines()):
            _, article, paragraph, _ = each["query"].split()
            assert len(set(each["documents"])) == len(each["documents"]) and sum(each["relevance"]) == 1
            assert each["documents"][each["relevance"].index(1)] == f"text {article} {paragraph}"
            # Those of the same article come first.
            assert {f"text {article} {number}" for number in range(3)} <= set(each["documents"])
            seen |= {document.split()[1] for document in each["documents"]}
            places.append(each["relevance"].index(1))
        articles.append(seen)
    assert not (articles[0] & articles[1] or articles[0] & articles[2] or articles[1] & articles[2])
    assert len(set(places)) == 5


def test_what_gives_no_lists_is_refused(tmp_path: Path) -> None:
    write_squad(tmp_path / "squad.json", 2)
    options = ["lists", "--output_dir", str(tmp_path / "lists")]
    refused("--input is not set", main, options)
    options += ["--input", str(tmp_path / "squad.json")]
    refused(r"2 article\(s\) with answered questions, too few for the splits train, dev, test", main, options)
    refused("train_candidates is 1", main, [*options, "--train_candidates", "1"])
    refused("leave no training lists", main, [*options, "--dev_share", "0.6", "--test_share", "0.4"])
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/note").write_text("")
    refused("lists exists and is not empty", main, options)
    (tmp_path / "broken.json").write_text("{")
    refused("broken.json:1: ", main, ["lists", "--output_dir", str(tmp_path / "o"), "--input",
                                      str(tmp_path / "broken.json")])
