# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""STS-B by cosine: the two texts of a pair apart, any batch, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import export
from eval import main
from src.config import HeadConfig, ModelConfig
from src.predict import load
from tests.refusals import refused
from tests.tiny import HEAD, STUDENT, save_random, sentence, write_vocabulary

EMBEDDING = ModelConfig(replace(STUDENT, pooler="none"), HeadConfig("embedding", normalize=True, max_seq_length=10))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that embeds texts, a classifier, and a test set of pairs with scores."""
    folder = tmp_path_factory.mktemp("similarity")
    vocabulary = write_vocabulary(folder / "vocab")
    save_random(folder / "model", EMBEDDING, vocabulary)
    save_random(folder / "classifier", ModelConfig(STUDENT, HEAD), vocabulary)
    generator = np.random.default_rng(5)
    rows = [f"{sentence(generator, 0)}\t{sentence(generator, 1)}\t{5 * generator.random():.3f}" for _ in range(17)]
    (folder / "test.tsv").write_text("sentence1\tsentence2\tscore\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder


def run(place: Path, *options: str) -> None:
    main(["--device_target", "CPU", "--checkpoint", str(place / "model"), "--data_dir", str(place), "--split", "test",
          "--buckets", "16", *options])


SIMILARITY = ("--task_name", "STS-B", "--similarity", "cosine")


@pytest.mark.medium
def test_correlations_of_cosines_with_scores(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split("\t") for line in (place / "test.tsv").read_text().splitlines()[1:]]
    model = load(place / "model")
    with pytest.warns(UserWarning, match="longer than seq_length 10"):
        first, second = (model.logits([row[side] for row in rows]).astype(np.float64) for side in (0, 1))
    cosines, scores = (first * second).sum(1), [float(row[2]) for row in rows]
    for batch_size in ("5", "32"):
        run(place, *SIMILARITY, "--batch_size", batch_size, "--metrics_path", str(tmp_path / "metrics.json"),
            "--predictions_path", str(tmp_path / "predictions.jsonl"))
        found = [json.loads(line)["prediction"] for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
        assert np.abs(np.array(found) - cosines).max() < 1e-6
    metrics = json.loads((tmp_path / "metrics.json").read_text())["metrics"]
    assert metrics["spearman"] == pytest.approx(stats.spearmanr(found, scores)[0], abs=1e-9)
    assert metrics["pearson"] == pytest.approx(stats.pearsonr(cosines, scores)[0], abs=1e-6)
    assert "texts are longer than 10 tokens and were cut" in capsys.readouterr().out


@pytest.mark.medium
def test_an_int8_file_is_verified_by_the_same_correlation(place: Path, tmp_path: Path) -> None:
    export.main(["--checkpoint", str(place / "model"), "--output", str(tmp_path / "model.onnx"),
                 "--file_format", "ONNX", "--quantize", "int8", "--task_name", "STS-B",
                 "--eval_data_dir", str(place / "test.tsv"),
                 "--max_drop", "1", "--device_target", "CPU"])
    quantized = json.loads((tmp_path / "model.onnx.json").read_text())["quantized"]
    assert (tmp_path / "model.onnx").is_file() and quantized["rows"] == 34
    run(place, *SIMILARITY, "--metrics_path", str(tmp_path / "metrics.json"))
    metrics = json.loads((tmp_path / "metrics.json").read_text())["metrics"]
    assert quantized["metrics"]["float32"]["spearman"] == pytest.approx(metrics["spearman"], abs=1e-6)
    assert abs(quantized["metrics"]["int8"]["spearman"] - metrics["spearman"]) < 0.2


@pytest.mark.parametrize(("options", "says"), [
    (("--task_name", "STS-B"), "embeds texts; give --similarity cosine"),
    (("--task_name", "SST-2", "--similarity", "cosine"), "SST-2 is a classification task"),
    (("--similarity", "cosine"), "task_name is empty"),
    ((*SIMILARITY, "--checkpoint", "classifier"), "classification head and embeds no texts"),
    ((*SIMILARITY, "--submit", "out"), "leave it out"),
    ((*SIMILARITY, "--task_name", "tsv-regression", "--text_column", "sentence1"), "one text; expected a pair")])
def test_refusals(place: Path, options: tuple[str, ...], says: str) -> None:
    options = tuple(str(place / "classifier") if each == "classifier" else each for each in options)
    refused(says, run, place, *options)
