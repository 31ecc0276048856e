# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A reranker from its files to a distilled student, which other tools load and the server asks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eval as evaluation
import run_finetune
import run_task_distill
from src.config import ModelConfig
from src.predict import load
from tests.refusals import refused
from tests.tiny import ONE_LENGTH, STUDENT, TEACHER, lines, save_random, write_vocabulary
from tests.unit.tasks.test_reranking import random_lists, write_lists


@pytest.mark.large
def test_a_reranker_is_distilled(tmp_path: Path) -> None:
    files = write_lists(tmp_path / "files", "train", random_lists(30, (2, 5)))
    write_lists(files, "dev", random_lists(16, (2, 7), 1))
    vocabulary = write_vocabulary(tmp_path / "vocab")
    save_random(tmp_path / "bert", ModelConfig(replace(TEACHER, num_hidden_layers=1)), vocabulary)
    save_random(tmp_path / "general", ModelConfig(replace(STUDENT, num_hidden_layers=1)), vocabulary)
    options = [*ONE_LENGTH, "--task", "reranking", "--data_dir", str(files), "--seq_length", "16", "--batch_size", "12",
               "--progress", "false", "--train_steps", "2"]
    run_finetune.main([*options, "--load_ckpt_path", str(tmp_path / "bert"), "--save_ckpt_path",
                       str(tmp_path / "teacher")])

    distil = [*options, "--load_teacher_ckpt_path", str(tmp_path / "teacher"), "--load_gd_ckpt_path",
              str(tmp_path / "general"), "--phases", "2", "--terms", "margin_mse=0.1", "--alpha_logits_mse", "1"]
    # From stored logits, with the teacher in the graph, and with the scores of the file.
    run_task_distill.main([*distil, "--cache_teacher_logits", "true", "--save_ckpt_path", str(tmp_path / "student")])
    for name, others in (("graph", []), ("file", ["--regression_target", "label"])):
        run_task_distill.main([*distil, *others, "--do_eval", "false", "--save_ckpt_path", str(tmp_path / name)])
    first = {name: next(line["terms"] for line in lines(tmp_path / name / "phase2") if "loss" in line)
             for name in ("student", "graph", "file")}
    terms = ("list_kl", "score_mse", "margin_mse")
    stored = [first["student"][term] for term in terms]
    assert [first["graph"][term] for term in terms] == pytest.approx(stored, rel=1e-4, abs=1e-6)
    assert all(abs(first["file"][term] - first["graph"][term]) > 1e-3 for term in terms)
    refused("batch_size is 10 rows", run_task_distill.main,
            [*distil, "--batch_size", "10", "--save_ckpt_path", str(tmp_path / "refused")])

    evaluation.main(["--task", "reranking", "--checkpoint", str(tmp_path / "student/model"), "--data_dir", str(files),
                     "--split", "dev", "--seq_length", "16", "--device_target", "CPU", "--buckets", "16",
                     "--predictions_path", str(tmp_path / "ranked.jsonl")])
    ranked = [json.loads(line) for line in (tmp_path / "ranked.jsonl").read_text().splitlines()]
    lists = [json.loads(line) for line in (files / "dev.jsonl").read_text().splitlines()]
    assert [each["label"] for each in ranked] == [each["relevance"] for each in lists]

    pairs = [(each["query"], document) for each in lists[:4] for document in each["documents"]]
    ours = load(tmp_path / "student/model", seq_length=16).logits(pairs)
    scores = [score for each in ranked[:4] for score in each["scores"]]
    np.testing.assert_allclose(ours[:, 0], scores, atol=1e-5)
