# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Running a model over rows: every row once, in the order of the data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor

from src.config import Config, HeadConfig, ModelConfig, TaskConfig
from src.dataset import Batch, evaluation_batches, open_records, read_rows, resolve_buckets
from src.distill.contract import check_data
from src.errors import UserError
from src.files import write_json
from src.models.heads import build_model
from src.records.columns import INPUTS, LABEL
from src.records.prepare import task_features
from src.records.reading import RecordSource, has_records
from src.tasks.registry import get_task
from src.tasks.task import Task
from src.tokenization import load_tokenizer
from src.train.checkpoint import LoadedModel, load_parameters
from src.train.device import Device

_CHUNK_ROWS = 1024


@dataclass(frozen=True)
class Predictions:
    """Outputs of a model in the order of the rows.

    Attributes:
        logits: float32 (rows, num_labels).
        labels: int32 or float32 (rows,); zeros where the data has none.
    """

    logits: np.ndarray
    labels: np.ndarray

    def values(self, head: HeadConfig) -> np.ndarray:
        """Class ids (rows,), or scores (rows,) of a regression."""
        return self.logits[:, 0] if head.kind == "regression" else self.logits.argmax(1)


class Predictor:
    """A model for evaluation, compiled once a length, whose parameters can be exchanged.

    Args:
        config: the model's configuration; it must have a head.
        compute_type: float32, or float16 for the matrix products.
    """

    def __init__(self, config: ModelConfig, compute_type: ms.Type = ms.float32):
        self.config = config
        self.model = build_model(config, compute_type)

    def load(self, parameters: Mapping[str, np.ndarray], source: str | Path = "checkpoint") -> Predictor:
        """Set the parameters, strictly by name and shape."""
        load_parameters(self.model, parameters, source)
        return self

    def predict(self, chunks: Iterable[Batch], batch_size: int, buckets: tuple[int, ...]) -> Predictions:
        """Run the model on every row of `chunks` (see src/dataset/)."""
        logits, labels, places = [], [], []
        for index, batch in evaluation_batches(chunks, batch_size, buckets):
            outputs = self.model(Tensor(batch.input_ids), Tensor(batch.input_mask), Tensor(batch.segment_ids)).asnumpy()
            logits.append(outputs[: len(index)])
            labels.append(batch.label_ids[: len(index), 0])
            places.append(index)
        if not places:
            return Predictions(np.zeros((0, self.config.head.num_labels), np.float32), np.zeros(0, np.int32))
        order = np.argsort(np.concatenate(places))
        return Predictions(np.concatenate(logits)[order], np.concatenate(labels)[order])


