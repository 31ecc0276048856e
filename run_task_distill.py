# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Task distillation: the student learns a fine-tuned teacher's layers (phase 1), then its predictions (phase 2).

python run_task_distill.py --load_teacher_ckpt_path DIR --load_gd_ckpt_path DIR --task_name SST-2 \
    --train_data_dir R/train --eval_data_dir R/dev --save_ckpt_path RUN

The phases run in RUN/phase1 and RUN/phase2; the best student on dev is RUN/model. `--help` lists all settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from src.config import Config, HeadConfig, ModelConfig, parse
from src.dataset import identity_of, open_records
from src.distill.cell import DistillationCell, make_projection
from src.distill.contract import check_data, check_head, check_teacher
from src.distill.layer_map import resolve_layer_map
from src.distill.objectives import Objective, layer_objective, prediction_objective
from src.errors import run
from src.evaluate import DevEvaluation, head_of
from src.models.heads import TransformerModel, build_model
from src.records.reading import RecordSource
from src.tasks.task import Task
from src.train.checkpoint import LoadedModel, identity, load_encoder, load_model, load_parameters
from src.train.device import Device, set_up_device
from src.train.loop import Stage, train
from src.train.run_folder import RunFolder
from src.train.student import new_student

SECTIONS = ("seed", "device", "data", "task", "student")


@dataclass(frozen=True)
class Setting:
    """What both phases share."""

    config: Config
    path: Path
    device: Device
    teacher: LoadedModel
    task: Task
    head: HeadConfig
    train_rows: RecordSource
    evaluation: DevEvaluation | None


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse("run_task_distill.py", argv)
    path = Path(config.checkpoint.save_ckpt_path or "output/task_distill")
    device = set_up_device(config)  # no compile cache: a resumed run may skip a phase
    if not config.task_distill.do_train:
        evaluate_only(config, path, device)
        return
    teacher = load_model(config.teacher.load_teacher_ckpt_path, "load_teacher_ckpt_path")
    train_rows = open_records(config.data.train_data_dir, config.data, "train_data_dir", "task", "train")
    task, head = head_of(train_rows, config.task)
    check_head(teacher.config, head, "load_teacher_ckpt_path")
    check_data(teacher.config, teacher.vocab_hash, train_rows, "load_teacher_ckpt_path")
    evaluation = teacher_score(config, teacher, task, device) if config.task_distill.do_eval else None

    setting = Setting(config, path, device, teacher, task, head, train_rows, evaluation)
    encoder = load_model(config.task_distill.load_td1_ckpt_path, "load_td1_ckpt_path") \
        if config.task_distill.load_td1_ckpt_path else run_phase1(setting)
    run_phase2(setting, encoder)
    print(f"student: {path / 'model'}")


def teacher_score(config: Config, teacher: LoadedModel, task: Task, device: Device) -> DevEvaluation:
    """Print the teacher's own dev metrics, so that nobody distils an untuned one unawares; return the dev set."""
    rows = open_records(config.data.eval_data_dir, config.data, "eval_data_dir", "task", "dev")
    check_data(teacher.config, teacher.vocab_hash, rows, "load_teacher_ckpt_path")
    evaluation = DevEvaluation(teacher.config, rows, task, config, device)
    metrics = evaluation(teacher.parameters)
    print("teacher on dev: " + ", ".join(f"{name}: {value:.6f}" for name, value in metrics.items()), flush=True)
    return evaluation


def run_phase1(setting: Setting) -> LoadedModel:
    """Match the layers; return the resulting encoder."""
    config, phase = setting.config, setting.config.task_distill.phase1
    gd_path = config.task_distill.load_gd_ckpt_path
    start = load_model(gd_path, "load_gd_ckpt_path") if gd_path else None
    student_config = ModelConfig(start.config.encoder if start else config.student.encoder())
    pairs = resolve_layer_map(config.student.layer_map, student_config.encoder.num_hidden_layers,
                              setting.teacher.config.encoder.num_hidden_layers)
    check_teacher(setting.teacher.config, student_config.encoder, phase.attention_weight > 0)
    if start:
        student = build_model(student_config, setting.device.compute_type)
        load_encoder(student, start.parameters, start.directory)
    else:
        student = new_student(student_config, config.student, setting.teacher, pairs, setting.device)
    return run_phase("phase1", setting, student, student_config, layer_objective(phase, pairs), start)


def run_phase2(setting: Setting, encoder: LoadedModel) -> LoadedModel:
    """Match the predictions; return the best student."""
    phase = setting.config.task_distill.phase2
    check_teacher(setting.teacher.config, encoder.config.encoder, needs_attention=False)
    student_config = ModelConfig(encoder.config.encoder.for_head(setting.head), setting.head, setting.task.name)
    student = build_model(student_config, setting.device.compute_type)
    load_encoder(student, encoder.parameters, encoder.directory)
    return run_phase("phase2", setting, student, student_config, prediction_objective(phase, setting.head), encoder)


def run_phase(name: str, setting: Setting, student: TransformerModel, student_config: ModelConfig,
              objective: Objective, start: LoadedModel | None) -> LoadedModel:
    """Run one phase in its folder."""
    config, teacher, is_last = setting.config, setting.teacher, name == "phase2"
    phase = getattr(config.task_distill, name)
    check_data(student_config, start.vocab_hash if start else None, setting.train_rows,
               "load_gd_ckpt_path" if start else "student")
    teacher_cell = build_model(teacher.config, setting.device.compute_type)
    load_parameters(teacher_cell, teacher.parameters, teacher.directory)
    projection = make_projection(objective, student_config.encoder, teacher.config.encoder,
                                 config.task_distill.phase1.projection)
    inputs = {"teacher": identity(teacher.directory), "train": identity_of(setting.train_rows),
              "student": identity(start.directory) if start else ""}
    run_folder = RunFolder(setting.path / name, config, (*SECTIONS, f"task_distill.{name}"), inputs,
                           writer=setting.device.rank == 0, model=setting.path / "model" if is_last else None)
    evaluation = setting.evaluation.of(student_config) if is_last and setting.evaluation else None
    train(Stage(f"task_distill_{name}", phase, DistillationCell(student, objective, teacher_cell, projection),
                student_config, setting.train_rows, teacher.tokenizer_path, evaluation,
                phase.eval_interval if is_last else 0), config, setting.device, run_folder)
    return load_model(run_folder.model)


def evaluate_only(config: Config, path: Path, device: Device) -> None:
    """Evaluate the student of an earlier run."""
    student = load_model(path / "model", "save_ckpt_path")
    rows = open_records(config.data.eval_data_dir, config.data, "eval_data_dir", "task", "dev")
    task, head = head_of(rows, config.task)
    check_head(student.config, head, "save_ckpt_path")
    check_data(student.config, student.vocab_hash, rows, "save_ckpt_path")
    metrics = DevEvaluation(student.config, rows, task, config, device)(student.parameters)
    print(", ".join(f"{name}: {value:.6f}" for name, value in metrics.items()))
    print(f"The best acc is {next(iter(metrics.values())):.6f}")


if __name__ == "__main__":
    run(main)
