# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which columns of a CoNLL file hold the words and the tags: found in a header, or seen from the cells.

Of the columns that may hold words the first one does, as in all CoNLL formats. What cannot be words is left out: tags,
a count of the words, parts of speech, and what is the same for all words of a sentence. Two columns of entity tags, or
numbers that count nothing, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from serving.tags import OUTSIDE
from src.task_files.bio import split_tag

Sentence = Sequence[Sequence[str]]
"""The cells of each line."""

NUMBER = re.compile(r"\d+[.):]?", re.ASCII)
NO_WORD = re.compile(r"\d+[-.]\d+", re.ASCII)
"""CoNLL-U's index of several words written as one, or of a word that is not written."""

SEGMENTED = re.compile(r"[^\x00-\x7f][0-9]")
"""A character with its place in its word, as Weibo NER has them."""
WHOLE = re.compile(r"[\u4e00-\u9fff]{5}")
"""What hardly any Chinese word has."""
ID = re.compile(r"[!-~]*[0-9][!-~]*")

WORDS = frozenset("word words token tokens form text char character 字 词 字符 单词 词语 文本".split())
TAGS = frozenset("tag tags label labels ner ner_tag ner_tags nertag bio entity entities iob 标签 标注 实体".split())
CHUNKS = frozenset("NP VP PP ADVP ADJP SBAR PRT CONJP INTJ LST UCP".split())
POS = frozenset("""
ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X _ - -X-
CC CD DT EX FW IN JJ JJR JJS LS MD NN NNS NNP NNPS PDT POS PRP PRP$ RB RBR RBS RP SYM TO UH VB VBD VBG VBN VBP VBZ WDT
WP WP$ WRB . , : ; ! ? ( ) `` '' " $ # -LRB- -RRB- NN|SYM HYPH NFP ADD AFX GW XX
""".split())


class NoLayout(ValueError):
    """The columns cannot be told apart; the message says what is there and what to change."""


@dataclass(frozen=True)
class Layout:
    """Where words and tags stand, columns counted from 0.

    Attributes:
        width: of every line, columns that are empty throughout included.
        tag: None where there are no tags.
        index: the column that counts the words of each sentence, or None; with `counts_on` it goes on through the file.
        left_out: other columns, with what they seem to hold.
    """

    width: int
    word: int
    tag: int | None
    index: int | None = None
    left_out: dict[int, str] = field(default_factory=dict)
    counts_on: bool = False

    def columns(self, row: Sequence[str]) -> dict[str, str]:
        """What is where, with the cells of a row as the example."""
        places = {"words": self.word, **({} if self.tag is None else {"tags": self.tag})}
        return {what: f"column {place + 1} ({row[place]!r})" for what, place in places.items()}

    @property
    def ignored(self) -> list[str]:
        """The other columns, with what they seem to hold."""
        others = {**self.left_out, **({} if self.index is None else {self.index: "counts the words"})}
        return [f"column {place + 1} ({what})" for place, what in sorted(others.items())]


def header_of(cells: Sequence[str]) -> tuple[int, int | None] | None:
    """Return the columns of words and tags, None for none, where a line names them; None where it does not."""
    names = [cell.strip().lower().rsplit(":", 1)[-1] for cell in cells]
    words, tags = ([place for place, name in enumerate(names) if name in known] for known in (WORDS, TAGS))
    if len(names) < 2 or len(words) != 1 or len(tags) > 1 or any(split_tag(cell)[0] for cell in cells):
        return None
    return (words[0], tags[0]) if tags else None


def find_layout(sentences: Sequence[Sentence], width: int, header: tuple[int, int | None] | None) -> Layout:
    """Find words and tags.

    Args:
        sentences: those whose lines all have `width` cells.
        header: what `header_of` found.

    Raises:
        NoLayout: they cannot be told apart.
    """
    rows = [row for sentence in sentences for row in sentence]
    columns = {place: [row[place] for row in rows] for place in range(width)}
    used = {place: cells for place, cells in columns.items() if any(cell.strip() for cell in cells)}
    tagged = [place for place, cells in used.items() if _share(bool(split_tag(cell)[0]) for cell in cells) > 0.5]
    index = next((place for place in used if place not in tagged and _counts(sentences, place)), None)
    counts_on = index is not None and not _counts_words(sentences, index)
    if index is not None:
        sentences = [[row for row in sentence if not NO_WORD.fullmatch(row[index])] for sentence in sentences]
    if header:
        word, tag = header
        if index == word:
            raise NoLayout(f"column {word + 1}, which the header calls the words, counts them; correct the header")
    else:
        tag = _tag_column(used, tagged, index)
        others = {place: cells for place, cells in used.items() if place not in (tag, index, *tagged)}
        word = _word_column(others, sentences, index)
    _check_sentences(sentences, used, word, tag, index)
    left_out = {place: _kind(cells, place in tagged) for place, cells in used.items()
                if place not in (word, tag, index)}
    return Layout(width, word, tag, index, left_out, counts_on)


def _check_sentences(sentences: Sequence[Sentence], used: dict[int, list[str]], word: int, tag: int | None,
                     index: int | None) -> None:
    """Refuse words that are none, and a file whose sentences a column tells apart and no empty line.

    Raises:
        NoLayout: naming column and remedy.
    """
    words = used[word]
    if len(words) > 2 and all(map(SEGMENTED.fullmatch, words)):
        raise NoLayout(f"the characters of column {word + 1}, such as {words[0]!r}, have their place in a word behind "
                       "them; take these digits away")
    if len(sentences) != 1:
        return
    if tag is None and len(words) > 1 and 2 * sum(map(bool, map(WHOLE.search, words))) > len(words):
        raise NoLayout(f"a line such as {words[0][:20]!r} is a whole sentence; expected a word or a character a line "
                       'and an empty line behind each sentence, or {"text": ...} a line')
    for place in used:
        if place >= word or place in (tag, index) or len(words) < 4:
            continue
        # Spreadsheets write what begins a sentence once, or repeat it.
        cells = [row[place].strip() for row in sentences[0]]
        runs = [cell for cell, _ in groupby(filter(None, cells))]
        if cells[0] and 1 < len(runs) == len(set(runs)) <= len(words) / 2:
            raise NoLayout(f"column {place + 1} seems to number the sentences ({runs[0]!r}, {runs[1]!r}), and no empty "
                           "line stands between them; put one behind each sentence")


