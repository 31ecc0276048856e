# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compression: from a fine-tuned teacher to the student for a budget.

python run_compress.py --load_teacher_ckpt_path DIR --task_name SST-2 --train_data_dir R/train --eval_data_dir R/dev \
    --test_data_dir R/test --min_speedup 10 --max_size_mb 9 --max_drop 0.02 --minutes 45 --save_ckpt_path RUN

What files of smaller shapes take is measured first, in ONNX Runtime on rows of the user's lengths. Shapes within the
budget are cut out of the teacher and distilled; half of them go on after each rung. The best one becomes RUN/model and
RUN/model.onnx. `--data_dir DIR` takes records with train/, dev/ and test/, or the task's own files. Stopped and called
again, it goes on where it was. `--help` lists all settings.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("run_compress")

from pathlib import Path

from src.compress.run import compress
from src.config import parse
from src.device import set_up_device
from src.distill.terms import terms_help

ENTRY = "run_compress.py"


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse(ENTRY, argv, terms_help())
    device = set_up_device(config.device, config.seed, dry_run=config.checkpoint.dry_run)
    compress(config, Path(config.checkpoint.save_ckpt_path or "output/compress"), device)
