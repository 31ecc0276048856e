# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Well-formed but odd files of questions, whose right reading is known: they are read right or refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from src.common.errors import UserError
from src.task_files.problems import Problems
from src.tasks import get_task
from tests.fuzz.mutations import fuzz, seeds

CONTEXTS = ("Alice lived in Paris. She won the game in Berlin. Paris was good.", "爱丽丝住在巴黎。她在柏林赢了。",
            "a\r\nb \U0001f600 c d", "x")
Question = tuple[str, str, str, tuple[tuple[str, int], ...]]
"""id, question, context, answers."""


def questions(rng: random.Random, may_lack: bool) -> list[Question]:
    made: list[Question] = []
    for number in range(rng.randint(1, 5)):
        context = rng.choice(CONTEXTS)
        answers = []
        for _ in range(rng.choice((0, 1, 1, 2)) if may_lack else rng.randint(1, 2)):
            begin = rng.randrange(len(context))
            text = context[begin: begin + rng.randint(1, 6)].strip() or context[0]
            answers.append((text, context.find(text)))
        made.append((rng.choice(("q", "")) + str(number), rng.choice(("Who?", "谁？")), context,
                     tuple(dict.fromkeys(answers))))
    return made


def file_of(rng: random.Random, task: str) -> tuple[str, list[Question], set[str], bool]:
    """Return a file's text, its questions, the ids of faulty ones, and whether it must be read."""
    has_impossible = task == "SQuAD2"
    made = questions(rng, has_impossible)
    form = rng.choice(("squad", "paragraphs", "flat", "articles", "cmrc"))
    fault = rng.choice(("none", "none", "none", "string", "number", "quoted start", "off by one", "same id",
                        "no answer", "contradiction"))
    chosen = rng.randrange(len(made))
    faulty: set[str] = set()
    must = fault == "none"
    records = []
    for place, (name, question, context, answers) in enumerate(made):
        is_here = place == chosen
        texts, starts = [text for text, _ in answers], [start for _, start in answers]
        number = int(name) if name.isdigit() and rng.random() < 0.5 else name
        entry: dict[str, Any] = {"id": number, "question": question}
        listed: list[dict[str, Any]] = [{"text": text, "answer_start": start} for text, start in answers]
        if has_impossible and (form != "flat" or rng.random() < 0.5):
            entry["is_impossible"] = not answers
        elif rng.random() < 0.1 and answers:
            entry["is_impossible"] = False
        if is_here and fault in ("string", "number"):
            value = not answers
            entry["is_impossible"] = str(value).lower() if fault == "string" else int(value)
            faulty.add(name)
        if is_here and fault == "quoted start" and listed:
            listed[0]["answer_start"] = str(listed[0]["answer_start"])
            starts[0] = str(starts[0])
            faulty.add(name)
        if is_here and fault == "off by one" and len(listed) == 1 and len(set(context)) > 1:
            listed[0]["answer_start"] += 1
            starts[0] += 1
            faulty.add(name)
        if is_here and fault == "same id" and place:
            entry["id"] = made[0][0]
            faulty.add(name)
        if is_here and fault == "no answer" and not has_impossible:
            listed, texts, starts = [], [], []
            faulty.add(name)
        if is_here and fault == "contradiction" and answers:
            entry["is_impossible"] = True
            faulty.add(name)
        entry["answers"] = {"text": texts, "answer_start": starts} if form == "flat" and rng.random() < 0.7 else listed
        if form == "cmrc":
            entry = {"query_id": entry.pop("id"), "query_text": entry.pop("question"), **entry}
            if fault not in ("quoted start", "off by one"):
                entry["answers"] = texts
                must = must and all(context.count(text) == 1 for text in texts)
                if texts and all(context.count(text) > 1 for text in texts):
                    faulty.add(name)
            records.append({"context_id": str(place), "context_text": context, "qas": [entry], "title": "t"})
        elif form == "flat":
            records.append({"title": "t", "context": context, **entry})
        else:
            records.append({"context": context, "id": f"p{place}", "qas": [entry]})
    if form in ("squad", "articles"):
        records = [{"title": "t", "paragraphs": [record]} for record in records]
    indent = rng.choice((None, 1))
    if form == "squad" or rng.random() < 0.1:
        text = json.dumps({"version": "1.1", "data": records}, ensure_ascii=rng.random() < 0.5, indent=indent)
    elif rng.random() < 0.5:
        text = json.dumps(records, ensure_ascii=False, indent=indent)
    else:
        text = "\n".join(json.dumps(record, ensure_ascii=False, indent=indent) for record in records)
    text = text.replace("\n", rng.choice(("\n", "\r\n")))
    return rng.choice(("", "\ufeff")) + text + rng.choice(("", "\n")), made, faulty, must and not faulty


@fuzz(150)
@given(seed=seeds(), policy=st.sampled_from(("fail", "skip")), name=st.sampled_from(("SQuAD", "SQuAD2")))
def test_question_files(tmp_path_factory, seed: int, policy: str, name: str) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    text, made, faulty, must_be_read = file_of(random.Random(seed), name)
    (folder / "train.json").write_bytes(text.encode())
    problems = Problems(policy)
    try:
        read = list(get_task(name).read(folder, "train", problems))
    except UserError as error:
        assert not must_be_read, error
        return
    expected = {number: (question, context, answers) for number, question, context, answers in made}
    assert policy == "skip" or not faulty
    assert len(read) + len(faulty) >= len(made) and {example.id for example in read} >= set(expected) - faulty
    for example in read:
        question, context, answers = expected[example.id]
        assert (example.question, example.context) == (question, context)
        if example.id in faulty:
            # A place that is certain may be corrected.
            begin, end = example.place() or (0, 0)
            assert end and context.count(context[begin:end]) == 1 and context[begin:end] in dict(answers)
        else:
            # Where an answer stands that has no answer_start is known if it stands there once.
            assert example.golds == [text for text, _ in answers]
            assert all(given in answers or (given[1] == -1 and context.count(given[0]) > 1)
                       for given in example.answers or ())
