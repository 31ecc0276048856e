# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The entry points with relations: a student that TinyBERT's terms refuse, from text to a task."""

from __future__ import annotations

from pathlib import Path

import pytest

import run_general_distill
import run_task_distill
from src.checkpoints.checkpoint import load_model
from tests.refusals import refused
from tests.tiny import RUN_OPTIONS, VOCABULARY, lines

pytestmark = pytest.mark.large

NARROW = ("--student.vocab_size", len(VOCABULARY), "--hidden_size", 24, "--num_hidden_layers", 3,
          "--num_attention_heads", 2, "--intermediate_size", 32, "--student.initializer_range", 0.05)
"""A student of 3 layers x 24 and 2 heads, whose teachers have 4 x 32 and 4 heads."""
ALONE = ("--attention_weight", 0, "--hidden_weight", 0, "--relation_weight", 1)
TERMS = {"query_relations", "key_relations", "value_relations"}


def run(module, *options: object) -> None:
    module.main([*map(str, options), "--learning_rate", "3e-3", "--buckets", "[]", *RUN_OPTIONS[:4],
                 "--tensorboard", "false"])


def test_a_student_of_another_depth_width_and_heads(world: Path, tmp_path: Path) -> None:
    general, task = tmp_path / "general", tmp_path / "task"
    options = ("--load_teacher_ckpt_path", world / "pretrained", "--data_dir", world / "records/corpus",
               "--save_ckpt_path", general, *NARROW)
    refused("num_attention_heads.*student 2", run, run_general_distill, *options, "--layer_map", "first")
    refused("^relation_heads 48 does not divide .* is 1, 2, 4, 8: set relation_heads to one of these$", run,
            run_general_distill, *options, *ALONE)
    refused("--layer_map has no effect", run, run_general_distill, *options, *ALONE, "--layer_map", "first")
    assert not general.exists()
    run(run_general_distill, *options, *ALONE, "--relation_heads", 8, "--relation_layer", 3, "--epoch_size", 4)
    logged = [line for line in lines(general) if "loss" in line]
    assert set(logged[0]["terms"]) == TERMS and logged[-1]["loss"] < logged[0]["loss"]

    rows = ("--train_data_dir", world / "records/task/train", "--eval_data_dir", world / "records/task/dev")
    run(run_task_distill, "--load_teacher_ckpt_path", world / "teacher", "--load_gd_ckpt_path", general, "--task_name",
        "SST-2", *rows, *ALONE, "--relation_heads", 4, "--td_phase1_epoch_size", 1, "--td_phase2_epoch_size", 1,
        "--save_ckpt_path", task)
    assert {name for line in lines(task / "phase1") for name in line.get("terms", ())} == TERMS
    encoder = load_model(task / "model").config.encoder
    assert (encoder.num_hidden_layers, encoder.hidden_size, encoder.num_attention_heads) == (3, 24, 2)
