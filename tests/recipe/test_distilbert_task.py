# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""configs/distilbert_td.yaml: DistilBERT's objective on a classification task, on a student cut out of its teacher."""

from __future__ import annotations

from pathlib import Path

import pytest

import convert_checkpoint
import run_task_distill
from src.checkpoints.checkpoint import load_model
from src.config import ModelConfig
from tests.refusals import refused
from tests.tiny import RUN_OPTIONS, STUDENT, lines, save_random

RECIPE = Path(__file__).resolve().parents[2] / "configs/distilbert_td.yaml"
WEIGHTS = {"soft_cross_entropy": 0.5, "cross_entropy": 0.5, "cos": 1.0}

pytestmark = pytest.mark.large


def distil(world: Path, student: Path, run: Path, *options: str) -> list[dict]:
    """The logged steps of the recipe's phase 2 on the tiny world."""
    run_task_distill.main([
        "--config_path", str(RECIPE), "--data_dir", str(world / "records/task"), "--load_teacher_ckpt_path",
        str(world / "teacher"), "--load_gd_ckpt_path", str(student), "--output_dir", str(run), "--batch_size", "8",
        "--train_steps", "3", "--learning_rate", "1e-3", *RUN_OPTIONS, "--buckets", "[]", *options])
    return [line for line in lines(run / "phase2") if "loss" in line]


def test_the_terms_add_up(world: Path, tmp_path: Path) -> None:
    student = tmp_path / "student"
    convert_checkpoint.main(["extract", str(world / "teacher"), str(student), "--head", "drop", "--num_layers", "1"])
    assert load_model(student).config.family == "distilbert"
    whole = distil(world, student, tmp_path / "whole")
    for line in whole:
        assert line["terms"].keys() == WEIGHTS.keys() and min(line["terms"].values()) > 0
        assert line["loss"] == pytest.approx(sum(WEIGHTS[name] * value for name, value in line["terms"].items()))
    assert not (tmp_path / "whole/phase1").exists()


def test_a_student_of_another_width_has_no_cosine(world: Path, tmp_path: Path) -> None:
    general = save_random(tmp_path / "general", ModelConfig(STUDENT), world / "vocab")
    refused("cos compares models of the same hidden_size.*leave out cos", distil, world, general, tmp_path / "run")
    assert distil(world, general, tmp_path / "run", "--terms", "cos=0")[0]["terms"].keys() == WEIGHTS.keys() - {"cos"}
