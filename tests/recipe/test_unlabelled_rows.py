# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distillation on rows without labels beside labelled ones, from a file or from records of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eval as evaluation
import prepare_data
import run_task_distill
from src.config import HeadConfig, ModelConfig
from tests import tiny
from tests.refusals import refused
from tests.tiny import HEAD, ONE_LENGTH, STUDENT, difference, killed_after, losses, save_random, sentence, write_sst2

pytestmark = pytest.mark.large
ENCODER = replace(STUDENT, num_hidden_layers=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
HEADS = {"SST-2": HEAD, "STS-B": HeadConfig("regression"), "ner": HeadConfig("tagging", ("O", "B-GOOD", "I-GOOD"))}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Tasks of three kinds, each with 24 labelled rows and 72 others, teachers of one layer and a student."""
    folder = tmp_path_factory.mktemp("world")
    tiny.write_vocabulary(folder / "vocab")
    generator = np.random.default_rng(0)
    texts = [sentence(generator, number % 2, longest=8) for number in range(4 * 96)]
    write_sst2(folder / "SST-2", {"train": 24})
    (folder / "SST-2.txt").write_text("\n".join(texts[:72]) + "\n")
    pairs = [f"{one}\t{other}" for one, other in zip(texts[::2], texts[1::2], strict=True)]
    scored = [f"{pair}\t{number % 6}" for number, pair in enumerate(pairs[:24])]
    words = [[f"{word} {'B-GOOD' if word in tiny.GOOD else 'O'}" for word in text.split()] for text in texts[:24]]
    for task, name, lines in (
            ("STS-B", "train.tsv", ["sentence1\tsentence2\tscore", *scored]),
            ("STS-B", "unlabelled.tsv", ["sentence1\tsentence2", *pairs[24:96]]),
            ("ner", "train.conll", ["\n".join(rows) + "\n" for rows in words]),
            ("ner", "unlabelled.conll", ["\n".join(text.split()) + "\n" for text in texts[24:96]])):
        (folder / task).mkdir(exist_ok=True)
        (folder / task / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for task, head in HEADS.items():
        save_random(folder / f"{task}-teacher", ModelConfig(ENCODER, head, task), folder / "vocab", seed=5)
    save_random(folder / "student", ModelConfig(ENCODER), folder / "vocab", seed=6)
    return folder


def distil(world: Path, run: Path, *options: str, task: str = "SST-2", unlabelled: str = "SST-2.txt") -> list[float]:
    """Run two epochs of phase 2 on labels and the teacher; return the losses."""
    run_task_distill.main([
        "--pred_distill", "--student_model", str(world / "student"), "--task_name", task, "--data_dir",
        str(world / task), "--load_teacher_ckpt_path", str(world / f"{task}-teacher"), "--save_ckpt_path", str(run),
        "--unlabelled_data_dir", str(world / unlabelled), "--seq_length", "16", "--do_eval", "false", "--alpha_label",
        "0.5", "--epoch_size", "2", "--batch_size", "32", "--learning_rate", "1e-3", *ONE_LENGTH, *options])
    return losses(run / "phase2")


@pytest.mark.parametrize(("task", "unlabelled"), [("SST-2", "SST-2.txt"), ("STS-B", "STS-B"), ("ner", "ner")])
def test_stored_logits_and_the_teacher_in_the_graph_teach_the_same(world, tmp_path, capsys, task, unlabelled) -> None:
    stored = distil(world, tmp_path / "stored", task=task, unlabelled=unlabelled)
    said = capsys.readouterr().out
    number = int(re.search(r"training rows: \d+ labelled, (\d+) unlabelled", said)[1])
    assert number >= 72 and f"computing {number} rows" in said and f"unlabelled {number} in" in said
    assert "label" not in (tmp_path / "stored/texts/unlabelled/schema.json").read_text()
    in_graph = distil(world, tmp_path / "graph", "--cache_teacher_logits", "false", task=task, unlabelled=unlabelled)
    assert len(stored) >= 6
    assert stored == pytest.approx(in_graph, abs=1e-6)


def test_a_run_that_was_killed_continues_to_the_bit(world, tmp_path) -> None:
    """The rows come from records here; those of the file above are the same."""
    prepare_data.main(["task", "--task_name", "SST-2", "--data_dir", str(world / "SST-2.txt"), "--unlabelled", "true",
                       "--tokenizer", str(world / "vocab"), "--seq_length", "16", "--output_dir",
                       str(tmp_path / "records")])
    whole = distil(world, tmp_path / "whole", unlabelled="SST-2.txt")
    options = ("--save_checkpoint_step", "2", "--unlabelled_data_dir", str(tmp_path / "records"))
    with killed_after(5):
        distil(world, tmp_path / "run", *options)
    assert distil(world, tmp_path / "run", *options) == whole
    assert difference(tmp_path / "run/model", tmp_path / "whole/model") == 0
    (world / "SST-2-more.txt").write_text((world / "SST-2.txt").read_text() + "w1 good\n")
    refused("unlabelled", distil, world, tmp_path / "run", "--unlabelled_data_dir", str(world / "SST-2-more.txt"))


def test_files_of_outputs_teach_both_sets_as_the_teacher(world, tmp_path) -> None:
    """As dumped by eval.py, which counts the rows of each set from 0."""
    shared = ("--device_target", "CPU", "--buckets", "16", "--seq_length", "16")
    stored = distil(world, tmp_path / "stored", "--train_steps", "3")
    for split, records in (("train", "stored/records/train"), ("unlabelled", "stored/texts/unlabelled")):
        evaluation.main(["--checkpoint", str(world / "SST-2-teacher"), "--data_dir", str(tmp_path / records),
                         "--split", split, "--write_teacher_outputs", str(tmp_path / f"{split}.jsonl"), *shared])
    given = ("--load_teacher_ckpt_path", "", "--teacher_outputs", str(tmp_path / "train.jsonl"), "--train_steps", "3")
    others = ("--unlabelled_outputs", str(tmp_path / "unlabelled.jsonl"))
    refused("give --unlabelled_outputs FILE", distil, world, tmp_path / "run", *given)
    refused("names 2 files and teacher_outputs 1", distil, world, tmp_path / "run", *given, others[0],
            f"{others[1]},{others[1]}")
    assert distil(world, tmp_path / "run", *given, *others) == pytest.approx(stored, abs=1e-6, rel=0)


def test_both_phases_learn_from_all_rows(world, tmp_path, capsys) -> None:
    distil(world, tmp_path / "run", "--task_distill.phases", "both", "--train_steps", "2")
    said = capsys.readouterr().out
    assert said.count(" labelled 24 in") == said.count("unlabelled 72 in") == 2
    assert len(losses(tmp_path / "run/phase1")) == 2


@pytest.mark.parametrize(("options", "message"), [
    (("--alpha_ce", "0"), "phase 2 learns labels alone"),
    (("--unlabelled_data_dir", "nowhere"), "nowhere"),
    (("--teacher.unlabelled_data_dir", "nowhere", "--unlabelled_data_dir", ""), "is given no unlabelled rows"),
    (("--unlabelled_data_dir", "SST-2/train.tsv", "--task_name", "STS-B"), "no header with .sentence1."),
])
def test_what_does_not_fit_is_refused(world, tmp_path, options, message) -> None:
    options = [str(world / text) if "/" in text else text for text in options]
    refused(message, distil, world, tmp_path / "run", *options)
    assert not (tmp_path / "run/phase2").exists()
