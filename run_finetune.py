# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fine-tune a pretrained model: on a task, which makes the teacher of task distillation, or as a masked language model.

python run_finetune.py --load_ckpt_path DIR --task_name SST-2 --train_data_dir R/train --eval_data_dir R/dev \
    --save_ckpt_path RUN
python run_finetune.py --task mlm --load_ckpt_path DIR --train_file text.txt --line_by_line --max_seq_length 32 \
    --save_ckpt_path RUN

The best model on dev, or the last masked language model, is RUN/model. `--data_dir DIR` takes a folder of records with
train/ and dev/, or the task's own files. `--architecture bilstm` trains a BiLSTM, which needs no pretrained model.
A model that embeds texts learns from pairs: --task_name sts, pairs or triplets.
`--seeds 42,43,44` makes a run of each seed. `--help` lists all settings.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("run_finetune")

from functools import partial
from pathlib import Path

from src.checkpoints.checkpoint import (
    LoadedModel,
    cell_of,
    cell_on_encoder_of,
    identity,
    load_model,
    parameters_of,
)
from src.checkpoints.run_folder import RunFolder, check_run_folder
from src.common.errors import UserError
from src.common.typed import fingerprint
from src.config import Config, HeadConfig, ModelConfig, parse
from src.dataset import identity_of
from src.dataset.compatibility import (
    check_batch_of_pairs,
    check_data,
    check_relevance,
    check_same_labels,
    check_widths,
    list_size_of,
)
from src.device import Device, set_up_device
from src.distill.cell import DistillationCell, freeze_parameters
from src.distill.objectives import label_objective
from src.evaluate.language import evaluation_of_records, training_targets
from src.evaluate.tasks import DevEvaluation, decode_options, evaluated_task, head_of
from src.models.heads import Model
from src.records.reading import RecordSource
from src.report.loss_curves import write_loss_curve, write_loss_log
from src.runs.architectures import STUDENTS, check_architecture, with_head
from src.runs.records import TaskRecords, records_of_text
from src.runs.results import check_metric, forget_result, run_seeds, write_result
from src.tasks import Task
from src.train.loop import train
from src.train.stage import Progress, Stage

ENTRY = "run_finetune.py"


def main(argv: list[str]) -> None:
    """Run the entry point."""
    config = parse(ENTRY, argv)
    path = Path(config.checkpoint.save_ckpt_path or "output/finetune")
    is_language_model = config.task.task_name.lower() == "mlm"
    if config.seeds and is_language_model and not config.mlm.do_train:
        raise UserError("seeds is for training, and do_train is false; evaluate one run")
    if config.seeds:
        run_seeds(ENTRY, argv, config.seeds, config.device.distribute, path, config.checkpoint.dry_run)
        return
    device = set_up_device(config.device, config.seed, config.data.enable_data_sink,
                           f"{path}/compile_cache/{fingerprint(config)}", config.checkpoint.dry_run)
    task, progress = (on_text if is_language_model else on_task)(config, device, path)
    if progress is not None and device.rank == 0:
        write_result(path, task, [progress], (ENTRY, *argv))


def on_task(config: Config, device: Device, path: Path) -> tuple[str, Progress | None]:
    """A model with the head of a task, on its records."""
    start = start_of(config.finetune.load_ckpt_path, config.student.architecture)
    if device.rank == 0:
        check_run_folder(path, config.checkpoint.resume, {"load_ckpt_path": start},
                         extend=config.checkpoint.extend)
    records = TaskRecords(config, path, start, device)
    dev_rows, train_rows = records.held_out(), records.training()
    task, head = head_of(train_rows, config.task)
    check_same_labels(head, dev_rows, "eval_data_dir")
    evaluated = evaluated_task(task, dev_rows)
    check_metric(evaluated, config.finetune.metric)
    model, model_config = model_of(config, start, train_rows, task, head, device)
    for rows in (train_rows, dev_rows):
        check_data(model_config, start, rows, "load_ckpt_path" if start else config.student.architecture)

    settings, list_size = config.finetune, list_size_of(task, train_rows)
    objective = label_objective(model_config.head, list_size, task.learns, settings.matryoshka_dims)
    check_widths(settings.matryoshka_dims, model_config)
    check_relevance(objective, train_rows)
    check_batch_of_pairs(task, train_rows, settings.batch_size)
    sections = ("seed", "device", "data", "task", "finetune", *STUDENTS[model_config.encoder.kind].sections)
    inputs = {"pretrained": identity(start.directory) if start else "", "train": identity_of(train_rows),
              "dev": identity_of(dev_rows)}  # it chooses the best model
    run_folder = RunFolder(path, config, sections, inputs, writer=device.rank == 0)
    if device.writes:
        forget_result(path)
    stage = Stage(name="finetune", settings=settings, network=DistillationCell(model, objective),
                  model=model_config, source=train_rows,
                  tokenizer_path=start.tokenizer_path if start else train_rows.tokenizer_path,
                  evaluate=DevEvaluation(model_config, dev_rows, evaluated, decode_options(config.task),
                                         config.evaluate.batch_size, config.data.buckets, device),
                  eval_interval=settings.eval_interval, metric=settings.metric, early_stopping=settings.early_stopping)
    progress = train(stage, config, device, run_folder)
    if progress:
        device.say(f"fine-tuned model: {run_folder.model}")
    return task.name, progress


