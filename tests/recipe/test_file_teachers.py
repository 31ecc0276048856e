# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Teachers that are files, and several teachers: as with the teacher in the graph, and against NumPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import eval as evaluation
import run_task_distill
from src.config import ModelConfig
from src.records.prepare import TaskOptions, prepare_task
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests import tiny
from tests.refusals import refused
from tests.tiny import HEAD, RUN_OPTIONS, STUDENT, losses, save_random, write_sst2

pytestmark = pytest.mark.medium
ENCODER = replace(STUDENT, num_hidden_layers=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two teachers, a student, records, and what the first teacher says of them in a file."""
    folder = tmp_path_factory.mktemp("world")
    tiny.write_vocabulary(folder / "vocab")
    write_sst2(folder / "tsv", {"train": 48})
    for number, name in enumerate(("student", "one", "other")):
        head = {} if name == "student" else {"head": HEAD, "task_name": "SST-2"}
        encoder = replace(ENCODER, initializer_range=0.5) if head else ENCODER
        save_random(folder / name, ModelConfig(encoder, **head), folder / "vocab", seed=number)
    prepare_task(get_task("SST-2"), folder / "tsv", load_tokenizer(folder / "vocab"), folder / "records",
                 TaskOptions(seq_length=16, num_shards=2))
    save_random(folder / "cola", ModelConfig(ENCODER, HEAD, "CoLA"), folder / "vocab")
    evaluation.main(["--checkpoint", str(folder / "one"), "--data_dir", str(folder / "records"), "--split", "train",
                     "--device_target", "CPU", "--buckets", "16", "--write_teacher_outputs", str(folder / "one.jsonl")])
    first = (folder / "one.jsonl").read_text().splitlines()[0]
    (folder / "short.jsonl").write_text(first + "\n")
    return folder


def distil(world: Path, run: Path, *options: str) -> list[float]:
    """Return the losses of three steps."""
    run_task_distill.main([
        "--pred_distill", "--student_model", str(world / "student"), "--task_name", "SST-2", "--do_eval", "false",
        "--train_data_dir", str(world / "records/train"), "--save_ckpt_path", str(run), "--epoch_size", "1",
        "--batch_size", "16", "--learning_rate", "1e-2", "--temperature", "2", *RUN_OPTIONS, "--buckets", "16",
        *(option.replace("WORLD", str(world)) for option in options)])
    return losses(run / "phase2")


@pytest.fixture(scope="module")
def in_graph(world, tmp_path_factory):
    run = tmp_path_factory.mktemp("in_graph")
    return distil(world, run, "--load_teacher_ckpt_path", "WORLD/one", "--cache_teacher_logits", "false")


def test_dumped_outputs_teach_as_the_teacher_in_the_graph(world, in_graph, tmp_path):
    assert len(in_graph) == 3
    assert distil(world, tmp_path, "--teacher_outputs", "WORLD/one.jsonl") == pytest.approx(in_graph, abs=1e-6, rel=0)


def test_several_teachers(world, in_graph, tmp_path, capsys):
    """The cross-entropy is linear in the teachers' distributions, whose mean is learnt."""
    other = distil(world, tmp_path / "other", "--load_teacher_ckpt_path", "WORLD/other", "--train_steps", "1")[0]
    both = distil(world, tmp_path / "both", "--load_teacher_ckpt_path", "WORLD/other", "--teacher_outputs",
                  "WORLD/one.jsonl", "--teacher_weights", "3,7", "--train_steps", "1")[0]
    assert abs(in_graph[0] - other) > 0.01
    assert both == pytest.approx(0.7 * in_graph[0] + 0.3 * other, abs=1e-6, rel=0)
    assert f"teachers: 0.3 x {world}/other, 0.7 x {world}/one.jsonl" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "message"), [
    ("--teacher_outputs WORLD/two.jsonl", "no such file: .*two.jsonl"),
    ("--teacher_outputs WORLD/one.jsonl --teacher_weights 1,2", "weights is 1, 2, but there are 0 checkpoints and 1"),
    ("--load_teacher_ckpt_path WORLD/one,WORLD/cola", "is a teacher of task CoLA, but the rows are of SST-2"),
    ("--load_teacher_ckpt_path WORLD/one,WORLD/other --teacher.train_data_dir A", "there are 2 teacher checkpoints"),
    ("--load_teacher_ckpt_path WORLD/one,WORLD/other --cache_teacher_logits false", "leave it auto"),
    ("--teacher_outputs WORLD/one.jsonl --terms cos=1", "hidden, of which only the logits can be stored"),
    ("--teacher_outputs WORLD/one.jsonl --task_distill.phases both", "phase 1 learns a teacher's layers"),
    ("--teacher_outputs WORLD/one.jsonl --task_distill.phase2.alpha_logits_mse 1 --missing_outputs labels",
     "logits_mse compares logits, which a label has not"),
    ("--teacher_outputs WORLD/short.jsonl", "short.jsonl lacks outputs of 47 of the 48 examples"),
    ("", "load_teacher_ckpt_path")])
def test_refused_before_anything_is_written(world, tmp_path, options, message):
    refused(message, distil, world, tmp_path / "run", *options.split())
    assert not (tmp_path / "run").exists()
