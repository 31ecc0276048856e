# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The records that a run makes of a task's own files."""

from __future__ import annotations

from pathlib import Path

from src.config import load_config
from src.runs.records import TaskRecords
from tests.tiny import CPU, PLAIN, write_vocabulary


def test_dev_is_the_first_of_several_dev_files(tmp_path: Path) -> None:
    for name in ("train", "dev_matched", "dev_mismatched"):
        (tmp_path / f"{name}.tsv").write_text(f"sentence1\tsentence2\tgold_label\n{PLAIN[0]}\t{PLAIN[1]}\tneutral\n")
    config = load_config(task__task_name="MNLI", data__data_dir=str(tmp_path), data__seq_length=16,
                         logging__progress=False, prepare_task__tokenizer=str(write_vocabulary(tmp_path / "vocab")))
    records = TaskRecords(config, tmp_path / "run", None, CPU)
    assert records.held_out().files[0].parent == tmp_path / "run/records/dev_matched"
    assert records.training().rows == records.held_out().rows == 1
