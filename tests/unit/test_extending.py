# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What one adds is one registered thing: it trains, and shows in logs, curves and --help, without any other change."""

from __future__ import annotations

import json

import mindspore as ms
import pytest

import run_general_distill
from src.distill import terms
from src.report import curves
from src.report.loss_curves import write_loss_curve
from tests.tiny import RUN_OPTIONS, STUDENT_OPTIONS, make_world

pytestmark = pytest.mark.medium


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


def toy_lengths(student, teacher, batch, options):
    """Mean squared difference of the lengths of the last hidden states, whatever their width."""
    own = ms.ops.norm(student["hidden"][-1], dim=-1)  # (B, S)
    difference = own - ms.ops.norm(teacher["hidden"][-1], dim=-1)
    return (difference * difference * batch["input_mask"]).sum() / batch["token_count"]


TOY_TERM = terms.Term("toy_lengths", "Toy: lengths of the last hidden states", toy_lengths, ("teacher", "hidden"))


@pytest.fixture
def toy_term():
    terms.TERMS.append(TOY_TERM)
    yield TOY_TERM
    terms.TERMS.remove(TOY_TERM)


def test_a_loss_term(world, tmp_path, toy_term, monkeypatch, capsys):
    run = tmp_path / "run"
    run_general_distill.main([
        "--load_teacher_ckpt_path", str(world / "pretrained"), "--data_dir", str(world / "records/corpus"),
        "--save_ckpt_path", str(run), "--batch_size", "8", "--train_steps", "3", "--attention_weight", "0",
        "--terms", "toy_lengths=0.5", *STUDENT_OPTIONS, *RUN_OPTIONS])
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in logged:
        assert line["loss"] == pytest.approx(line["terms"]["hidden_mse"] + 0.5 * line["terms"]["toy_lengths"], rel=1e-5)
    assert len(logged) == 3 and ", toy_lengths: " in capsys.readouterr().out
    figures, save = [], curves.save_figure
    monkeypatch.setattr(curves, "save_figure", lambda figure, path: (figures.append(figure), save(figure, path)))
    write_loss_curve(run)
    assert toy_term.title in [axis.get_title() for axis in figures[0].axes]
    with pytest.raises(SystemExit):
        run_general_distill.main(["--help"])
    assert any(toy_term.name in line and toy_term.title in line for line in capsys.readouterr().out.splitlines())
