# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Questions on paragraphs in SQuAD's JSON (Rajpurkar et al., arXiv:1606.05250), which CMRC2018 and XQuAD share.

    {"data": [{"paragraphs": [{"context": "...", "qas": [
        {"id": "7", "question": "...", "answers": [{"text": "...", "answer_start": 12}], "is_impossible": false}]}]}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.common.errors import UserError, one_line
from src.common.files import read_text
from src.common.untrusted import parse_json
from src.tasks.features import Problems

Answer = tuple[str, int]
"""An answer's text, and where it begins in the context, in characters."""


@dataclass(frozen=True, slots=True)
class SpanExample:
    """A question on a text.

    Attributes:
        id: of the question; submissions name it.
        answers: all that count as right; () where the text does not answer the question, None in an unlabelled set.
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...] | None

    @property
    def golds(self) -> list[str]:
        """The texts of the answers."""
        return [text for text, _ in self.answers or ()]

    def place(self) -> tuple[int, int] | None:
        """Begin and end of the first answer that stands where its start says; None where there is none."""
        return next(((start, start + len(text)) for text, start in self.answers or ()
                     if text and stands_at(self.context, text, start)), None)


def stands_at(context: str, text: str, start: int) -> bool:
    """Whether a text begins at a character of the context."""
    return start >= 0 and context.startswith(text, start)


def read_questions(file: Path, is_training: bool, may_be_unlabelled: bool, has_impossible: bool,
                   problems: Problems) -> Iterator[SpanExample]:
    """Yield the questions of a file in their order.

    In a training file, a question is faulty when no answer stands where its start says. Its first answer that occurs
    in the context once only is then taken from there; where there is none the question is left out. Both count as a
    problem. Elsewhere every answer is kept as it is, since texts alone are scored. Of an unlabelled test set "answers"
    may be missing.

    Raises:
        UserError: not readable, not of this form, or without questions.
    """
    seen: set[str] = set()
    unlabelled: bool | None = None
    for place, question, context in _questions(file):
        example = _example(place, question, context, may_be_unlabelled, has_impossible)
        if example.id in seen:
            problems.report(f"{place}: the id {example.id!r} is that of an earlier question")
            continue
        seen.add(example.id)
        if unlabelled is None:
            unlabelled = example.answers is None
        if unlabelled is not (example.answers is None):
            raise UserError(f"{place}: the question has {'answers' if unlabelled else 'no answers'}, unlike those "
                            "before it; a file is labelled as a whole or not at all")
        if example.answers == () and not has_impossible:
            problems.report(f"{place}: the question has no answer; tasks with such questions are SQuAD2's kind")
        elif not is_training or not example.answers or example.place():
            yield example
        else:
            moved = _moved(place, example, problems)
            if moved:
                yield moved
    if not seen:
        raise UserError(f"{file} has no questions; expected SQuAD's JSON: data, paragraphs, qas")


def _moved(place: str, example: SpanExample, problems: Problems) -> SpanExample | None:
    """Report a question whose answers stand elsewhere; return it with the answer whose place is certain, if any."""
    (text, start), *_ = example.answers or ()
    there = example.context[max(start, 0):][:len(text)]
    once = next(((gold, example.context.find(gold)) for gold in example.golds
                 if gold and example.context.count(gold) == 1), None)
    taken = f"; it stands at {once[1]} only, and --bad_rows skip takes it from there" if once else ""
    problems.report(f"{place}: the answer {_shown(text)} does not begin at character {start} of the context, where "
                    f"{_shown(there)} stands{taken}")
    return SpanExample(example.id, example.question, example.context, (once,)) if once else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _questions(file: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield where a question stands, for messages, the question, and its context."""
    for number, article in enumerate(_field(_load(file), "data", str(file), list), 1):
        in_article = f"{file}: article {number}"
        for paragraph_number, paragraph in enumerate(_field(article, "paragraphs", in_article, list), 1):
            in_paragraph = f"{in_article}, paragraph {paragraph_number}"
            context = _field(paragraph, "context", in_paragraph)
            for question_number, question in enumerate(_field(paragraph, "qas", in_paragraph, list), 1):
                yield f"{in_paragraph}, question {question_number}", question, context


def _load(file: Path) -> Any:
    try:
        return parse_json(read_text(file))
    except ValueError as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        reason = one_line(getattr(error, "msg", error))
        raise UserError(f"{file}{line}: not valid JSON ({reason}); the file is damaged, or not SQuAD's "
                        "JSON") from error


def _example(place: str, question: Any, context: str, may_be_unlabelled: bool, has_impossible: bool) -> SpanExample:
    if not isinstance(question, dict) or not isinstance(question.get("id"), str | int):
        raise UserError(f'{place}: no "id"; expected id, question and answers')
    name, text = str(question["id"]).strip(), _field(question, "question", place)
    answers = _answers(question, place)
    if has_impossible and question.get("is_impossible"):
        # SQuAD2 gives such questions plausible answers under another name; answers of its own would contradict.
        answers = ()
    elif may_be_unlabelled and not answers:
        answers = None
    if answers is None and not may_be_unlabelled:
        raise UserError(f'{place}: no "answers"; only a test set may leave them out')
    return SpanExample(name, text, context, answers)


def _answers(question: dict[str, Any], place: str) -> tuple[Answer, ...] | None:
    """The answers, each once, in the order of the file; None where the question has no such field."""
    if question.get("answers") is None:
        return None
    found = []
    for answer in _field(question, "answers", place, list):
        text, start = _field(answer, "text", place), answer.get("answer_start")
        if type(start) is not int:
            raise UserError(f"{place}: the answer_start of {text!r} is {start!r}; expected a whole number")
        found.append((text, start))
    return tuple(dict.fromkeys(found))


def _field(values: Any, name: str, place: str, kind: type = str) -> Any:
    """A text, or a list, of an object."""
    found = values.get(name) if isinstance(values, dict) else None
    if not isinstance(found, kind):
        raise UserError(f'{place}: no {"text" if kind is str else "list"} "{name}"; expected SQuAD\'s JSON: data of '
                        "paragraphs of context and qas of id, question and answers of text and answer_start")
    return found
