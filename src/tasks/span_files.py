# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Questions on paragraphs in SQuAD's JSON (Rajpurkar et al., arXiv:1606.05250), which CMRC2018, DRCD and XQuAD share.

    {"data": [{"paragraphs": [{"context": "...", "qas": [
        {"id": "7", "question": "...", "answers": [{"text": "...", "answer_start": 12}], "is_impossible": false}]}]}]}

The objects of "data" (articles), paragraphs, or single questions may also stand in a list, one a line, or in Parquet
and Arrow; questions with one answer each also in a CSV with the columns id, context, question, answer, answer_start:

    {"id": "7", "context": "...", "question": "...", "answers": {"text": ["..."], "answer_start": [12]}}    Hugging Face
    {"context_text": "...", "qas": [{"query_id": "7", "query_text": "...", "answers": ["..."]}]}            CMRC2018
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.common.files import read_text
from src.task_files.columnar import columnar_kind, read_records
from src.task_files.forms import form_of
from src.task_files.json_records import JSON_FILE, is_whole, read_values, short
from src.task_files.problems import Problems
from src.task_files.tables import read_cells

Answer = tuple[str, int]
"""An answer's text, and where it begins in the context, in characters; NOWHERE where the file does not say."""

NOWHERE = -1
ANSWER = ("answers", "answer", "answer_text")
OTHER_NAMES = {"context_text": "context", "query_text": "question", "query_id": "id"}


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
        UserError: not readable, not of this form, or without questions; `is_impossible` is neither true nor false.
    """
    seen: set[str] = set()
    unlabelled: bool | None = None
    for place, question, context in _questions(file, problems):
        example = _example(place, question, context, may_be_unlabelled)
        if example.id in seen:
            problems.report(f"{place}: the id {example.id!r} is that of an earlier question")
            continue
        seen.add(example.id)
        if unlabelled is None:
            unlabelled = example.answers is None
        if unlabelled is not (example.answers is None):
            raise UserError(f"{place}: the question has {'answers' if unlabelled else 'no answers'}, unlike those "
                            "before it; a file is labelled as a whole or not at all")
        if fault := _fault(example, question, has_impossible):
            problems.report(f"{place}: {fault}")
        elif not is_training or not example.answers or example.place():
            yield example
        else:
            moved = _moved(place, example, problems)
            if moved:
                yield moved
    if not seen:
        raise UserError(f"{file} has no questions; expected SQuAD's JSON: data, paragraphs, qas")


def _fault(example: SpanExample, question: dict[str, Any], has_impossible: bool) -> str:
    """What is wrong with a question, "" where nothing is."""
    is_impossible = question.get("is_impossible")
    if is_impossible and example.answers:
        return f"is_impossible is true, but there is the answer {_shown(example.golds[0])}; correct one of them"
    if example.answers == ():
        if not has_impossible:
            return "the question has no answer; tasks with such questions are SQuAD2's kind"
        if is_impossible is False:
            return "is_impossible is false, but there is no answer; correct one of them"
    return ""


def _moved(place: str, example: SpanExample, problems: Problems) -> SpanExample | None:
    """Report a question whose answers stand elsewhere; return it with the answer whose place is certain, if any."""
    (text, start), *_ = example.answers or ()
    there = example.context[max(start, 0):][:len(text)]
    once = next(((gold, example.context.find(gold)) for gold in example.golds
                 if gold and example.context.count(gold) == 1), None)
    how = "it is taken" if problems.policy == "skip" else "--bad_rows skip takes it"
    taken = f"; it stands at {once[1]} only, and {how} from there" if once else ""
    said = (f"does not begin at character {start} of the context, where {_shown(there)} stands" if start != NOWHERE else
            f"has no answer_start, and stands in the context {example.context.count(text)} times")
    problems.report(f"{place}: the answer {_shown(text)} {said}{taken}")
    return SpanExample(example.id, example.question, example.context, (once,)) if once else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def read_by_article(file: Path, problems: Problems) -> Iterator[tuple[int, SpanExample]]:
    """Yield the questions of a file with the number of their article, from 0; a question on a line of its own is one.
    Answers are kept as they are, and may be missing.

    Raises:
        UserError: not readable, or not of this form.
    """
    for number, (place, article) in enumerate(_articles(file, problems)):
        for at, question, context in _in_article(place, article):
            yield number, _example(at, question, context, may_be_unlabelled=True)


def _questions(file: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield where a question stands, for messages, the question, and its context."""
    for place, article in _articles(file, problems):
        yield from _in_article(place, article)


