# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run is accepted wherever its model, or a phase of it, is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import convert_checkpoint
import eval as evaluation
import export
import prepare_data
import run_finetune
import run_general_distill
import run_task_distill
from src.checkpoints.checkpoint import load_model
from src.common.errors import UserError
from src.report import compare, compare_losses, loss_curves
from tests.tiny import ONE_LAYER, ONE_LENGTH, STUDENT_OPTIONS

pytestmark = pytest.mark.large

STUDENT = (*STUDENT_OPTIONS, *ONE_LAYER)
STEP = ("--train_steps", "1", "--batch_size", "8", *ONE_LENGTH)
DRY = (*STEP, "--dry_run")
TASK = ("--task_name", "SST-2", "--train_data_dir", "{world}/records/task/train", "--eval_data_dir",
        "{world}/records/task/dev")
DISTIL = ("--load_teacher_ckpt_path", "{world}/teacher", *TASK, "--save_ckpt_path", "{out}", *STEP)


@pytest.fixture(scope="module")
def runs(world: Path) -> Path:
    """A teacher's run, whose folder holds the model, and a run of both phases."""
    folder = world / "runs"
    run_finetune.main(["--load_ckpt_path", str(world / "pretrained"), "--save_ckpt_path", str(folder / "teacher"),
                       *(each.format(world=world) for each in TASK), *STEP])
    run_task_distill.main([*(each.format(world=world, out=folder / "student") for each in DISTIL), *STUDENT])
    return folder


@pytest.mark.parametrize(("main", "arguments"), [
    (evaluation.main, ("--checkpoint", "{runs}/student", "--data_dir", "{world}/tsv", "--split", "dev", "--seq_length",
                       "16", "--device_target", "CPU")),
    (export.main, ("--checkpoint", "{runs}/student/phase2", "--file_format", "ONNX", "--output", "{out}/m.onnx",
                   "--device_target", "CPU")),
    (convert_checkpoint.main, ("--from", "mindspore", "--to", "hf", "{runs}/teacher", "{out}")),
    (convert_checkpoint.main, ("extract", "{runs}/teacher", "{out}", "--num_layers", "2", "--family",
                               "same")),
    (prepare_data.main, ("corpus", "--input", "{world}/corpus.txt", "--tokenizer", "{runs}/teacher", "--output_dir",
                         "{out}", "--seq_length", "16")),
    (run_finetune.main, ("--load_ckpt_path", "{runs}/student/phase1", *TASK, "--save_ckpt_path", "{out}", *DRY)),
    (run_general_distill.main, ("--load_teacher_ckpt_path", "{runs}/teacher", "--data_dir", "{world}/records/corpus",
                                "--save_ckpt_path", "{out}", *STUDENT, *DRY)),
    (run_general_distill.main, ("--load_teacher_ckpt_path", "{runs}/teacher", "--data_dir", "{world}/records/corpus",
                                "--student_pretrained_weights", "{runs}/student", "--save_ckpt_path", "{out}",
                                *STUDENT, *DRY)),
    (run_task_distill.main, ("--load_teacher_ckpt_path", "{runs}/teacher", "--load_gd_ckpt_path",
                             "{runs}/student/phase1", *TASK, "--save_ckpt_path", "{out}", *DRY)),
    (run_task_distill.main, (*DISTIL, "--dry_run", "--pred_distill", "--load_td1_ckpt_path", "{runs}/student")),
    (loss_curves.main, ("{runs}/student/model", "--stage", "phase2", "--output", "{out}/curves.png")),
    (compare_losses.main, ("{runs}/student", "{runs}/student/phase1", "--stage", "phase1", "--term", "hidden_mse")),
    (compare.main, ("{runs}/student", "{runs}/teacher/model", "--output", "{out}")),
], ids=["eval", "export", "convert", "extract", "tokenizer", "finetune", "teacher", "pretrained", "general", "phase 1",
        "curves", "losses", "compare"])
def test_a_run_stands_for_its_model(world: Path, runs: Path, run_folder: Path, main: Callable[[list[str]], object],
                                    arguments: tuple[str, ...]) -> None:
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    main([each.format(world=world, runs=runs, out=run_folder) for each in arguments])
    assert before == {path: path.stat().st_mtime_ns for path in runs.rglob("*")}


def test_nothing_is_written_over_what_a_run_reads(world: Path, runs: Path, tmp_path: Path) -> None:
    own = shutil.copytree(runs / "student", tmp_path / "student")
    for target in ("student", "student/model"):
        with pytest.raises(UserError, match="is the input .* or holds it"):
            convert_checkpoint.main(["extract", str(own), str(tmp_path / target), "--num_layers", "1", "--force"])
    assert load_model(own).config.head.kind == "classification"
