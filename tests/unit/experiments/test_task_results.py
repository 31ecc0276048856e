# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of task results, from made folders of runs."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from experiments.pipeline import benchmark_model
from experiments.results import page as results
from experiments.results.figures import compare
from src.common.errors import UserError
from src.common.files import write_json

SEEDS = (42, 43, 44)
VALUES = {"finetuned": (0.70, 0.71, 0.72), "distilled": (0.80, 0.81, 0.79)}


def write_model(folder: Path, encoder: dict, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"encoder.layers.0.weight": np.zeros(size, np.float32)}, str(folder / "model.safetensors"))
    write_json(folder / "config.json", {"encoder": encoder})


def write_config(path: Path, **sections: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"data": {"seq_length": 80}, **sections}))


def write_variant(folder: Path, metric: str, values: tuple[float, ...], encoder: dict, steps: tuple[int, ...]) -> None:
    seeds = SEEDS[:len(values)]
    std = statistics.stdev(values) if len(values) > 1 else None
    write_json(folder / "seeds.json", {
        "seeds": list(seeds), "runs": {str(seed): {"seconds": 60.0 + 60 * place} for place, seed in enumerate(seeds)},
        "metrics": {name: {"values": list(values), "mean": statistics.mean(values), "std": std}
                    for name in (metric, "second")}})
    for seed in seeds:
        run = folder / f"seed-{seed}"
        write_model(run / "model", encoder, 500)
        if len(steps) == 1:
            write_config(run / "config.yaml", finetune={"train_steps": steps[0]})
        else:
            for phase, number in zip(("phase1", "phase2"), steps, strict=True):
                write_config(run / phase / "config.yaml", task_distill={phase: {"train_steps": number}})


