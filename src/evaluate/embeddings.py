# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Embeddings of texts, and what is scored by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.config import Config
from src.dataset import resolve_buckets
from src.device import Device
from src.evaluate.tasks import Predictor, batch_of
from src.records.columns import LABEL
from src.records.reading import has_records
from src.task_files.problems import Problems
from src.tasks.features import Outputs
from src.tasks.registry import task_of
from src.tasks.similarity import cosines
from src.tasks.task import Task
from src.tasks.text_encoding import encode_texts
from src.tasks.texts import TextExample, TextTask

_CHUNK_TEXTS = 1024
"""Texts whose rows are in memory at a time."""


class Text(NamedTuple):
    """A text as `encode_texts` takes it."""

    text_a: str
    text_b: None = None


class Embedder:
    """A model that embeds texts, ready to run.

    Args:
        loaded: its head is an embedding.
        length: most tokens of a row; longer texts are cut, and counted in `shortened`.
        buckets: lengths that rows are filled up to, one compilation each.

    Raises:
        UserError: a model of another head, or one without a tokenizer.
    """

    def __init__(self, loaded: LoadedModel, device: Device, length: int, batch_size: int, buckets: tuple[int, ...]):
        if loaded.config.head.kind != "embedding":
            raise UserError(f"{loaded.directory} has {loaded.config.head.title} and embeds no texts; convert a "
                            "folder of sentence-transformers, or a model with --pooling mean")
        loaded.check_length(length)
        self.config, self.tokenizer, self.length = loaded.config, loaded.tokenizer(), length
        self.batch_size, self.buckets, self.shortened = batch_size, resolve_buckets(buckets, length), 0
        self.predictor = Predictor(loaded.config, device.compute_type).load(loaded.parameters, loaded.directory)

    @classmethod
    def by_settings(cls, loaded: LoadedModel, config: Config, device: Device) -> Embedder:
        """Return what eval.py's settings ask for; raises `UserError` as the class does."""
        return cls(loaded, device, min(config.data.seq_length, loaded.config.max_length), config.evaluate.batch_size,
                   config.data.buckets)

    def tell_shortened(self, say: Callable[[str], None]) -> None:
        """Say how many texts were cut, where any was."""
        if self.shortened:
            say(f"note: {self.shortened} texts are longer than {self.length} tokens and were cut; --seq_length sets "
                f"another length, up to {self.config.max_length}")

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return the embeddings of texts in their order, float32 (texts, width), whatever the batches are."""
        found = np.zeros((len(texts), self.config.output_size), np.float32)
        for first in range(0, len(texts), _CHUNK_TEXTS):
            part = [Text(text) for text in texts[first: first + _CHUNK_TEXTS]]
            features = encode_texts(part, self.tokenizer, self.length)
            self.shortened += features.shortened
            outputs = self.predictor.predict([batch_of(features.values)], min(self.batch_size, len(part)), self.buckets)
            found[first: first + len(part)] = outputs.logits
        return found


def read_pairs(loaded: LoadedModel, location: str, setting: str, split: str, config: Config
               ) -> tuple[TextTask, list[TextExample]]:
    """Return a task of pairs with scores, and its pairs; `setting` names what gave `location`.

    Raises:
        UserError: a task without pairs or scores, or records, whose rows hold both texts of a pair.
    """
    name = config.task.task_name or loaded.config.task_name
    if not name:
        raise UserError("task_name is empty; give a task of pairs with scores, such as --task_name STS-B")
    task = task_of(config.task, config.seed, name)
    if not (isinstance(task, TextTask) and task.kind == "regression"):
        raise UserError(f"cosines of embeddings are compared with the scores of pairs, and task {task.name} is a "
                        f"{task.kind} task; give one such as STS-B, or tsv-regression")
    if not location:
        raise UserError(f"{setting} is empty; give a folder with the task's files: --{setting} DIR")
    if has_records(location, split):
        raise UserError(f"{setting} {location} holds records, whose rows are both texts of a pair, and these are "
                        "embedded apart; give the folder of the task's files")
    problems = Problems(config.task.bad_rows)
    examples = list(task.read(location, split, problems))
    problems.tell()
    if alone := [example for example in examples if example.text_b is None]:
        raise UserError(f"line {alone[0].line} of {location} ({split}) has one text; expected a pair: name the columns "
                        "with --text_column and --text_b_column")
    return task, examples


def pair_outputs(task: TextTask, examples: Sequence[TextExample], first: np.ndarray, second: np.ndarray) -> Outputs:
    """Return the cosines of pairs as what a model of scores gives, (rows, 1), with the scores where there are any."""
    labels = {LABEL: np.array([[example.label] for example in examples], np.float32)}
    return Outputs(cosines(first, second).astype(np.float32)[:, None], labels if task.is_labelled(examples) else {})


def pair_similarities(loaded: LoadedModel, config: Config, device: Device) -> tuple[Task, Outputs]:
    """Return the task of eval.py's settings, and the cosines of its pairs; raises `UserError` as `read_pairs` does."""
    settings = config.evaluate
    task, examples = read_pairs(loaded, settings.data_dir, "data_dir", settings.split, config)
    embed = Embedder.by_settings(loaded, config, device)
    first, second = (embed([text or "" for text in texts]) for texts in zip(
        *((example.text_a, example.text_b) for example in examples), strict=True))
    embed.tell_shortened(device.say)
    return task, pair_outputs(task, examples, first, second)
