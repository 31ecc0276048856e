# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Well-formed but odd files of tags and of questions, whose right reading is known: they are read right or refused.

Each file is made from sentences (or questions) and a few oddities that such files have: columns and their order,
schemes, separators, comments, line ends, forms of JSON. Those of `PLAIN` alone must be read. A fault put in on purpose
is refused, or with `--bad_rows skip` costs its own sentence at most.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.tags import character_entities, entities
from src.common.errors import UserError
from src.task_files.problems import Problems
from src.tasks import get_task
from tests.fuzz.mutations import fuzz, seeds

LATIN = ("Alice", "loved", "Paris", "the", "company", "Acme", "won", "2015", "I", "O", "in", "a", ".", ",", "it", "#",
         "-")
CHINESE = tuple("爱丽丝在巴黎的公司工作了一年。，")
TYPES = ("PER", "LOC", "ORG", "公司", "geo-loc")
SCHEMES: dict[str, str] = {"IOB2": "BIBB", "IOB1": "", "IOBES": "BIES", "BMES": "BMES", "BILOU": "BILU",
                           "BMEWO": "BMEW"}
Sentence = tuple[list[str], list[tuple[str, int, int]]]
NER = get_task("ner")


def sentences(rng: random.Random) -> list[Sentence]:
    """Words, and type, begin and end (exclusive) of the entities, of at least one of which has two words."""
    words = CHINESE if rng.random() < 0.3 else LATIN
    made = []
    for number in range(rng.randint(2, 6)):
        length = rng.randint(2, 9) if number else rng.randint(4, 9)
        found, place = [], 0
        while place < length:
            size = rng.randint(1, 3)
            if (rng.random() < 0.4 or (not number and not found and place > length - 4)) and place + size <= length:
                found.append((rng.choice(TYPES), place, place + size))
            place += size
        made.append((rng.choices(words, k=length), found))
    return made


def tags_of(length: int, found: list[tuple[str, int, int]], scheme: str) -> list[str]:
    tags, last = ["O"] * length, ("", -1)
    for name, begin, end in found:
        if scheme == "IOB1":
            first = "B" if last == (name, begin) else "I"
            letters = first + "I" * (end - begin - 1)
        else:
            start, inside, stop, single = SCHEMES[scheme] if scheme != "IOB2" else "BIIB"
            letters = single if end - begin == 1 else start + inside * (end - begin - 2) + stop
        tags[begin:end] = [f"{letter}-{name}" for letter in letters]
        last = (name, end)
    return tags


# CoNLL


@dataclass
class File:
    """A file, and its right reading."""

    text: str
    expected: list[Sentence]
    oddities: list[str] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)
    must_be_read: bool = True
    faulty: set[int] = field(default_factory=set)
    """Sentences that are not to be read."""


def conll_file(rng: random.Random) -> File:
    made = sentences(rng)
    scheme = rng.choice(tuple(SCHEMES))
    odd = [name for name in ("index", "pos", "chunk", "lemma", "document", "tags first", "header", "comments", "ranges",
                             "docstart", "wide") if rng.random() < 0.2]
    separator = rng.choice(("\t", " ", "\u3000")) if "wide" in odd else rng.choice(("\t", " "))
    columns = ["word", *(name for name in ("lemma", "pos", "chunk") if name in odd)]
    if "tags first" in odd:
        columns.insert(0, "tag")
    else:
        columns.append("tag")
    columns = [name for name in ("index", "document") if name in odd] + columns
    start, counts_on = rng.randint(0, 1), 0
    lines: list[list[str]] = []
    for number, (words, found) in enumerate(made):
        rows = []
        for place, (word, tag) in enumerate(zip(words, tags_of(len(words), found, scheme), strict=True)):
            cells = {"word": word, "tag": tag, "index": str(place + start), "document": f"text{number}",
                     "lemma": word.lower(), "pos": rng.choice(("NN", "VB", "DT", "IN", "NNP", ".")),
                     "chunk": rng.choice(("B-NP", "I-NP", "B-VP", "O"))}
            rows.append([cells[name] for name in columns])
            counts_on += 1
        lines.append(rows)
    file = File("", made, [scheme, *odd])
    fault = rng.choice(("none", "none", "no tag", "blank tag", "unknown tag", "one column more", "continues nothing"))
    if fault != "none":
        _spoil(rng, fault, lines, columns, scheme, file)
    blank = "\u3000" if separator == "\u3000" else separator
    several = separator == " " and rng.random() < 0.3
    trailing = rng.choice(("", "", " ", "  ")) if separator != "\t" else rng.choice(("", "", " "))
    out: list[str] = [""] * rng.choice((0, 0, 1, 2))
    if "header" in odd:
        names = {"word": rng.choice(("word", "Token", "text", "字")),
                 "tag": rng.choice(("tag", "NER", "label", "标签"))}
        out.append(blank.join(names.get(name, name) for name in columns))
    if "docstart" in odd:
        out += [blank.join([*(["0"] * ("index" in odd)), "-DOCSTART-", *["O"] * (len(columns) - 1)]), ""]
    for rows in lines:
        if "comments" in odd:
            out += [f"# sent_id = {rng.randint(1, 99)}", "# text = O word B-PER"][: rng.randint(1, 2)]
        for place, cells in enumerate(rows):
            if "ranges" in odd and "index" in odd and rng.random() < 0.2 and len(cells) == len(columns):
                out.append(blank.join([f"{place + start}-{place + start + 1}", *["_"] * (len(columns) - 1)]))
            out.append((blank * (rng.randint(1, 3) if several else 1)).join(cells) + trailing)
        out += [rng.choice(("", " ", "\t", "  "))] * rng.choice((1, 1, 1, 2))
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    file.text = rng.choice(("", "\ufeff")) + end.join(out) + rng.choice(("", end))
    file.oddities += [repr(separator), repr(end), fault]
    # What a few sentences do not tell for certain may be refused.
    file.must_be_read = fault == "none" and not set(odd) & {"document", "pos", "chunk", "tags first", "ranges", "lemma"}
    return file


