# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Copies of training rows lie beside links to the task's own files, which stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.compress import augmented
from src.config import Config, parse
from tests.tiny import CPU, write_sst2


def test_data_are_the_files_and_the_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def augment(config: Config) -> None:
        settings = config.augment
        assert settings.method == "rules" and settings.copies == 2 and not settings.force
        (Path(settings.output_dir) / "train_aug.tsv").write_text((Path(settings.data_dir) / "train.tsv").read_text())

    monkeypatch.setattr(augmented, "augment", augment)
    files = write_sst2(tmp_path / "files", {"train": 4, "dev": 2, "test": 2})
    config = parse("run_compress.py", ["--task_name", "SST-2", "--data_dir", str(files), "--augment_copies", "2"])
    for _ in range(2):  # the second time as a continued run does it
        found = augmented.with_copies(config, tmp_path / "run", CPU)
    assert found.data.data_dir == str(tmp_path / "run/augmented") and found.compress.distill.aug_train
    assert {path.name: path.is_symlink() for path in (tmp_path / "run/augmented").iterdir()} == {
        "train.tsv": True, "dev.tsv": True, "test.tsv": True, "train_aug.tsv": False}
    assert sorted(path.name for path in files.iterdir()) == ["dev.tsv", "test.tsv", "train.tsv"]
