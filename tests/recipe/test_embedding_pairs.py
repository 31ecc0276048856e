# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A model that embeds texts is fine-tuned on pairs, from its files to what eval.py says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eval as evaluation
import run_finetune
import run_task_distill
from src.checkpoints.checkpoint import load_model
from src.config import HeadConfig, ModelConfig
from src.records.prepare import TaskOptions, prepare_task
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import ONE_LENGTH, PLAIN, TEACHER, losses, save_random, write_vocabulary
from tests.unit.tasks.test_text_pairs import write

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs that share a word, with scores and without; a model that embeds, with a dense layer, and one that does
    not."""
    folder, generator = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    vocabulary = write_vocabulary(folder / "vocab")
    for split, number in (("train", 24), ("dev", 12)):
        words = [generator.permutation(PLAIN)[:5].tolist() for _ in range(number)]
        write(folder / "pairs", split, *({"anchor": f"{a} {b}", "positive": f"{a} {c}"} for a, b, c, _, _ in words))
        write(folder / "sts", split, "sentence1\tsentence2\tscore", *(
            f"{a} {b}\t{a if number % 2 else d} {c}\t{4.5 if number % 2 else 0.5}"
            for number, (a, b, c, d, _) in enumerate(words)))
    config = ModelConfig(replace(TEACHER, num_hidden_layers=1, pooler="none"),
                         HeadConfig("embedding", dense_size=12, normalize=True, max_seq_length=20))
    save_random(folder / "model", config, vocabulary)
    save_random(folder / "bare", ModelConfig(replace(TEACHER, num_hidden_layers=1)), vocabulary)
    return folder


def finetune(place: Path, task: str, run: Path, *options: str) -> dict:
    """Fine-tune, and return what result.json says."""
    run_finetune.main([*ONE_LENGTH, "--task", task, "--data_dir", str(place / task), "--load_ckpt_path",
                       str(place / "model"), "--save_ckpt_path", str(run), "--seq_length", "16", "--batch_size", "24",
                       "--learning_rate", "3e-3", "--epoch_size", "6", "--progress", "false", *options])
    return json.loads((run / "result.json").read_text())


def score(task: str, data: Path, model: Path, to: Path) -> dict[str, float]:
    evaluation.main(["--task", task, "--data_dir", str(data), "--checkpoint", str(model), "--seq_length", "16",
                     "--device_target", "CPU", "--buckets", "16", "--metrics_path", str(to), "--predictions_path",
                     str(to.with_suffix(".jsonl"))])
    return json.loads(to.read_text())["metrics"]


@pytest.mark.parametrize(("task", "metric", "number"), [("sts", "spearman", 2), ("pairs", "ndcg@10", 5)])
def test_a_model_learns_from_pairs(place: Path, tmp_path: Path, task: str, metric: str, number: int) -> None:
    result = finetune(place, task, tmp_path / "run", *(["--matryoshka_dims", "12,6"] if task == "pairs" else []))
    assert next(iter(result["metrics"])) == metric and len(result["metrics"]) == number
    assert np.mean(losses(tmp_path / "run")[-2:]) < 0.9 * np.mean(losses(tmp_path / "run")[:2])
    model, start = load_model(tmp_path / "run/model"), load_model(place / "model")
    assert model.config == start.config
    assert all(np.abs(model.parameters[name] - value).max() > 0 for name, value in start.parameters.items()
               if "token_type" not in name and "position" not in name and "key.bias" not in name)
    again = score(task, place / task, tmp_path / "run/model", tmp_path / "metrics.json")
    assert again == pytest.approx(result["metrics"], abs=1e-6)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 12


def test_a_run_may_be_scored_on_pairs_of_another_kind_and_bad_input_is_refused(place: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(place / "vocab")
    for task in ("pairs", "sts"):
        prepare_task(get_task(task), place / task, tokenizer, tmp_path / task, TaskOptions(seq_length=16))
    both = ("--data_dir", "", "--train_data_dir", str(tmp_path / "pairs/train"), "--eval_data_dir",
            str(tmp_path / "sts/dev"))
    assert next(iter(finetune(place, "pairs", tmp_path / "run", *both, "--train_steps", "1")["metrics"])) == "spearman"
    refused("task pairs is for fine-tuning: run_finetune.py", run_task_distill.main, [
        "--task", "pairs", "--data_dir", str(tmp_path / "pairs"), "--load_teacher_ckpt_path", str(place / "model"),
        "--load_gd_ckpt_path", str(place / "model"), "--save_ckpt_path", str(tmp_path / "refused"), *ONE_LENGTH])
    for options, message in (
            (["--load_ckpt_path", str(place / "bare")], "task pairs trains a model that embeds texts.*has no head"),
            (["--batch_size", "2"], "batch_size is 2 texts"), (["--batch_size", "5"], "multiple of 2, such as 4"),
            (["--matryoshka_dims", "13,6"], "matryoshka_dims is .13, 6., but the model's vectors have 12 numbers"),
            (["--metric", "accuracy"], "metric is 'accuracy'; task pairs has ndcg@10")):
        refused(message, finetune, place, "pairs", tmp_path / "refused", *options)
