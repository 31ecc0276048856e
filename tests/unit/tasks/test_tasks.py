# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The files of every GLUE task and of plain data, faults in them, and which metrics a task has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import prepare_data
from src.common.errors import UserError
from src.task_files.problems import Problems
from src.task_files.tables import read_rows
from src.tasks import get_task, names
from tests.refusals import refused

# The headers of GLUE's download: labelled, and test. CoLA's labelled files have none.
HEADERS = {
    "SST-2": ("sentence\tlabel", "index\tsentence"),
    "CoLA": ("", "index\tsentence"),
    "MRPC": ("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", "index\t#1 ID\t#2 ID\t#1 String\t#2 String"),
    "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "id\tquestion1\tquestion2"),
    "STS-B": ("index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
              "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"),
    "MNLI": ("index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
             "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
             "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
             "sentence2_parse\tsentence1\tsentence2"),
    "QNLI": ("index\tquestion\tsentence\tlabel", "index\tquestion\tsentence"),
    "RTE": ("index\tsentence1\tsentence2\tlabel", "index\tsentence1\tsentence2"),
    "WNLI": ("index\tsentence1\tsentence2\tlabel", "index\tsentence1\tsentence2"),
}
TEXT_COLUMNS = {"sentence": "first", "#1 String": "first", "question1": "first", "sentence1": "first",
                "question": "first", "#2 String": "second", "question2": "second", "sentence2": "second"}


def row(header: str, label: str, pair_first: str = "") -> str:
    """A line for a header: "first" and "second" in the text columns, `label` in the last, numbers elsewhere."""
    cells = []
    for index, name in enumerate(header.split("\t")):
        text = TEXT_COLUMNS.get(name, str(index))
        # QNLI's "sentence" is the second text.
        cells.append("second" if name == pair_first else text)
    return "\t".join([*cells[:-1], label] if label else cells)


@pytest.mark.parametrize("name", HEADERS)
def test_files_of_glue(name: str, tmp_path: Path) -> None:
    task = get_task(name)
    header, test_header = HEADERS[name]
    label = "2.5" if task.is_regression else task.labels[-1]
    second = "sentence" if name == "QNLI" else ""
    labelled = f"gj04\t{label}\t*\tfirst" if name == "CoLA" else f"{header}\n{row(header, label, second)}"
    if name == "MRPC":
        labelled = f"{header}\n{label}\t1\t2\tfirst\tsecond"
    for split in task.splits:
        text = f"{test_header}\n{row(test_header, '', second)}" if split.startswith("test") else labelled
        if split == "train_aug":
            # As augmentation writes it: the task's own columns, CoLA's too.
            texts = [name for name in (task.text_a, task.text_b) if name]
            text = "\t".join([*texts, task.label]) + "\n" + "\t".join(["first", "second"][: len(texts)] + [label])
        # A byte order mark, Windows line ends, and no newline at the end.
        (tmp_path / task.file_names(split)[0]).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert task.splits_in(tmp_path) == task.splits
    for split in task.splits:
        examples = list(task.read(tmp_path, split))
        expected = None if split.startswith(("test", "unlabelled")) else 2.5 if task.is_regression else label
        assert [(e.text_a, e.text_b, e.label) for e in examples] == [
            ("first", "second" if task.text_b else None, expected)]
        assert examples[0].line == (1 if name == "CoLA" and split in ("train", "dev", "unlabelled") else 2)


def test_names() -> None:
    clue = {"TNEWS", "AFQMC", "CMNLI", "ChnSentiCorp"}
    assert set(HEADERS) | clue | {"AX", "XNLI", "tsv", "tsv-regression"} <= set(names())
    assert len({name.lower() for name in names()}) == len(names())
    assert get_task("sst2") is get_task("SST-2") is get_task("sst_2")
    assert get_task("stsb").is_regression and not get_task("stsb").labels
    refused("unknown task 'MNIL'.*did you mean 'MNLI'", get_task, "MNIL")


def test_help_names_all_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        prepare_data.main(["task", "--help"])
    assert capsys.readouterr().out.endswith(f"Tasks: {', '.join(names())}.\n")


def test_copies_of_augmentation() -> None:
    copies = {"CoLA": 30, "MRPC": 30, "RTE": 30, "STS-B": 30, "SST-2": 20, "QNLI": 20, "MNLI": 10, "QQP": 10}
    assert {name: get_task(name).copies for name in copies} == copies


