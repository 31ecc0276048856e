# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The run on embeddings without its models: its stages, what it measures, and its report."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments.embedding import measure, report
from experiments.embedding import run as embedding_run
from src.common.files import write_json
from src.config import HeadConfig, ModelConfig, load_config, parse
from tests import tiny
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[3]


def write_sts(folder: Path, *splits: str) -> str:
    folder.mkdir()
    for split, score in (each.split("=") for each in splits):
        row = "1\tg\tf\ty\t2\tn\tn\ta cat\ta dog"
        (folder / f"{split}.tsv").write_text(
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"
            + (f"\tscore\n{row}\t{score}\n" if score else f"\n{row}\n"), encoding="utf-8")
    return str(folder)


def test_commands_are_accepted_by_the_entry_points(tmp_path: Path) -> None:
    config = load_config(REPOSITORY / embedding_run.RECIPE)
    sts = write_sts(tmp_path / "sts", "dev=3.5")
    stages = {stage.name: stage for stage in embedding_run.embedding_stages(config, 0.5, "CPU", sts)}
    for layers, command in zip(embedding_run.STUDENTS.values(), stages["students"].commands, strict=True):
        parsed = parse("run_general_distill.py", list(command[2:]))
        assert parsed.student.student_init == layers and parsed.student.num_hidden_layers == len(layers)
        assert parsed.general_distill.train_steps == round(config.general_distill.train_steps / 2)
        assert set(parsed.general_distill.terms) == {"embedding_mse", "similarity_kl"}
    exported = [parse("export.py", list(command[2:])).export.output for command in stages["export"].commands]
    assert [Path(output).stem for output in exported] == ["teacher", "student_3", "student_2", "static"]
    assert parse("prepare_data.py corpus", list(stages["records"].commands[0][3:])).corpus.one_text_a_row
    assert sts in stages["measure"].commands[0]


def test_sts_is_looked_at_before_anything_is_begun(tmp_path: Path) -> None:
    refused("no data of task STS-B", embedding_run.EMBEDDING.run, ["--sts_dir", str(tmp_path)])
    for splits, expected in ((("test=1.5", "dev=2"), "test"), (("test=", "dev=2"), "dev"), (("dev=2",), "dev")):
        assert measure.scored_split(write_sts(tmp_path / "_".join(splits), *splits)) == (expected, 1)
    refused("no test or dev split with scores", embedding_run.EMBEDDING.run,
            ["--sts_dir", write_sts(tmp_path / "none", "test=")])


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


def test_models_without_files_are_measured(tmp_path: Path) -> None:
    vocabulary = tiny.write_vocabulary(tmp_path / "vocab")
    config = ModelConfig(replace(tiny.TEACHER, pooler="none"), HeadConfig("embedding", normalize=True,
                                                                          max_seq_length=20))
    models = [(name, str(tiny.save_random(tmp_path / name, config, vocabulary, seed)), "-")
              for name, seed in (("teacher", 3), ("again", 3), ("other", 4))]
    generator = np.random.default_rng(1)
    (tmp_path / "text.txt").write_text("".join(f"{tiny.sentence(generator, 0)}\n" for _ in range(9)))
    first, again, other = measure.measure(models, tmp_path / "text.txt", "", 1)["models"]
    assert first["recall_at_1"] == again["recall_at_1"] == 1.0 > other["spearman_to_teacher"]
    assert again["spearman_to_teacher"] == pytest.approx(1.0) and "file_mb" not in first


def test_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [{"name": name, "spearman_to_teacher": 0.9, "recall_at_1": 0.75, "sts_test_spearman": None,
               "sts_dev_spearman": 0.8 if name == "teacher" else None,
               "file_mb": 90.5, "onnx_latency_ms": 1.25, "texts_per_second": 1234.5}
              for name in ("teacher", "student_3", "student_2", "static")]
    write_json(tmp_path / "measured.json", {"texts": 100, "sts_split": "dev", "sts_pairs": 9, "processor": "one",
                                            "models": models})
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
    page = (tmp_path / "report.md").read_text()
    assert "| Model | Spearman to the teacher | Recall@1 | STS-B dev | MB | ms | texts/s |" in page
    assert "| 3 layers, distilled | 0.9000 | 0.7500 | - | 90.5 | 1.25 | 1,234 |" in page
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    report.print_summary(tmp_path)
    said = capsys.readouterr().out
    assert "100 held-out sentences" in said and "STS-B: dev split, 9 pairs; its test split has no scores" in said
