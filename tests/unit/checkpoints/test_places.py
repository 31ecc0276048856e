# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run, or of a phase, stands for its model; the model for its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.checkpoints.checkpoint import load_model
from src.checkpoints.places import folder_of, run_of
from src.config import ModelConfig
from tests.refusals import refused
from tests.tiny import STUDENT, save_random


def make(root: Path, *names: str) -> Path:
    """Files, empty ones, and where a name ends in `model` or a step, checkpoints."""
    for name in names:
        if name.endswith(("model", "step-00000002")):
            save_random(root / name, ModelConfig(STUDENT), None)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("{}")
    return root


BOTH = ("phase1/run.json", "phase1/model", "phase2/run.json", "model")


@pytest.mark.parametrize(("names", "given", "inner", "expected"), [
    (("run.json", "model"), "", (), "model"),
    (("run.json", "model"), "model", (), "model"),
    (BOTH, "", (), "model"),
    (BOTH, "phase1", (), "phase1/model"),
    (BOTH, "phase2", (), "model"),
    (BOTH, "", ("phase1/model", "model"), "phase1/model"),
    (("phase1/run.json", "phase1/model"), "", (), "phase1/model"),
    (("model",), "", (), "model"),
    (("run.json", "checkpoints/step-00000002"), "checkpoints/step-00000002", (), "checkpoints/step-00000002"),
], ids=["run", "model", "both", "phase1", "phase2", "inner", "phase1 alone", "no run", "step"])
def test_what_a_folder_stands_for(tmp_path: Path, names: tuple[str, ...], given: str, inner: tuple[str, ...],
                                  expected: str) -> None:
    root = make(tmp_path / "run", *names)
    assert folder_of(root / given, *inner) == root / expected
    assert load_model(root / given, "checkpoint", *inner).directory == root / expected


@pytest.mark.parametrize(("names", "message"), [
    (("run.json", "checkpoints/step-00000002"), "has left no model yet.*or give .*checkpoints/step-00000002$"),
    (("phase1/run.json", "phase1/model", "phase2/run.json"), "has left no model yet; run its command again"),
    (("seed-7/model", "seed-8/model"), "run of each seed; give one of them: .*seed-7, .*seed-8"),
    (("config.json",), "convert it first"),
    (("other",), "holds no manifest.json; expected a checkpoint directory .*, or the folder of a run"),
], ids=["unfinished", "phase 2 unfinished", "seeds", "hf", "other"])
def test_what_holds_no_model(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    refused(f"checkpoint .*{message}", load_model, make(tmp_path / "run", *names))


def test_the_run_of_a_model(tmp_path: Path) -> None:
    root = make(tmp_path / "run", *BOTH)
    assert run_of(root / "model") == root and run_of(root / "phase1/model") == root / "phase1"
    assert run_of(root) == root and run_of(tmp_path / "absent") == tmp_path / "absent"
    assert run_of(make(tmp_path / "other", "model") / "model") == tmp_path / "other/model"