def test_mnli_splits(tmp_path: Path) -> None:
    task = get_task("mnli")
    assert task.splits == ("train", "train_aug", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched",
                           "unlabelled")
    assert task.file_names("dev")[0] == task.file_names("dev_matched")[0] == "dev_matched.tsv"
    assert task.parts("dev") == ("dev_matched", "dev_mismatched") and task.parts("dev_mismatched") == (
        "dev_mismatched",)
    assert task.parts("train") == ("train",) and get_task("SST-2").parts("dev") == ("dev",)
    assert task.labels == ("contradiction", "entailment", "neutral")
    with pytest.raises(UserError, match="has no split 'dev_mached'.*did you mean 'dev_matched'"):
        task.file_names("dev_mached")[0]
    refused("no data of task MNLI", task.splits_in, tmp_path)


def test_quotes_and_separators_are_text(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes('sentence\tlabel\n"he said\t1\n\n a "" b\x0c\u2028c \t0\n'.encode())
    examples = list(get_task("SST-2").read(tmp_path, "train"))
    assert [(e.text_a, e.label, e.line) for e in examples] == [('"he said', "1", 2), (' a "" b\x0c\u2028c ', "0", 4)]


@pytest.mark.parametrize(("content", "message"), [
    (b"sentence\tlabel\ngood\t1\nbad row\n", r"train.tsv:3: 1 tab-separated columns; expected 2 \(sentence, label\)"),
    (b"sentence\tlabel\na\tb\t1\n", "train.tsv:2: 3 tab-separated columns"),
    (b"sentence\tlabel\ngood\t2\n", "train.tsv:2: unknown label '2'; task SST-2 has 0, 1"),
    (b"sentence\tlabel\ngood\t1\nb\xe9d\t0\n", "train.tsv:3: not UTF-8 .byte 2 of the line is 0xe9"),
    (b"", "train.tsv is empty"),
    (b"sentence\tlabel\n", "header but no examples"),
    (b"text\tclass\ngood\t1\n", "train.tsv:1: no header with 'sentence'"),
    (b"index\tsentence\n0\tgood\n", "train.tsv:1: the header has no column 'label'"),
])
def test_faults_name_file_and_line(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(content)
    refused(message, list, get_task("SST-2").read(tmp_path, "train"))


def test_faulty_score_and_missing_files(tmp_path: Path) -> None:
    task = get_task("STS-B")
    for score in ("high", "nan"):
        (tmp_path / "dev.tsv").write_text(f"sentence1\tsentence2\tscore\na\tb\t{score}\n", encoding="utf-8")
        refused(f"dev.tsv:2: the score is '{score}'", list, task.read(tmp_path, "dev"))
    refused("has no train.tsv", list, task.read(tmp_path, "train"))
    refused("no such folder or file", list, task.read(tmp_path / "absent", "train"))


@pytest.mark.parametrize(("train", "test", "is_pair", "labelled"), [
    ("good\tyes\nbad\tno\n", "fine\n", False, False),
    ("good\tyes\nbad\tno\n", "fine\tno\n", False, True),
    ("a\tb\tyes\nc\td\tno\n", "fine\tx\n", True, False),
    ("a\tb\tyes\nc\td\tno\n", "fine\tx\tno\n", True, True),
    ("text\tlabel\ngood\tyes\nbad\tno\n", "text\nfine\n", False, False),
    ("sentence\tlabel\ngood\tyes\nbad\tno\n", "qid\ttext_a\n7\tfine\n", False, False),
    ("text_a\ttext_b\tlabel\na\tb\tyes\nc\td\tno\n", "text_a\ttext_b\nfine\tx\n", True, False),
])
def test_plain_files(train: str, test: str, is_pair: bool, labelled: bool, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text(train, encoding="utf-8")
    (tmp_path / "test.tsv").write_text(test, encoding="utf-8")
    task = get_task("tsv").resolve(tmp_path)
    assert task.labels == ("no", "yes") and bool(task.text_b) is is_pair
    examples = list(task.read(tmp_path, "train"))
    assert [example.label for example in examples] == ["yes", "no"]
    assert all((example.text_b is not None) is is_pair for example in examples)
    tested = list(task.read(tmp_path, "test"))
    assert [(e.text_a, e.text_b, e.label) for e in tested] == [
        ("fine", "x" if is_pair else None, "no" if labelled else None)]
    assert task.label_id("yes") == 1


@pytest.mark.parametrize(("train", "test", "is_pair"), [
    ('{"text": "good", "label": 1}\n{"label": 0, "text": "bad"}\n', '{"id": 3, "text": "fine"}\n', False),
    ('{"text": "good", "label": "1"}\n{"text": "bad", "label": "0"}\n', '{"text": "fine", "more": []}\n', False),
    ('{"id": 0, "premise": "good", "hypothesis": "x", "label": 1}\n{"premise": "bad", "hypothesis": "y", "label": 0}\n',
     '{"premise": "fine", "hypothesis": "z"}\n', True),
])
def test_plain_json_lines(train: str, test: str, is_pair: bool, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(train, encoding="utf-8")
    (tmp_path / "test.json").write_text(test, encoding="utf-8")
    task = get_task("tsv").resolve(tmp_path)
    assert task.labels == ("0", "1") and bool(task.text_b) is is_pair
    assert [(e.text_a, e.text_b, e.label) for e in task.read(tmp_path, "train")] == [
        ("good", "x" if is_pair else None, "1"), ("bad", "y" if is_pair else None, "0")]
    assert [(e.text_a, e.text_b, e.label) for e in task.read(tmp_path, "test")] == [
        ("fine", "z" if is_pair else None, None)]


def test_plain_regression(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tb\t0.5\nc\td\t-2\n", encoding="utf-8")
    (tmp_path / "dev.jsonl").write_text('{"sentence1": "a", "sentence2": "b", "score": 4}\n', encoding="utf-8")
    (tmp_path / "train_aug.tsv").write_text("text\ttext_b\tlabel\na\tb\t0.25\n", encoding="utf-8")
    task = get_task("tsv-regression").resolve(tmp_path)
    assert task.text_b and task.is_regression and not task.labels and task.head().kind == "regression"
    assert task.metric_names == get_task("STS-B").metric_names
    assert {split: [(e.text_a, e.text_b, e.label) for e in task.read(tmp_path, split)]
            for split in task.splits_in(tmp_path)} == {
        "train": [("a", "b", 0.5), ("c", "d", -2.0)], "train_aug": [("a", "b", 0.25)], "dev": [("a", "b", 4.0)]}
    (tmp_path / "train.tsv").write_text("a\tb\t0.5\nc\td\tlow\n", encoding="utf-8")
    refused("train.tsv:2: the score is 'low'; expected a number", list, task.read(tmp_path, "train"))


def test_plain_single_file_and_labels(tmp_path: Path) -> None:
    file = tmp_path / "reviews.tsv"
    file.write_text("\n".join(f"text {label}\t{label}" for label in (10, 9, 0)) + "\n", encoding="utf-8")
    task = get_task("tsv").resolve(file)
    assert task.labels == ("0", "9", "10")
    assert task.splits_in(file) == ("train",)
    assert len(list(task.read(file, "train"))) == 3
    with pytest.raises(UserError, match="reviews.tsv:1: unknown label '10'"):
        list(get_task("tsv").resolve(file, labels=("0", "1")).read(file, "dev"))


@pytest.mark.parametrize(("content", "message"), [
    ("only text\n", "train.tsv:1: 1 tab-separated columns; expected text<TAB>label"),
    ("a\tb\tc\td\n", "train.tsv:1: 4 tab-separated columns"),
    ("a\tx\nb\n", "train.tsv:2: 1 tab-separated columns"),
    ("a\tx\nb\tx\n", "has only the label 'x'"),
    ("text\ttext_b\nb\tx\n", "train.tsv:1: no column 'label'"),
    ('{"title": "a", "label": 1}\n', "train.tsv:1: no text among the keys .'title', 'label'.; expected one of text,"),
    ('{"text": "a", "label": 1}\n{"text": "a", "label": \n', "train.tsv:2: not a JSON object"),
    ("", "train.tsv is empty"),
])
def test_plain_faults(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        get_task("tsv").resolve(tmp_path)


@pytest.mark.parametrize("content", ["fine\n", "text\nfine\n", "id\ttext\n0\tfine\n"])
def test_plain_single_file_without_labels(content: str, tmp_path: Path) -> None:
    file = tmp_path / "new.tsv"
    file.write_text(content, encoding="utf-8")
    for task in (get_task("tsv").resolve(file, labels=("no", "yes")), get_task("tsv-regression").resolve(file)):
        assert [(e.text_a, e.label) for e in task.read(file, "test")] == [("fine", None)]
    with pytest.raises(UserError, match="new.tsv:1: "):
        get_task("tsv").resolve(file)


def test_plain_files_agree_on_pairs(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tb\tx\nc\td\ty\n", encoding="utf-8")
    (tmp_path / "dev.tsv").write_text("a\tx\n", encoding="utf-8")
    with pytest.raises(UserError, match="dev.tsv:1: no column 'text_b', which task tsv needs here"):
        list(get_task("tsv").resolve(tmp_path).read(tmp_path, "dev"))


def test_plain_faulty_rows_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tx\nb\nc\ty\n", encoding="utf-8")
    task, problems = get_task("tsv").resolve(tmp_path), Problems("skip")
    assert task.labels == ("x", "y")
    assert [example.text_a for example in task.read(tmp_path, "train", problems)] == ["a", "c"]
    assert problems.summary().startswith(f"1 faulty rows: {tmp_path}/train.tsv:2: 1 tab-separated columns")
    refused("train.tsv:2: 1 tab-separated columns", list, task.read(tmp_path, "train"))


def test_plain_labels_come_from_training_data(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tx\nb\ty\n", encoding="utf-8")
    (tmp_path / "dev.tsv").write_text("a\tx\nb\tz\n", encoding="utf-8")
    with pytest.raises(UserError, match="dev.tsv:2: unknown label 'z'; task tsv has x, y"):
        list(get_task("tsv").resolve(tmp_path).read(tmp_path, "dev"))
    with pytest.raises(UserError, match="unknown label 'z'"):
        get_task("tsv").with_labels(("x", "y")).label_id("z")


def test_metrics_of_tasks() -> None:
    predictions, labels = np.array([1, 1, 0, 1, 0, 0, 1, 0]), np.array([1, 0, 0, 1, 1, 0, 1, 0])
    # 3 true positives, 1 false positive, 1 false negative, 3 true negatives.
    for name in ("SST-2", "MNLI", "QNLI", "RTE", "WNLI"):
        assert get_task(name).metrics(predictions, labels) == {"accuracy": 0.75}
    for name in ("MRPC", "QQP"):
        assert get_task(name).metrics(predictions, labels) == {"accuracy": 0.75, "f1": 0.75}
    cola = get_task("CoLA").metrics(predictions, labels)
    assert cola == {"matthews_correlation": pytest.approx((3 * 3 - 1 * 1) / (4 * 4)), "accuracy": 0.75}
    assert get_task("CoLA").primary_metric == "matthews_correlation"
    scores, targets = np.array([0.1, 0.4, 0.35, 0.8]), np.array([0.0, 1.0, 2.0, 8.0])
    # Ranks 1 3 2 4 against 1 2 3 4: 1 - 6 * 2 / (4 * 15).
    assert get_task("STS-B").metrics(scores, targets) == {
        "spearman": pytest.approx(0.8), "pearson": pytest.approx(np.corrcoef(scores, targets)[0, 1])}


@pytest.mark.medium
@pytest.mark.parametrize(("name", "folder", "rows"), [
    ("CoLA", "glue/CoLA", {"train": 8551, "dev": 1043, "test": 1063}),
    ("MRPC", "glue/MRPC", {"train": 3667, "dev": 408, "test": 1725}),
    ("RTE", "glue/RTE", {"train": 2490, "dev": 277, "test": 3000}),
    ("STS-B", "glue/STS-B", {"train": 5749, "dev": 1500, "test": 1379}),
    ("tsv", "chnsenticorp", {"train": 9600, "dev": 1200}),
    ("tsv", "tnews", {"train": 53360, "dev": 10000}),
    ("ChnSentiCorp", "chnsenticorp", {"train": 9600, "dev": 1200}),
    ("TNEWS", "tnews", {"train": 53360, "dev": 10000}),
])
def test_real_data(name: str, folder: str, rows: dict[str, int], shared_data) -> None:
    path = shared_data(folder)
    task = get_task(name).resolve(path)
    assert {split: sum(1 for _ in task.read(path, split)) for split in task.splits_in(path)} == rows


@pytest.mark.medium
@pytest.mark.parametrize("name", ["CoLA", "MRPC", "RTE", "STS-B"])
def test_index_of_a_test_set_is_the_row(name: str, shared_data) -> None:
    # What a submission relies on.
    file = shared_data(f"glue/{name}/test.tsv")
    rows = list(read_rows(file))
    assert rows[0][1][0] == "index"
    assert [cells[0] for _, cells in rows[1:]] == [str(number) for number in range(len(rows) - 1)]
