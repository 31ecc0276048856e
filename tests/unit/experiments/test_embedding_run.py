# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The run on embeddings without its models: its stages, what it measures, and its report."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments.embedding import measure, report
from experiments.embedding import run as embedding_run
from src.common.files import write_json
from src.config import load_config, parse

REPOSITORY = Path(__file__).resolve().parents[3]


def test_commands_are_accepted_by_the_entry_points() -> None:
    config = load_config(REPOSITORY / embedding_run.RECIPE)
    stages = {stage.name: stage for stage in embedding_run.embedding_stages(config, 0.5, "CPU", "/sts")}
    for name, layers in embedding_run.STUDENTS.items():
        parsed = parse("run_general_distill.py", list(stages[name].commands[0][2:]))
        assert parsed.student.student_init == layers and parsed.student.num_hidden_layers == len(layers)
        assert parsed.general_distill.train_steps == round(config.general_distill.train_steps / 2)
        assert set(parsed.general_distill.terms) == {"embedding_mse", "similarity_kl"}
    assert [parse("export.py", list(command[2:])).export.quantize for command in stages["export"].commands] == [
        "none"] * 3 + ["int8"] * 3
    parse("prepare_data.py corpus", list(stages["records"].commands[0][3:]))
    assert "/sts" in stages["measure"].commands[0]


def test_pairs_and_neighbours() -> None:
    generator = np.random.default_rng(0)
    teacher = generator.normal(size=(40, 8)).astype(np.float32)
    own = teacher + 0.3 * generator.normal(size=(40, 8)).astype(np.float32)
    correlation, recall = measure.compare(own, teacher, seed=1)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (own, teacher)]
    off = ~np.eye(40, dtype=bool)
    assert correlation == pytest.approx(stats.spearmanr(*((x @ x.T)[off] for x in unit))[0], abs=0.02)
    best = [np.where(off, x @ x.T, -9).argmax(1) for x in unit]
    assert recall == np.mean(best[0] == best[1]) and 0 < recall < 1
    assert measure.compare(teacher, teacher, seed=1) == (1.0, 1.0)


def test_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [{"name": name, "spearman_to_teacher": 0.9, "recall_at_1": 0.75, "sts_test_spearman": None,
               "sts_dev_spearman": 0.8, "file_mb": 90.5, "onnx_latency_ms": 1.25, "texts_per_second": 1234.5}
              for name in ("teacher", "student_3", "student_2")]
    write_json(tmp_path / "measured.json", {"texts": 100, "processor": "a processor", "models": models})
    write_json(tmp_path / "stamps/measure.json", {"finished": True, "started": time.time(), "seconds": 3.0,
                                                  "commands": ["python measure.py"]})
    for name in ("student_3", "student_2"):
        lines = [{"stage": "general_distill", "step": step, "loss": 2.0, "terms": {"embedding_mse": 1.0 / step,
                                                                                   "similarity_kl": 1.0}}
                 for step in range(5, 30, 5)]
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    results = report.report(tmp_path, seed=7)
    assert json.loads((tmp_path / "results.json").read_text()) == results and results["models"] == models
    assert "| 3 layers, distilled | 0.9000 | 0.7500 | - | 0.8000 | 90.5 | 1.25 | 1,234 | - | - | - |" in (
        tmp_path / "report.md").read_text()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    report.print_summary(tmp_path)
    assert "100 held-out sentences" in capsys.readouterr().out