def _share(values: Iterable[bool]) -> float:
    found = list(values)
    return sum(found) / max(1, len(found))


def _counts(sentences: Sequence[Sentence], place: int) -> bool:
    """Whether a column counts the words of most sentences, or those of the file; not the words alone, which may be
    numbers too."""
    if len(sentences[0][0]) == 1:
        return False
    return _counts_words(sentences, place) or miscounted([row[place] for sentence in sentences
                                                          for row in sentence]) is None


def _counts_words(sentences: Sequence[Sentence], place: int) -> bool:
    return 2 * sum(miscounted([row[place] for row in sentence]) is None for sentence in sentences) > len(sentences)


def miscounted(cells: Sequence[str]) -> int | None:
    """Return the place of the first cell that does not count on from 0 or 1; None where all do."""
    expected: int | None = None
    if not any(map(NUMBER.fullmatch, cells)):
        return 0
    for place, cell in enumerate(cells):
        if NO_WORD.fullmatch(cell):
            continue
        if not NUMBER.fullmatch(cell) or len(cell) > 9:
            return place
        number = int(cell.rstrip(".):"))
        if number != expected and (expected is not None or number > 1):
            return place
        expected = number + 1
    return None


def _tag_column(used: dict[int, list[str]], tagged: list[int], index: int | None) -> int | None:
    last = max(used)
    if not tagged:
        # Without tags the last column is theirs, whose cells are then named as faulty, unless it is needed for words.
        return last if len(used) - (index is not None) > 1 else None
    if len(used) == len(tagged) + (index is not None):
        what = "tags, and a count of words," if index is not None else "tags"
        raise NoLayout(f"there are {what} but no words; expected a word and its tag a line")
    types = {place: {split_tag(cell)[1] for cell in used[place]} - {""} for place in tagged}
    named = [place for place in tagged if types[place]] or tagged[-1:]
    # CoNLL-2003 has phrases (B-NP) beside the entities.
    entities = [place for place in named if not types[place] <= CHUNKS] or named[-1:]
    distinct = {tuple(used[place]) for place in entities}
    if len(distinct) > 1:
        columns = " and ".join(str(place + 1) for place in entities)
        raise NoLayout(f"columns {columns} hold entity tags; a word has one tag: keep the words and one of these "
                       "columns")
    found = entities[-1]
    if found == last and len(tagged) > 1 and types[found] and types[found] <= CHUNKS:
        raise NoLayout(f"columns {tagged[0] + 1} and {last + 1} hold tags, {OUTSIDE} alone and phrases (such as "
                       f"{used[last][0]!r}); keep the words and the one that is meant")
    if found == last or not types[found] <= CHUNKS:
        return found
    if last in tagged:
        return last
    raise NoLayout(f"column {found + 1} holds phrases (such as {used[found][0]!r}), and the last column no tags such "
                   f"as B-PER but {used[last][0]!r}; expected a word, and its tag in the last column")


def _word_column(others: dict[int, list[str]], sentences: Sequence[Sentence], index: int | None) -> int:
    if not others:
        count = "" if index is None else f"; column {index + 1} counts them"
        raise NoLayout(f"there is no column of words{count}; expected a word and its tag a line")
    longer = [sentence for sentence in sentences if len(sentence) > 1]

    def is_same(place: int) -> bool:
        return bool(longer) and all(len({row[place] for row in sentence}) == 1 for sentence in longer)

    def may_be_words(place: int) -> bool:
        cells = others[place]
        is_sparse = 2 * sum(not cell.strip() for cell in cells) > len(cells)
        return not (is_same(place) or is_sparse or all(cell in POS for cell in cells)
                    or all(map(NUMBER.fullmatch, cells)))

    possible = [place for place in others if may_be_words(place)]
    if not possible and len(others) > 1:
        columns = ", ".join(f"{place + 1} ({cells[0]!r})" for place, cells in others.items())
        raise NoLayout(f"cannot tell which of the columns {columns} holds the words; keep the words and the tags "
                       "alone, or begin the file with a line that names them: word, and tag")
    word = possible[0] if possible else next(iter(others))
    first = next(iter(others))
    if first != word and not is_same(first) and all(map(NUMBER.fullmatch, others[first])):
        raise NoLayout(f"column {first + 1} holds numbers that do not count the words of each sentence ("
                       f"{', '.join(others[first][:4])}); cannot tell whether they are the words: leave them out, or "
                       "begin the file with a line that names the columns: word, and tag")
    if len(others) > 1 and len(others[word]) > 3 and not is_same(word) and all(map(ID.fullmatch, others[word])):
        raise NoLayout(f"column {word + 1}, such as {others[word][0]!r}, has a digit in each line; cannot tell whether "
                       "these are the words or ids: leave them out, or begin the file with a line that names the "
                       "columns: word, and tag")
    return word


def _kind(cells: Sequence[str], is_tags: bool) -> str:
    example = next((cell for cell in cells if cell != OUTSIDE and cell.strip()), cells[0])
    return f"{'tags, ' if is_tags else ''}such as {example!r}"
