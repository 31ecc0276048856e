# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Comparing loss logs: errors worked out by hand, the printed lines, the logs that are read and those that are not."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from src.report import compare_losses
from src.report.compare_losses import compare, read_losses
from tests.refusals import refused

REPOSITORY = Path(__file__).resolve().parents[3]


def numbers(path: Path, *values: object) -> Path:
    path.write_text("".join(f"{value}\n" for value in values))
    return path


def metrics(folder: Path, losses: dict[int, float | None], stage: str = "mlm") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [{"stage": stage, "step": step, "loss": loss, "terms": {"mlm": None if loss is None else 2 * loss}}
             for step, loss in losses.items()]
    lines.append({"stage": stage, "step": 9, "eval": {"perplexity": 3.0}})
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def command(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "src.report.compare_losses", *map(str, arguments)], cwd=REPOSITORY,
                          capture_output=True, text=True, check=False)


def test_errors_by_hand():
    result = compare({1: 1.1, 2: 1.5, 3: 4.0}, {1: 1.0, 2: 2.0, 3: 4.0})
    assert result.absolute == pytest.approx((0.1 + 0.5 + 0.0) / 3)
    assert result.relative == pytest.approx((0.1 / 1 + 0.5 / 2 + 0.0) / 3)
    assert result.steps == 3 and not result.passes


def test_lower_losses_do_not_pass_and_differences_do_not_cancel():
    assert not compare({1: 1.0, 2: 1.0}, {1: 2.0, 2: 2.0}).passes
    result = compare({1: 1.0, 2: 3.0}, {1: 2.0, 2: 2.0})
    assert result.absolute == 1.0 and result.relative == 0.5 and not result.passes
    assert compare({1: -1.0}, {1: -2.0}).relative == 0.5


def test_one_bound_is_enough():
    assert compare({1: 104.0}, {1: 100.0}).passes  # relative 0.04
    tiny = compare({1: 0.0003}, {1: 0.0002})
    assert tiny.relative == pytest.approx(0.5) and tiny.passes  # absolute 0.0001
    assert not compare({1: 106.0}, {1: 100.0}).passes


def test_the_bounds_belong_to_a_pass():
    assert compare({1: 1.0}, {1: 1.0}).passes
    assert compare_losses.Comparison(0.05, 1.0, 1).passes
    assert compare_losses.Comparison(1.0, 0.0002, 1).passes
    assert not compare_losses.Comparison(math.nextafter(0.05, 1), math.nextafter(0.0002, 1), 1).passes


def test_only_common_steps_count():
    result = compare({2: 1.0, 4: 5.0, 6: 7.0}, {4: 4.0, 6: 7.0, 8: 100.0})
    assert result.steps == 2 and result.absolute == 0.5 and result.relative == 0.125


def test_a_baseline_of_zero():
    assert compare({1: 0.0}, {1: 0.0}).relative == 0.0
    result = compare({1: 0.0001}, {1: 0.0})
    assert result.relative == math.inf and result.passes


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_run_that_diverged_fails_and_is_no_baseline(loss):
    assert not compare({1: 1.0, 2: loss}, {1: 1.0, 2: 1.0}).passes
    refused("baseline's loss at step 2", compare, {1: 1.0, 2: 1.0}, {1: 1.0, 2: loss})


def test_no_common_step():
    refused("no step in common.*2 from step 1 to 3.*1 from step 2 to 2", compare, {1: 1.0, 3: 1.0}, {2: 1.0})


def test_one_number_a_line(tmp_path):
    assert read_losses(numbers(tmp_path / "log", "1.5", "", " 2e-1 ", "-3", ".5", "nan"))[4] == 0.5
    losses = read_losses(tmp_path / "log")
    assert list(losses)[:3] == [1, 2, 3] and list(losses.values())[:3] == [1.5, 0.2, -3.0] and math.isnan(losses[5])


def test_step_and_loss_a_line(tmp_path):
    assert read_losses(numbers(tmp_path / "log", "10 1.5", "20\t1.25", "30, 1")) == {10: 1.5, 20: 1.25, 30: 1.0}