def _articles(file: Path, problems: Problems) -> Iterator[tuple[str, Any]]:
    """Yield where an article stands, for messages, and the article."""
    if columnar_kind(file):
        yield from ((f"{file}:{number}", row) for number, row in read_records(file))
        return
    if is_csv(file):
        for number, row in read_cells(file, problems.report):
            try:
                yield f"{file}:{number}", _with_answers(row)
            except UserError as error:
                problems.report(f"{file}:{number}: {error}")
        return
    text = read_text(file)
    if not JSON_FILE.match(text):
        raise UserError(f"{file}:1: not valid JSON of questions; it begins with {text.strip()[:20]!r}; expected "
                        f"{EXPECTED}")
    has_begun = False

    def broken(message: str) -> None:
        if not has_begun:
            raise UserError(f"{message}; the file is damaged, or not SQuAD's JSON")
        problems.report(message)

    number = 0
    for line, value in read_values(file, text, broken):
        has_begun = True
        if isinstance(value, dict) and "data" in value:
            for place, article in enumerate(_field(value, "data", str(file), list), 1):
                yield f"{file}: article {place}", article
        else:
            number += 1
            yield (f"{file}: article {number}" if isinstance(value, dict) and "paragraphs" in value
                   else f"{file}:{line}", value)


def is_csv(file: Path) -> bool:
    """Whether a file is a table of questions."""
    return file.suffix.lower() == ".csv" and form_of(file).kind == "csv"


def _with_answers(row: dict[str, Any]) -> dict[str, Any]:
    """A question of a CSV, whose answer is a text and the character where it begins, as JSON has it."""
    name = next((name for name in ANSWER if name in row), "")
    if not name or not isinstance(row[name], str | None):
        return row
    text, start = row[name], row.get("answer_start")
    if start is not None and not (isinstance(start, str) and start.isascii() and start.isdigit()):
        raise UserError(f"answer_start is {short(start)}; expected a whole number")
    answers = [] if text is None else [text if start is None else {"text": text, "answer_start": int(start)}]
    return {**row, "answers": answers}


def _in_article(place: str, article: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    article = _renamed(article)
    if isinstance(article, dict) and "paragraphs" not in article:
        if "question" in article:
            yield place, article, _field(article, "context", place)
            return
        if "context" in article:
            yield from _in_paragraph(place, article)
            return
    for number, paragraph in enumerate(_field(article, "paragraphs", place, list), 1):
        yield from _in_paragraph(f"{place}, paragraph {number}", paragraph)


def _in_paragraph(place: str, paragraph: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    paragraph = _renamed(paragraph)
    context = _field(paragraph, "context", place)
    for number, question in enumerate(_field(paragraph, "qas", place, list), 1):
        yield f"{place}, question {number}", _renamed(question), context


def _renamed(value: Any) -> Any:
    return {OTHER_NAMES.get(name, name): part for name, part in value.items()} if isinstance(value, dict) else value


def _example(place: str, question: Any, context: str, may_be_unlabelled: bool) -> SpanExample:
    number = question.get("id") if isinstance(question, dict) else None
    name = str(number).strip() if isinstance(number, str) or is_whole(number) else ""
    if not name:
        raise UserError(f'{place}: no "id"; expected id, question and answers')
    text = _field(question, "question", place)
    is_impossible = question.get("is_impossible", False)
    if not isinstance(is_impossible, bool):
        raise UserError(f"{place}: is_impossible of the question {name!r} is {short(is_impossible)}; expected true or "
                        "false, without quotes")
    answers = _answers(question, context, place)
    if is_impossible and not answers:
        # SQuAD2 gives such questions plausible answers under another name.
        answers = ()
    elif may_be_unlabelled and not answers:
        answers = None
    if answers is None and not may_be_unlabelled:
        raise UserError(f'{place}: no "answers"; only a test set may leave them out')
    return SpanExample(name, text, context, answers)


def _answers(question: dict[str, Any], context: str, place: str) -> tuple[Answer, ...] | None:
    """The answers, each once, in the order of the file; None where the question has no such field."""
    given = question.get("answers")
    if given is None:
        return None
    if isinstance(given, dict):
        texts, starts = (_field(given, name, f"{place}, answers", list) for name in ("text", "answer_start"))
        if len(texts) != len(starts):
            raise UserError(f"{place}: answers has {len(texts)} texts and {len(starts)} of answer_start; expected one "
                            "for each")
        given = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
    found = []
    for answer in _field({"answers": given}, "answers", place, list):
        if isinstance(answer, str):
            # Where it stands is certain if it does so once.
            found.append((answer, context.find(answer) if context.count(answer) == 1 else NOWHERE))
            continue
        text, start = _field(answer, "text", place), answer.get("answer_start")
        if not is_whole(start):
            raise UserError(f"{place}: the answer_start of {text!r} is {start!r}; expected a whole number")
        found.append((text, start))
    # Some write that there is no answer as an empty one; the official script leaves these out too.
    return tuple(dict.fromkeys(answer for answer in found if answer[0].strip()))


EXPECTED = ("SQuAD's JSON: data of paragraphs of context and qas of id, question and answers of text and answer_start; "
            "or a question a line, of id, context, question and answers")


def _field(values: Any, name: str, place: str, kind: type = str) -> Any:
    """A text, or a list, of an object."""
    found = values.get(name) if isinstance(values, dict) else None
    if not isinstance(found, kind):
        raise UserError(f'{place}: no {"text" if kind is str else "list"} "{name}"; expected {EXPECTED}')
    return found
