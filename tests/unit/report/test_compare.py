# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Comparing runs: what their folders tell, the tables, the figure, and runs that lack something."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.config import BiLstmConfig, ModelConfig
from src.report import compare, curves, latency
from src.report.runs import count_parameters, read_runs
from tests.refusals import refused
from tests.tiny import HEAD, STUDENT, save_random

BILSTM = BiLstmConfig(STUDENT.vocab_size, 8, 8, 8, 1, "last", 0.1)
PHASES = {"task_distill_phase1": ("attention_mse", "hidden_mse"), "task_distill_phase2": ("soft_cross_entropy",)}


def write_stage(folder: Path, stage: str, terms: tuple[str, ...], settings: dict[str, Any], evaluated: bool,
                cost: bool = True, dev: str = "d") -> None:
    """The logs of four steps, with two evaluations, and what describes them."""
    folder.mkdir(parents=True)
    lines: list[dict[str, Any]] = []
    for step in range(1, 5):
        told = {"seconds": 2.0 * step, "examples": 64 * step} if cost else {}
        parts = dict.fromkeys(terms, 0.5 / step)
        lines.append({"stage": stage, "step": step, "loss": 1 / step, "terms": parts, **told})
        if evaluated and step % 2 == 0:
            lines.append({"stage": stage, "step": step, "eval": {"accuracy": 1.0 - step / 10, "f1": step / 10}})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run.json").write_text(json.dumps({"settings": settings, "inputs": {"dev": dev, "teacher": "t"}}))


def task_run(folder: Path, rate: float, finished: bool = True, encoder: Any = STUDENT, **options: Any) -> Path:
    """A run of task distillation; its best step is 2."""
    settings = {"seed": 42, "task_distill.phase2.learning_rate": rate, "task_distill.phase2.batch_size": 32}
    for stage, terms in PHASES.items():
        write_stage(folder / stage.rpartition("_")[2], stage, terms, settings, stage.endswith("2"), **options)
    save_random(folder / "model", ModelConfig(encoder, HEAD, "SST-2"), None)
    if finished:
        (folder / "result.json").write_text(json.dumps({"task": "SST-2", "metrics": {"accuracy": 0.8, "f1": 0.2},
                                                        "step": 2, "seconds": 17.5}))
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    compare.main([str(argument) for argument in arguments])
    return capsys.readouterr().out.splitlines()


def row(lines: list[str], name: str) -> str:
    return " ".join(next(line for line in lines if line.startswith(name)).split())


