# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How an optimiser step is cut into micro-steps and processes: no row twice, and the same losses."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.config import HeadConfig, load_config
from src.config.model import IGNORED
from src.dataset import TrainingBatches, open_records
from src.dataset.rows import Batch
from src.dataset.training import counts_of
from src.distill.batch import COUNTS
from src.distill.objectives import label_objective, objective_of
from tests.tiny import random_batch
from tests.unit.dataset.test_dataset import rows_of

pytestmark = pytest.mark.medium
BUCKETS = (8, 12, 16)


@pytest.fixture(scope="module")
def source(world):
    return open_records(str(world / "records/task/train"), load_config().data, "train_data_dir", "task", "train")


@pytest.mark.parametrize(("ranks", "batch_size", "accumulation"), [(2, 5, 1), (3, 4, 2), (4, 2, 1)])
def test_ranks_share_an_epoch_without_a_row_twice(source, ranks, batch_size, accumulation):
    """96 different rows; what does not fill the last optimiser step is left out."""
    size = ranks * batch_size * accumulation
    steps = source.rows // size * accumulation
    settings = {"total_micro_steps": 2 * steps, "buckets": BUCKETS, "seed": 3, "bucket_window": 3,
                "accumulation": accumulation}
    shards = [list(TrainingBatches(source, batch_size, rank=rank, ranks=ranks, **settings)) for rank in range(ranks)]
    whole = list(TrainingBatches(source, batch_size * ranks, **settings))
    every = rows_of(whole[:steps])
    for epoch in (slice(0, steps), slice(steps, None)):
        own = [rows_of(shard[epoch]) for shard in shards]
        assert [count.total() for count in own] == [steps * batch_size] * ranks
        assert sum(own, Counter()) == rows_of(whole[epoch])
    assert every.total() == source.rows // size * size
    for parts in zip(*shards, strict=True):  # the same step, length and counts on all
        assert len({int(part[0]) for part in parts}) == len({part[1].shape for part in parts}) == 1
        assert all(part[-3:] == parts[0][-3:] for part in parts)


def objectives() -> dict:
    config = load_config()
    distil = config.task_distill
    tagging, span = HeadConfig("tagging", ("a", "b", "c")), HeadConfig("span")
    every = {"alpha_ce": 1.0, "alpha_logits_mse": 1.0, "alpha_label": 1.0}
    second = replace(distil.phase2, **every)
    return {"layers": (objective_of(config.general_distill, HeadConfig(), ((0, 0), (1, 2), (2, 4))), "classification"),
            "tagging": (objective_of(second, tagging), "tagging"),
            "tag labels": (label_objective(tagging), "tagging"),
            "span": (objective_of(second, span), "span")}


def outputs(generator: np.random.Generator, kind: str, layers: int) -> dict:
    """Outputs of a model for 8 rows of 12 tokens."""
    shape = {"classification": (8, 2), "tagging": (8, 12, 3), "span": (8, 12, 2)}[kind]
    return {"logits": generator.normal(size=shape),
            "hidden": [generator.normal(size=(8, 12, 6)) for _ in range(layers + 1)],
            "scores": [generator.normal(size=(8, 2, 12, 12)) for _ in range(layers)]}


def tensors(values, part: slice):
    if isinstance(values, dict):
        return {name: tensors(value, part) for name, value in values.items()}
    if isinstance(values, list):
        return tuple(tensors(value, part) for value in values)
    return Tensor(values[part], ms.float32 if values.dtype.kind == "f" else ms.int32)


@pytest.mark.parametrize("name", ["layers", "tagging", "tag labels", "span"])
def test_the_mean_over_the_parts_is_the_loss_of_the_whole(name):
    """Rows of different lengths, so that no part has as many tokens as another."""
    objective, kind = objectives()[name]
    generator = np.random.default_rng(5)
    ids, mask, segments, labels = random_batch(rows=8, length=12, padding=9)
    if kind == "tagging":
        labels = np.where(mask * generator.integers(0, 2, mask.shape) > 0, generator.integers(0, 3, mask.shape),
                          IGNORED).astype(np.int32)
    elif kind == "span":
        labels = np.zeros((8, 2), np.int32)
    student, teacher = outputs(generator, kind, 2), outputs(generator, kind, 4)

    def losses(part: slice, counts: np.ndarray | None) -> np.ndarray:
        batch = {"input_mask": Tensor(mask[part]), "label_ids": Tensor(labels[part])}
        if counts is not None:
            batch |= dict(zip(COUNTS, map(Tensor, counts), strict=True))
        given = tensors(student, part), tensors(teacher, part)
        return np.array([float(term.function(*given, batch, objective.options).asnumpy())
                         for term in objective.terms])

    whole = losses(slice(None), None)
    for parts in (1, 2, 4):
        counts, size = counts_of(Batch(ids, mask, segments, labels), parts), 8 // parts
        cut = [losses(slice(first, first + size), counts) for first in range(0, 8, size)]
        assert np.mean(cut, axis=0) == pytest.approx(whole, rel=1e-5)
