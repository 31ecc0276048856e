# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The teacher's logits that ONNX Runtime computes are MindSpore's, and are found in their place."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from src.checkpoints.checkpoint import load_model, save_model
from src.config import HeadConfig, ModelConfig, load_config
from src.dataset import concatenate, open_records, read_rows
from src.evaluate.teacher_logits import stored_logits
from src.export.stored_outputs import in_onnx_runtime
from tests.tiny import CPU, TEACHER
from tests.unit.pruning.test_cut import draw


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["classification", "tagging", "span", "regression", "embedding"])
def test_logits_are_those_of_mindspore(kind: str, world: Path, tmp_path: Path) -> None:
    teacher = load_model(world / "teacher")
    if kind != "classification":
        encoder = replace(TEACHER, pooler="none") if kind == "embedding" else TEACHER
        config = ModelConfig(encoder, HeadConfig(kind, ("O", "B", "I") if kind == "tagging" else ()), "SST-2")
        teacher = load_model(save_model(tmp_path / "teacher", config, draw(config), None))
    data = load_config(data__buckets=(16,)).data
    shutil.copytree(world / "records/task/train", tmp_path / "train")
    rows = open_records(str(tmp_path / "train"), data, "train_data_dir", "task", "train")
    found = stored_logits(teacher, rows, CPU, tmp_path, data, 40, elsewhere=in_onnx_runtime(teacher, CPU))
    values = np.array(found.values)
    assert stored_logits(teacher, rows, CPU, tmp_path, data, 40).path == found.path  # not computed again
    shutil.rmtree(found.path)
    expected = stored_logits(teacher, rows, CPU, tmp_path, data, 40)
    difference = np.abs(expected.values - values)
    if kind in ("tagging", "span"):  # padding says nothing
        difference = difference[concatenate(list(read_rows(rows))).input_mask != 0]
    assert expected.path == found.path and difference.max() < 1e-5 and np.abs(values).max() > 0.01


def test_another_device_or_type_and_a_large_model_compute_their_own(world: Path, monkeypatch) -> None:
    teacher = load_model(world / "teacher")
    for device in (replace(CPU, target="Ascend"), replace(CPU, compute_type=ms.float16)):
        assert in_onnx_runtime(teacher, device) is None
    assert in_onnx_runtime(teacher, CPU) is not None
    monkeypatch.setattr("src.export.stored_outputs._LARGEST", 1000)
    assert in_onnx_runtime(teacher, CPU) is None
