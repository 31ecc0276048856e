# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A world small enough to train in seconds: a vocabulary, a task with a rule to learn, records, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from src.checkpoints.checkpoint import load_model, parameters_of, save_model
from src.config import EncoderConfig, HeadConfig, ModelConfig
from src.device import Device
from src.models.heads import build_model
from src.records.prepare import CorpusOptions, TaskOptions, prepare_task, prepare_texts
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from src.train.monitor import Monitor

GOOD, BAD = ("good", "fine", "great", "lovely"), ("bad", "poor", "awful", "dull")
PLAIN = tuple(f"w{number}" for number in range(40))
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *PLAIN)

TEACHER = EncoderConfig(
    vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64,
    hidden_act="gelu", hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, max_position_embeddings=64,
    type_vocab_size=2, initializer_range=0.05, layer_norm_eps=1e-12)
STUDENT = replace(TEACHER, hidden_size=16, num_hidden_layers=2, intermediate_size=32)
HEAD = HeadConfig("classification", ("0", "1"))
CPU = Device("CPU", ms.float32, sink=False)

STUDENT_OPTIONS = ("--student.vocab_size", str(len(VOCABULARY)), "--student.hidden_size", "16",
                   "--student.num_hidden_layers", "2", "--student.num_attention_heads", "4",
                   "--student.intermediate_size", "32", "--student.max_position_embeddings", "64",
                   "--student.initializer_range", "0.05")
RUN_OPTIONS = ("--device_target", "CPU", "--log_interval", "1", "--buckets", "8,16",
               "--tensorboard", "false")
ONE_LENGTH = (*RUN_OPTIONS, "--buckets", "16")
"""Each length is a graph: half of what RUN_OPTIONS would compile."""
ONE_LAYER = ("--student.num_hidden_layers", "1")
"""Of the student: half of what STUDENT_OPTIONS would compile."""


def sentence(generator: np.random.Generator, label: int, longest: int = 12) -> str:
    """Words without meaning around one that decides the label."""
    words = list(generator.choice(PLAIN, generator.integers(2, longest)))
    words.insert(int(generator.integers(0, len(words) + 1)), str(generator.choice(GOOD if label else BAD)))
    return " ".join(words)


def write_sst2(folder: Path, rows: dict[str, int], seed: int = 0) -> Path:
    """Write train.tsv, dev.tsv, ... in SST-2's form."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for split, number in rows.items():
        labels = generator.integers(0, 2, number)
        lines = [f"{sentence(generator, label)}\t{label}" for label in labels]
        (folder / f"{split}.tsv").write_text("sentence\tlabel\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_vocabulary(folder: Path, tokens: Iterable[str] = VOCABULARY) -> Path:
    """Write vocab.txt into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def make_world(folder: Path, seq_length: int = 16, dataset_type: str = "tfrecord", train_rows: int = 96) -> Path:
    """Write vocabulary, TSV files, task records, corpus records, a pretrained teacher and a fine-tuned one.

    Both teachers have random weights; folder/{vocab,tsv,records/task,records/corpus,pretrained,teacher}.
    """
    tokenizer = load_tokenizer(write_vocabulary(folder / "vocab"))
    write_sst2(folder / "tsv", {"train": train_rows, "dev": 21, "test": 10})
    prepare_task(get_task("SST-2"), folder / "tsv", tokenizer, folder / "records/task",
                 TaskOptions(seq_length=seq_length, dataset_type=dataset_type))
    generator = np.random.default_rng(1)
    text = "\n".join(sentence(generator, number % 2) for number in range(200))
    (folder / "corpus.txt").write_text(text + "\n", encoding="utf-8")
    prepare_texts([folder / "corpus.txt"], tokenizer, folder / "records/corpus",
                  CorpusOptions(seq_length=seq_length, dataset_type=dataset_type))
    save_random(folder / "pretrained", ModelConfig(TEACHER), folder / "vocab")
    save_random(folder / "teacher", ModelConfig(TEACHER, HEAD, "SST-2"), folder / "vocab")
    return folder


def save_random(folder: Path, config: ModelConfig, tokenizer_path: Path | None, seed: int = 3) -> Path:
    """Write a checkpoint directory with random weights."""
    ms.set_seed(seed)
    return save_model(folder, config, parameters_of(build_model(config)), tokenizer_path)


def random_batch(rows: int = 8, length: int = 12, padding: int = 4, seed: int = 0, vocab_size: int = len(VOCABULARY)
                 ) -> tuple[np.ndarray, ...]:
    """Return input_ids, input_mask, segment_ids (rows, length), label_ids (rows, 1); rows end in up to `padding`."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(5, vocab_size, (rows, length)).astype(np.int32)
    lengths = generator.integers(length - padding, length + 1, rows)
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    segments = (np.arange(length) >= length // 2).astype(np.int32) * mask
    return ids * mask, mask, segments, generator.integers(0, 2, (rows, 1)).astype(np.int32)


def lines(run: Path) -> list[dict]:
    """What a run has logged."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def losses(run: Path) -> list[float]:
    """The losses that a run has logged."""
    return [line["loss"] for line in lines(run) if "loss" in line]


def difference(one: Path, other: Path) -> float:
    """The largest difference of a value between two checkpoints of the same parameters; 0 is to the bit."""
    ours, theirs = load_model(one).parameters, load_model(other).parameters
    assert ours.keys() == theirs.keys()
    return max(np.abs(ours[name] - theirs[name]).max() for name in ours)


@contextmanager
def killed_after(micro_steps: int) -> Iterator[None]:
    """A training in here ends after so many micro-steps, as a kill ends it."""
    whole = Monitor.see

    def die(self: Monitor, outputs: Any) -> Any:
        problem = whole(self, outputs)
        if self.progress.micro_steps == micro_steps:
            raise KeyboardInterrupt
        return problem

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Monitor, "see", die)
        yield
