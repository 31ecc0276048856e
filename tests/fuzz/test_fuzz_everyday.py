# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Task files as people have them, well formed but odd, whose right reading is known: read right or refused.

A file is a table (texts, labels) that is written in one of many ways. Some ways cannot be told from others; these must
be refused. Those that are plain must be read.
"""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given

from src.common.errors import UserError, one_line
from src.config import TaskConfig
from src.task_files.problems import Problems
from src.tasks.registry import task_of
from tests.fuzz.mutations import fuzz, seeds

TEXTS = ("a good film", "bad, really bad", "he said \"hi\"", "\"quoted\" at the start", "5\" tall; so what",
         "  blanks  ", "很好，值得一看", "太差了；不推荐", "text", "it's 100% | fine", "\u3000full width\u3000", "café",
         "1", "a\u2028b", "don't", "“curly”", "[PAD] x", "{not json}", "# no comment", "=1+1", "very " * 30, "N/A",
         "label")
CLASSES: tuple[tuple[tuple[Any, ...], ...], ...] = (  # of each class the spellings that mean it, the normal form first
    (("neg",), ("pos",)), (("neg", "neg ", "\u3000neg", "neg\xa0"), ("pos", " pos")), (("0",), ("1",)),
    (("0", "0.0", " 0"), ("1", "1.0", "1.00")), (("投诉",), ("咨询",), ("表扬", "表扬\u3000")),
    (("-1",), ("0",), ("1",)), (("false", "False", "FALSE"), ("true", "True", "TRUE")), (("1",), ("2",), ("10",)),
    (("not ok",), ("ok",), ("label 3",)))
TYPED = ((("0", 0), ("1", 1)), (("0", 0, 0.0), ("1", 1, 1.0)), (("false", False), ("true", True)))
KNOWN = {"text": ("text", "Text", "sentence", " text ", "TEXT", "content", "文本", "text_a", "\ufefftext"),
         "text_b": ("text_b", "sentence2", "Text B", "hypothesis"),
         "label": ("label", "Label", "labels", " label", "标签", "类别", "gold_label")}
UNKNOWN = {"text": ("spam", "Spalte A", "字段一", "v1", "reviewText"), "text_b": ("eggs", "Spalte B", "字段二"),
           "label": ("ham", "Spalte C", "字段三", "v2", "overall")}
EXTRA = ("id", "", "Unnamed: 0", "idx", "date", "作者", "source")


@dataclass
class Case:
    """One file.

    Attributes:
        content: its bytes.
        rows: the right reading: text, second text, label.
        faulty: the places among `rows` of those that only `--bad_rows skip` leaves out.
        must: whether it must be read.
        why: what was chosen, for the message.
    """

    name: str
    content: bytes
    rows: list[tuple[str, str | None, str | None]]
    faulty: set[int] = field(default_factory=set)
    options: dict[str, Any] = field(default_factory=dict)
    must: bool = False
    why: dict[str, Any] = field(default_factory=dict)


def make(seed: int) -> Case:
    """Return the file of a seed."""
    pick = random.Random(seed)
    form = pick.choice(("tsv", "tsv", "quoted tsv", "csv", "csv", "semicolons", "jsonl", "list"))
    header = "known" if form in ("jsonl", "list") else pick.choice(("known", "known", "known", "none", "unknown"))
    if form in ("jsonl", "list") and pick.random() < 0.3:
        header = "unknown"
    is_pair, is_json = pick.random() < 0.3, form in ("jsonl", "list")
    classes = pick.choice(TYPED if is_json and pick.random() < 0.4 else CLASSES)
    # Each class at least twice: with fewer rows no reader could tell a header from a row.
    chosen = [kind for kind in classes for _ in range(pick.randint(2, 4))]
    pick.shuffle(chosen)
    breaks = form in ("csv", "quoted tsv", "semicolons", "jsonl", "list") and pick.random() < 0.3
    # Without a header, texts that come again as often as labels could be these.
    drawn = [pick.sample(TEXTS, len(chosen)) if header == "none" else pick.choices(TEXTS, k=len(chosen))
             for _ in range(2)]
    texts = [text + (pick.choice(("\nnext line", "\ttab")) if breaks and pick.random() < 0.3 else "")
             for pair in zip(*drawn, strict=True) for text in pair]
    labels = [pick.choice(kind) for kind in chosen]
    rows = [(texts[2 * place], texts[2 * place + 1] if is_pair else None, str(kind[0]))
            for place, kind in enumerate(chosen)]
    names = {role: pick.choice((KNOWN if header == "known" else UNKNOWN)[role])
             for role in (("text", "text_b", "label") if is_pair else ("text", "label"))}
    options = {}
    if header == "unknown" and pick.random() < 0.6:
        options = {f"{role}_column": name for role, name in names.items()}
    columns = list(names)
    reordered = pick.random() < 0.4
    if reordered:
        if header == "none":  # the order of the two texts is all that tells them apart
            columns = ["label", *columns[:-1]]
        else:
            pick.shuffle(columns)
    extras = pick.sample(EXTRA, pick.randint(1, 2)) if pick.random() < 0.3 else []
    for extra in extras:
        columns.insert(pick.choice((0, len(columns))), f"+{extra}")
    values = {"text": texts[::2], "text_b": texts[1::2], "label": labels}
    table = [[values[column][place] if column in values else str(place) for column in columns]
             for place in range(len(rows))]
    titles = [names.get(column, column[1:]) for column in columns]
    doubled = header != "none" and not is_json and pick.random() < 0.05
    if doubled:
        titles.append(names[pick.choice(list(names))])
        table = [[*cells, "twice"] for cells in table]
    hazard = pick.choice(("",) * 6 + ("ragged", "empty label", "header again"))
    place = pick.randrange(1, len(rows))
    faulty: set[int] = set()
    if hazard == "empty label":
        table[place][columns.index("label")] = pick.choice(("", " ", "\u3000"))
        faulty.add(place)
    elif hazard == "ragged" and not is_json:
        table[place] = pick.choice((table[place][:-1], [*table[place], "more"]))
        faulty.add(place)
    elif hazard == "header again" and header != "none" and not is_json:
        table.insert(place, titles)
        rows.insert(place, ("", None, None))
        faulty.add(place)
    encoding = pick.choice(("utf-8",) * 5 + ("utf-8-sig", "gb18030", "utf-16"))
    if encoding in ("gb18030", "utf-16") and pick.random() < 0.7:
        options["encoding"] = encoding
    end = pick.choice(("\n", "\n", "\r\n", *(() if breaks or is_json else ("\r",))))
    quoting = pick.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))
    why = {"form": form, "header": header, "titles": titles, "hazard": hazard, "encoding": encoding, "end": end,
           "doubled": doubled, "classes": classes, "quoting": quoting, "reordered": reordered, "seed": seed}
    must = not (doubled or faulty or header != "known" or extras) and encoding in ("utf-8", "utf-8-sig")
    text = written(form, [titles, *table] if header != "none" else table, end, quoting, pick)
    suffix = {"tsv": ".tsv", "quoted tsv": ".tsv", "jsonl": ".jsonl", "list": ".json"}.get(form, ".csv")
    return Case(f"train{suffix}", text.encode(encoding), rows, faulty, options, must, why)


def written(form: str, table: list[list[Any]], end: str, quoting: Any, pick: random.Random) -> str:
    """Return the text of a table."""
    if form in ("jsonl", "list"):
        titles, *rows = table
        objects = [dict(zip(titles, cells, strict=False)) for cells in rows]
        if form == "list":
            return json.dumps(objects, ensure_ascii=False, indent=pick.choice((None, 2))).replace("\n", end)
        return end.join(json.dumps(value, ensure_ascii=pick.random() < 0.5) for value in objects)
    if form == "tsv":
        lines = ["\t".join(map(str, cells)) for cells in table]
    else:
        lines = []
        for cells in table:
            line = io.StringIO()
            separator = {"csv": ",", "semicolons": ";", "quoted tsv": "\t"}[form]
            csv.writer(line, delimiter=separator, quoting=quoting, lineterminator="\n").writerow(cells)
            lines.append(line.getvalue().removesuffix("\n"))
    for _ in range(pick.choice((0, 0, 1, 2))):
        lines.insert(pick.randrange(1, len(lines) + 1), "")
    return end.join(lines) + end * pick.choice((0, 1, 1, 2))


def read(folder: Path, case: Case, policy: str, **options: Any) -> list[tuple[str, str | None, str | None]] | None:
    """Return what is read of the training rows, and of the dev rows where they are taken of them; None: refused."""
    try:
        task = task_of(TaskConfig(task_name="tsv", **{**case.options, **options}), seed=3).resolve(folder)
        problems = Problems(policy)
        examples = [e for split in task.splits_in(folder) for e in task.read(folder, split, problems)]
    except UserError as error:
        assert one_line(error) and "Traceback" not in str(error)
        case.why["refused"] = str(error)
        return None
    assert sum(problems.understood.classes.values()) or not examples
    return [(e.text_a, e.text_b, e.label) for e in examples]


@fuzz(400)
@given(seed=seeds())
def test_own_files(tmp_path_factory, seed: int) -> None:
    case = make(seed)
    folder = tmp_path_factory.getbasetemp() / "everyday"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    (folder / case.name).write_bytes(case.content)
    whole = read(folder, case, "fail")
    assert whole is None or not case.faulty and whole == case.rows, (whole, case)
    assert whole is not None or not case.must, case
    right = [row for place, row in enumerate(case.rows) if place not in case.faulty]
    rest = read(folder, case, "skip")
    if case.why["encoding"] == "gb18030" and "encoding" not in case.options:
        # Single lines that are no UTF-8 are faulty rows.
        assert set(rest or ()) <= set(right), (rest, case)
    else:
        assert rest is None or rest == right, (rest, case)
    if whole is not None:
        divided = read(folder, case, "fail", dev_share=0.3)
        assert divided is None or sorted(divided) == sorted(case.rows), (divided, case)  # type: ignore[type-var]


def test_the_plain_ones_are_many() -> None:
    cases = [make(seed) for seed in range(300)]
    assert sum(case.must for case in cases) > 60 and sum(bool(case.faulty) for case in cases) > 40
    assert len({(case.why["form"], case.why["header"]) for case in cases}) == 16