def _spoil(rng: random.Random, fault: str, lines: list[list[list[str]]], columns: list[str], scheme: str,
           file: File) -> None:
    number = rng.randrange(len(lines))
    rows, tag = lines[number], columns.index("tag")
    place = rng.randrange(len(rows))
    if fault == "no tag":
        del rows[place][tag]
    elif fault == "blank tag":
        rows[place][tag] = ""
    elif fault == "unknown tag":
        rows[place][tag] = rng.choice(("o", "0", "B_PER", "PER", "B-", "Z-PER", "b-PER"))
    elif fault == "one column more":
        rows[place].append("x")
    elif scheme == "IOB2" and any(found for place, (_, found) in enumerate(file.expected) if place != number):
        # Without another entity the file would be IOB1.
        rows[0][tag], rows[1][tag] = "O", "I-PER"
    else:
        rows[place][tag] = "-PER"
    file.faulty.add(number)


# JSON


def json_file(rng: random.Random) -> File:
    form = rng.choice(("cluener", "entities", "offsets", "doccano label", "doccano labels", "pairs", "studio", "min",
                       "strings", "numbers", "words"))
    made = sentences(rng)
    texts = [("" if words[0] in CHINESE else " ").join(words) for words, _ in made]
    records = [_record(rng, form, text, *sentence) for text, sentence in zip(texts, made, strict=True)]
    file = File("", made, [form])
    if form == "numbers":
        names = ["O", *(f"{letter}-{name}" for name in rng.sample(TYPES, len(TYPES)) for letter in "BI")]
        for record in records:
            record["ner_tags"] = [names.index(tag) for tag in record["ner_tags"]]
        sequence = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
        info = {"features": {"ner_tags": sequence, "tokens": {"feature": {"dtype": "string"}}}}
        if rng.random() < 0.8:
            file.beside["dataset_info.json"] = json.dumps(info if rng.random() < 0.5 else {"default": info})
        else:
            file.must_be_read = False
            file.faulty = set(range(len(made)))
    for record in records:
        if rng.random() < 0.2:
            record |= {"meta": {"text": "x", "label": [[0, 1, "PER"]]}, "comments": []}
    layout = rng.choice(("lines", "indented", "list", "indented list", "lines and commas", "list and comma"))
    file.text = _laid_out(rng, layout, records)
    file.oddities.append(layout)
    if "comma" in layout:
        file.must_be_read = False
    return file


def _laid_out(rng: random.Random, layout: str, records: list[Any]) -> str:
    indent = rng.choice((1, 2, 4)) if "indented" in layout else None
    is_ascii = rng.random() < 0.5
    if layout == "indented list":
        text = json.dumps(records, indent=indent, ensure_ascii=is_ascii)
    else:
        parts = [json.dumps(record, indent=indent, ensure_ascii=is_ascii) for record in records]
        between = {"lines": "\n", "indented": "\n", "lines and commas": ",\n"}.get(
            layout, rng.choice((",\n", ", ", ",\n\n ")))
        text = between.join(parts)
        if layout == "lines and commas":
            text += rng.choice(("", ","))
        if layout.startswith("list"):
            text = f"[{text}{',' * ('comma' in layout)}{rng.choice(('', chr(10)))}]"
    text = text.replace("\n", rng.choice(("\n", "\n", "\r\n")))
    before = rng.choice(("", "\n ")[: 1 + ("indented" not in layout)])
    return rng.choice(("", "\ufeff")) + before + text + rng.choice(("", "\n"))


