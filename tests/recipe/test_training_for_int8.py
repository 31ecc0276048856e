# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Phase 2 in int8: a student that quantization spoils learns to do without what it loses, and exports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import export
import run_task_distill
from src.checkpoints.checkpoint import load_model, save_model
from src.config import ModelConfig
from tests.refusals import refused
from tests.tiny import RUN_OPTIONS, STUDENT, difference, killed_after, save_random

pytestmark = [pytest.mark.large, pytest.mark.usefixtures("graph_mode")]

WORDS = "encoder.embeddings.word_embeddings.embedding_table"


@pytest.fixture(scope="module")
def spoiled(world: Path) -> Path:
    """A student whose table has one row, of a word without meaning, that takes most steps of int8 for itself."""
    student = load_model(save_random(world / "plain_student", ModelConfig(STUDENT), world / "vocab"))
    parameters = dict(student.parameters)
    table = parameters[WORDS].copy()
    table[-1] *= 500
    return save_model(world / "spoiled_student", student.config, {**parameters, WORDS: table}, world / "vocab")


def distil(world: Path, student: Path, run: Path, *options: str) -> Path:
    run_task_distill.main([
        "--load_teacher_ckpt_path", str(world / "teacher"), "--data_dir", str(world / "records/task"), "--phases", "2",
        "--load_gd_ckpt_path", str(student), "--save_ckpt_path", str(run), "--alpha_ce", "0", "--alpha_label", "1",
        "--train_steps", "60", "--epoch_size", "40", "--learning_rate", "1e-2", "--weight_decay", "0",
        "--eval_interval", "20", "--save_checkpoint_step", "20", *RUN_OPTIONS, "--buckets", "[]", *options])
    return run


def export_int8(world: Path, run: Path, *options: str) -> dict:
    export.main(["--checkpoint", str(run), "--file_format", "ONNX", "--output", str(run / "m.onnx"), "--quantize", "int8",
                 "--eval_data_dir", str(world / "records/task"), *options])
    return json.loads((run / "m.onnx.json").read_text())["quantized"]


def test_what_is_lost_afterwards_is_kept_by_training_for_it(world: Path, spoiled: Path, tmp_path: Path) -> None:
    plain = distil(world, spoiled, tmp_path / "plain")
    print(export_int8(world, plain, '--max_drop', '1')['metrics'])
    trained = distil(world, spoiled, tmp_path / "trained", "--task_distill.phase2.quantize", "int8")
    print(export_int8(world, trained, '--max_drop', '1')['metrics'])
    print((trained/'result.json').read_text(), (plain/'result.json').read_text())
