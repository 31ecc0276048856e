# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""CLUE's tasks and XNLI: their files in all forms, the languages' scores, and what the benchmarks' servers take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from src.common.errors import UserError
from src.evaluate.tasks import rows_of_records
from src.records.options import TaskOptions
from src.records.prepare import prepare_task
from src.records.reading import inspect
from src.tasks import get_task
from src.tasks.features import DecodeOptions, EncodeOptions, Outputs
from src.tasks.texts import TextTask
from src.text.tokenization import Tokenizer, load_tokenizer

OPTIONS = DecodeOptions()


def write_lines(file: Path, *objects: dict) -> None:
    """Write JSON lines."""
    file.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in objects), encoding="utf-8")


def read(task: TextTask, folder: Path, split: str) -> list[tuple]:
    """Texts and label of each example."""
    return [(e.text_a, e.text_b, e.label) if task.text_b else (e.text_a, e.label) for e in task.read(folder, split)]


def test_tnews_in_both_forms(tmp_path: Path) -> None:
    task = get_task("tnews")
    write_lines(tmp_path / "train.json",
                {"label": "102", "label_desc": "news_entertainment", "sentence": "江疏影", "keywords": "a,b"},
                {"label": "116", "label_desc": "news_game", "sentence": "游戏", "keywords": ""})
    (tmp_path / "dev.tsv").write_text("江疏影\tnews_entertainment\n游戏\tnews_game\n", encoding="utf-8")
    write_lines(tmp_path / "test.json", {"id": 0, "sentence": "x", "keywords": ""})
    (tmp_path / "train_aug.tsv").write_text("sentence\tlabel\n江影\tnews_story\n", encoding="utf-8")
    assert task.splits_in(tmp_path) == ("train", "train_aug", "dev", "test")
    rows = [("江疏影", "news_entertainment"), ("游戏", "news_game")]
    assert read(task, tmp_path, "train") == read(task, tmp_path, "dev") == rows
    assert read(task, tmp_path, "train_aug") == [("江影", "news_story")]
    assert read(task, tmp_path, "test") == [("x", None)]
    assert [task.labels.index(label) for _, label in rows] == [2, 14] and len(task.labels) == 15


def test_labels_are_those_of_the_data(shared_data) -> None:
    lines = (shared_data("tnews") / "labels.json").read_text(encoding="utf-8").splitlines()
    codes = {value["label"]: value["label_desc"] for value in map(json.loads, filter(None, lines))}
    assert get_task("TNEWS").label_aliases == codes
    assert get_task("TNEWS").labels == tuple(codes[code] for code in sorted(codes))
    assert get_task("ChnSentiCorp").labels == tuple(
        (shared_data("chnsenticorp") / "labels.txt").read_text(encoding="utf-8").split())


def test_pairs_of_clue(tmp_path: Path) -> None:
    write_lines(tmp_path / "dev.json", {"sentence1": "a", "sentence2": "b", "label": "1"},
                {"sentence1": "c", "sentence2": "d", "label": 0})
    assert read(get_task("AFQMC"), tmp_path, "dev") == [("a", "b", "1"), ("c", "d", "0")]
    write_lines(tmp_path / "dev.json", {"sentence1": "a", "sentence2": "b", "label": "-"},
                {"sentence1": "c", "sentence2": "d", "label": "neutral"})
    assert read(get_task("CMNLI"), tmp_path, "dev") == [("c", "d", "neutral")]
    assert get_task("CMNLI").labels == get_task("MNLI").labels == get_task("XNLI").labels
    (tmp_path / "test.tsv").write_text("a\tb\nc\td\n", encoding="utf-8")
    assert read(get_task("AFQMC"), tmp_path, "test") == [("a", "b", None), ("c", "d", None)]


@pytest.mark.parametrize("train", ["很好\tpositive\n", "label\ttext_a\n1\t很好\n", "text\tlabel\n很好\tpositive\n",
                                   '{"review": "很好", "label": 1}\n'])
