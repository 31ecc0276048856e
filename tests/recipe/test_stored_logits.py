# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Phase 2 on stored teacher logits: as with the teacher in the graph, resumed, and across two vocabularies."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

import run_task_distill
from src.checkpoints.checkpoint import load_model, save_model
from src.config import ModelConfig, parse
from src.distill.objectives import Objective, objective_of
from src.distill.terms import TERMS
from src.records.prepare import TaskOptions, prepare_task
from src.runs.task_distill import PHASE_2, make_setting
from src.runs.teachers import stores_logits
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests import tiny
from tests.refusals import refused
from tests.tiny import CPU, HEAD, RUN_OPTIONS, STUDENT, VOCABULARY, killed_after, losses, save_random, write_sst2

pytestmark = pytest.mark.large
ENCODER = replace(STUDENT, num_hidden_layers=1)
TABLE = "encoder.embeddings.word_embeddings.embedding_table"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A teacher and a student of one layer; and a vocabulary, records and a student that differ in the ids alone."""
    folder = tmp_path_factory.mktemp("world")
    tiny.write_vocabulary(folder / "vocab")
    write_sst2(folder / "tsv", {"train": 96})
    save_random(folder / "teacher", ModelConfig(ENCODER, HEAD, "SST-2"), folder / "vocab", seed=5)
    save_random(folder / "student", ModelConfig(ENCODER), folder / "vocab", seed=6)
    order = np.array([*range(5), *range(5, len(VOCABULARY))[::-1]])
    tiny.write_vocabulary(folder / "words", [*(VOCABULARY[place] for place in order), "unused"])
    parameters = load_model(folder / "student").parameters
    table = parameters[TABLE][order]
    save_model(folder / "words_student", ModelConfig(replace(ENCODER, vocab_size=len(VOCABULARY) + 1)),
               {**parameters, TABLE: np.concatenate([table, table[:1]])}, folder / "words")
    for name in ("vocab", "words"):
        prepare_task(get_task("SST-2"), folder / "tsv", load_tokenizer(folder / name), folder / "records" / name,
                     TaskOptions(seq_length=16))
    return folder


@pytest.fixture(scope="module")
def in_graph(world, tmp_path_factory):
    """Losses of three epochs, dropout in the student, with the teacher in the graph."""
    run = tmp_path_factory.mktemp("in_graph")
    distil(world, run, "--cache_teacher_logits", "false")
    assert not list((world / "records/vocab/train").glob("teacher_logits"))
    assert len(losses(run / "phase2")) == 18
    return losses(run / "phase2")


def arguments(world, run, *options, records="vocab", student="student") -> list[str]:
    return [
        "--pred_distill", "--student_model", str(world / student), "--task_name", "SST-2", "--save_ckpt_path", str(run),
        "--load_teacher_ckpt_path", str(world / "teacher"), "--train_data_dir", str(world / f"records/{records}/train"),
        "--do_eval", "false", "--epoch_size", "3", "--batch_size", "16", "--learning_rate", "1e-3",
        *RUN_OPTIONS, "--buckets", "16", *options]


def distil(*given, **names) -> None:
    run_task_distill.main(arguments(*given, **names))


def test_same_losses_with_stored_logits_also_after_a_break(world, in_graph, tmp_path, capsys):
    for stored in (world / "records/vocab/train").glob("teacher_logits"):  # another test's
        shutil.rmtree(stored)
    run = tmp_path / "run"
    with killed_after(10):
        distil(world, run, "--save_checkpoint_step", "8")
    assert "computing 96 rows" in capsys.readouterr().out
    assert losses(run / "phase2") == pytest.approx(in_graph[:10], abs=1e-5)
    distil(world, run, "--save_checkpoint_step", "8")
    said = capsys.readouterr().out
    assert "continuing after step 8 of 18" in said
    assert "computing" not in said
    assert losses(run / "phase2") == pytest.approx(in_graph, abs=1e-5)
    distil(world, run, "--cache_teacher_logits", "false")  # a run may go on either way
    assert "all 18 steps are done already" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "expected"), [
    ((), True), (("--epoch_size", "1"), False), (("--train_steps", "6"), False), (("--train_steps", "7"), True),
    (("--epoch_size", "1", "--cache_teacher_logits", "true"), True), (("--cache_teacher_logits", "false"), False)])
def test_logits_are_stored_where_rows_are_seen_again(world, tmp_path, options, expected):
    config = parse("run_task_distill.py", arguments(world, tmp_path / "run", *options))
    setting = make_setting(config, tmp_path / "run", CPU)
    given = config, setting.teachers, setting.own_rows(PHASE_2)
    rest = setting.rows[PHASE_2], 1
    assert stores_logits(*given, objective_of(config.task_distill.phase2, setting.head), *rest) == expected
    # Hidden states are not stored.
    hidden = Objective(setting.head, tuple(term for term in TERMS if term.name == "cos"), (1.0,))
    if "true" in options:
        refused("hidden, of which only the logits can be stored", stores_logits, *given, hidden, *rest)
    else:
        assert not stores_logits(*given, hidden, *rest)


def test_student_of_another_vocabulary(world, in_graph, tmp_path):
    """The teacher reads its own records; other ids of the same words change no loss."""
    run = tmp_path / "run"
    own = ("--teacher.train_data_dir", str(world / "records/vocab/train"))
    distil(world, run, *own, records="words", student="words_student")
    assert losses(run / "phase2") == pytest.approx(in_graph, abs=1e-5)
    assert (run / "model/vocab.txt").read_text() == (world / "words/vocab.txt").read_text()


@pytest.mark.parametrize(("options", "message"), [
    (["--cache_teacher_logits", "false", "--teacher.train_data_dir", "vocab/train"], "set cache_teacher_logits auto"),
    (["--task_distill.phases", "both", "--teacher.train_data_dir", "vocab/train"], "run phase 2 alone"),
    (["--teacher.train_data_dir", "words/train"], "vocabulary of 54 tokens"),
    ([], "vocabulary of 54 tokens")])
def test_refused_before_anything_is_written(world, tmp_path, options, message):
    options = [str(world / "records" / text) if "/" in text else text for text in options]
    refused(message, distil, world, tmp_path / "run", *options, records="words", student="words_student")
    assert not (tmp_path / "run").exists()
