# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fine-tune a pretrained model: on a task, which makes the teacher of task distillation, or as a masked language model.

python run_finetune.py --load_ckpt_path DIR --task_name SST-2 --train_data_dir R/train --eval_data_dir R/dev \
    --save_ckpt_path RUN
python run_finetune.py --task mlm --load_ckpt_path DIR --train_file text.txt --line_by_line --max_seq_length 32 \
    --save_ckpt_path RUN

The best model on dev, or the last masked language model, is RUN/model. `--help` lists all settings.
"""

from __future__ import annotations

import sys
from pathlib import Path

from src.config import Config, HeadConfig, ModelConfig, parse
from src.dataset import identity_of, open_records
from src.distill.cell import DistillationCell, freeze_parameters
from src.distill.contract import check_data
from src.distill.objectives import label_objective, language_objective
from src.errors import UserError, run
from src.evaluate import DevEvaluation, head_of
from src.evaluate_language import LanguageEvaluation, evaluation_of_records, training_targets
from src.models.heads import build_model
from src.tokenization import load_tokenizer
from src.tools.loss_curves import write_loss_curve, write_loss_log
from src.train.checkpoint import LoadedModel, identity, load_encoder, load_model, load_parameters
from src.train.device import Device, set_up_device
from src.train.loop import Stage, train
from src.train.run_folder import RunFolder
from src.train.text import records_of_text


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse("run_finetune.py", argv)
    path = Path(config.checkpoint.save_ckpt_path or "output/finetune")
    device = set_up_device(config, path / "compile_cache")
    is_language_model = config.task.task_name.lower() == "mlm"
    pretrained = load_model((config.mlm if is_language_model else config.finetune).load_ckpt_path, "load_ckpt_path")
    (on_text if is_language_model else on_task)(config, pretrained, device, path)


def on_task(config: Config, pretrained: LoadedModel, device: Device, path: Path) -> None:
    """A classifier or regressor on records of a task."""
    train_rows = open_records(config.data.train_data_dir, config.data, "train_data_dir", "task", "train")
    dev_rows = open_records(config.data.eval_data_dir, config.data, "eval_data_dir", "task", "dev")
    task, head = head_of(train_rows, config.task)
    for rows in (train_rows, dev_rows):
        check_data(pretrained.config, pretrained.vocab_hash, rows, "load_ckpt_path")

    model_config = ModelConfig(pretrained.config.encoder.for_head(head), head, task.name)
    model = build_model(model_config, device.compute_type)
    load_encoder(model, pretrained.parameters, pretrained.directory)

    run_folder = RunFolder(path, config, ("seed", "device", "data", "task", "finetune"),
                           {"pretrained": identity(pretrained.directory), "train": identity_of(train_rows)},
                           writer=device.rank == 0)
    evaluation = DevEvaluation(model_config, dev_rows, task, config, device)
    train(Stage("finetune", config.finetune, DistillationCell(model, label_objective(head)), model_config, train_rows,
                pretrained.tokenizer_path, evaluation, config.finetune.eval_interval), config, device, run_folder)
    print(f"fine-tuned model: {run_folder.model}")


def on_text(config: Config, pretrained: LoadedModel, device: Device, path: Path) -> None:
    """A masked language model on text files."""
    settings, encoder = config.mlm, pretrained.config.encoder
    if encoder.causal:
        raise UserError(f"load_ckpt_path {pretrained.directory} is a causal model, which cannot predict masked tokens; "
                        "give a model of the BERT family")
    if pretrained.tokenizer_path is None:
        raise UserError(f"load_ckpt_path {pretrained.directory} has no tokenizer; put its files there when converting")
    model_config = ModelConfig(encoder, HeadConfig("masked_lm"))
    model = build_model(model_config, device.compute_type)
    if pretrained.config.head.kind == "masked_lm":
        load_parameters(model, pretrained.parameters, pretrained.directory)
    else:
        load_encoder(model, pretrained.parameters, pretrained.directory)
        print(f"note: {pretrained.directory} has no masked-LM head; a random one was drawn (seed {config.seed})")

    rows, held_out = records_of_text(config, load_tokenizer(pretrained.tokenizer_path), path / "records")
    check_data(pretrained.config, pretrained.vocab_hash, rows, "load_ckpt_path")
    evaluation = held_out and evaluation_of_records(model_config, held_out, config, device, settings.eval_rows)
    if not settings.do_train:
        print_evaluation(evaluation, pretrained.parameters)
        return
    if settings.freeze_encoder:
        freeze_parameters(model, "encoder.")
    run_folder = RunFolder(path, config, ("seed", "device", "data", "mlm"),
                           {"pretrained": identity(pretrained.directory), "train": identity_of(rows)},
                           writer=device.rank == 0)
    network = DistillationCell(model, language_objective({"alpha_mlm": 1.0}))
    train(Stage("mlm", settings, network, model_config, rows, pretrained.tokenizer_path, evaluation,
                settings.eval_interval or sys.maxsize, keep_best=False, group_by_size=settings.group_by_size,
                targets=training_targets(settings, rows, encoder, config, device)), config, device, run_folder)
    if device.rank == 0:
        print(f"masked language model: {run_folder.model}, loss log {write_loss_log(path)}, curve "
              f"{write_loss_curve(path)}")


def print_evaluation(evaluation: LanguageEvaluation | None, parameters: dict) -> None:
    """Print what a model that is not trained any further predicts."""
    if evaluation is None:
        raise UserError("do_train and do_eval are both false; set one of them")
    print("mlm evaluation: " + ", ".join(f"{name}: {value:.6f}" for name, value in evaluation(parameters).items()))


if __name__ == "__main__":
    run(main)