def start_of(location: str, architecture: str) -> LoadedModel | None:
    """Return the model that is fine-tuned; None for a new one of an architecture that is trained from nothing."""
    if STUDENTS[architecture].new and not location:
        return None
    start = load_model(location, "load_ckpt_path")
    check_architecture(start, architecture, "load_ckpt_path")
    return start


def model_of(config: Config, start: LoadedModel | None, rows: RecordSource, task: Task, head: HeadConfig,
             device: Device) -> tuple[Model, ModelConfig]:
    """Return the model with its first weights and the head of the task, and its configuration."""
    if head.kind == "embedding":
        return embedding_model(start, task, device)
    if start is None:
        location, architecture = config.teacher.load_teacher_ckpt_path, config.student.architecture
        settings, new = getattr(config, architecture), STUDENTS[architecture].new
        is_read = location and settings.embeddings == "teacher"
        teacher = load_model(location, "load_teacher_ckpt_path") if is_read else None
        assert new is not None  # of the others `start_of` has asked for a checkpoint
        return new(settings, rows, head, task.name, teacher, device)
    model_config = with_head(start.config, head, task.name)
    return cell_on_encoder_of(start, model_config, device), model_config


def embedding_model(start: LoadedModel | None, task: Task, device: Device) -> tuple[Model, ModelConfig]:
    """Return the model that is fine-tuned on pairs, whose head stays what it is.

    Raises:
        UserError: it embeds no texts.
    """
    if start is None or start.config.head.kind != "embedding":
        given = f"{start.directory} has {start.config.head.title}" if start else "there is none"
        raise UserError(f"task {task.name} trains a model that embeds texts, but of load_ckpt_path {given}; give a "
                        "folder of sentence-transformers that was converted, or a model converted with --pooling mean")
    return cell_of(start, device.compute_type), start.config


def on_text(config: Config, device: Device, path: Path) -> tuple[str, Progress | None]:
    """A masked language model on text files."""
    pretrained = load_model(config.mlm.load_ckpt_path, "load_ckpt_path")
    settings = config.mlm
    encoder = pretrained.config.require_transformer(f"load_ckpt_path {pretrained.directory}", "a masked language model")
    if encoder.causal:
        raise UserError(f"load_ckpt_path {pretrained.directory} is a causal model, which cannot predict masked tokens; "
                        "give a model of the BERT family")
    tokenizer = pretrained.tokenizer()
    if settings.do_train and device.rank == 0:
        check_run_folder(path, config.checkpoint.resume, {"load_ckpt_path": pretrained},
                         extend=config.checkpoint.extend)
    model_config = ModelConfig(encoder, HeadConfig("masked_lm"), family=pretrained.config.family)
    if pretrained.config.head.kind == "masked_lm":
        model = cell_of(pretrained, device.compute_type)
    else:
        model = cell_on_encoder_of(pretrained, model_config, device)
        device.say(f"note: {pretrained.directory} has no masked-LM head; a random one was drawn (seed {config.seed})")

    rows, held_out = records_of_text(settings, config.data, tokenizer, path / "records", device,
                                     config.logging.progress)
    check_data(pretrained.config, pretrained, rows, "load_ckpt_path")
    evaluation = None
    if held_out:
        evaluation = evaluation_of_records(model_config, held_out, settings, config.data, config.evaluate.batch_size,
                                           config.seed, device)
    if not settings.do_train:
        if device.dry_run:
            raise UserError("dry_run is for training, and do_train is false; leave one of the two out")
        if evaluation is None:
            raise UserError("do_train and do_eval are both false; set one of them")
        metrics = evaluation(parameters_of(model))
        device.say("mlm evaluation: " + ", ".join(f"{name}: {value:.6f}" for name, value in metrics.items()))
        return "mlm", None
    if settings.freeze_encoder:
        freeze_parameters(model, "encoder.")
    inputs = {"pretrained": identity(pretrained.directory), "train": identity_of(rows)}
    run_folder = RunFolder(path, config, ("seed", "device", "data", "mlm"), inputs, writer=device.rank == 0)
    if device.writes:
        forget_result(path)
    network = DistillationCell(model, label_objective(model_config.head))
    stage = Stage(name="mlm", settings=settings, network=network, model=model_config, source=rows,
                  tokenizer_path=pretrained.tokenizer_path, evaluate=evaluation,
                  evaluate_between=evaluation and partial(evaluation, rows=settings.eval_rows),
                  eval_interval=settings.eval_interval, keep_best=False, group_by_size=settings.group_by_size,
                  targets=training_targets(settings, rows, encoder, config.seed, device))
    progress = train(stage, config, device, run_folder)
    if progress and device.rank == 0:
        print(f"masked language model: {run_folder.model}, loss log {write_loss_log(path)}, curve "
              f"{write_loss_curve(path)}")
    return "mlm", progress