def test_three_students(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    figures, save = [], curves.save_figure
    monkeypatch.setattr(curves, "save_figure", lambda figure, path: (figures.append(figure), save(figure, path)))
    runs = [task_run(tmp_path / "deep", 1e-3), task_run(tmp_path / "flat", 2e-3, encoder=replace(
        STUDENT, num_hidden_layers=1)), task_run(tmp_path / "lstm", 1e-3, encoder=BILSTM)]
    lines = printed(capsys, *runs, "--output", tmp_path / "out")
    parameters, layers, size = count_parameters(tmp_path / "deep/model")
    assert 0 < layers < parameters and count_parameters(tmp_path / "lstm/model")[1] > 0
    assert row(lines, "deep") == (f"deep 2 x 16 0.8000 (step 2) 0.2000 (step 2) {parameters:,} "
                                  f"{layers:,} {size / 1e6:.3f} 4 + 4 0:17.5 min 512")
    assert row(lines, "lstm").startswith("lstm BiLSTM 1 x 8 ")
    assert row(lines, "task_distill.phase2.learning_rate") == "task_distill.phase2.learning_rate 0.001 0.002 0.001"
    assert not any(line.startswith(("seed", "note")) for line in lines)
    with open(tmp_path / "out/compare.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [each["run"] for each in rows] == ["deep", "flat", "lstm"] and rows[0]["parameters"] == str(parameters)
    assert [each["task_distill.phase2.learning_rate"] for each in rows] == ["0.001", "0.002", "0.001"]
    assert (rows[0]["accuracy"], rows[0]["accuracy_step"], rows[0]["seconds"]) == ("0.8", "2", "17.5")
    text = (tmp_path / "out/compare.md").read_text(encoding="utf-8")
    assert "| deep | 2 x 16 | 0.8000 (step 2) |" in text and "(compare.png)" in text
    assert (tmp_path / "out/compare.png").read_bytes().startswith(b"\x89PNG")
    titles = [axis.get_title() for axis in figures[0].axes if axis.get_visible()]
    assert titles == ["Attention scores, mean squared error [attention_mse]",
                      "Hidden states, mean squared error [hidden_mse]",
                      "Soft cross-entropy with the teacher [soft_cross_entropy]", "Accuracy on dev"]
    assert [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()] == [
        "deep, phase1", "flat, phase1", "lstm, phase1"]


def test_an_unfinished_run_and_one_of_another_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unfinished = task_run(tmp_path / "student", 1e-3, finished=False, cost=False)
    teacher = tmp_path / "teacher"
    write_stage(teacher, "finetune", ("cross_entropy",), {"seed": 42, "finetune.learning_rate": 7e-5}, True, dev="x")
    save_random(teacher / "model", ModelConfig(STUDENT, HEAD, "SST-2"), None)
    (teacher / "result.json").write_text('{"task": "SST-2", "metrics": {"accuracy": 0.9}, "step": 4, "seconds": 3.0}')
    bare = save_random(tmp_path / "b", ModelConfig(STUDENT), None)
    lines = printed(capsys, unfinished, f"T={teacher}/model", f"bare={bare}")
    # The best of what was evaluated, rows as the batch size tells them.
    assert "0.8000 (step 2)" in row(lines, "student") and row(lines, "student").endswith(" 4 + 4, unfinished - 128")
    assert "0.9000 (step 4) - " in row(lines, "T ")
    assert row(lines, "bare").endswith("- - -")
    assert row(lines, "finetune.learning_rate") == "finetune.learning_rate - 7e-05 -"
    told = "\n".join(line for line in lines if line.startswith("note: "))
    assert "student is unfinished: task_distill_phase2 is at step 4" in told
    assert "different kinds: Task distillation: student; Fine-tuning of the teacher: T" in told
    assert "evaluated on different dev records: student; T" in told and "bare is a model without a training" in told


def test_a_run_without_a_model_and_several_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stage(tmp_path / "new", "general_distill", ("hidden_mse",), {"seed": 1}, False)
    for seed in (7, 8):
        task_run(tmp_path / f"seeds/seed-{seed}", 1e-3)
    (tmp_path / "seeds/seeds.json").write_text(json.dumps({"runs": {str(s): {"folder": f"seed-{s}"} for s in (7, 8)}}))
    lines = printed(capsys, tmp_path / "new", tmp_path / "seeds")
    assert row(lines, "new") == "new - - - - - - 4, unfinished 0:08.0 min 256"
    assert row(lines, "seeds/seed-7")[12:] == row(lines, "seeds/seed-8")[12:]
    assert any("it has no model yet" in line for line in lines)


def test_a_language_model_counts_as_it_ended(tmp_path: Path) -> None:
    folder = tmp_path / "distil"
    write_stage(folder, "distil", ("ce",), {}, False)
    with (folder / "metrics.jsonl").open("a") as file:
        for step, value in ((2, 50.0), (4, 60.0)):
            found = {"perplexity": value, "accuracy": 0.1}
            file.write(json.dumps({"stage": "distil", "step": step, "eval": found}) + "\n")
    save_random(folder / "model", ModelConfig(STUDENT), None)
    run, = read_runs([str(folder)])
    assert run.is_finished and run.metrics["perplexity"] == (60.0, 4)


@pytest.mark.medium
def test_latency_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "latencies", lambda *given: latency.latencies(*given, seconds=0.0))
    models = [save_random(tmp_path / name, ModelConfig(encoder, HEAD), None)
              for name, encoder in (("deep", STUDENT), ("lstm", BILSTM))]
    lines = printed(capsys, *models, "--latency", "--seq_length", "16", "--device_target", "CPU")
    assert all(" ms " in row(lines, name) for name in ("deep", "lstm"))
    assert "note: latency: batch 1, 16 tokens, median, this machine" in lines
    refused("seq_length is 65.*deep knows 64 positions", compare.main, [
        str(models[0]), "--latency", "--seq_length", "65", "--device_target", "CPU"])


def test_faults(tmp_path: Path) -> None:
    run = task_run(tmp_path / "a/run", 1e-3)
    refused("neither a run nor a model", compare.main, [str(tmp_path)])
    refused("neither a run nor a model", compare.main, [str(tmp_path / "absent")])
    refused("two runs are called 'run'; name them: NAME=", compare.main, [str(run), str(run / "model")])
    (tmp_path / "file").write_text("")
    (tmp_path / "taken/compare.md").mkdir(parents=True)
    for place, message in ((tmp_path / "file", "file is a file; give a folder"), ("s3://a/b", "is a URL"),
                           (tmp_path / "file/x", "file is a file; choose another"),
                           (tmp_path / "taken", "compare.md is a folder")):
        refused(message, compare.main, [str(run), "--output", str(place)])
    refused("--seq_length is 0", compare.main, [str(run), "--seq_length", "0"])
    (run / "phase1/run.json").write_text("{")
    refused("phase1/run.json", compare.main, [str(run)])