def write_task(out: Path, name: str, base: str, metric: str, variants: dict[str, tuple[float, ...]]) -> None:
    folder = out / name
    write_json(folder / "data/subset.json", {"seed": 42, "train": {"examples": 2000, "of": 3667},
                                        "dev": {"examples": 408, "of": 408}})
    (folder / "data/dev.tsv").write_text("label\ttext\n1\ta line\n")
    write_json(folder / "teacher/dev.json", {"metrics": {metric: 0.85, "second": 0.9}})
    write_json(folder / "teacher/result.json", {"seconds": 90.0})
    write_config(folder / "teacher/config.yaml",
                 finetune={"train_steps": 188, "batch_size": 16, "load_ckpt_path": str(out / base / "pretrained")})
    write_model(folder / "teacher/model", {"num_hidden_layers": 6, "hidden_size": 384}, 1000)
    for variant, values in variants.items():
        encoder = {"hidden_size": 150} if "bilstm" in variant else {"num_hidden_layers": 3, "hidden_size": 384}
        steps = (124, 124) if variant.startswith("distilled") else (248,)
        write_variant(folder / variant, metric, values, encoder, steps)
    for number, stage in enumerate(("teacher", "distilled")):
        write_json(folder / f"stages/{stage}/stamps/{stage}.json", {
            "started": 100.0 - number, "seconds": 5.0, "finished": True,
            "commands": [f"python {stage}.py --data_dir /secret/place/glue --save_ckpt_path {out}/{name}/{stage}"]})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Three tasks: one that gains, one that loses and has one BiLSTM, one whose distilled student is missing."""
    folder = tmp_path / "out"
    write_json(folder / "conditions.json", {
        "machine": {"processor": "Two Cores", "cores": 2, "memory_gb": 8.0, "system": "Linux"},
        "versions": {"python": "3.11", "mindspore": "2.10.0"}, "seeds": list(SEEDS), "data_dir": "/secret/place"})
    write_task(folder, "MRPC", "english", "accuracy", VALUES)
    write_task(folder, "TNEWS", "chinese", "accuracy", {
        "finetuned": VALUES["distilled"], "distilled": VALUES["finetuned"], "bilstm": (0.6,)})
    write_task(folder, "RTE", "english", "f1", {"finetuned": (0.5, 0.6, 0.7)})
    write_model(folder / "chinese/pretraining/model", {"num_hidden_layers": 4, "hidden_size": 128}, 10)
    write_json(folder / "MRPC/compressed/results.json", {
        "task": "MRPC", "metric": "accuracy", "seconds": 60.0,
        "teacher": {"dev": {"accuracy": 0.85}, "file_mb": 90.9, "onnx_latency_ms": 5.0, "parameters": 1000},
        "winner": {"dev": {"accuracy": 0.83}, "file_mb": 10.1, "onnx_latency_ms": 0.8, "parameters": 100,
                   "name": "3x12x768-int8"}})
    return folder


def page_of(out: Path, *options: str) -> str:
    page = out.parent / "docs/RESULTS.md"
    results.main([str(out), "--page", str(page), "--latency", "false", *options])
    return page.read_text(encoding="utf-8")


def section(text: str, task: str) -> str:
    return text.split(f"\n### {task}\n")[1].split("\n## ")[0].split("\n### ")[0]


def test_means_deviations_and_differences(out):
    text = page_of(out)
    # The standard error is 0.01 * sqrt(2 / 3).
    assert ("| MRPC | layers of the model | accuracy | 0.8500 | 0.7100 ± 0.0100 | 0.8000 ± 0.0100 | +0.0900 | 0.0082 | "
            "helps |") in text
    assert "| 0.8000 ± 0.0100 | 0.7100 ± 0.0100 | -0.0900 | 0.0082 | **does not help**: worse |" in text
    mrpc = section(text, "MRPC")
    assert "| **Student, distilled** | 0.8000 ± 0.0100 | 0.8000 ± 0.0100 | 3 x 384 | 0.00 M | - | - |" in mrpc
    assert "| 124 + 124 | 2.0 |" in mrpc  # the mean of one, two and three minutes
    assert "| Teacher | 0.8500 | 0.9000 | 6 x 384 | 0.00 M | - | - | 188 | 1.5 |" in mrpc
    assert "| MRPC | 2,000 of 3,667 | 408 of 408 | 80 | 16 | 248 | 2.0 | pretrained |" in text
    assert "| TNEWS | 2,000 of 3,667 | 408 of 408 | 80 | 16 | 248 | 2.0 | pretrained here, 4 x 128 |" in text


def test_compressed_students_stand_beside_their_teachers(out):
    text = page_of(out)
    assert "| MRPC | accuracy | 0.8500 | 90.9 | 5.00 | `3x12x768-int8` | 0.8300 | 10.1 | 0.80 | 9.0 × | 6.2 × |" in text
    assert text.split("## Compressed")[1].split("## Data")[0].count("-int8`") == 1  # the others were not compressed


def test_tasks_of_another_day_stay_on_the_page(out):
    """Figures are kept beside the page; a task that is run again takes the place of its own, with its conditions."""
    whole = page_of(out)
    figures = out.parent / "docs/RESULTS.json"
    kept = json.loads(figures.read_text(encoding="utf-8"))
    assert "/secret" not in figures.read_text(encoding="utf-8")
    assert list(kept) == ["MRPC", "RTE", "TNEWS"] and page_of(out) == whole
    for name in ("RTE", "TNEWS"):
        shutil.rmtree(out / name)
    write_task(out, "MRPC", "english", "accuracy", {**VALUES, "distilled": (0.9, 0.9, 0.9)})
    conditions = json.loads((out / "conditions.json").read_text())
    write_json(out / "conditions.json", {**conditions, "seeds": [1, 2, 3]})
    text = page_of(out)
    assert "| MRPC | layers of the model | accuracy | 0.8500 | 0.7100 ± 0.0100 | 0.9000 ± 0.0000 |" in text
    assert section(text, "TNEWS") == section(whole, "TNEWS")
    assert "MRPC:\n\n- Machine: Two Cores" in text and "RTE, TNEWS:\n\n- Machine: Two Cores" in text
    write_json(figures, {"MRPC": 1})
    shutil.rmtree(out / "MRPC")
    write_task(out, "RTE", "english", "f1", {"finetuned": (0.5, 0.6, 0.7)})
    with pytest.raises(UserError, match="'MRPC' is no task with its figures"):
        page_of(out)


def test_what_is_missing_is_a_dash(out):
    text = page_of(out)
    assert "| RTE | layers of the model | f1 | 0.8500 | 0.6000 ± 0.1000 | - | - | - | - |" in text
    assert "| TNEWS | BiLSTM | accuracy | 0.8500 | 0.6000 | - | - | - | - |" in text
    assert "| **Student, distilled** | - | - |" in section(text, "RTE")
    tnews = section(text, "TNEWS")
    assert "BiLSTM 2 x 150" in tnews and "| BiLSTM, distilled | - | - | - | - | - | - | - | - |" in tnews
    assert text.index("### MRPC") < text.index("### RTE") < text.index("### TNEWS")  # the table's order


def test_machine_commands_and_pictures(out):
    text = page_of(out, "--page_cn", str(out.parent / "docs/RESULTS_CN.md"))
    assert "Two Cores, 2 cores" in text and "- Seeds: 42, 43, 44" in text and "mindspore 2.10.0" in text
    assert "python teacher.py --data_dir DATA/glue --save_ckpt_path OUT/MRPC/teacher" in text
    assert text.index("python distilled.py") < text.index("python teacher.py") and "/secret" not in text
    assert str(out) not in text and "![" in text and "(images/results.png)" in text and "(RESULTS_CN.md)" in text
    assert (out.parent / "docs/images/results.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    chinese = (out.parent / "docs/RESULTS_CN.md").read_text(encoding="utf-8")
    assert "| 0.7100 ± 0.0100 | 0.8000 ± 0.0100 | +0.0900 | 0.0082 | 有益 |" in chinese and "**无益**" in chinese
    assert "(RESULTS.md)" in chinese and chinese.count("| ---: |") == text.count("| ---: |")


@pytest.mark.parametrize("without, with_teacher, verdict", [
    ((0.70, 0.71, 0.72), (0.72, 0.73, 0.74), "helps"), ((0.70, 0.71, 0.72), (0.70, 0.72, 0.74), "open"),
    ((0.72, 0.73, 0.74), (0.70, 0.71, 0.72), "hurts"), ((0.7,), (0.8,), "single"), ((0.7, 0.7), (0.7, 0.7), "open")])
def test_two_standard_errors_decide(without, with_teacher, verdict):
    means = [statistics.mean(values) for values in (without, with_teacher)]
    found = compare(*({"mean": statistics.mean(values), "std": statistics.stdev(values) if len(values) > 1 else None,
                       "runs": len(values)} for values in (without, with_teacher)))
    assert found[0] == means[1] - means[0] and found[2] == verdict
    if found[1] is not None:
        squared = sum(statistics.variance(values) / len(values) for values in (without, with_teacher))
        assert found[1] == pytest.approx(squared ** 0.5)


def test_latency_is_measured_once_and_relative_to_the_teacher(out, monkeypatch):
    called = []

    def calls(checkpoint, texts, seq_length, device_target):
        called.append((checkpoint.relative_to(out).as_posix(), len(texts), seq_length))
        return {1: lambda: None, 32: lambda: None}

    def measured(calls, seconds):
        return {name: [0.008 if name == "teacher" else 0.004] for name in calls}

    monkeypatch.setattr(benchmark_model, "model_calls", calls)
    monkeypatch.setattr(benchmark_model, "measure", measured)
    text = page_of(out, "--latency", "true")
    assert called[:2] == [("MRPC/teacher/model", 32, 80), ("MRPC/finetuned/seed-42/model", 32, 80)]
    assert ("TNEWS/bilstm/seed-42/model", 32, 80) in called
    assert "| 8.0 | 4,000 | 188 |" in section(text, "MRPC")
    assert "| 4.0 (0.50 ×) | 8,000 (2.00 ×) | 124 + 124 |" in section(text, "MRPC")
    number = len(called)
    assert page_of(out, "--latency", "true") == text and len(called) == number
    page_of(out, "--latency", "again")
    assert len(called) == 2 * number


@pytest.mark.parametrize("break_it, message", [
    (lambda out: (out / "MRPC/distilled/seeds.json").write_text("{"), "seeds.json is not valid JSON"),
    (lambda out: (out / "MRPC/distilled/seeds.json").write_text('{"seeds": [1]}'), "MRPC is not what runs .*metrics"),
    (lambda out: write_json(out / "MRPC/distilled/seeds.json", {"seeds": [], "runs": {}, "metrics": {}}),
     "MRPC is not what runs"),
    (lambda out: write_config(out / "MRPC/finetuned/seed-42/config.yaml"), "MRPC is not what runs .*finetune"),
    (lambda out: (out / "MRPC/teacher/result.json").unlink(), "cannot read .*result.json"),
    (lambda out: (out / "MRPC/teacher/model/model.safetensors").unlink(), "cannot read .*model.safetensors"),
    (lambda out: (out / "conditions.json").unlink(), "cannot read .*conditions.json"),
    (lambda out: write_json(out / "conditions.json", {"seeds": [1]}), "conditions.json has no data_dir, machine"),
])
def test_damage_is_told_in_one_line(out, break_it, message):
    break_it(out)
    with pytest.raises(UserError, match=message) as caught:
        page_of(out)
    assert "\n" not in str(caught.value) and not (out.parent / "docs/RESULTS.md").exists()


@pytest.mark.parametrize("name, message", [("absent", "is not a folder"), ("", "holds no finished task")])
def test_a_folder_without_runs(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        results.main([str(tmp_path / name)])
