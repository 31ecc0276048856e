# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The way of a team with a table of its own: a CSV with a Chinese header and Chinese labels, a teacher that has them in
another order, and a student that agrees with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eval as evaluation
import run_finetune
import run_task_distill
from src.checkpoints.checkpoint import load_model, save_model
from src.config import ModelConfig
from tests.tiny import (
    BAD,
    GOOD,
    PLAIN,
    RUN_OPTIONS,
    STUDENT_OPTIONS,
    TEACHER,
    save_random,
    write_vocabulary,
)

pytestmark = [pytest.mark.large, pytest.mark.usefixtures("graph_mode")]

NAMES = ("投诉", "咨询", "表扬")
"""In the order of the teacher; sorted they are in another one."""
WORDS = dict(zip(NAMES, (BAD, PLAIN[:4], GOOD), strict=True))


def write_table(file: Path) -> Path:
    generator = np.random.default_rng(5)
    rows = ["编号,评论,类别"]
    for number in range(240):
        name = NAMES[number % 3]
        words = [*generator.choice(PLAIN[4:], 4), str(generator.choice(WORDS[name]))]
        rows.append(f'{number},"{", ".join(generator.permutation(words))}",{name}')
    file.write_bytes(("\r\n".join(rows) + "\r\n").encode("gb18030"))
    return file


def in_another_order(teacher: Path, folder: Path) -> Path:
    """Write the teacher with its classes in the order of NAMES."""
    loaded = load_model(teacher)
    head = loaded.config.head
    order = [head.labels.index(name) for name in NAMES]
    assert order != [0, 1, 2]
    parameters = {name: value[order] if "classifier." in name else value
                  for name, value in loaded.parameters.items()}
    config = replace(loaded.config, head=replace(head, labels=NAMES))
    return save_model(folder, config, parameters, loaded.tokenizer_path)


def predictions(model: Path, table: Path, columns: tuple[str, ...], file: Path) -> list[dict]:
    evaluation.main(["--checkpoint", str(model), "--task_name", "tsv", "--data_dir", str(table), "--split", "dev",
                     "--seq_length", "16", "--device_target", "CPU", "--predictions_path", str(file), *columns])
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_student_of_a_table_agrees_with_its_teacher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(tmp_path / "reviews.csv")
    columns = ("--encoding", "gb18030", "--text_column", "评论", "--label_column", "类别")
    common = ("--task_name", "tsv", "--data_dir", str(table), *columns, "--dev_share", "0.2", "--seq_length", "16",
              "--batch_size", "16", "--learning_rate", "3e-3", *RUN_OPTIONS)
    pretrained = save_random(tmp_path / "pretrained", ModelConfig(TEACHER), write_vocabulary(tmp_path / "vocab"))
    run_finetune.main(["--load_ckpt_path", str(pretrained), "--save_ckpt_path", str(tmp_path / "finetuned"),
                       "--epoch_size", "10", *common])
    assert "text = 评论, label = 类别; not used: 编号" in capsys.readouterr().out
    teacher = in_another_order(tmp_path / "finetuned/model", tmp_path / "teacher")
    run_task_distill.main(["--load_teacher_ckpt_path", str(teacher), "--save_ckpt_path", str(tmp_path / "student"),
                           "--td_phase1_epoch_size", "12", "--td_phase2_epoch_size", "16", *STUDENT_OPTIONS, *common])
    taught, learnt = (predictions(model, table, columns, tmp_path / f"{name}.jsonl") for name, model in (
        ("teacher", teacher), ("student", tmp_path / "student/model")))
    assert len(taught) == len(learnt) == 240
    assert np.mean([row["prediction"] == row["label"] for row in taught]) > 0.9
    assert np.mean([one["prediction"] == other["prediction"] for one, other in zip(taught, learnt, strict=True)]) > 0.9
