# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""General distillation: a small encoder learns a pretrained teacher's layers on plain text (TinyBERT).

python run_general_distill.py --load_teacher_ckpt_path DIR --data_dir RECORDS --save_ckpt_path RUN

The student is RUN/model. `--help` lists all settings.
"""

from __future__ import annotations

from pathlib import Path

from src.config import ModelConfig, parse
from src.dataset import identity_of, open_records
from src.distill.cell import DistillationCell, make_projection
from src.distill.contract import check_data, check_teacher
from src.distill.layer_map import resolve_layer_map
from src.distill.objectives import layer_objective
from src.errors import run
from src.models.heads import build_model
from src.train.checkpoint import identity, load_encoder, load_model
from src.train.device import set_up_device
from src.train.loop import Stage, train
from src.train.run_folder import RunFolder
from src.train.student import new_student


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse("run_general_distill.py", argv)
    settings = config.general_distill
    path = Path(config.checkpoint.save_ckpt_path or "output/general_distill")
    device = set_up_device(config, path / "compile_cache")

    teacher = load_model(config.teacher.load_teacher_ckpt_path, "load_teacher_ckpt_path")
    rows = open_records(config.data.data_dir, config.data, "data_dir", "corpus")
    student_config = ModelConfig(config.student.encoder())
    pairs = resolve_layer_map(config.student.layer_map, student_config.encoder.num_hidden_layers,
                              teacher.config.encoder.num_hidden_layers)
    check_teacher(teacher.config, student_config.encoder, settings.attention_weight > 0)
    for model_config, setting in ((teacher.config, "load_teacher_ckpt_path"), (student_config, "student")):
        check_data(model_config, teacher.vocab_hash, rows, setting)

    student = new_student(student_config, config.student, teacher, pairs, device)
    teacher_cell = build_model(ModelConfig(teacher.config.encoder), device.compute_type)
    load_encoder(teacher_cell, teacher.parameters, teacher.directory)
    objective = layer_objective(settings, pairs)
    network = DistillationCell(student, objective, teacher_cell, make_projection(
        objective, student_config.encoder, teacher.config.encoder, settings.projection))

    run_folder = RunFolder(path, config, ("seed", "device", "data", "student", "general_distill"),
                           {"teacher": identity(teacher.directory), "data": identity_of(rows)}, writer=device.rank == 0)
    train(Stage("general_distill", settings, network, student_config, rows, teacher.tokenizer_path), config, device,
          run_folder)
    print(f"general student: {run_folder.model}")


if __name__ == "__main__":
    run(main)
