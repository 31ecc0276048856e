# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of tagged text; what a file holds is seen from its beginning: see `conll` and `tagging_json`.

JSON objects stand one a line, indented one after the other, or in one list; Parquet, Arrow, and a CSV
whose cells are lists hold the same objects; another CSV has a word a row (`word_rows`). A test set may have words or
texts alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.words import split_words
from src.common.errors import UserError, nearest
from src.common.files import read_text
from src.task_files.bio import TagFault, scheme_of, split_tag, to_iob2
from src.task_files.columnar import and_more, columnar_kind, read_records
from src.task_files.conll import TaggedWords, read_conll
from src.task_files.forms import Faulty, Form, csv_rows, form_of
from src.task_files.headers import cut
from src.task_files.json_records import JSON_FILE, is_whole, read_values
from src.task_files.problems import Problems
from src.task_files.tables import read_cells
from src.task_files.word_rows import has_word_rows, read_word_rows
from src.tasks.tagging_json import TOKENS, NeedsNames, TextRecord, TokensRecord, parse_record
from src.tasks.words import join_words, tag_words

Values = Iterator[tuple[int, Any]]
"""Lines and JSON values."""


@dataclass(frozen=True, slots=True)
class TaggingExample:
    """A sentence.

    Attributes:
        text: the sentence; words of a CoNLL file joined again.
        spans: begin and end (exclusive) of each word in it.
        tags: IOB2, one a word; None in an unlabelled test set.
        line: where it begins in its file, from 1.
        id: its own "id" in a JSON file, or None.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    tags: tuple[str, ...] | None
    line: int
    id: int | None = None

    @property
    def words(self) -> list[str]:
        return [self.text[begin:end] for begin, end in self.spans]


@dataclass(frozen=True)
class ReadingRules:
    """How a task reads its files.

    Attributes:
        types: the entity types there are; () for any.
        by_character: every character is a word; false: where the text is Chinese or the like (`split_words`).
        outermost: of entities within each other the outermost is kept; false: they are faulty.
        names: the tags that numbers in "ner_tags" stand for, in order; () where that is not known.
    """

    types: tuple[str, ...] = ()
    by_character: bool = False
    outermost: bool = False
    names: tuple[str, ...] = ()

    def fault(self, name: str) -> str:
        """What is wrong with an entity type, "" where nothing is."""
        if not name or not self.types or name in self.types:
            return ""
        return f"unknown entity type {name!r}; the task has {', '.join(self.types)}{nearest(name, self.types)}"


def read_file(file: Path, rules: ReadingRules, problems: Problems) -> Iterator[TaggingExample]:
    """Yield the sentences of a file in order; faulty ones go to `problems`, with file and line.

    Raises:
        UserError: the file is missing, unreadable, empty or not UTF-8, its columns cannot be told apart, or numbers
            stand for tags without names; or `problems` are fatal.
    """
    problems.understood.file, problems.understood.encoding = f"{file}{and_more(file)}", "utf-8"
    form, values, text = _objects(file, problems.report)
    if form:
        problems.understood.form = form
        return _read_json(file, values, rules, problems)
    if has_word_rows(file):
        return _tagged(file, ((words, None) for words in read_word_rows(file, problems)), rules, problems)
    if not text.strip():
        raise UserError(f"{file} is empty; expected tagged sentences")
    if file.suffix in (".json", ".jsonl") and text.lstrip()[0] in "[{":
        raise UserError(f"{file}:1: begins with {text.strip()[:20]!r}; expected JSON objects, one a line or in a "
                        "list")
    return _tagged(file, ((words, None) for words in read_conll(file, text, problems)), rules, problems)


def _has_lists(file: Path) -> bool:
    """Whether a file is a CSV with a list of words in each row."""
    if file.suffix.lower() != ".csv" or has_word_rows(file):
        return False
    _, first = next(csv_rows(file, form_of(file)), (0, []))
    return any(cut(name) in TOKENS for name in first)


def _objects(file: Path, faulty: Faulty) -> tuple[str, Values, str]:
    """Return the form of a file that holds objects, and these with their lines; of another "", nothing, and its text.
    """
    if kind := columnar_kind(file):
        return Form(kind).name, read_records(file), ""
    if _has_lists(file):
        return "CSV", read_cells(file, faulty), ""
    text = read_text(file)
    return ("JSON", read_values(file, text, faulty), "") if JSON_FILE.match(text) else ("", iter(()), text)


def has_numbers(file: Path) -> bool:
    """Whether a file has records of words whose tags are numbers."""
    for _, value in _objects(file, Problems("skip").report)[1]:
        try:
            if isinstance(parse_record(value, ()), TextRecord):
                return False
        except NeedsNames:
            return True
        except ValueError:
            pass
    return False


Numbered = tuple[TaggedWords, int | None]
"""Words with tags as they are written, and the sentence's id."""