@pytest.mark.parametrize("line, step", [
    ("loss: 1.25", 1), ("loss=1.25", 1), ("step = 4 | train loss = 1.25, lr=3", 4), ("{'loss': 1.25, 'lr': 5e-5}", 1),
    ("mlm epoch: 1, step: 40/300, loss: 1.25, learning rate: 0.1, ETA 00:01", 40), ("Step 7 train.loss : 1.25 s", 7)])
def test_losses_in_the_lines_of_a_log(tmp_path, line, step):
    assert read_losses(numbers(tmp_path / "log", "started", line, "eval_loss: 9", "loss_scale: 65536")) == {step: 1.25}


def test_lines_without_a_step_are_counted_and_a_step_logged_again_replaces(tmp_path):
    assert read_losses(numbers(tmp_path / "a", "loss: 3", "saved", "loss: 2")) == {1: 3.0, 2: 2.0}
    assert read_losses(numbers(tmp_path / "b", "step: 5, loss: 3", "step: 5, loss: 2")) == {5: 2.0}


def test_a_term_of_a_text_log(tmp_path):
    assert read_losses(numbers(tmp_path / "log", "step: 2, loss: 3, mlm: 2.5, ce: 0.5"), "mlm") == {2: 2.5}


def test_metrics_of_a_run(tmp_path):
    folder = metrics(tmp_path / "run", {1: 4.0, 2: None})
    assert read_losses(folder)[1] == 4.0 and math.isnan(read_losses(folder)[2])
    assert read_losses(folder / "metrics.jsonl", "mlm")[1] == 8.0
    metrics(folder, {1: 7.0}, "distil")
    assert read_losses(folder, stage="distil") == {1: 7.0}


@pytest.mark.parametrize("content", ["", "hello\nworld\n", "1.5\n1 2.5\n", "1.5\nx\n", "loss: unknown\n", "1.2.3\n"])
def test_files_without_losses(tmp_path, content):
    (tmp_path / "log").write_text(content)
    refused("has no losses; expected one number a line", read_losses, tmp_path / "log")


def test_runs_that_cannot_be_read(tmp_path):
    refused("cannot read the log", read_losses, tmp_path / "absent.txt")
    refused("is not a run", read_losses, tmp_path)
    folder = metrics(tmp_path / "run", {1: 4.0})
    refused("no term 'mln', only loss, mlm; did you mean 'mlm'", read_losses, folder, "mln")
    refused("no stage 'distill', only mlm", read_losses, folder, stage="distill")
    metrics(folder, {1: 7.0}, "distil")
    refused("choose one with --stage", read_losses, folder)


def test_what_is_printed_has_the_form_of_the_reference(tmp_path):
    result = command(numbers(tmp_path / "a", 1.5), numbers(tmp_path / "b", 2.0))
    assert result.stdout == ("MeanRelativeError:0.25\nMeanAbsoluteError:0.5\nRule,mean_absolute_error 0.5\n"
                             "fail mean_relative_error=0.25 <=0.05 or mean_absolute_error=0.5 <=0.0002\n")
    assert result.returncode == 1 and result.stderr == ""


def test_status_of_a_pass_and_a_note_on_lengths(tmp_path):
    result = command(metrics(tmp_path / "run", {1: 2.0, 2: 1.0, 3: 0.5}), numbers(tmp_path / "b", 2.0, 1.0))
    assert result.returncode == 0
    assert re.fullmatch(r"MeanRelativeError:0\.0\nMeanAbsoluteError:0\.0\nRule,.*\npass .*\n", result.stdout)
    assert result.stderr == "note: 2 steps are common; A has 3 from step 1 to 3, B has 2 from step 1 to 2\n"


def test_status_of_unusable_logs(tmp_path):
    result = command(numbers(tmp_path / "a", 1.0), tmp_path / "absent")
    assert result.returncode == 2 and result.stdout == "" and result.stderr.startswith("error: cannot read the log")
