# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The report of a made run: every figure is known beforehand."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from experiments.quickstart import report
from src.common.files import write_text
from src.report import curves as curves_of
from tests.refusals import refused

KEYS = {"name", "accuracy", "parameters", "encoder_parameters", "checkpoint_mb", "latency_ms_batch1",
        "sentences_per_second_batch32", "agreement_with_teacher"}
FILE_KEYS = {"name", "accuracy", "parameters", "encoder_parameters", "file_mb", "onnx_latency_ms",
             "agreement_with_teacher", "vocabulary"}
NAMES = ("negative", "positive")


def predictions(path: Path, predicted: str, labels: str) -> None:
    lines = [json.dumps({"index": i, "logits": [0.0, 1.0], "prediction": NAMES[int(p)],
                         "label": NAMES[int(t)]}) for i, (p, t) in enumerate(zip(predicted, labels, strict=True))]
    write_text(path, "\n".join(lines) + "\n")


def checkpoint(path: Path, layers: int) -> None:
    path.mkdir(parents=True)
    tensors = {"encoder.embeddings.word_embeddings.embedding_table": np.zeros((10, 4), np.float32),
               "head.classifier.bias": np.zeros(2, np.float32)}
    for i in range(layers):
        tensors[f"encoder.layers.{i}.output.weight"] = np.zeros((4, 8), np.float32)
    save_file(tensors, str(path / "model.safetensors"), metadata={"format": "np"})


def metrics(path: Path, lines: list[dict], cut: str = "") -> None:
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines) + cut)


@pytest.fixture
def made_run(tmp_path):
    labels = "1101001011"
    for name, predicted in {"teacher": "1101001010", "student": "1101001111",
                            "student_before_task_distillation": "1111111111",
                            "tfidf_logistic_regression": "0010110100"}.items():
        predictions(tmp_path / f"evaluation/{name}.jsonl", predicted, labels)
    checkpoint(tmp_path / "finetune/model", 6)
    checkpoint(tmp_path / "task_distill/model", 3)
    checkpoint(tmp_path / "general_distill_probe", 3)
    checkpoint(tmp_path / "int8/model", 3)
    (tmp_path / "tfidf").mkdir()
    np.savez(tmp_path / "tfidf/model.npz", idf=np.zeros(5), coefficients=np.zeros((1, 5)), intercept=np.zeros(1))
    (tmp_path / "tfidf/vocabulary.json").write_text('{"labels": [], "terms": []}')
    speeds = {"teacher": (20.0, 40.0), "student": (10.0, 90.0), "student_before_task_distillation": (10.0, 88.0),
              "tfidf_logistic_regression": (0.5, 9000.0)}
    (tmp_path / "benchmark.json").write_text(json.dumps({"seq_length": 64, "models": {
        name: {"latency_ms_batch1": latency, "sentences_per_second_batch32": speed}
        for name, (latency, speed) in speeds.items()}}))
    (tmp_path / "onnx.json").write_text(json.dumps({"metric": "accuracy", "rows": 10, "processor": "x86_64", "models": {
        name: {"accuracy": accuracy, "file_mb": size, "onnx_latency_ms": milliseconds, "agreement_with_teacher": 1.0,
               "vocabulary": 8000} for name, accuracy, size, milliseconds in (
            ("teacher_onnx", 0.9, 90.0, 5.0), ("student_onnx", 0.9, 70.0, 2.0), ("student_int8", 0.8, 9.0, 0.8))}}))
    (tmp_path / "stamps").mkdir()
    for i, name in enumerate(("fetch", "finetune", "report")):
        (tmp_path / f"stamps/{name}.json").write_text(json.dumps({
            "finished": name != "report", "started": time.time() - 10 + i,
            "seconds": 0.0 if name == "report" else 1.5 + i, "commands": [f"python {name}.py --flag"]}))
    metrics(tmp_path / "finetune/metrics.jsonl", [
        *({"stage": "finetune", "step": s, "epoch": 0, "loss": 1 / s, "terms": {"cross_entropy": 1 / s}}
          for s in range(1, 41)),
        {"stage": "finetune", "step": 20, "epoch": 0, "eval": {"accuracy": 0.7}},
        {"stage": "finetune", "step": 40, "epoch": 1, "eval": {"accuracy": 0.8}}])
    metrics(tmp_path / "general_distill/metrics.jsonl", [
        {"stage": "general_distill", "step": s, "epoch": 0, "loss": 3.0,
         "terms": {"attention_mse": 2.0, "hidden_mse": 1.0}}
        for s in range(1, 11)], cut='{"stage": "general_di')
    return tmp_path