def _tagged(file: Path, sentences: Iterator[Numbered], rules: ReadingRules, problems: Problems
            ) -> Iterator[TaggingExample]:
    """Yield sentences with IOB2 tags, whose scheme is that of the file."""
    read = list(sentences)
    tagged = [words.tags for words, _ in read if words.tags is not None]
    scheme = _scheme(tagged, problems)
    for words, number in read:
        try:
            tags = None if words.tags is None else to_iob2(words.tags, scheme)
            for place, tag in enumerate(tags or ()):
                if wrong := rules.fault(split_tag(tag)[1]):
                    raise TagFault(place, wrong)
        except TagFault as fault:
            problems.report(f"{file}:{words.lines[fault.place]}: {fault}")
        else:
            joined, spans = join_words(words.words)
            yield TaggingExample(joined, spans, None if tags is None else tuple(tags), words.lines[0], number)


def _scheme(tagged: Sequence[Sequence[str]], problems: Problems) -> str:
    scheme = scheme_of(tagged)
    if tagged:
        letters = sorted({split_tag(tag)[0] for tags in tagged for tag in set(tags)} - {""})
        problems.understood.notes.append(f"tags are {scheme} ({', '.join(letters)})")
    return scheme


def _read_json(file: Path, values: Values, rules: ReadingRules, problems: Problems) -> Iterator[TaggingExample]:
    """Yield the sentences of texts at once, those of words when the scheme of all their tags is known."""
    understood, forms = problems.understood, Counter[str]()
    parsed = _records(file, values, rules, problems, forms)
    first = next(parsed, None)
    if first is None:
        return
    is_words = isinstance(first[1], TokensRecord)

    def same_kind() -> Iterator[tuple[int, Any, int | None]]:
        yield first
        for line, record, number in parsed:
            if isinstance(record, TokensRecord) is is_words:
                yield line, record, number
            else:
                kinds = ("a list of words", "a text")
                problems.report(f"{file}:{line}: the record holds {kinds[is_words]}, the first one "
                                f"{kinds[not is_words]}; a file has records of one form")

    if is_words:
        words = ((TaggedWords(record.words, record.tags, [line] * max(1, len(record.words))), number)
                 for line, record, number in same_kind())
        yield from _tagged(file, words, rules, problems)
    else:
        for line, record, number in same_kind():
            try:
                yield _of_text(record, line, number, rules)
            except ValueError as error:
                problems.report(f"{file}:{line}: {error}")
    understood.columns = {"records": "; ".join(f"{number} of {form}" for form, number in forms.items())}


def _records(file: Path, values: Values, rules: ReadingRules, problems: Problems, forms: Counter[str]
             ) -> Iterator[tuple[int, TextRecord | TokensRecord, int | None]]:
    for line, value in values:
        try:
            record = parse_record(value, rules.names)
        except NeedsNames as error:
            raise UserError(f"{file}:{line}: {error}; name all of them in their order (--tag_names O,B-PER,I-PER), "
                            "or put the data set's dataset_info.json beside the file") from None
        except ValueError as error:
            problems.report(f"{file}:{line}: {error}")
        else:
            forms[record.form] += 1
            yield line, record, value["id"] if is_whole(value.get("id")) else None


def _of_text(record: TextRecord, line: int, number: int | None, rules: ReadingRules) -> TaggingExample:
    """Return a record's sentence; ValueError says what is wrong."""
    spans = split_words(record.text, rules.by_character)
    tags = None
    if record.found is not None:
        if wrong := next(filter(None, (rules.fault(name) for name, *_ in record.found)), ""):
            raise ValueError(wrong)
        tags = tuple(tag_words(record.text, spans, record.found, rules.outermost))
    return TaggingExample(record.text, spans, tags, line, number)
