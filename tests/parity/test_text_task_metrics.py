# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Metrics of pair tasks: a model of transformers and a loop of its own, against conversion, records and eval.py."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert_checkpoint import main as convert
from eval import main as evaluate
from prepare_data import main as prepare
from src.tasks import get_task
from tests.lazy import Lazy
from tests.small_vocabulary import VOCABULARY, sentences, write_vocabulary

torch = Lazy("torch")
transformers = Lazy("transformers")
stats = Lazy("scipy.stats")

LENGTH, ROWS = 24, 37
MNLI, STS_B = get_task("MNLI"), get_task("STS-B")


def write_pairs(file: Path, label: str, values: list[str], seed: int) -> None:
    """Pairs of sentences, some of them too long for a row, with the columns and in the order of GLUE's files."""
    # Long first texts beside short second ones: which text gives up tokens when both are long is another test's.
    first, second = sentences(ROWS, seed, longest=30), sentences(ROWS, seed + 1, longest=6)
    rows = [f"{index}\t{a}\t{b}\t{value}"
            for index, (a, b, value) in enumerate(zip(first, second, values, strict=True))]
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join([f"index\tsentence1\tsentence2\t{label}", *rows]) + "\n", encoding="utf-8")


def make_reference(folder: Path, **head: Any) -> Any:
    """Save a tiny random classifier, every weight of it away from its initial 0 or 1, with its vocabulary."""
    torch.manual_seed(11)
    model = transformers.BertForSequenceClassification(transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
        max_position_embeddings=LENGTH, **head)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    model.save_pretrained(folder)
    write_vocabulary(folder / "vocab.txt")
    return model


def reference_outputs(model: Any, folder: Path, file: Path) -> tuple[np.ndarray, list[str]]:
    """Logits (rows, C) of a plain loop, one row at a time and without padding; and the file's last column."""
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    with open(file, encoding="utf-8") as stream:
        rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    with torch.no_grad():
        logits = [model(**tokenizer(a, b, truncation=True, max_length=LENGTH, return_tensors="pt")).logits[0].numpy()
                  for _, a, b, *_ in rows]
    return np.stack(logits), [row[-1] for row in rows]


def ours(checkpoint: Path, task: str, data: Path, split: str) -> tuple[dict, np.ndarray]:
    """Metrics and logits of eval.py: five batches of 8 rows at most, in buckets, the last ones partial."""
    metrics, predictions = checkpoint / "metrics.json", checkpoint / "predictions.jsonl"
    evaluate(["--checkpoint", str(checkpoint), "--task_name", task, "--data_dir", str(data), "--split", split,
              "--seq_length", str(LENGTH), "--buckets", f"12,{LENGTH}", "--batch_size", "8", "--device_target", "CPU",
              "--dataset_type", "mindrecord", "--metrics_path", str(metrics), "--predictions_path", str(predictions)])
    lines = [json.loads(line) for line in predictions.read_text(encoding="utf-8").splitlines()]
    assert [line["index"] for line in lines] == list(range(ROWS))
    return json.loads(metrics.read_text(encoding="utf-8"))["metrics"], np.array([line["logits"] for line in lines])


@pytest.mark.medium
def test_classes_of_pairs(tmp_path: Path) -> None:
    names = {index: name for index, name in enumerate(MNLI.labels)}
    model = make_reference(tmp_path / "hf", id2label=names, label2id={name: index for index, name in names.items()})
    convert(["--from", "hf", "--to", "mindspore", str(tmp_path / "hf"), str(tmp_path / "ours")])
    labels = np.random.default_rng(2).choice(MNLI.labels, ROWS).tolist()
    for split, seed in (("dev_matched", 0), ("dev_mismatched", 50)):
        write_pairs(tmp_path / "data" / f"{split}.tsv", MNLI.label, labels, seed)
    prepare(["task", "--task_name", "MNLI", "--data_dir", str(tmp_path / "data"), "--tokenizer", str(tmp_path / "hf"),
             "--output_dir", str(tmp_path / "records"), "--seq_length", str(LENGTH), "--num_workers", "1",
             "--dataset_type", "mindrecord"])
    for split, data in (("dev_matched", "data"), ("dev_mismatched", "records")):
        logits, given = reference_outputs(model, tmp_path / "hf", tmp_path / "data" / f"{split}.tsv")
        assert given == labels and len(set(logits.argmax(1))) == len(names), "a model that always says the same"
        metrics, answers = ours(tmp_path / "ours", "MNLI", tmp_path / data, split)
        np.testing.assert_allclose(answers, logits, atol=1e-4)
        assert metrics == pytest.approx(
            {"accuracy": np.mean([names[index] == name for index, name in zip(logits.argmax(1), labels, strict=True)])},
            abs=1e-6)


    evaluate(["--checkpoint", str(tmp_path / "ours"), "--task_name", "MNLI", "--data_dir", str(tmp_path / "data"),
              "--seq_length", str(LENGTH), "--buckets", str(LENGTH), "--device_target", "CPU", "--metrics_path",
              str(tmp_path / "both.json")])
    both = json.loads((tmp_path / "both.json").read_text(encoding="utf-8"))
    assert both["rows"] == 2 * ROWS and list(both["metrics"]) == ["accuracy", "accuracy_mismatched"]
    assert both["metrics"]["accuracy_mismatched"] == metrics["accuracy"]


@pytest.mark.medium
def test_scores_of_pairs(tmp_path: Path) -> None:
    model = make_reference(tmp_path / "hf", num_labels=1, problem_type="regression")
    convert(["--from", "hf", "--to", "mindspore", str(tmp_path / "hf"), str(tmp_path / "ours")])
    scores = [f"{score:.3f}" for score in np.random.default_rng(3).uniform(0, 5, ROWS)]
    write_pairs(tmp_path / "data" / "dev.tsv", STS_B.label, scores, 7)
    logits, given = reference_outputs(model, tmp_path / "hf", tmp_path / "data" / "dev.tsv")
    x, y = logits[:, 0].astype(np.float64), np.array(given, np.float64)
    metrics, answers = ours(tmp_path / "ours", "STS-B", tmp_path / "data", "dev")
    np.testing.assert_allclose(answers, logits, atol=1e-4)
    assert list(metrics) == ["spearman", "pearson"]
    expected = {"spearman": stats.spearmanr(x, y)[0], "pearson": np.corrcoef(x, y)[0, 1]}
    assert metrics == pytest.approx(expected, abs=1e-6)
    # The same rows as a test set, for the benchmark's server.
    lines = (tmp_path / "data" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    unlabelled = "".join(line.rpartition("\t")[0] + "\n" for line in lines)
    (tmp_path / "data" / "test.tsv").write_text(unlabelled, encoding="utf-8")
    evaluate(["--checkpoint", str(tmp_path / "ours"), "--task_name", "STS-B", "--data_dir", str(tmp_path / "data"),
              "--split", "test", "--submit", str(tmp_path / "submission"), "--seq_length", str(LENGTH),
              "--device_target", "CPU"])
    header, *sent = (tmp_path / "submission" / "STS-B.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "index\tprediction"
    assert [line.split("\t")[0] for line in sent] == [str(index) for index in range(ROWS)]
    np.testing.assert_allclose([float(line.split("\t")[1]) for line in sent], np.clip(x, 0, 5), atol=6e-4)
