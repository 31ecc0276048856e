# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ONNX files on the same rows: as the quick start measures them, against MindSpore's own predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import eval as evaluation
from experiments.pipeline import measure_onnx
from src.checkpoints.checkpoint import load_model, save_model
from src.config import HeadConfig, ModelConfig
from src.export.artefacts import Compiled, write_onnx
from src.export.quantization import quantize_file
from src.pruning.vocabulary import PruneVocabularyOptions, prune_vocabulary
from tests.refusals import refused
from tests.tiny import BAD, GOOD, TEACHER, write_vocabulary
from tests.unit.export.test_export import draw

pytestmark = pytest.mark.usefixtures("graph_mode")


def write_task(folder: Path) -> Path:
    folder.mkdir()
    for split in ("train", "test"):
        lines = [f"{word} {other} {split}\t{label}" for word in GOOD for other, label in zip(BAD, "abba", strict=True)]
        (folder / f"{split}.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    return folder


@pytest.mark.medium
def test_files_of_two_vocabularies_are_measured_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                                             ) -> None:
    config = ModelConfig(replace(TEACHER, num_hidden_layers=1), HeadConfig("classification", ("a", "b")), "tsv")
    whole, small, task = tmp_path / "whole", tmp_path / "small", write_task(tmp_path / "task")
    save_model(whole, config, draw(config), write_vocabulary(tmp_path / "vocabulary"))
    prune_vocabulary(str(whole), small, PruneVocabularyOptions(
        keep=20, text=(str(task / "train.tsv"),), input_format="text", max_unknown=1.0))
    for name, model in (("teacher_onnx", whole), ("student_onnx", small)):
        write_onnx(load_model(model), tmp_path / f"{name}.onnx", Compiled())
    quantize_file(tmp_path / "student_onnx.onnx", tmp_path / "student_int8.onnx")
    files = [(name, str(model), str(tmp_path / f"{name}.onnx")) for name, model in (
        ("teacher_onnx", whole), ("student_onnx", small), ("student_int8", small))]
    measure_onnx.main([*(word for file in files for word in ("--file", *file)), "--data_dir", str(task),
                       "--output", str(tmp_path / "onnx.json")])
    found = json.loads((tmp_path / "onnx.json").read_text())
    models = found["models"]
    assert list(models) == [name for name, _, _ in files] and found["rows"] == 16 and found["processor"]
    evaluation.main(["--checkpoint", str(whole), "--data_dir", str(task), "--split", "test", "--device_target", "CPU",
                     "--seq_length", "64", "--metrics_path", str(tmp_path / "metrics.json")])
    accuracy = json.loads((tmp_path / "metrics.json").read_text())["metrics"]["accuracy"]
    # All words of the rows stayed, so that the smaller vocabulary changes nothing.
    assert models["teacher_onnx"]["accuracy"] == models["student_onnx"]["accuracy"] == pytest.approx(accuracy)
    assert models["teacher_onnx"]["agreement_with_teacher"] == models["student_onnx"]["agreement_with_teacher"] == 1
    assert [models[name]["vocabulary"] for name in models] == [len(load_model(whole).tokenizer().tokens), 20, 20]
    sizes = [round(Path(file).stat().st_size / 1e6, 3) for _, _, file in files]
    assert [models[name]["file_mb"] for name in models] == sizes and sizes == sorted(sizes, reverse=True)
    assert all(each["onnx_latency_ms"] > 0 for each in models.values())
    assert "student_int8" in capsys.readouterr().out
    refused("a new name for each file", measure_onnx.main, [
        "--file", *files[0], "--file", *files[0], "--data_dir", str(task), "--output", str(tmp_path / "other.json")])
