# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""General distillation of embeddings: from lines of text to a student that embeds them, whatever its width."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

import run_general_distill
from src.checkpoints.checkpoint import load_model
from src.config import HeadConfig, ModelConfig
from src.dataset import TeacherLogits, read_rows
from src.predict import load
from src.records.options import CorpusOptions, TaskOptions
from src.records.prepare import prepare_task, prepare_texts
from src.records.reading import inspect
from src.runs.embedding_student import reduced
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import (
    ONE_LAYER,
    ONE_LENGTH,
    STUDENT_OPTIONS,
    TEACHER,
    VOCABULARY,
    losses,
    save_random,
    sentence,
    write_vocabulary,
)
from tests.unit.tasks.test_text_pairs import write

pytestmark = pytest.mark.large
ALONE = ("--attention_weight", "0", "--hidden_weight", "0")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines of text, records with a line a row, a teacher that embeds, one that does not."""
    folder = tmp_path_factory.mktemp("embedding")
    vocabulary = write_vocabulary(folder / "vocab")
    generator = np.random.default_rng(1)
    texts = [sentence(generator, number % 2, 20) for number in range(48)]
    (folder / "lines.txt").write_text("\n".join(texts) + "\n\n", encoding="utf-8")
    prepare_texts([folder / "lines.txt"], load_tokenizer(vocabulary), folder / "records",
                  CorpusOptions(seq_length=16, one_text_a_row=True))
    config = ModelConfig(replace(TEACHER, pooler="none"), HeadConfig("embedding", normalize=True, max_seq_length=20))
    save_random(folder / "teacher", config, vocabulary)
    save_random(folder / "bare", ModelConfig(TEACHER), vocabulary)
    return folder


def distil(place: Path, run: Path, *options: str, teacher: str = "teacher") -> Path:
    run_general_distill.main([
        "--load_teacher_ckpt_path", str(place / teacher), "--data_dir", str(place / "records"), "--save_ckpt_path",
        str(run), "--learning_rate", "3e-3", *STUDENT_OPTIONS, *ONE_LAYER, *ONE_LENGTH, *options])
    return run


def test_records_have_one_text_a_row(place: Path) -> None:
    tokenizer, lines = load_tokenizer(place / "vocab"), (place / "lines.txt").read_text().split("\n")[:48]
    rows = [row for chunk in read_rows(inspect(place / "records", kind="corpus")) for row in chunk.input_ids.tolist()]
    expected = [[tokenizer.cls_id, *ids[:14], tokenizer.sep_id] for ids in tokenizer.encode_batch(lines)]
    assert [[token for token in row if token != tokenizer.pad_id] for row in rows] == expected
    assert max(map(len, tokenizer.encode_batch(lines))) > 14


def test_a_narrower_student_keeps_a_dense_layer_and_stored_embeddings_change_nothing(
        place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terms = (*ALONE, "--terms", "embedding_mse=32,similarity_kl=1", "--epoch_size", "2")
    stored = distil(place, tmp_path / "stored", *terms)
    assert "teacher outputs: computing 48 rows" in (said := capsys.readouterr().out)
    assert "16 numbers and the teacher's 32: a dense layer" in said
    assert losses(stored)[-1] < losses(stored)[0]
    run = distil(place, tmp_path / "run", *terms, "--cache_embeddings", "false")
    assert np.abs(np.array(losses(run)) - losses(stored)).max() < 1e-5
    student = load_model(stored / "model").config
    assert student.head == HeadConfig("embedding", dense_size=32, normalize=True, max_seq_length=20)
    assert load(stored).logits(["good w1", "bad"]).shape == (2, 32)


def test_reduced_embeddings_need_no_dense_layer(place: Path, tmp_path: Path) -> None:
    run = distil(place, tmp_path / "run", *ALONE, "--terms", "embedding_cos=1", "--reduce_embeddings", "true",
                 "--epoch_size", "2")
    assert losses(run)[-1] < losses(run)[0]
    assert load_model(run / "model").config.head == HeadConfig("embedding", normalize=True, max_seq_length=20)


def test_components_are_those_of_scikit_learn() -> None:
    values = np.random.default_rng(2).normal(size=(60, 8)).astype(np.float32) * np.arange(1, 9)
    made = reduced(TeacherLogits(Path(), values), 3, False)
    expected = values @ PCA(3).fit(values).components_.T
    found = made.of_rows(np.arange(60), 16)
    assert np.abs(np.abs(found) - np.abs(expected)).max() < 1e-4
    unit = reduced(TeacherLogits(Path(), values), 3, True).of_rows(np.array([7]), 16)
    assert np.allclose(unit, found[[7]] / np.linalg.norm(found[7]), atol=1e-6)


def test_layers_and_embeddings_together(place: Path, tmp_path: Path) -> None:
    run = distil(place, tmp_path / "run", "--student.hidden_size", "32", "--terms", "embedding_cos=1")
    assert losses(run)[-1] < losses(run)[0]
    assert load_model(run / "model").config.head == HeadConfig("embedding", normalize=True, max_seq_length=20)


def test_refusals(place: Path, tmp_path: Path) -> None:
    terms = ("--terms", "embedding_mse=1")
    refused("compare embeddings, but the teacher has no head; convert", distil, place, tmp_path / "a", *ALONE, *terms,
            teacher="bare")
    refused("cache_embeddings is true, but the terms read the teacher's logits, hidden", distil, place, tmp_path / "b",
            *terms, "--cache_embeddings", "true")
    refused("batch_size is 1; raise it", distil, place, tmp_path / "d", *ALONE, "--terms", "similarity_kl=1",
            "--batch_size", "1")
    for options, says in ((("--student.hidden_size", "32", *ALONE, *terms), "no fewer than the teacher's 32"),
                          ((*ALONE, *terms, "--cache_embeddings", "false"), "takes stored embeddings"),
                          (terms, "reduce_embeddings is true, but the terms read"), ((), "no term compares")):
        refused(says, distil, place, tmp_path / "c", *options, "--reduce_embeddings", "true")
    assert not any(tmp_path.iterdir())


def test_a_student_of_another_vocabulary_learns_from_translations(
        place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The teacher's words have other names in the student's language, and the student reads both."""
    generator, words = np.random.default_rng(2), [f"w{number}" for number in range(40)]
    rows = [" ".join(generator.choice(words, 4)) for _ in range(24)]
    write(tmp_path / "files", "train", "text\ttranslation", *(f"{row}\t{row.replace('w', 'v')}" for row in rows))
    vocabulary = write_vocabulary(tmp_path / "vocab", (*VOCABULARY[:5], *(word.replace("w", "v") for word in words),
                                                       *VOCABULARY[5:]))
    encoder = replace(TEACHER, vocab_size=len(VOCABULARY) + 40, hidden_size=16, num_hidden_layers=1)
    save_random(tmp_path / "start", ModelConfig(encoder), vocabulary)
    for name, of in (("own", vocabulary), ("its", place / "vocab")):
        prepare_task(get_task("pairs"), tmp_path / "files", load_tokenizer(of), tmp_path / name,
                     TaskOptions(seq_length=16))

    def learn(run: str, *options: str) -> Path:
        run_general_distill.main([
            "--translations", "true", "--load_teacher_ckpt_path", str(place / "teacher"), "--data_dir",
            str(tmp_path / "own"), "--student_pretrained_weights", str(tmp_path / "start"), "--teacher.train_data_dir",
            str(tmp_path / "its"), "--save_ckpt_path", str(tmp_path / run), "--learning_rate", "3e-3", *ONE_LENGTH,
            *ALONE, "--terms", "embedding_mse=32", "--batch_size", "8", "--epoch_size", "4", *options])
        return tmp_path / run

    run = learn("run")
    said = capsys.readouterr().out
    assert "teacher outputs: computing 24 rows" in said and "student's 16 numbers a text to the teacher's 32" in said
    assert np.mean(losses(run)[-3:]) < 0.9 * np.mean(losses(run)[:3])
    # Both texts against the teacher's vector of the first.
    teacher, student = load(place / "teacher").logits(rows), load(run / "model")
    own = [student.logits(texts) for texts in (rows, [row.replace("w", "v") for row in rows])]
    assert own[0].shape == teacher.shape
    end = np.mean([((each - teacher) ** 2).sum(1).mean() for each in own])
    assert end == pytest.approx(np.mean(losses(run)[-3:]), rel=0.3)
    stored = np.load(next((tmp_path / "its/train/teacher_logits").glob("*/logits.npy")))
    assert np.abs(stored - teacher).max() < 1e-5
    for options, message in (
            (("--attention_weight", "1"), "compare embeddings alone.*attention_weight 0"),
            (("--teacher.train_data_dir", ""), "another vocabulary has records of its own.*--teacher.train_data_dir"),
            (("--student_pretrained_weights", ""), "need a student that knows the languages"),
            (("--reduce_embeddings", "true"), "reduce_embeddings is true, which is for text of one language"),
            (("--data_dir", str(place / "records")), "holds corpus records; expected task records")):
        refused(message, learn, "refused", *options)
