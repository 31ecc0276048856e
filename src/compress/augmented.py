# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Copies of the training rows by the rules of Tang et al. (src/augmentation/rules.py), where they are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from src.augmentation.augment import augment
from src.common.errors import UserError
from src.config import Config
from src.device import Device
from src.records.reading import has_records
from src.runs.records import AUGMENTED
from src.task_files.columnar import files_of
from src.tasks import task_of


def with_copies(config: Config, run: Path, device: Device) -> Config:
    """Return settings with the task's files and train_aug.tsv in RUN/augmented as data, which are made where they are
    not there yet; without `augment_copies`, and in a dry run, the same settings.

    Raises:
        UserError: there are no task's files to make copies of; see `augment`.
    """
    settings, data = config.compress, config.data
    if not settings.augment_copies:
        return config
    is_records = has_records(data.data_dir, "train") if data.data_dir else True
    if data.train_data_dir or data.eval_data_dir or is_records or not Path(data.data_dir).is_dir():
        raise UserError(f"augment_copies is {settings.augment_copies}, and copies are made of the task's own files: "
                        "give their folder in --data_dir, without --train_data_dir and --eval_data_dir; or leave it "
                        "out, and give records with train_aug and --aug_train true")
    if device.dry_run:
        device.say(f"note: a run makes {settings.augment_copies} copies of each training row, this dry run none")
        return config
    folder, task = run / "augmented", task_of(config.task, config.seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split in task.splits_in(data.data_dir):
        table = Path(task.file(data.data_dir, split)).absolute()
        for file in [table] if table.is_dir() else files_of(table):
            link = folder / file.name
            if split != AUGMENTED and not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(file)
    augment(replace(config, augment=replace(
        config.augment, method="rules", data_dir=str(folder), output_dir=str(folder), copies=settings.augment_copies,
        load_ckpt_path=config.teacher.load_teacher_ckpt_path, force=not config.checkpoint.resume)))
    return replace(config, data=replace(data, data_dir=str(folder)),
                   compress=replace(settings, distill=replace(settings.distill, aug_train=True)))
