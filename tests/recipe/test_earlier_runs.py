# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints, records and runs of version 0.1 are read, continued and exported; see earlier/README.md."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

import convert_checkpoint
import eval as evaluation
import export
import run_general_distill
import run_task_distill
from src.checkpoints.checkpoint import load_model

pytestmark = [pytest.mark.large, pytest.mark.usefixtures("graph_mode")]

STORED = Path(__file__).parent / "earlier/runs.tar.gz"
COMMON = ("--batch_size", "8", "--learning_rate", "1e-3", "--save_checkpoint_step", "3", "--device_target", "CPU",
          "--log_interval", "1", "--buckets", "8,16", "--tensorboard", "false", "--seed", "7")
SMALL = ("--student.vocab_size", "53", "--student.num_hidden_layers", "1", "--student.num_attention_heads", "2",
         "--student.max_position_embeddings", "32")
NARROW = (*SMALL, "--student.hidden_size", "8", "--student.intermediate_size", "8", "--student.initializer_range",
          "0.05")
TASK = ("--load_teacher_ckpt_path", "teacher", "--task_name", "SST-2", "--train_data_dir", "records/task/train",
        "--eval_data_dir", "records/task/dev")
# The command lines of version 0.1, word for word.
RUNS = {
    "general": (run_general_distill, ("--load_teacher_ckpt_path", "pretrained", "--data_dir", "records/corpus",
                                      "--train_steps", "8", *NARROW)),
    "task": (run_task_distill, (*TASK, "--load_gd_ckpt_path", "general_model", "--td_phase1_epoch_size", "1",
                                "--td_phase2_epoch_size", "1", *NARROW)),
    "tokens": (run_general_distill, (
        "--recipe", "distil", "--load_teacher_ckpt_path", "language", "--data_dir", "records/sequences",
        "--gradient_accumulation_steps", "1", "--train_steps", "8", "--alpha_ce", "5.0", "--alpha_mlm", "2.0",
        "--alpha_cos", "1.0", "--alpha_clm", "0.0", "--initialization", "teacher", *SMALL, "--student.hidden_size",
        "16", "--student.intermediate_size", "16", "--student.type_vocab_size", "0", "--student.pooler", "none")),
    "bilstm": (run_task_distill, (*TASK, "--architecture", "bilstm", "--bilstm.hidden_size", "6",
                                  "--bilstm.embedding_size", "8", "--bilstm.dense_size", "6", "--epoch_size", "1")),
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(STORED) as archive:
        archive.extractall(folder, filter="data")
    return folder


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for metrics in sorted(run.rglob("metrics.jsonl"))
             for line in metrics.read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_is_continued(name: str, earlier: Path, monkeypatch: pytest.MonkeyPatch,
                                   capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(earlier)
    entry_point, arguments = RUNS[name]
    entry_point.main([*arguments, "--save_ckpt_path", name, *COMMON])
    assert "continuing after step 3 of" in capfd.readouterr().out

    expected = earlier / "expected" / name
    assert losses(earlier / name) == pytest.approx(losses(expected), rel=1e-5)
    ours, theirs = load_model(earlier / name / "model"), load_model(expected / "model")
    assert ours.parameters.keys() == theirs.parameters.keys()
    # To the bit on the machine that wrote them; another processor rounds in other places.
    assert max(np.abs(ours.parameters[key] - theirs.parameters[key]).max() for key in theirs.parameters) < 1e-5


@pytest.mark.parametrize("name", ["task", "bilstm"])
def test_a_student_is_evaluated_and_exported(name: str, earlier: Path, tmp_path: Path) -> None:
    model = str(earlier / "expected" / name / "model")
    evaluation.main(["--checkpoint", model, "--task_name", "SST-2", "--data_dir", str(earlier / "records/task"),
                     "--metrics_path", str(tmp_path / "metrics.json"), "--device_target", "CPU"])
    assert 0 <= json.loads((tmp_path / "metrics.json").read_text())["metrics"]["accuracy"] <= 1
    for file_format, suffix in (("ONNX", "onnx"), ("MINDIR", "mindir")):
        output = tmp_path / f"student.{suffix}"
        export.main(["--checkpoint", model, "--file_format", file_format, "--output", str(output), "--seq_length",
                     "16", "--device_target", "CPU"])
        assert output.stat().st_size > 0


@pytest.mark.parametrize("model", ["pretrained", "teacher", "language", "expected/general/model",
                                   "expected/task/model", "expected/tokens/model"])
def test_a_checkpoint_becomes_a_hugging_face_model(model: str, earlier: Path, tmp_path: Path) -> None:
    convert_checkpoint.main(["--from", "mindspore", "--to", "hf", str(earlier / model), str(tmp_path / "hf")])
    convert_checkpoint.main(["--from", "hf", "--to", "mindspore", str(tmp_path / "hf"), str(tmp_path / "back")])
    before, after = load_model(earlier / model).parameters, load_model(tmp_path / "back").parameters
    assert before.keys() >= after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in after)
