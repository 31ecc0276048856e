# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Curves of runs: which numbers are drawn, loss logs, and the faults that users make."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from src.common.errors import UserError
from src.report import curves, loss_curves
from src.report.loss_curves import curves_of, labelled, panels_of, write_loss_curve, write_loss_log
from tests.refusals import refused

PNG = b"\x89PNG\r\n\x1a\n"


def metrics(folder: Path, lines: list[dict]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def language_run(folder: Path, slope: float = 1.0) -> Path:
    """30 logged steps, two evaluations."""
    lines = [{"stage": "distil", "step": 10 * s, "loss": slope / s, "terms": {"ce": 0.5 / s, "mlm": 0.25 / s}}
             for s in range(1, 31)]
    lines += [{"stage": "distil", "step": s, "eval": {"perplexity": 9000.0 * slope / s, "accuracy": s / 1000,
                                                      "tokens": 812.0}} for s in (150, 300)]
    return metrics(folder, lines)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures, save = [], curves.save_figure
    monkeypatch.setattr(curves, "save_figure", lambda figure, path: (figures.append(figure), save(figure, path)))
    return figures


def visible(figure) -> list:
    return [axis for axis in figure.axes if axis.get_visible()]


def test_two_runs_in_one_figure(tmp_path, drawn, capsys):
    language_run(tmp_path / "distilled")
    language_run(tmp_path / "alone", 2.0)
    loss_curves.main([str(tmp_path / "distilled"), f"masked LM={tmp_path / 'alone'}", "--output",
                      str(tmp_path / "new" / "curves.png"), "--title", "Held out"])
    assert (tmp_path / "new" / "curves.png").read_bytes().startswith(PNG)
    loss, perplexity = visible(drawn[0])
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["distilled", "masked LM"]
    raw, smooth = loss.lines[2], loss.lines[3]  # the second run
    assert list(raw.get_ydata()) == [2.0 / s for s in range(1, 31)]
    assert smooth.get_ydata()[29] == pytest.approx(2.0 * (1 / 30 + 1 / 29 + 1 / 28) / 3)
    assert [list(line.get_ydata()) for line in perplexity.lines] == [[60.0, 30.0], [120.0, 60.0]]
    assert list(perplexity.lines[0].get_xdata()) == [150, 300]
    assert "masked LM: perplexity 60 at step 300" in capsys.readouterr().out


def test_panels_that_are_asked_for(tmp_path, drawn):
    language_run(tmp_path / "run")
    loss_curves.main([str(tmp_path / "run"), "--output", str(tmp_path / "x.png"), "--metric", "accuracy", "--metric",
                      "ce"])
    accuracy, term = visible(drawn[0])
    assert list(accuracy.lines[0].get_ydata()) == [0.15, 0.3] and list(term.lines[0].get_ydata())[0] == 0.5


def test_levels_are_drawn_in_panels_of_evaluations_only(tmp_path, drawn):
    _, run = curves_of(language_run(tmp_path / "run"))
    curves.plot_runs({"run": run}, ["loss", "perplexity"], tmp_path / "x.png", {"teacher": 25.0})
    loss, perplexity = visible(drawn[0])
    assert len(loss.lines) == 2 and list(perplexity.lines[-1].get_ydata()) == [25.0, 25.0]
    assert "teacher 25.0" in [text.get_text() for text in perplexity.get_legend().get_texts()]


def test_a_training_run_leaves_a_curve_and_a_log(tmp_path, drawn):
    run = language_run(tmp_path / "run")
    assert write_loss_curve(run) == run / "loss.png" and (run / "loss.png").read_bytes().startswith(PNG)
    # the loss, its two terms, perplexity and accuracy; not the number of tokens
    assert len(visible(drawn[0])) == 5
    lines = write_loss_log(run).read_text().splitlines()
    assert lines[0] == "10 1.0" and lines[-1] == f"300 {1 / 30!r}" and len(lines) == 30


def test_a_loss_that_is_not_finite(tmp_path):
    run = metrics(tmp_path / "run", [{"stage": "mlm", "step": 1, "loss": 2.5, "terms": {"mlm": 2.5}},
                                     {"stage": "mlm", "step": 2, "loss": None, "terms": {"mlm": None}}])
    assert write_loss_log(run).read_text() == "1 2.5\n2 nan\n"
    assert write_loss_curve(run).is_file()
    assert math.isnan(curves_of(run)[1].series["loss"][1])


def test_only_evaluations(tmp_path):
    run = metrics(tmp_path / "run", [{"stage": "mlm", "step": 5, "eval": {"perplexity": 20.0, "accuracy": 0.1}}])
    assert write_loss_log(run).read_text() == ""
    assert write_loss_curve(run).is_file()
    assert panels_of(labelled([str(run)]), []) == ["perplexity"]


@pytest.mark.parametrize("metric, best", [("perplexity", "30.0"), ("accuracy", "0.3000")])
def test_the_best_evaluation_is_marked(tmp_path, drawn, metric, best):
    loss_curves.main([str(language_run(tmp_path / "run")), "--output", str(tmp_path / "x.png"), "--metric", metric])
    assert [text.get_text() for text in visible(drawn[0])[0].texts] == [best]


def test_faults(tmp_path):
    run = language_run(tmp_path / "run")
    refused("is not a run", curves_of, tmp_path)
    (tmp_path / "metrics.jsonl").write_text("\n")
    refused("has no step yet", curves_of, tmp_path)
    refused("two runs are called 'run'", labelled, [str(run), str(run / "metrics.jsonl")])
    with pytest.raises(UserError, match="--metric perplexty is not in these runs.*did you mean 'perplexity'"):
        panels_of(labelled([str(run)]), ["perplexty"])
    metrics(run, [{"stage": "mlm", "step": 1, "loss": 1.0}])
    refused("stages distil, mlm; choose one", curves_of, run)
    assert curves_of(run, "mlm")[1].steps == [1]