def test_figures_are_exact(made_run):
    results = report.report(made_run, seed=7)
    stored = json.loads((made_run / "results.json").read_text())
    assert stored == results and stored["seed"] == 7 and stored["test_rows"] == 10
    by_name = {model["name"]: model for model in stored["models"]}
    models, files = list(by_name.values())[:4], list(by_name.values())[4:]
    assert list(by_name) == ["teacher", "student", "student_before_task_distillation", "tfidf_logistic_regression",
                             "teacher_onnx", "student_onnx", "student_int8"]
    assert all(set(model) == KEYS for model in models) and all(set(file) == FILE_KEYS for file in files)
    assert by_name["student_int8"] == {
        "name": "student_int8", "accuracy": 0.8, "file_mb": 9.0, "onnx_latency_ms": 0.8, "agreement_with_teacher": 1.0,
        "vocabulary": 8000, "parameters": 42 + 3 * 32, "encoder_parameters": 3 * 32}
    assert stored["onnx"] == {"metric": "accuracy", "rows": 10, "processor": "x86_64"}
    assert {model["name"]: model["accuracy"] for model in models} == {
        "teacher": 0.9, "student": 0.9, "student_before_task_distillation": 0.6, "tfidf_logistic_regression": 0.0}
    assert {model["name"]: model["agreement_with_teacher"] for model in models} == {
        "teacher": 1.0, "student": 0.8, "student_before_task_distillation": 0.5, "tfidf_logistic_regression": 0.1}
    assert (by_name["teacher"]["parameters"], by_name["teacher"]["encoder_parameters"]) == (42 + 6 * 32, 6 * 32)
    assert (by_name["student"]["parameters"], by_name["student"]["encoder_parameters"]) == (42 + 3 * 32, 3 * 32)
    tfidf = by_name["tfidf_logistic_regression"]
    assert (tfidf["parameters"], tfidf["encoder_parameters"]) == (6, 0)
    size = (made_run / "task_distill/model/model.safetensors").stat().st_size
    assert by_name["student"]["checkpoint_mb"] == round(size / 1e6, 3)
    assert by_name["student"]["sentences_per_second_batch32"] == 90.0
    assert stored["seconds"]["fetch"] == 1.5 and stored["seconds"]["finetune"] == 2.5
    assert 7.5 < stored["seconds"]["report"] < 60
    assert stored["machine"]["cores"] >= 1 and stored["versions"]["numpy"] == np.__version__


def test_report_shows_table_curves_commands_and_conditions(made_run, capsys):
    report.main(["--run_dir", str(made_run), "--seed", "7"])
    text = (made_run / "report.md").read_text(encoding="utf-8")
    assert "| Student | 0.9000 | 0.00 M | 0.00 M |" in text and "| 10.00 ms | 90 | 2.25x | 0.8000 |" in text
    assert "| Student, int8, 8,000 tokens | 0.8000 | 0.889 | 9.0 | 10.00x | 0.80 ms | 6.25x | 1.0000 |" in text
    assert "python finetune.py --flag" in text and "Seed: 7" in text and "1 line(s) of metrics.jsonl" in text
    for name in ("finetune", "general_distill"):
        assert f"({name}.png)" in text
        assert (made_run / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "finetune.png: 40 logged steps" in capsys.readouterr().out
    report.print_summary(made_run)
    printed = capsys.readouterr().out
    assert "keeps 100.0% of the teacher's accuracy with 2.0 times fewer parameters" in printed
    assert "int8 file keeps 88.9% of the teacher's accuracy, is 10.0 times smaller, and 6.2 times as fast" in printed
    assert "and is 2.25 times as fast" in printed and str(made_run / "report.md") in printed
    table = [line for line in printed.splitlines() if line.startswith(("Model  ", "Teacher  ", "TF-IDF"))]
    assert len(table) == 3 and len({len(line) for line in table}) == 1


def test_curves_keep_the_later_line_of_a_continued_run(tmp_path):
    line = {"stage": "finetune", "epoch": 0}
    metrics(tmp_path / "metrics.jsonl", [
        {**line, "step": 1, "loss": 3.0, "terms": {"a": 3.0}}, {**line, "step": 2, "loss": 2.0, "terms": {"a": 2.0}},
        {**line, "step": 2, "loss": 2.5, "terms": {"a": 2.5, "b": 0.5}}, {**line, "step": 2, "eval": {"accuracy": 0.5}},
        {**line, "step": 4, "eval": {"accuracy": 0.75}}], cut='{"stage"')
    curves, unreadable = curves_of.read_curves([tmp_path / "metrics.jsonl"])
    assert unreadable == 1
    finetune = curves["finetune"]
    assert finetune.steps == [1, 2] and finetune.series["loss"] == [3.0, 2.5] and finetune.series["a"] == [3.0, 2.5]
    assert math.isnan(finetune.series["b"][0]) and finetune.series["b"][1] == 0.5
    assert finetune.evaluations == {"accuracy": [(2, 0.5), (4, 0.75)]}


@pytest.mark.parametrize(("number", "window"), [(1, 1), (1, 9), (7, 1), (12, 4), (13, 4), (500, 50), (500, 600)])
def test_running_mean_is_that_of_each_window(number, window):
    random = np.random.default_rng(number)
    values = [math.nan if random.random() < 0.3 else random.normal(1e4) for _ in range(number)]
    values[20:21] = [math.inf] * (number > 20)
    means = []
    for end in range(1, number + 1):
        known = [value for value in values[max(0, end - window):end] if not math.isnan(value)]
        means.append(sum(known) / len(known) if known else math.nan)
    assert curves_of.running_mean(values, window) == pytest.approx(means, rel=1e-12, nan_ok=True)


def test_models_evaluated_on_different_rows_are_refused(made_run):
    predictions(made_run / "evaluation/student.jsonl", "1101001111", "1101001010")
    refused("student.jsonl and teacher.jsonl are of different rows", report.report, made_run, seed=1)


@pytest.mark.parametrize(("content", "message"), [
    ("", "has no rows"),
    ('{"index": 1, "prediction": 0, "label": 0}\n', "expected index 0"),
    ('{"index": 0, "prediction": 0, "label": null}\n', "and a label"),
    ('{"index": 0, "predic', "p.jsonl:1"),
])
def test_faulty_predictions_are_named_with_the_line(tmp_path, content, message):
    path = tmp_path / "p.jsonl"
    path.write_text(content)
    refused(message, report.read_predictions, path)


def test_a_missing_stage_is_one_clear_line(made_run):
    (made_run / "benchmark.json").unlink()
    refused("cannot read .*benchmark.json", report.report, made_run, seed=1)
    assert not (made_run / "results.json").exists()
