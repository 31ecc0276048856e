# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of texts and labels as people have them: what is understood of them, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from src.config import TaskConfig
from src.task_files.problems import Problems
from src.tasks.registry import task_of
from tests.refusals import refused

Files = Mapping[str, str | bytes]


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(folder: Path, name: str = "tsv", split: str = "train", policy: Any = "fail", **settings: Any
         ) -> tuple[list[tuple], Problems]:
    """The examples of a split, text, second text where there is one, and label; and what was understood."""
    task = task_of(TaskConfig(task_name=name, **settings), seed=3).resolve(folder)
    problems = Problems(policy)
    return [tuple(value for value in (e.text_a, e.text_b, e.label) if value is not None)
            for e in task.read(folder, split, problems)], problems


AB = [("a", "1"), ("b", "0")]
READ: list[tuple[str, Files, dict[str, Any], list[tuple]]] = [
    ("another name of a column", {"train.tsv": "content\tlabel\na\t1\nb\t0\n"}, {}, AB),
    ("names given", {"train.tsv": "x\ty\tz\na\t.\t1\nb\t.\t0\n"}, {"text_column": "x", "label_column": "z"}, AB),
    ("one name given", {"train.csv": "x,label\na,1\nb,0\n"}, {"text_column": "x"}, AB),
    ("a pair", {"train.csv": "question,sentence,label\na,x,1\nb,y,0\n"},
     {"text_column": "question", "text_b_column": "sentence"}, [("a", "x", "1"), ("b", "y", "0")]),
    ("numbers of columns", {"train.tsv": "7\t1\ta\n8\t0\tb\n"}, {"text_column": "3", "label_column": "2"}, AB),
    ("Chinese header in GBK", {"train.csv": "类别,评论\n1,好\n0,差\n".encode("gbk")}, {"encoding": "gb18030"},
     [("好", "1"), ("差", "0")]),
    ("UTF-16", {"train.tsv": "text\tlabel\r\na\t1\r\nb\t0\r\n".encode("utf-16")}, {"encoding": "utf-16"}, AB),
    ("one label in two forms", {"train.tsv": "text\tlabel\na\t1.0\nb\t0\nc\t1\nd\t0.0\n"}, {},
     [*AB, ("c", "1"), ("d", "0")]),
    ("blanks", {"train.tsv": "\ufefftext\u3000\tlabel \na\t1\u3000\nb\t 0\xa0\n"}, {}, AB),
    ("booleans", {"train.csv": "text,label\na,True\nb,FALSE\nc,true\n"}, {},
     [("a", "true"), ("b", "false"), ("c", "true")]),
    ("a list", {"train.json": '[{"text": "a", "label": 1},\n {"text": "b", "label": 0}]'}, {}, AB),
    ("quotes and breaks", {"train.csv": 'text,label\n"a, ""x""\n\ny",1\nb,0\n'}, {},
     [('a, "x"\n\ny', "1"), ("b", "0")]),
    ("semicolons", {"train.csv": "text;label\na, b;1\nb;0\n"}, {}, [("a, b", "1"), ("b", "0")]),
    ("sep=", {"train.csv": 'sep=;\r\ntext;label\r\n"a;b";1\r\nb;0\r\n'}, {}, [("a;b", "1"), ("b", "0")]),
    ("an index without a name", {"train.csv": ",text,label\n0,a,1\n1,b,0\n"}, {}, AB),
    ("old line ends", {"train.tsv": "text\tlabel\ra\t1\rb\t0\r"}, {}, AB),
    ("a quoted table", {"train.tsv": 'text\tlabel\n"a ""x""\ty"\t1\nb\t0\n'}, {}, [('a "x"\ty', "1"), ("b", "0")]),
    ("quotes that are text", {"train.tsv": 'text\tlabel\n"a" x\t1\n"b"\t0\n'}, {}, [('"a" x', "1"), ('"b"', "0")]),
    ("keys in another order",
     {"train.jsonl": '{"label": 1, "text": "a"}\n{"text": "b", "label": 0, "x": []}\n'}, {}, AB),
]


