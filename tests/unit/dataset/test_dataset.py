# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batches: both record types alike, every row once, buckets, order by seed and epoch, ranks, resume."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from src.config import load_config, parse
from src.dataset import (
    Batch,
    TrainingBatches,
    evaluation_batches,
    identity_of,
    open_records,
    pad_length,
    read_rows,
    resolve_buckets,
)
from tests.refusals import refused
from tests.tiny import make_world

pytestmark = pytest.mark.medium
DATA = load_config().data
BUCKETS = (8, 12, 16)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The same rows as TFRecord and as MindRecord."""
    found = {}
    for kind in ("tfrecord", "mindrecord"):
        world = make_world(tmp_path_factory.mktemp(kind), dataset_type=kind)
        data = replace(DATA, dataset_type=kind)
        found[kind] = open_records(str(world / "records/task/train"), data, "train_data_dir", "task", "train")
    return found


def batches(source, **changes) -> list[tuple[np.ndarray, ...]]:
    settings = {"batch_size": 10, "total_micro_steps": 9, "buckets": BUCKETS, "seed": 3, "bucket_window": 3}
    return list(TrainingBatches(source, **{**settings, **changes}))


def same(one, other) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for x, y in zip(one, other, strict=True)
                                          for a, b in zip(x, y, strict=True))


def rows_of(parts) -> Counter:
    """Each row's tokens, padding cut off."""
    columns = (part.columns if isinstance(part, Batch) else part[1:] for part in parts)
    return Counter(tuple(ids[mask.astype(bool)]) for part in columns
                   for ids, mask in zip(part[0], part[1], strict=True))


@pytest.mark.parametrize(("entry", "options", "is_asked"), [
    ("run_task_distill.py", ["--seq_length", "12"], True), ("run_finetune.py", ["--max_seq_length", "15"], True),
    ("eval.py", ["--seq_length", "12"], True), ("eval.py", ["--seq_length", "16"], False),
    ("eval.py", ["--seq_length", "64"], False), ("eval.py", [], False)])
def test_rows_longer_than_asked_for_are_refused(sources, entry, options, is_asked):
    data = parse(entry, options).data
    location = str(sources["tfrecord"].files[0].parent)
    if is_asked:
        refused(f"seq_length is {data.seq_length}, but .*train.*holds rows of 16 tokens.*seq_length 16 or leave it out"
                f".* --seq_length {data.seq_length}$", open_records, location, data, "train_data_dir", "task", "train")
        open_records(location, data, "teacher.train_data_dir", "task", "train")
    else:
        assert open_records(location, data, "eval_data_dir", "task", "train").rows


def test_a_recipe_may_ask_for_a_length_too(sources, tmp_path):
    location = str(sources["tfrecord"].files[0].parent)
    for text, is_asked in (("data: {seq_length: 12}", True), ("data: {seq_length: 128}", False), ("{}", False)):
        (tmp_path / "recipe.yaml").write_text(text)
        data = parse("eval.py", ["--config_path", str(tmp_path / "recipe.yaml")]).data
        assert ("seq_length" in data.given) == is_asked
        if is_asked:
            refused("seq_length is 12", open_records, location, data, "data_dir", "task", "train")


def test_tfrecord_and_mindrecord_give_identical_batches(sources):
    assert same(batches(sources["tfrecord"]), batches(sources["mindrecord"]))


def test_an_epoch_holds_every_row_at_most_once_and_drops_less_than_a_batch(sources):
    source = sources["tfrecord"]
    every = rows_of(read_rows(source))
    first, second = batches(source, total_micro_steps=18)[:9], batches(source, total_micro_steps=18)[9:]
    for epoch in (first, second):
        assert sum(len(b[1]) for b in epoch) == 90 == source.rows // 10 * 10
        assert not rows_of(epoch) - every
    assert not same(first, [(first[i][0], *b[1:]) for i, b in enumerate(second)])  # another order
    assert rows_of(first) != rows_of(second)  # other rows are left out


def test_columns_shapes_and_types(sources):
    for number, (step, ids, mask, segments, labels, *counts) in enumerate(batches(sources["tfrecord"])):
        assert ids.shape == mask.shape == segments.shape
        assert ids.shape[0] == 10
        assert ids.shape[1] in BUCKETS
        assert ids.shape[1] == pad_length(int(mask.sum(1).max()), BUCKETS)
        assert labels.shape == (10, 1)
        lengths = mask.sum(1)
        assert counts == [lengths.sum(), (lengths * lengths).sum(), 10]
        assert {ids.dtype, mask.dtype, segments.dtype, labels.dtype, step.dtype} == {np.dtype(np.int32)}
        assert int(step) == number


def test_buckets_save_padding(sources):
    cut = sum(b[1].size for b in batches(sources["tfrecord"]))
    padded = sum(b[1].size for b in batches(sources["tfrecord"], buckets=(16,)))
    tokens = sum(int(b[2].sum()) for b in batches(sources["tfrecord"]))
    assert tokens < cut < 0.9 * padded


def test_order_is_a_function_of_the_seed(sources):
    source = sources["tfrecord"]
    assert same(batches(source), batches(source))
    assert not same(batches(source), batches(source, seed=4))


@pytest.mark.parametrize("start", [1, 8, 9, 13])
def test_a_resumed_run_sees_the_rest(sources, start):
    source = sources["tfrecord"]
    whole = batches(source, total_micro_steps=20)
    assert same(whole[start:], batches(source, total_micro_steps=20, start=start))


def test_without_shuffling_rows_keep_their_order(sources):
    source = sources["tfrecord"]
    in_order = np.concatenate([chunk.input_ids for chunk in read_rows(source)])
    for number, columns in enumerate(batches(source, shuffle=False)):
        length = columns[1].shape[1]
        assert np.array_equal(columns[1], in_order[number * 10: number * 10 + 10, :length])


@pytest.mark.parametrize("batch_size", [1, 7, 32, 96, 1000])
def test_evaluation_counts_every_row_on_any_batch_size(sources, batch_size):
    source = sources["tfrecord"]
    places, found = [], Counter()
    for index, batch in evaluation_batches(read_rows(source), batch_size, BUCKETS, window=3):
        assert len(batch.input_ids) == batch_size
        places += list(index)
        found += rows_of([batch.rows(slice(len(index)))])
    assert sorted(places) == list(range(source.rows))
    assert found == rows_of(read_rows(source))


def test_too_few_rows(sources):
    refused("96 rows, fewer than the 100 of an optimiser step", batches, sources["tfrecord"], batch_size=100)


def test_resolve_buckets():
    assert resolve_buckets((32, 64, 96, 128), 128) == (32, 64, 96, 128)
    assert resolve_buckets((32, 64, 96, 128), 80) == (32, 64, 80)
    assert resolve_buckets((), 64) == (64,)


def test_identity_follows_the_records(sources, tmp_path):
    other = make_world(tmp_path, train_rows=90)
    source = open_records(str(other / "records/task/train"), DATA, "train_data_dir", "task", "train")
    assert identity_of(sources["tfrecord"]) != identity_of(source)
    assert identity_of(source) == identity_of(source)
