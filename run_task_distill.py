# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Task distillation: the student learns a fine-tuned teacher's layers (phase 1), then its predictions (phase 2).

python run_task_distill.py --load_teacher_ckpt_path DIR --load_gd_ckpt_path DIR --task_name SST-2 \
    --train_data_dir R/train --eval_data_dir R/dev --save_ckpt_path RUN

The phases run in RUN/phase1 and RUN/phase2; the best student on dev is RUN/model. `--data_dir DIR` takes a folder of
records with train/ and dev/, or the task's own files. `--pred_distill --student_model RUN1` runs phase 2 alone, on what
phase 1 left in RUN1; with `--teacher_outputs FILE` it needs no teacher (docs/TEACHERS.md). `--seeds 42,43,44` makes a
run of each seed. `--help` lists all settings.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("run_task_distill")

from pathlib import Path

from src.checkpoints.checkpoint import load_model
from src.common.errors import UserError
from src.config import Config, parse
from src.dataset.compatibility import check_data, fitted_to
from src.device import Device, set_up_device
from src.distill.objectives import objective_of
from src.distill.terms import terms_help
from src.evaluate.tasks import DevEvaluation, decode_options, head_of
from src.runs.records import TaskRecords
from src.runs.results import check_metric, run_seeds, write_result
from src.runs.task_distill import (
    PHASE_1,
    PHASE_2,
    check_fit,
    make_setting,
    print_teacher_score,
    run_phase,
    student_of_phase1,
    student_of_phase2,
)
from src.train.stage import best_line

ENTRY = "run_task_distill.py"


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse(ENTRY, argv, terms_help())
    path = Path(config.checkpoint.save_ckpt_path or "output/task_distill")
    if config.seeds and not config.task_distill.do_train:
        raise UserError("seeds is for training, and do_train is false; evaluate one run: --save_ckpt_path RUN/seed-N")
    if not (config.task_distill.do_train or config.task_distill.do_eval):
        raise UserError("do_train and do_eval are both false; set one of them")
    if config.seeds:
        run_seeds(ENTRY, argv, config.seeds, config.device.distribute, path, config.checkpoint.dry_run)
        return
    # No compile cache: a resumed run may skip a phase.
    device = set_up_device(config.device, config.seed, config.data.enable_data_sink, dry_run=config.checkpoint.dry_run)
    if not config.task_distill.do_train:
        evaluate_only(config, path, device)
        return
    setting = make_setting(config, path, device)
    check_fit(setting)
    if setting.held_out and device.rank == 0:
        print_teacher_score(setting)
    # Before phase 1 is trained: what is wrong with phase 2 is said at once.
    predictions = setting.predictions() if PHASE_2 in setting.rows else None
    stages, student = [], None
    if PHASE_1 in setting.rows:
        student, pairs = student_of_phase1(setting)
        layers = objective_of(config.task_distill.phase1, student.config.head, pairs)
        stages.append(run_phase(PHASE_1, setting, student, layers))
    if predictions:
        stages.append(run_phase(PHASE_2, setting, student_of_phase2(setting, student), predictions))
    ended = [progress for progress in stages if progress is not None]
    if not ended:
        return  # a dry run
    if device.rank == 0:
        write_result(path, setting.task.name, ended, (ENTRY, *argv))
    device.say(f"student: {path / 'model' if PHASE_2 in setting.rows else path / PHASE_1 / 'model'}")


def evaluate_only(config: Config, path: Path, device: Device) -> None:
    """Evaluate the student of an earlier run."""
    if device.dry_run:
        raise UserError("dry_run is for training, and do_train is false; leave one of the two out")
    student = load_model(path / "model", "save_ckpt_path")
    rows = TaskRecords(config, path, student, device).held_out()
    task, head = head_of(rows, config.task)
    student = fitted_to(student, head, "save_ckpt_path", device.say)
    check_data(student.config, student, rows, "save_ckpt_path")
    phase = config.task_distill.phase2
    name = phase.metric or task.primary_metric
    check_metric(task, name)
    if phase.in_int8:
        student.config.require_transformer(student.directory, f"task_distill.phase2.quantize {phase.quantize}")
    metrics = DevEvaluation(student.config, rows, task, decode_options(config.task), config.evaluate.batch_size,
                            config.data.buckets, device, phase.in_int8)(student.parameters)
    device.say(", ".join(f"{name}: {value:.6f}" for name, value in metrics.items()))
    device.say(best_line(name, metrics[name]))