@pytest.mark.parametrize(("files", "settings", "expected"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_read(files: Files, settings: dict[str, Any], expected: list[tuple], tmp_path: Path) -> None:
    assert read(write(tmp_path, files), **settings)[0] == expected


REFUSED: list[tuple[str, Files, dict[str, Any], str]] = [
    ("unknown names", {"train.tsv": "foo\tbar\na\tx\nb\ty\nc\tx\n"}, {}, "tsv:1: the first line, .* may be a header"),
    ("unknown names, numbers", {"train.tsv": "foo\tbar\na\t1\nb\t0\n"}, {},
     "tsv:1: the first line, .* may be a header"),
    ("a word of headers", {"train.tsv": "text\tyes\nbad\tno\n"}, {}, "tsv:1: the first line, .* may be a header"),
    ("names that come again", {"train.tsv": "foo\tbar\na\t1\nfoo\tbar\nb\t0\n"}, {}, "may be a header"),
    ("words of headers in a row", {"train.tsv": "label\ttext\tx\na\tb\tx\nc\td\ty\n"}, {}, "'x' comes again in its"),
    ("numbers as a header", {"train.csv": "0,1\na,1\nb,0\n"}, {}, "csv:1: the first line, .* may be a header"),
    ("no text", {"train.csv": "comment,label\na,1\nb,0\n"}, {}, "no text among the columns .*name the columns with"),
    ("two texts", {"train.csv": "text,content,label\na,b,1\n"}, {}, "2 columns may be the text: text, content; name"),
    ("a label twice", {"train.csv": "text,label,label\na,1,1\n"}, {}, "2 columns may be the label"),
    ("a name that is not there", {"train.csv": "review,label\na,1\n"}, {"text_column": "reviw"},
     "did you mean 'review'"),
    ("an index", {"train.tsv": "0\ta\tx\n1\tb\ty\n"}, {}, "no header, and the first column.*holds numbers"),
    ("ids", {"train.csv": "doc-1,a,x\ndoc-2,b,y\ndoc-3,c,x\n"}, {},
     "first column, such as 'doc-1', holds ids or dates"),
    ("dates", {"train.tsv": "2020-01-02 10:00\ta\tx\n2020-01-03 9:00\tb\ty\n2020-01-03 9:30\tc\tx\n"}, {},
     "ids or dates and no texts"),
    ("quotes", {"train.tsv": "text\tlabel\na\t'x'\nb\ty\nc\tx\n"}, {}, "differ in case, width, blanks, quotes"),
    ("a zero-width blank", {"train.tsv": "text\tlabel\na\tx\u200by\nb\tz\nc\txy\n"}, {},
     "differ in case, width, blanks"),
    ("labels first", {"train.tsv": "x\ta\ny\tb\nx\tc\ny\td\n"}, {}, "no header, and the last column.*differs more"),
    ("an empty label", {"train.tsv": "text\tlabel\na\t1\nb\t\nc\t0\n"}, {}, "tsv:3: the label is empty; correct it"),
    ("null", {"train.jsonl": '{"text": "a", "label": null}\n{"text": "b", "label": 1}\n{"text": "c", "label": 0}\n'},
     {}, "jsonl:1: the object has no 'label'"),
    ("nan", {"train.csv": "text,label\na,1\nb,nan\nc,0\n"}, {}, "csv:3: the label is nan"),
    ("nothing among numbers", {"train.csv": "text,label\na,1\nb,None\nc,0\n"}, {},
     "'None' among labels that are numbers"),
    ("one-hot", {"train.jsonl": '{"text": "a", "label": [0, 1]}\n'}, {}, r"jsonl:1: the label is \[0, 1\], a list"),
    ("an object", {"train.jsonl": '{"text": "a", "label": {"x": 1}}\n'}, {}, "the label is .*, an object"),
    ("lists as text", {"train.csv": "text,label\na,\"['x', 'y']\"\n"}, {}, "the label is .*, a list"),
    ("case", {"train.csv": "text,label\na,Good\nb,bad\nc,good\n"}, {},
     "'Good' .1 rows. and 'good' .1 rows., which differ"),
    ("width", {"train.csv": "text,label\na,１\nb,0\nc,1\n"}, {}, "which differ in case, width"),
    ("booleans and numbers", {"train.jsonl": '{"text": "a", "label": true}\n{"text": "b", "label": 0}\n'}, {},
     "booleans and numbers among its labels"),
    ("texts as labels", {"train.csv": "text,label\n" + "".join(f"x,{n}\n" for n in range(25))}, {},
     "25 different labels"),
    ("commas behind lines", {"train.jsonl": '{"text": "a", "label": 1},\n'}, {}, "jsonl:1: .*no comma between them"),
    ("an object over lines", {"train.json": '{\n"text": "a",\n"label": 1\n}\n'}, {}, "a line of its own"),
    ("a key twice", {"train.jsonl": '{"text": "a", "label": 1, "label": 0}\n'}, {}, "the name 'label' twice"),
    ("a broken list", {"train.json": '[{"text": "a", "label": 1}\n{"text": "b"}]'}, {}, "json:2: .* expected a comma"),
    ("CSV called TSV", {"train.tsv": "text,label\na,1\n"}, {}, "commas separate the names.*called .csv"),
    ("an open quote", {"train.csv": 'text,label\na,1\n"b,0\n'}, {}, "csv:3: a quote is opened that is not closed"),
    ("GBK", {"train.csv": "文本,标签\n好,正\n差,负\n".encode("gbk")}, {}, "--encoding gb18030"),
    ("UTF-16 unasked", {"train.csv": "text,label\na,1\n".encode("utf-16")}, {}, "--encoding utf-16"),
    ("UTF-8 after all", {"train.csv": "text,label\n很好值得一看再看,1\n差,0\n"}, {"encoding": "gbk"},
     "leave --encoding gbk"),
    ("no encoding", {"train.csv": "text,label\na,1\n"}, {"encoding": "gb1803"}, "did you mean 'gb18030'"),
    ("Excel", {"train.csv": b"PK\x03\x04..."}, {}, "an Excel workbook or a zip archive; save it as CSV"),
    ("two files", {"train.csv": "text,label\na,1\n", "train.tsv": "text\tlabel\na\t1\n"}, {}, "train.tsv, train.csv"),
    ("a header again", {"train.tsv": "text\tlabel\na\t1\nb\t0\ntext\tlabel\n"}, {}, "tsv:4: the header again"),
    ("a text that is none", {"train.jsonl": '{"text": ["a"], "label": 1}\n'}, {},
     r'the text is \["a"\]; expected a text'),
    ("a share and a file", {"train.csv": "text,label\na,1\n", "dev.csv": "text,label\na,1\n"}, {"dev_share": 0.1},
     "dev.csv holds the dev split; leave --dev_share out"),
]


@pytest.mark.parametrize(("files", "settings", "message"), [case[1:] for case in REFUSED],
                         ids=[case[0] for case in REFUSED])
def test_refused(files: Files, settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    refused(message, read, write(tmp_path, files), **settings)


NLI = "premise\thypothesis\tlabel\tidx\na\tb\t0\t0\nc\td\t2\t1\n"
HUB: list[tuple[str, str, str, list[tuple], str]] = [
    ("MNLI", "train.tsv", NLI, [("a", "b", "entailment"), ("c", "d", "contradiction")],
     "1 = neutral, 2 = contradiction"),
    ("XNLI", "train.tsv", NLI, [("a", "b", "entailment"), ("c", "d", "contradiction")], "0 = entailment"),
    ("RTE", "train.csv", 'sentence1,sentence2,label,idx\n"a, x",b,1,0\n', [("a, x", "b", "not_entailment")],
     "1 = not_ent"),
    ("QNLI", "train.jsonl", '{"question": "a", "sentence": "b", "label": 0, "idx": 3}\n',
     [("a", "b", "entailment")], "0 ="),
    ("MRPC", "train.tsv", "sentence1\tsentence2\tlabel\tidx\na\tb\t1\t0\n", [("a", "b", "1")], ""),
    ("QQP", "train.tsv", "question1\tquestion2\tlabel\tidx\na\tb\t1\t0\n", [("a", "b", "1")], ""),
    ("STS-B", "train.tsv", "sentence1\tsentence2\tlabel\tidx\na\tb\t2.5\t0\n", [("a", "b", 2.5)], ""),
    ("CoLA", "train.tsv", "sentence\tlabel\tidx\na\t1\t0\n", [("a", "1")], ""),
    ("CMNLI", "train.json", '{"sentence1": "a", "sentence2": "b", "label": 0}\n', [("a", "b", "neutral")],
     "0 = neutral"),
    ("TNEWS", "train.json", '{"sentence": "a", "label": 14}\n', [("a", "news_game")], "14 = news_game"),
]


@pytest.mark.parametrize(("name", "file", "content", "expected", "note"), HUB, ids=[case[0] for case in HUB])
def test_files_of_the_hub(name: str, file: str, content: str, expected: list[tuple], note: str, tmp_path: Path) -> None:
    rows, problems = read(write(tmp_path, {file: content}), name)
    assert rows == expected and note in "\n".join(problems.understood.lines())


@pytest.mark.parametrize("labels", [("-1", "-1"), ("", "")])
def test_test_sets_of_the_hub_have_no_labels(labels: tuple[str, str], tmp_path: Path) -> None:
    header, first, second = "index\tsentence\tlabel\n", f"0\ta\t{labels[0]}\n", f"1\tb\t{labels[1]}\n"
    rows, problems = read(write(tmp_path, {"test.tsv": header + first + second}), "SST-2", "test")
    assert rows == [("a",), ("b",)] and "an unlabelled test set" in problems.understood.notes[0]
    write(tmp_path, {"test.tsv": header + first + "1\tb\t1\n"})
    refused("test.tsv:3: this row has a label, the first one has none", read, tmp_path, "SST-2", "test", policy="skip")


@pytest.mark.parametrize(("name", "content", "message"), [
    ("SST-2", "Sentence\tLabel\na\t1\n", "did you mean 'sentence', where the file has 'Sentence'"),
    ("SST-2", "sentence\tLabel\na\t1\n", "no column 'label'.*did you mean 'label', where the file has 'Label'"),
    ("CoLA", "Sentence\tLabel\tx\ty\na\t1\t\t\n", "did you mean 'sentence'"),
    ("MNLI", "premise\thypothesis\tlabel\na\tb\t-1\n", "unknown label '-1'.*how the Hugging Face hub marks rows"),
    ("MNLI", "premise\thypothesis\tlabel\na\tb\t0\na\tb\tneutral\n",
     "unknown label 'neutral': the rows before have num"),
])
def test_headers_and_labels_of_benchmarks(name: str, content: str, message: str, tmp_path: Path) -> None:
    refused(message, read, write(tmp_path, {"train.tsv": content}), name)


@pytest.mark.parametrize("score", ["1e39", "9" * 400, "-1e400", "true"])
def test_scores_that_are_no_float32(score: str, tmp_path: Path) -> None:
    folder = write(tmp_path, {"train.jsonl": f'{{"text": "a", "score": {score}}}\n'})
    refused("jsonl:1: the score is .*; expected a number", read, folder, "tsv-regression")


def test_columns_of_a_benchmark_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, {"train.csv": "review,sentiment\na,1\nb,0\n"})
    assert read(folder, "SST-2", text_column="review", label_column="sentiment")[0] == AB
    refused("task SST-2 has single texts", read, folder, "SST-2", text_b_column="review")
    refused("--dev_share divides one file", read, folder, "SST-2", dev_share=0.1)
    refused("--text_column is a setting of tasks on whole texts", read, folder, "ner", text_column="review")


def test_what_was_understood(tmp_path: Path) -> None:
    rows = "编号,评论,类别\n1,好,表扬\n2,差,投诉\n3,无,\n4,一般,投诉\n"
    folder = write(tmp_path, {"train.csv": rows.encode("gb18030")})
    _, problems = read(folder, policy="skip", encoding="gb18030")
    assert problems.understood.lines() == [
        "read train.csv (CSV, separated by commas, gb18030): text = 评论, label = 类别; not used: 编号",
        "classes: 投诉 2, 表扬 1", "left out: 1 faulty rows"]
    assert problems.summary() == f"1 faulty rows: {folder}/train.csv:4: the label is empty"
    assert problems.understood.plain()["classes"] == {"投诉": 2, "表扬": 1}


def test_one_file_is_divided(tmp_path: Path) -> None:
    lines = [f"text {number % 45},{'ab'[number % 3 == 0]}" for number in range(60)]
    folder = write(tmp_path, {"train.csv": "\n".join(["text,label", *lines, "alone,c"]) + "\n"})
    file = folder / "train.csv"
    for place in (folder, file):
        parts = {split: read(place, split=split, dev_share=0.2)[0] for split in ("train", "dev")}
        assert {label: sum(row[1] == label for row in parts["dev"]) for label in "abc"} == {"a": 8, "b": 4, "c": 0}
        assert len(parts["train"]) + len(parts["dev"]) == 61
        assert not {row[0] for row in parts["train"]} & {row[0] for row in parts["dev"]}  # equal texts stay together
    # Which rows these are does not depend on their order.
    write(folder, {"train.csv": "\n".join(["text,label", *reversed(lines), "alone,c"]) + "\n"})
    assert sorted(read(file, split="dev", dev_share=0.2)[0]) == sorted(parts["dev"])
    assert task_of(TaskConfig(task_name="tsv", dev_share=0.2), 3).splits_in(file) == ("train", "dev")
