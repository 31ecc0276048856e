# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Running a model over rows: every row once, in the order of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor

from src.checkpoints.checkpoint import LoadedModel, load_parameters
from src.common.errors import UserError
from src.common.files import write_json
from src.config import DataConfig, EvaluateConfig, HeadConfig, ModelConfig, TaskConfig
from src.config.model import INPUTS
from src.dataset import Batch, evaluation_batches, open_records, read_columns, read_rows, resolve_buckets
from src.dataset.compatibility import check_data
from src.device import Device
from src.models.fake_quantization import fake_quantize
from src.models.heads import build_model
from src.records.columns import LABEL
from src.records.kept_examples import read_examples
from src.records.reading import RecordSource, has_records
from src.records.source_rows import SourceRows, read_source_rows
from src.task_files.problems import Problems
from src.tasks.features import DecodeOptions, EncodeOptions, Outputs
from src.tasks.registry import get_task, task_of
from src.tasks.task import SPLITS, Task

_CHUNK_ROWS = 1024


class Predictor:
    """A model with a head for evaluation, compiled once a length, whose parameters can be exchanged; `in_int8` computes
    what its int8 file does (src/models/fake_quantization.py)."""

    def __init__(self, config: ModelConfig, compute_type: ms.Type = ms.float32, in_int8: bool = False):
        self.config = config
        self.model = build_model(config, compute_type)
        if in_int8:
            fake_quantize(self.model)

    def load(self, parameters: Mapping[str, np.ndarray], source: str | Path = "checkpoint") -> Predictor:
        """Set the parameters, strictly by name and shape."""
        load_parameters(self.model, parameters, source)
        return self

    def predict(self, chunks: Iterable[Batch], batch_size: int, buckets: tuple[int, ...]) -> Outputs:
        """Run the model on every row of `chunks` (see src/dataset/); logits and label_ids in the order of the rows."""
        parts = []
        for index, batch in evaluation_batches(chunks, batch_size, buckets):
            logits = self.model(Tensor(batch.input_ids), Tensor(batch.input_mask), Tensor(batch.segment_ids)).asnumpy()
            parts.append((index, logits[: len(index)], batch.fit(buckets[-1]).label_ids[: len(index)]))
        if not parts:
            return Outputs(np.zeros((0, self.config.output_size), np.float32), {})
        rows, (_, first, its) = sum(len(index) for index, _, _ in parts), parts[0]
        # Those of tokens, (rows, S, C), are filled up with zeros to the longest S.
        logits = np.zeros((rows, *((buckets[-1],) if first.ndim == 3 else ()), first.shape[-1]), np.float32)
        labels = np.zeros((rows, *its.shape[1:]), its.dtype)
        for index, own, its in parts:
            logits[index, : own.shape[1]], labels[index] = own, its
        return Outputs(logits, {LABEL: labels})


