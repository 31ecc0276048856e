# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reading CoNLL files: a word and its tag a line, an empty line after each sentence.

Columns are separated by tabs, else by blanks, else by full-width blanks. Left out are lines -DOCSTART-, CoNLL-U's
comments before a sentence and its indices `1-2` and `8.1`, and a header.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from src.common.errors import UserError
from src.task_files.bio import TagFault, split_tag
from src.task_files.conll_columns import NO_WORD, Layout, NoLayout, find_layout, header_of, miscounted
from src.task_files.problems import Problems

DOCUMENT = "-DOCSTART-"
COMMENT = re.compile(r"#\s*(?:[\w.:]+\s*=|newdoc\b|newpar\b|(?:begin|end) document\b|id\s|https?://)")
WIDE_BLANKS = "\u3000\xa0"
BLANKS = f" \t{WIDE_BLANKS}"

Line = tuple[int, str]
Cut = Callable[[str], list[str]]


@dataclass(frozen=True)
class TaggedWords:
    """A sentence: its words, their tags as they stand in the file (None without), and their lines."""

    words: list[str]
    tags: list[str] | None
    lines: list[int]


def read_conll(file: Path, text: str, problems: Problems) -> list[TaggedWords]:
    """Return the sentences of a file; faulty ones go to `problems`, with what was understood.

    Raises:
        UserError: the columns cannot be told apart.
    """
    blocks, documents = _blocks(text)
    header, blocks = _without_header(blocks)
    rows = [line for block in blocks for _, line in block]
    statistics = [line for line in rows if not line.startswith("#")] or rows
    cut = _cutter(statistics)
    problems.understood.form = "CoNLL"
    # The usual number: a lone faulty line at the beginning does not make all others faulty.
    width = Counter(len(cut(line)) for line in statistics).most_common(1)[0][0] if rows else 0
    comments = 0
    sentences: list[tuple[list[int], list[list[str]]]] = []
    for block in blocks:
        words = [line for line in block if not _is_comment(line[1], cut, width)]
        comments += len(block) - len(words)
        if words:
            sentences.append(([number for number, _ in words], [cut(line) for _, line in words]))
    whole = [cells for _, cells in sentences if all(len(row) == width for row in cells)]
    if not whole:
        for lines, cells in sentences:
            _report_width(file, lines, cells, width, problems)
        return []
    try:
        if header and len(header) != width:
            raise NoLayout(f"the header names {len(header)} columns, the other lines have {width}")
        layout = find_layout(whole, width, header_of(header) if header else None)
    except NoLayout as error:
        first = sentences[0][0][0]
        raise UserError(f"{file}:{first}: {error}") from None
    read = []
    left_out = Counter({"comments": comments, f"lines {DOCUMENT}": documents, "header lines": int(header is not None)})
    for lines, cells in sentences:
        try:
            sentence, dropped = _sentence(lines, cells, layout)
        except TagFault as fault:
            problems.report(f"{file}:{lines[fault.place]}: {fault}")
        else:
            left_out["lines whose index is a range"] += dropped
            read.append(sentence)
    understood = problems.understood
    understood.columns = layout.columns(whole[0][0])
    understood.ignored = layout.ignored
    understood.left_out |= {what: number for what, number in left_out.items() if number}
    return read


def _blocks(text: str) -> tuple[list[list[Line]], int]:
    """Return the lines of each sentence with their numbers, and how many lines -DOCSTART- there are."""
    if "\n" not in text:
        text = text.replace("\r", "\n")  # line ends of the first Macintosh
    documents = 0

    def is_word(line: Line) -> bool:
        nonlocal documents
        is_document = DOCUMENT in line[1] and DOCUMENT in line[1].split()
        documents += is_document
        return bool(line[1].strip(" \t")) and not is_document

    lines = enumerate((line.rstrip("\r").removeprefix("\ufeff") for line in text.split("\n")), 1)
    return [list(group) for kept, group in groupby(lines, is_word) if kept], documents


def _without_header(blocks: list[list[Line]]) -> tuple[list[str] | None, list[list[Line]]]:
    """Take a line that names the columns, as those of CoNLL-U Plus do, from the beginning; return its cells."""
    for place, (_, line) in enumerate(blocks[0] if blocks else ()):
        names = line.removeprefix("# global.columns =").strip()
        cells = re.split(r"\t" if "\t" in names else r"\s+", names)
        if header_of(cells):
            rest = [*blocks[0][:place], *blocks[0][place + 1:]]
            return cells, [block for block in (rest, *blocks[1:]) if block]
        if not line.startswith("#"):
            break
    return None, blocks


def _cutter(lines: Sequence[str]) -> Cut:
    """Return the function that cuts lines of this file into cells."""
    def most(found: Iterable[bool]) -> bool:
        return 2 * sum(found) >= len(lines) > 0

    if most("\t" in line for line in lines):
        # A space before a tab can be a word of its own.
        return lambda line: [_trimmed(cell) for cell in line.split("\t")]
    wide = re.compile(f"[ {WIDE_BLANKS}]+")
    if not any(" " in line.strip(BLANKS) for line in lines) and most(
            bool(wide.search(line.strip(BLANKS))) for line in lines):
        return lambda line: wide.split(line.strip(BLANKS))
    return lambda line: [_trimmed(cell) for cell in re.split(" +", line.strip(" \t"))]


def _trimmed(cell: str) -> str:
    return cell.strip(" " + WIDE_BLANKS) or cell


def _is_comment(line: str, cut: Cut, width: int) -> bool:
    if not COMMENT.match(line):
        return False
    if width > 1 and re.match(r"# [\w.:]+ = ", line):
        return True
    # "#" can be a word, too.
    cells = cut(line)
    return len(cells) != width or not any(split_tag(cell)[0] for cell in cells)


def _report_width(file: Path, lines: Sequence[int], cells: Sequence[Sequence[str]], width: int,
                  problems: Problems) -> None:
    place = next(place for place, row in enumerate(cells) if len(row) != width)
    problems.report(f"{file}:{lines[place]}: {_wrong_width(cells[place], width)}")


def _wrong_width(row: Sequence[str], width: int) -> str:
    return f"{len(row)} columns; expected {width}, as in the other lines: a word and its tag"


def _sentence(lines: Sequence[int], rows: Sequence[Sequence[str]], layout: Layout) -> tuple[TaggedWords, int]:
    """Return a sentence, and how many lines stand for several words, or for none that is written."""
    for place, row in enumerate(rows):
        if len(row) != layout.width:
            raise TagFault(place, _wrong_width(row, layout.width))
        if not row[layout.word]:
            raise TagFault(place, "there is no word" + (f" in column {layout.word + 1}" if layout.width > 1 else ""))
        if any("\r" in cell for cell in row):
            raise TagFault(place, "a carriage return within the line; end lines with a line feed")
    kept = list(range(len(rows)))
    if layout.index is not None:
        numbers = [row[layout.index] for row in rows]
        kept = [place for place in kept if not NO_WORD.fullmatch(numbers[place])]
        wrong = miscounted(numbers)
        if wrong is not None and not layout.counts_on:
            raise TagFault(wrong, f"column {layout.index + 1} counts the words of each sentence, but is "
                                  f"{numbers[wrong]!r} here; an empty line ends a sentence")
    if not kept:
        raise TagFault(0, "there is no word, but an index that stands for several")
    words = TaggedWords([rows[place][layout.word] for place in kept],
                        None if layout.tag is None else [rows[place][layout.tag].strip() for place in kept],
                        [lines[place] for place in kept])
    return words, len(rows) - len(kept)
