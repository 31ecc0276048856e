# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The run on unlabelled rows without its models: its commands, the shares of the labels, and its table."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from experiments.unlabelled import report
from experiments.unlabelled import run as unlabelled_run
from experiments.unlabelled.split import split
from src.common.files import write_json
from src.config import load_config, parse
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("teacher", ["", "elsewhere"])
def test_commands_are_accepted_by_the_entry_points(teacher: str) -> None:
    config = load_config(REPOSITORY / unlabelled_run.RECIPE)
    stages = {stage.name: stage for stage in unlabelled_run.unlabelled_stages(config, 0.5, "CPU", teacher)}
    assert ("teachers" in stages) == (teacher == "")
    students = stages["students"].commands
    assert len(students) == 3 * (2 + 2 + 1)
    for command in students:
        parsed = parse("run_task_distill.py", list(command[2:]))
        variant, share, seed = Path(parsed.checkpoint.save_ckpt_path).name.rsplit("_", 2)
        assert parsed.seed == int(seed)
        assert parsed.teacher.load_teacher_ckpt_path.endswith(teacher or f"teacher_{share}_{seed}/model")
        others = parsed.task_distill.unlabelled_data_dir
        assert others.endswith(f"records/{share}_{seed}/unlabelled") if "and" in variant else others == ""
        assert parsed.task_distill.phase2.train_steps == config.task_distill.phase2.train_steps // 2
    for command in () if teacher else stages["teachers"].commands:
        assert parse("run_finetune.py", list(command[2:])).finetune.train_steps == config.finetune.train_steps // 2
    evaluated = [parse("eval.py", list(command[2:])).evaluate for command in stages["evaluation"].commands]
    assert len(evaluated) == 9 + len(students) and {each.split for each in evaluated} == {"test"}
    assert len({each.metrics_path for each in evaluated}) == len(evaluated)


def test_a_share_keeps_its_labels_and_the_others_lose_them(tmp_path: Path) -> None:
    texts = [f"text {number} is \"quoted\", and long" for number in range(40)]
    rows = [f"{text}\t{('good', 'bad')[number % 4 == 0]}" for number, text in enumerate(texts)]
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    kept = {}
    for share, seed in ((0.3, 1), (0.3, 2), (1.0, 1)):
        assert split(tmp_path, share, seed, tmp_path / "out") == (round(40 * share), 40 - round(40 * share))
        _, *labelled = (tmp_path / "out/train.tsv").read_text().splitlines()
        kept[share, seed] = set(labelled)
        assert set(labelled) <= set(rows) and sum(row.endswith("bad") for row in labelled) == 10 * share
        if share < 1:
            title, *others = (tmp_path / "out/unlabelled.tsv").read_text().splitlines()
            assert title == "text" and {row.split("\t")[0] for row in labelled} | set(others) == set(texts)
    assert kept[0.3, 1] != kept[0.3, 2] and not (tmp_path / "out/unlabelled.tsv").exists()
    refused("--share is 0", split, tmp_path, 0.0, 1, tmp_path / "out")


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for share, rows in ((0.1, (10, 90)), (0.3, (30, 70)), (1.0, (100, 0))):
        for name, number in zip(("train", "unlabelled"), rows, strict=True):
            if number:
                write_json(tmp_path / "records" / report.name_of(share, 42) / name / "manifest.json", {"rows": number})
        for model, seed, accuracy in (("teacher", 42, 0.8), ("labelled", 42, 0.6), ("labelled", 43, 0.7)):
            write_json(tmp_path / f"evaluation/{model}_{share:g}_{seed}.json", {"metrics": {"accuracy": accuracy}})
    stamp = {"started": time.time() - 9, "finished": True, "seconds": 9.0, "commands": ["a"]}
    write_json(tmp_path / "stamps/records.json", stamp)
    report.main(["--run_dir", str(tmp_path)])
    page = (tmp_path / "report.md").read_text()
    assert "| 10% | 10 | 90 | 0.8000 | 0.6500 ± 0.0707 | - |" in page
    assert "| 100% | 100 | 0 | 0.8000 | 0.6500 ± 0.0707 | - |" in page
    report.print_summary(tmp_path)
    assert "0.6500 ± 0.0707" in capsys.readouterr().out