class DevEvaluation:
    """Metrics of a model's parameters on one set of records; called between the steps of a training. `in_int8` as in
    Predictor."""

    def __init__(self, model: ModelConfig, rows: RecordSource, task: Task, options: DecodeOptions, batch_size: int,
                 buckets: tuple[int, ...], device: Device, in_int8: bool = False):
        self.model, self.rows, self.task, self.options, self.device = model, rows, task, options, device
        self.batch_size, self.buckets, self.in_int8 = batch_size, buckets, in_int8
        self.predictor: Predictor | None = None

    def __call__(self, parameters: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return the metrics, the one that chooses the best checkpoint first."""
        if self.predictor is None:
            self.predictor = Predictor(self.model, self.device.compute_type, self.in_int8)
        data = self.data
        outputs = data.complete(self.predictor.load(parameters).predict(
            data.chunks(), self.batch_size, resolve_buckets(self.buckets, data.length)))
        return self.task.score(outputs, self.options)

    @cached_property
    def data(self) -> Rows:
        """The rows, and what scoring needs beside them; read once."""
        return rows_of_records(self.rows, self.task)


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
    return task, task.head(settings.pooled_activation)


def evaluated_task(task: Task, rows: RecordSource) -> Task:
    """Return the task that a training is evaluated on: its own, but an embedding may be scored on pairs of another kind
    than it learns from, which the dev records tell.

    Raises:
        UserError: an embedding is trained, and the dev records are of a task for other models.
    """
    if task.kind != "embedding" or rows.manifest is None:
        return task
    other = get_task(rows.manifest.task_name)
    if other.kind != "embedding":
        raise UserError(f"eval_data_dir {rows.files[0].parent} holds records of {other.name}, a {other.kind} task, and "
                        f"{task.name} trains a model that embeds texts; give records of sts, pairs or triplets")
    return other


def decode_options(settings: TaskConfig) -> DecodeOptions:
    """Return what of the settings says how answers are read from the outputs."""
    return DecodeOptions(settings.n_best_size, settings.max_answer_length, settings.null_score_threshold)


@dataclass(frozen=True)
class Rows:
    """What is evaluated."""

    task: Task  # with its labels settled
    chunks: Callable[[], Iterable[Batch]]  # opens the rows anew
    length: int  # tokens of a padded row
    is_labelled: bool
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)  # the task's extra ones, of all rows
    examples: Sequence[Any] = ()  # what the rows were made of, for tasks that keep them
    order: np.ndarray | None = None  # what puts the rows into the order of the data, where no column tells it
    names: Callable[[], SourceRows] = SourceRows  # finds numbers and ids of the examples, in their order

    def complete(self, outputs: Outputs) -> Outputs:
        """Add what leads from the rows back to the examples; labels are taken out where there are none."""
        labels = {name: value for name, value in outputs.values.items() if self.is_labelled or name != LABEL}
        values, logits = {**labels, **self.columns}, outputs.logits
        if self.order is not None:
            values, logits = {name: value[self.order] for name, value in values.items()}, logits[self.order]
        return replace(outputs, logits=logits, values=values, examples=self.examples)


def rows_of_records(source: RecordSource, task: Task) -> Rows:
    """Return the rows of records, which must have what scoring the task needs."""
    examples = read_examples(source.files[0].parent, task) if task.kept_example else ()
    return Rows(task, lambda: read_rows(source), source.columns["input_ids"].shape[0], LABEL in source.columns,
                read_columns(source, task.extra_columns), examples,
                None if task.kept_example else source.data_order(), partial(read_source_rows, source))


def parts_of_split(settings: EvaluateConfig, task_name: str) -> tuple[str, ...]:
    """Return the splits that `evaluate.split` stands for: of MNLI's "dev" both that `data_dir` has, else itself."""
    path = Path(settings.data_dir)
    if not task_name or settings.split not in SPLITS:
        return (settings.split,)
    task = get_task(task_name)
    parts = [part for part in task.parts(settings.split)
             if has_records(path / part) or task.files_there(path, part)]
    return tuple(parts) if len(parts) > 1 else (settings.split,)


def open_rows(data_dir: str, split: str, loaded: LoadedModel, data: DataConfig, task: TaskConfig,
              seed: int = 0) -> Rows:
    """Open a split in `data_dir`: records where there are some, the task's TSV files otherwise.

    TSV files are tokenised on the fly with the checkpoint's own tokenizer.

    Raises:
        UserError: neither records nor the files of the task; or the records do not fit the model.
    """
    if not data_dir:
        raise UserError("data_dir is empty; give a folder with the task's TSV files or with records: --data_dir DIR")
    if not has_records(data_dir, split):
        return _open_text(data_dir, split, loaded, data.seq_length, task, seed)
    source = open_records(data_dir, data, "data_dir", "task", split, is_labelled=False)
    check_data(loaded.config, loaded, source, "checkpoint")
    return rows_of_records(source, head_of(source, task)[0])


def _open_text(data_dir: str, split: str, loaded: LoadedModel, length: int, settings: TaskConfig,
               seed: int) -> Rows:
    name = settings.task_name or loaded.config.task_name
    if not name:
        raise UserError("task_name is empty, and the checkpoint names no task; set --task_name SST-2, for example")
    tokenizer = loaded.tokenizer()
    loaded.check_length(length)
    # Labels found in the data are those of the training split: the checkpoint knows them.
    task = task_of(settings, seed, name).resolve(data_dir, loaded.config.head.labels)
    problems = Problems(settings.bad_rows)
    examples = list(task.read(data_dir, split, problems))
    problems.tell()
    options = EncodeOptions(length, settings.doc_stride, settings.max_query_length)
    encoded = [task.encode(examples[first: first + _CHUNK_ROWS], tokenizer, options, first).values
               for first in range(0, len(examples), _CHUNK_ROWS)]
    columns = {name: np.concatenate([values[name] for values in encoded]) for name in task.extra_columns}
    return Rows(task, lambda: map(batch_of, encoded), length, task.is_labelled(examples), columns, examples,
                names=partial(SourceRows.of_examples, examples))


def batch_of(values: Mapping[str, np.ndarray]) -> Batch:
    """Return the rows of `Features.values` as a model takes them; zeros stand for labels that are not there."""
    ids, mask, segments = (values[column].astype(np.int32) for column in INPUTS)
    return Batch(ids, mask, segments, values.get(LABEL, np.zeros((len(ids), 1), np.int32)))


def write_metrics(path: Path, task: str, split: str, rows: int, metrics: Mapping[str, float]) -> None:
    """Write task, split, number of rows and metrics as JSON."""
    write_json(path, {"task": task, "split": split, "rows": rows, "metrics": dict(metrics)})
