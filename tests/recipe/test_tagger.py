# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A tagger from its files to a distilled student, with sentences that are longer than the rows."""

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
from tests.tiny import BAD, GOOD, PLAIN, RUN_OPTIONS, STUDENT, STUDENT_OPTIONS, TEACHER, save_random, write_vocabulary


def write_sentences(folder: Path, split: str, number: int, generator: np.random.Generator) -> None:
    """Sentences of up to 24 words, of which good and bad ones are entities."""
    lines = []
    for _ in range(number):
        for kind in generator.choice(3, generator.integers(2, 25), p=(0.6, 0.2, 0.2)):
            word = str(generator.choice((PLAIN, GOOD, BAD)[kind]))
            lines.append(f"{word} {('O', 'B-GOOD', 'B-BAD')[kind]}")
        lines.append("")
    (folder / f"{split}.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.large
def test_a_tagger_is_distilled(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for split, number in (("train", 120), ("dev", 20), ("test", 10)):
        write_sentences(tmp_path, split, number, generator)
    vocabulary = write_vocabulary(tmp_path / "vocab")
    save_random(tmp_path / "bert", ModelConfig(replace(TEACHER, num_hidden_layers=2)), vocabulary)
    save_random(tmp_path / "general", ModelConfig(STUDENT), vocabulary)
    options = [*RUN_OPTIONS, "--buckets", "16", "--task_name", "ner", "--data_dir", str(tmp_path), "--seq_length", "16",
               "--doc_stride", "7"]
    run_finetune.main([*options, "--load_ckpt_path", str(tmp_path / "bert"), "--learning_rate", "3e-3",
                       "--epoch_size", "4", "--save_ckpt_path", str(tmp_path / "teacher")])
    run_task_distill.main([*options, *STUDENT_OPTIONS, "--load_teacher_ckpt_path", str(tmp_path / "teacher/model"),
                           "--load_gd_ckpt_path", str(tmp_path / "general"), "--learning_rate", "3e-3",
                           "--phases", "2", "--td_phase2_epoch_size", "4",
                           "--save_ckpt_path", str(tmp_path / "student")])
    written = tmp_path / "predictions.jsonl"
    evaluation.main(["--checkpoint", str(tmp_path / "student/model"), "--data_dir", str(tmp_path), "--split", "test",
                     "--seq_length", "16", "--doc_stride", "7", "--metrics_path", str(tmp_path / "metrics.json"),
                     "--predictions_path", str(written), "--device_target", "CPU", "--buckets", "16"])
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    # Each word's tag follows from the word: a few steps are enough.
    assert metrics["f1"] > 0.8
    lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    text = (tmp_path / "test.conll").read_text(encoding="utf-8")
    assert [line["words"] for line in lines] == [
        [row.split()[0] for row in sentence.split("\n")] for sentence in text.strip().split("\n\n")]
    assert {entity["type"] for line in lines for entity in line["entities"]} == {"GOOD", "BAD"}
