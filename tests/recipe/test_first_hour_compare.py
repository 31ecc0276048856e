# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A laptop, a teacher and an idea: three students of one teacher, compared in one table, and the best one asked."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import run_task_distill
from src.predict import load
from src.report import compare, latency
from tests.tiny import RUN_OPTIONS, STUDENT_OPTIONS


@pytest.mark.large
def test_three_students_in_one_table(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    shared = ("--load_teacher_ckpt_path", str(world / "teacher"), "--task_name", "SST-2", "--train_data_dir",
              str(world / "records/task/train"), "--eval_data_dir", str(world / "records/task/dev"), "--learning_rate",
              "1e-3", "--td_phase2_epoch_size", "2", *RUN_OPTIONS)
    students = {
        "two": (*STUDENT_OPTIONS, "--td_phase1_epoch_size", "1"),
        "one": (*STUDENT_OPTIONS, "--num_hidden_layers", "1", "--td_phase1_epoch_size", "2"),
        "lstm": ("--student.architecture", "bilstm", "--alpha_ce", "0", "--alpha_logits_mse", "1",
                 "--bilstm.embedding_size", "8", "--bilstm.hidden_size", "8", "--bilstm.dense_size", "8"),
    }
    for name, options in students.items():
        run_task_distill.main([*shared, *options, "--save_ckpt_path", str(tmp_path / name)])
        assert "  objective  1 x " in capsys.readouterr().out
    monkeypatch.setattr(compare, "latencies", lambda *given: latency.latencies(*given, seconds=0.0))
    compare.main([*(str(tmp_path / name) for name in students), f"teacher={world / 'teacher'}", "--latency",
                  "--seq_length", "16", "--device_target", "CPU", "--output", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    for told in ("accuracy on dev", "BiLSTM 1 x 8", "1 x 16", "2 x 16", "student.architecture",
                 "student.num_hidden_layers", "teacher is a model without a training", "note: latency: batch 1"):
        assert told in printed
    with open(tmp_path / "out/compare.csv", encoding="utf-8", newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert list(rows) == [*students, "teacher"]
    for name in students:
        row = rows[name]
        assert 0 <= float(row["accuracy"]) <= 1 and int(row["accuracy_step"]) > 0 and row["finished"] == "True"
        assert all(float(row[key]) > 0 for key in ("parameters", "latency_ms", "steps", "seconds", "examples"))
    assert int(rows["one"]["parameters"]) < int(rows["two"]["parameters"]) < int(rows["teacher"]["parameters"])
    # An epoch of 96 rows in each phase and batch of 32; two epochs of the second phase.
    assert (rows["two"]["examples"], rows["one"]["examples"]) == (str(96 + 192), str(192 + 192))
    assert (tmp_path / "out/compare.png").is_file()
    answer = load(tmp_path / "two")("w1 lovely w2")
    assert answer["label"] in ("0", "1") and sum(answer["probabilities"].values()) == pytest.approx(1)
