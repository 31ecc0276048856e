# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fine-tune a pretrained encoder on a task: this makes the teacher of task distillation.

python run_finetune.py --load_ckpt_path DIR --task_name SST-2 --train_data_dir R/train --eval_data_dir R/dev \
    --save_ckpt_path RUN

The best model on dev is RUN/model. `--help` lists all settings.
"""

from __future__ import annotations

from pathlib import Path

from src.config import ModelConfig, parse
from src.dataset import identity_of, open_records
from src.distill.cell import DistillationCell
from src.distill.contract import check_data
from src.distill.objectives import label_objective
from src.errors import run
from src.evaluate import DevEvaluation, head_of
from src.models.heads import build_model
from src.train.checkpoint import identity, load_encoder, load_model
from src.train.device import set_up_device
from src.train.loop import Stage, train
from src.train.run_folder import RunFolder


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse("run_finetune.py", argv)
    path = Path(config.checkpoint.save_ckpt_path or "output/finetune")
    device = set_up_device(config, path / "compile_cache")

    pretrained = load_model(config.finetune.load_ckpt_path, "load_ckpt_path")
    train_rows = open_records(config.data.train_data_dir, config.data, "train_data_dir", "task", "train")
    dev_rows = open_records(config.data.eval_data_dir, config.data, "eval_data_dir", "task", "dev")
    task, head = head_of(train_rows, config.task)
    for rows in (train_rows, dev_rows):
        check_data(pretrained.config, pretrained.vocab_hash, rows, "load_ckpt_path")

    model_config = ModelConfig(pretrained.config.encoder, head, task.name)
    model = build_model(model_config, device.compute_type)
    load_encoder(model, pretrained.parameters, pretrained.directory)

    run_folder = RunFolder(path, config, ("seed", "device", "data", "task", "finetune"),
                           {"pretrained": identity(pretrained.directory), "train": identity_of(train_rows)},
                           writer=device.rank == 0)
    evaluation = DevEvaluation(model_config, dev_rows, task, config, device)
    train(Stage("finetune", config.finetune, DistillationCell(model, label_objective(head)), model_config, train_rows,
                pretrained.tokenizer_path, evaluation, config.finetune.eval_interval), config, device, run_folder)
    print(f"fine-tuned model: {run_folder.model}")


if __name__ == "__main__":
    run(main)