def test_forms_of_chnsenticorp(train: str, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text(train, encoding="utf-8")
    (tmp_path / "test.tsv").write_text("qid\ttext_a\n0\t不好\n", encoding="utf-8")
    task = get_task("ChnSentiCorp")
    assert read(task, tmp_path, "train") == [("很好", "positive")]
    assert read(task, tmp_path, "test") == [("不好", None)]


# XNLI

XNLI_HEADER = "language\tgold_label\tsentence1_binary_parse\tsentence1\tsentence2\tpromptID\tlabel1\tmatch"


@pytest.fixture
def xnli(tmp_path: Path) -> Path:
    """The benchmark's three files: two languages in dev, and a training set of each."""
    rows = [("de", "neutral", "wn"), ("de", "entailment", "wm"), ("zh", "contradiction", "wx")]
    lines = [f"{language}\t{label}\t\t{text}\tb {text}\t1\t{label}\tTrue" for language, label, text in rows]
    for split in ("dev", "test"):
        (tmp_path / f"xnli.{split}.tsv").write_text("\n".join([XNLI_HEADER, *lines]) + "\n", encoding="utf-8")
    for language in ("de", "zh"):
        (tmp_path / f"multinli.train.{language}.tsv").write_text(
            f"premise\thypo\tlabel\n{language}\tb\tcontradictory\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "b", "wn", "wm", "wx", "de", "zh"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    return load_tokenizer(tmp_path / "vocab.txt")


def test_files_of_xnli(xnli: Path) -> None:
    task = get_task("XNLI")
    assert task.splits_in(xnli) == ("train", "dev", "test")
    assert [(e.text_a, e.label, e.language) for e in task.read(xnli, "dev")] == [
        ("wn", "neutral", "de"), ("wm", "entailment", "de"), ("wx", "contradiction", "zh")]
    # Without English the first language in alphabetical order; a single file is itself.
    assert [(e.text_a, e.label, e.language) for e in task.read(xnli, "train")] == [("de", "contradiction", "de")]
    file = xnli / "multinli.train.zh.tsv"
    assert [(e.text_a, e.text_b, e.language) for e in task.read(file, "train")] == [("zh", "b", "zh")]
    (xnli / "multinli.train.en.tsv").write_text("premise\thypo\tlabel\nen\tb\tneutral\n", encoding="utf-8")
    assert [e.language for e in task.read(xnli, "train")] == ["en"]
    (xnli / "train_aug.tsv").write_text("sentence1\tsentence2\tgold_label\na\tb\tneutral\n", encoding="utf-8")
    assert [(e.text_a, e.language) for e in task.read(xnli, "train_aug")] == [("a", "en")]
    text = (xnli / "xnli.dev.tsv").read_text(encoding="utf-8")
    (xnli / "xnli.dev.tsv").write_text(text + "xx\tneutral\t\ta\tb\t1\tneutral\tTrue\n", encoding="utf-8")
    with pytest.raises(UserError, match="xnli.dev.tsv:5: unknown language 'xx'; task XNLI has ar, bg, de"):
        list(task.read(xnli, "dev"))


def test_scores_of_languages(xnli: Path, tokenizer: Tokenizer) -> None:
    task = get_task("XNLI")
    values = task.encode(list(task.read(xnli, "dev")), tokenizer, EncodeOptions(8)).values
    assert values["language_ids"].tolist() == [[2], [2], [14]] and values["language_ids"].dtype == np.int32
    assert set(task.extra_columns) <= set(values)
    # German: one right of two; Chinese: right.
    outputs = Outputs(np.eye(3, dtype=np.float32)[[2, 0, 0]], values)
    assert task.score(outputs, OPTIONS) == {"accuracy": 0.75, "accuracy_de": 0.5, "accuracy_zh": 1.0}
    assert task.primary_metric == next(iter(task.score(outputs, OPTIONS)))
    assert [(p["language"], p["prediction"], p["label"]) for p in task.predictions(outputs, OPTIONS)] == [
        ("de", "neutral", "neutral"), ("de", "contradiction", "entailment"), ("zh", "contradiction", "contradiction")]


@pytest.mark.parametrize("dataset_type", ["tfrecord", "mindrecord"])
def test_rows_of_several_shards_are_answered_in_the_order_of_the_file(xnli: Path, tmp_path: Path, tokenizer: Tokenizer,
                                                                      dataset_type: str) -> None:
    task = get_task("XNLI")
    options = TaskOptions(seq_length=8, dataset_type=dataset_type, num_shards=2)
    prepare_task(task, xnli, tokenizer, tmp_path / "records", options)
    source = inspect(tmp_path / "records/dev", dataset_type, kind="task")
    assert len(source.files) == 2
    rows = rows_of_records(source, task)
    labels = np.concatenate([chunk.label_ids for chunk in rows.chunks()])
    # A model that is always right: only the order can be wrong.
    outputs = rows.complete(Outputs(np.eye(3, dtype=np.float32)[labels[:, 0]], {"label_ids": labels}))
    assert [(p["index"], p["language"], p["prediction"], p["label"]) for p in task.predictions(outputs, OPTIONS)] == [
        (0, "de", "neutral", "neutral"), (1, "de", "entailment", "entailment"),
        (2, "zh", "contradiction", "contradiction")]
    assert task.score(outputs, OPTIONS) == {"accuracy": 1.0, "accuracy_de": 1.0, "accuracy_zh": 1.0}


# Submissions

GLUE_FILES = {
    ("CoLA", "test"): ("CoLA.tsv", ["1", "0"]), ("SST-2", "test"): ("SST-2.tsv", ["1", "0"]),
    ("MRPC", "test"): ("MRPC.tsv", ["1", "0"]), ("QQP", "test"): ("QQP.tsv", ["1", "0"]),
    ("WNLI", "test"): ("WNLI.tsv", ["1", "0"]),
    ("MNLI", "test"): ("MNLI-m.tsv", ["entailment", "contradiction"]),
    ("MNLI", "test_mismatched"): ("MNLI-mm.tsv", ["entailment", "contradiction"]),
    ("AX", "test"): ("AX.tsv", ["entailment", "contradiction"]),
    ("QNLI", "test"): ("QNLI.tsv", ["not_entailment", "entailment"]),
    ("RTE", "test"): ("RTE.tsv", ["not_entailment", "entailment"]),
}


@pytest.mark.parametrize(("name", "split"), GLUE_FILES)
def test_submissions_to_glue(name: str, split: str) -> None:
    task = get_task(name)
    file, labels = GLUE_FILES[name, split]
    logits = np.eye(len(task.labels), dtype=np.float32)[[1, 0]]
    expected = {file: f"index\tprediction\n0\t{labels[0]}\n1\t{labels[1]}\n"}
    assert task.submission(Outputs(logits, {}), OPTIONS, split) == expected
    # A model may have the classes in another order.
    turned = task.with_labels(task.labels[::-1]).submission(Outputs(logits[:, ::-1], {}), OPTIONS, split)
    assert turned == expected


def test_submission_of_scores() -> None:
    logits = np.array([[-0.3], [5.2], [3.14159], [0.0004]], np.float32)
    assert get_task("STS-B").submission(Outputs(logits, {}), OPTIONS, "test") == {
        "STS-B.tsv": "index\tprediction\n0\t0.000\n1\t5.000\n2\t3.142\n3\t0.000\n"}


def test_submissions_to_clue() -> None:
    tnews = get_task("TNEWS").submission(Outputs(np.eye(15, dtype=np.float32)[[2, 14]], {}), OPTIONS, "test")
    assert tnews == {"tnews11_predict.json": '{"id": 0, "label": "102"}\n{"id": 1, "label": "116"}\n'}
    afqmc = get_task("AFQMC").submission(Outputs(np.eye(2, dtype=np.float32), {}), OPTIONS, "test")
    assert afqmc == {"afqmc_predict.json": '{"id": 0, "label": "0"}\n{"id": 1, "label": "1"}\n'}
    cmnli = get_task("CMNLI").submission(Outputs(np.eye(3, dtype=np.float32)[[2]], {}), OPTIONS, "test")
    assert cmnli == {"cmnli_predict.json": '{"id": 0, "label": "neutral"}\n'}


def test_no_submission() -> None:
    outputs = Outputs(np.eye(2, dtype=np.float32), {})
    with pytest.raises(UserError, match="task ChnSentiCorp has no submission format"):
        get_task("ChnSentiCorp").submission(outputs, OPTIONS, "test")
    with pytest.raises(UserError, match="task SST-2: a submission is of split test, not of dev; set --split test"):
        get_task("SST-2").submission(outputs, OPTIONS, "dev")
