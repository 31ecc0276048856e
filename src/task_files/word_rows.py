# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tagged words in a CSV: a word and its tag a row, and a column that says which sentence they belong to.

    Sentence #,Word,POS,Tag          sentence_id,words,labels
    Sentence: 1,Thousands,NNS,O      0,EU,B-ORG
    ,of,IN,O                         0,rejects,O

The sentence's cell stands in each of its rows, or in the first one, with empty cells below.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from src.common.errors import UserError
from src.task_files.bio import TagFault
from src.task_files.conll import TaggedWords
from src.task_files.conll_columns import TAGS, WORDS
from src.task_files.forms import csv_rows, form_of
from src.task_files.headers import cut, normal
from src.task_files.problems import Problems

SENTENCES = frozenset("sentence_# sentence_id sentence_no sentence_number sentence_idx sentence_index sentence sent "
                      "sent_id sentid sid 句子 句子编号 句号".split())
Row = tuple[int, list[str]]
"""Line and cells."""


def has_word_rows(file: Path) -> bool:
    """Whether a file is a CSV whose header names one column of words, and one of sentences or of tags; with tabs
    between words and tags alone it is CoNLL, and cells of the words that are lists hold sentences."""
    if file.suffix.lower() != ".csv":
        return False
    form = form_of(file)
    rows = csv_rows(file, form)
    _, header = next(rows, (0, []))
    words, tags, sentences = (_places(header, names) for names in (WORDS, TAGS, SENTENCES))
    if len(words) != 1 or not (sentences or tags and form.separator != "\t"):
        return False
    _, first = next(rows, (0, []))
    return len(first) <= words[0] or not first[words[0]].lstrip().startswith("[")


def read_word_rows(file: Path, problems: Problems) -> list[TaggedWords]:
    """Return the sentences of a file for which `has_word_rows`; faulty ones go to `problems`, with what was understood.

    Raises:
        UserError: no column tells the sentences apart, or two hold sentences or tags.
    """
    form = form_of(file)
    rows = csv_rows(file, form)
    first, header = next(rows)
    (word,), tags, sentences = (_places(header, names) for names in (WORDS, TAGS, SENTENCES))
    for what, places in (("tags", tags), ("sentences", sentences)):
        if len(places) > 1:
            columns = ", ".join(repr(header[place]) for place in places)
            raise UserError(f"{file}:{first}: the columns {columns} may hold the {what}; keep one of them")
    if not sentences:
        raise UserError(f"{file}:{first}: no column says which sentence a word belongs to, among {header}; add one, "
                        "such as sentence_id, or write the file as CoNLL (.conll): a word and its tag a line, an empty "
                        "line behind each sentence")
    (sentence,), tag = sentences, tags[0] if tags else None
    understood = problems.understood
    understood.form = f"{form.name}, a word a row"
    used = {"sentences": sentence, "words": word, **({} if tag is None else {"tags": tag})}
    understood.columns = {what: header[place] for what, place in used.items()}
    understood.ignored = [name or "(no name)" for place, name in enumerate(header) if place not in used.values()]
    found, seen = [], set[str]()
    blocks = _blocks(file, list(rows), sentence)
    if len(blocks) > 1 and all(len(block) == 1 for _, block in blocks):
        raise UserError(f"{file}:{first}: each row has another {header[sentence]!r}: the column counts the words and "
                        "not the sentences; correct it")
    for name, block in blocks:
        try:
            if name in seen:
                raise TagFault(0, f"the sentence {name!r} comes again after others; its words stand together")
            found.append(_sentence(block, header, word, tag))
        except TagFault as fault:
            problems.report(f"{file}:{block[fault.place][0]}: {fault}")
        seen.add(name)
    return found


def _places(header: Sequence[str], names: frozenset[str]) -> list[int]:
    return [place for place, cell in enumerate(header) if normal(cell) in names]


def _blocks(file: Path, rows: Sequence[Row], column: int) -> list[tuple[str, list[Row]]]:
    """Return the name and the rows of each sentence, in order."""
    blocks: list[tuple[str, list[Row]]] = []
    for line, cells in rows:
        name = cut(cells[column]) if column < len(cells) else ""
        if not blocks and not name:
            raise UserError(f"{file}:{line}: the first word belongs to no sentence: its cell is empty; give it one")
        if blocks and name in ("", blocks[-1][0]):
            blocks[-1][1].append((line, cells))
        else:
            blocks.append((name, [(line, cells)]))
    return blocks


def _sentence(block: Sequence[Row], header: Sequence[str], word: int, tag: int | None) -> TaggedWords:
    """Return a sentence; TagFault says which of its rows is wrong."""
    for place, (_, cells) in enumerate(block):
        if len(cells) != len(header):
            raise TagFault(place, f"{len(cells)} columns; expected {len(header)} ({', '.join(header)})")
        for what, column in (("word", word), ("tag", tag)):
            if column is not None and not cut(cells[column]):
                raise TagFault(place, f"there is no {what} in the column {header[column]!r}")
    return TaggedWords([cut(cells[word]) for _, cells in block],
                       None if tag is None else [cut(cells[tag]) for _, cells in block], [line for line, _ in block])