class DevEvaluation:
    """Metrics of a model's parameters on one set of records; called between the steps of a training.

    Args:
        model: configuration of the model.
        rows: the records.
        task: whose metrics.
        config: batch size (`evaluate.batch_size`) and buckets.
        device: compute type.
    """

    def __init__(self, model: ModelConfig, rows: RecordSource, task: Task, config: Config, device: Device):
        self.model, self.rows, self.task, self.config, self.device = model, rows, task, config, device
        self.predictor: Predictor | None = None

    def of(self, model: ModelConfig) -> DevEvaluation:
        """Return the evaluation of another model on the same records."""
        return DevEvaluation(model, self.rows, self.task, self.config, self.device)

    def __call__(self, parameters: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return the metrics, the one that chooses the best checkpoint first."""
        if self.predictor is None:
            self.predictor = Predictor(self.model, self.device.compute_type)
        width = self.rows.columns["input_ids"].shape[0]
        predictions = self.predictor.load(parameters).predict(
            read_rows(self.rows), self.config.evaluate.batch_size, resolve_buckets(self.config.data.buckets, width))
        return metrics_of(predictions, self.model.head, self.task)


def head_of(rows: RecordSource, settings: TaskConfig) -> tuple[Task, HeadConfig]:
    """Return the task that the settings or else the records name, and the head that it needs.

    Labels are the manifest's, whose order the class ids of the records follow; records without a manifest have the
    order of the task.

    Raises:
        UserError: no task is named, the names differ, or its labels are not known.
    """
    manifest = rows.manifest
    name = settings.task_name or (manifest.task_name if manifest else "")
    if not name:
        raise UserError("task_name is empty, and the records name no task; set --task_name SST-2, for example")
    task = get_task(name)
    if manifest is not None and manifest.task_name != task.name:
        raise UserError(f"task_name is {task.name}, but {rows.files[0].parent} holds records of {manifest.task_name}; "
                        "change one of the two")
    if manifest is not None and manifest.labels:
        task = task.with_labels(manifest.labels)
    if task.is_regression:
        return task, HeadConfig("regression", (), settings.pooled_activation)
    if not task.labels:
        raise UserError(f"the labels of task {task.name} are not known: {rows.files[0].parent} has no manifest.json; "
                        "prepare the records with prepare_data.py task")
    return task, HeadConfig("classification", task.labels, settings.pooled_activation)


def metrics_of(predictions: Predictions, head: HeadConfig, task: Task) -> dict[str, float]:
    """Return the task's metrics, the one that chooses the best checkpoint first."""
    return {name: float(value) for name, value in task.metrics(predictions.values(head), predictions.labels).items()}


@dataclass(frozen=True)
class Rows:
    """What is evaluated.

    Attributes:
        task: with its labels settled.
        chunks: opens the rows anew.
        length: tokens of a padded row.
        is_labelled: whether there are labels to score.
    """

    task: Task
    chunks: Callable[[], Iterable[Batch]]
    length: int
    is_labelled: bool


def open_rows(config: Config, loaded: LoadedModel) -> Rows:
    """Open `evaluate.data_dir`: records where there are some, the task's TSV files otherwise.

    TSV files are tokenised on the fly with the checkpoint's own tokenizer.

    Raises:
        UserError: neither records nor the files of the task; or the records do not fit the model.
    """
    settings, data = config.evaluate, config.data
    if not settings.data_dir:
        raise UserError("data_dir is empty; give a folder with the task's TSV files or with records: --data_dir DIR")
    if not has_records(settings.data_dir, settings.split):
        return _open_text(config, loaded)
    source = open_records(settings.data_dir, data, "data_dir", "task", settings.split, is_labelled=False)
    check_data(loaded.config, loaded.vocab_hash, source, "checkpoint")
    task, _ = head_of(source, config.task)
    return Rows(task, lambda: read_rows(source), source.columns["input_ids"].shape[0], LABEL in source.columns)


def _open_text(config: Config, loaded: LoadedModel) -> Rows:
    settings, length = config.evaluate, config.data.seq_length
    name = config.task.task_name or loaded.config.task_name
    if not name:
        raise UserError("task_name is empty, and the checkpoint names no task; set --task_name SST-2, for example")
    if loaded.tokenizer_path is None:
        raise UserError(f"{loaded.directory} has no tokenizer, so text cannot be read with it; put its vocab.txt there "
                        "when converting, or give records")
    positions = loaded.config.encoder.max_position_embeddings
    if length > positions:
        raise UserError(f"seq_length is {length}, but the checkpoint knows {positions} positions; lower --seq_length")
    # Labels found in the data are those of the training split: the checkpoint knows them.
    task = get_task(name).resolve(settings.data_dir, loaded.config.head.labels)
    tokenizer = load_tokenizer(loaded.tokenizer_path)
    examples = list(task.read(settings.data_dir, settings.split))
    is_labelled = examples[0].label is not None

    def chunks() -> Iterator[Batch]:
        for first in range(0, len(examples), _CHUNK_ROWS):
            part = examples[first: first + _CHUNK_ROWS]
            values = task_features(part, tokenizer, length).values
            labels = np.zeros((len(part), 1), np.int32)
            if is_labelled and task.is_regression:
                labels = np.array([[example.label] for example in part], np.float32)
            elif is_labelled:
                labels = np.array([[task.label_id(example.label)] for example in part], np.int32)
            yield Batch(*(values[column].astype(np.int32) for column in INPUTS), labels)

    return Rows(task, chunks, length, is_labelled)


def write_metrics(path: Path, task: str, split: str, rows: int, metrics: Mapping[str, float]) -> None:
    """Write task, split, number of rows and metrics as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"task": task, "split": split, "rows": rows, "metrics": dict(metrics)})


def write_predictions(path: Path, predictions: Predictions, head: HeadConfig, is_labelled: bool) -> None:
    """Write a JSON line a row, in order: index, logits, prediction, label (None where the data has none).

    Classes are written by name, scores as numbers. The file appears whole or not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    named = (lambda value: float(value)) if head.kind == "regression" else (lambda value: head.labels[int(value)])
    with open(aside, "w", encoding="utf-8") as file:
        for index, value in enumerate(predictions.values(head)):
            label = named(predictions.labels[index]) if is_labelled else None
            line = {"index": index, "logits": [float(x) for x in predictions.logits[index]], "prediction": named(value),
                    "label": label}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    aside.replace(path)