def _record(rng: random.Random, form: str, text: str, words: list[str], found: list[tuple[str, int, int]]
            ) -> dict[str, Any]:
    gap = int(words[0] not in CHINESE)
    begins = [sum(len(word) + gap for word in words[:place]) for place in range(len(words))]
    spans = [(name, begins[begin], begins[end - 1] + len(words[end - 1])) for name, begin, end in found]
    if form in ("strings", "numbers", "words"):
        tags = tags_of(len(words), found, "IOB2")
        keys = ("words", rng.choice(("tags", "labels", "ner"))) if form == "words" else ("tokens", "ner_tags")
        more = {"pos_tags": [0] * len(words)} if form != "words" else {}
        return {"id": str(rng.randint(0, 9)), keys[0]: words, **more, keys[1]: tags}
    if form == "cluener":
        label: dict[str, dict[str, list[list[int]]]] = {}
        for name, begin, end in spans:
            label.setdefault(name, {}).setdefault(text[begin:end], []).append([begin, end - 1])
        return {"text": text, "label": label}
    if form in ("doccano label", "doccano labels", "pairs"):
        key = {"doccano label": "label", "doccano labels": "labels", "pairs": "entities"}[form]
        listed = [[begin, end, name] for name, begin, end in spans]
        rng.shuffle(listed)
        return {"id": rng.randint(1, 99), "text": text, key: listed}
    if form == "offsets":
        return {"text": text, "entities": [{"id": 1, "label": name, "start_offset": begin, "end_offset": end}
                                           for name, begin, end in spans], "relations": [], "Comments": []}
    if form in ("studio", "min"):
        values = [{"start": begin, "end": end, "text": text[begin:end], "labels": [name]} for name, begin, end in spans]
        result = [{"value": value, "from_name": "label", "type": "labels"} for value in values]
        return ({"id": 1, "text": text, "label": values} if form == "min" else
                {"id": 1, "data": {"text": text}, "annotations": [{"id": 2, "result": result}]})
    return {"text": text, "entities": [{"start": begin, "end": end, rng.choice(("label", "type")): name}
                                       for name, begin, end in spans]}


# Reading


def check_tags(folder: Path, file: File, policy: str, is_json: bool) -> None:
    for old in folder.iterdir():
        old.unlink()
    path = folder / ("train.json" if is_json else "train.txt")
    path.write_bytes(file.text.encode())
    for name, text in file.beside.items():
        (folder / name).write_text(text, encoding="utf-8")
    problems = Problems(policy)
    try:
        examples = list(NER.resolve(folder).read(folder, "train", problems))
    except UserError as error:
        has_entities = any(found for place, (_, found) in enumerate(file.expected) if place not in file.faulty)
        assert not (file.must_be_read and has_entities), f"{file.oddities}: {error}"
        return
    kept = [sentence for place, sentence in enumerate(file.expected) if place not in file.faulty]
    if problems.number:
        assert policy == "skip" and file.faulty, file.oddities
        # A sentence with a fault is left out, none is read otherwise.
        kept = [sentence for sentence in kept if sentence[0] in [example.words for example in examples]]
        assert len(examples) == len(file.expected) - problems.number, file.oddities
    else:
        assert not file.faulty, file.oddities
    read = [("".join("".join(example.words).split()), [(name, example.text[begin:end]) for name, begin, end in
             character_entities(example.spans, example.tags)]) for example in examples]
    joined = [("".join(words), [(name, words[begin:end]) for name, begin, end in found]) for words, found in kept]
    assert [text for text, _ in read] == [text for text, _ in joined], file.oddities
    assert [[(name, "".join(text.split())) for name, text in found] for _, found in read] == [
        [(name, "".join(part)) for name, part in found] for _, found in joined], file.oddities
    if not is_json:
        assert [example.words for example in examples] == [words for words, _ in kept], file.oddities
        assert [entities(example.tags) for example in examples] == [found for _, found in kept], file.oddities


@pytest.mark.parametrize("make", [conll_file, json_file])
def test_tagging_files(make, tmp_path: Path) -> None:
    @fuzz(150)
    @given(seed=seeds(), policy=st.sampled_from(("fail", "skip")))
    def check(seed: int, policy: str) -> None:
        check_tags(tmp_path, make(random.Random(seed)), policy, make is json_file)

    check()
