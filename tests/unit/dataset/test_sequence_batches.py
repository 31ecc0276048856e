# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batches of language models: rows of any length from both record types, optimiser steps cut in any way, resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.common.errors import UserError
from src.config import load_config
from src.dataset import (
    LanguageModelTargets,
    TrainingBatches,
    concatenate,
    longest_row,
    open_records,
    pad_length,
    read_rows,
)
from src.dataset import training as training_module
from src.records.options import SequenceOptions
from src.records.prepare import prepare_texts
from src.records.reading import RecordSource
from src.text.tokenization import load_tokenizer
from tests.tiny import write_vocabulary

pytestmark = pytest.mark.medium
ROWS, LONGEST, VOCABULARY, MASK = 150, 40, 500, 4
BUCKETS = (16, 24, 40)


def sequences() -> list[list[int]]:
    """Rows that are all different."""
    generator = np.random.default_rng(0)
    return [[2, 5 + number, *generator.integers(5, VOCABULARY, generator.integers(2, LONGEST - 2)).tolist(), 3]
            for number in range(ROWS)]


def write_tfrecord(file: Path, rows: list[list[int]]) -> None:
    tf = pytest.importorskip("tensorflow")
    with tf.io.TFRecordWriter(str(file)) as writer:
        for row in rows:
            feature = {"input_ids": tf.train.Feature(int64_list=tf.train.Int64List(value=row))}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def write_mindrecord(file: Path, rows: list[list[int]]) -> None:
    from mindspore.mindrecord import FileWriter
    writer = FileWriter(str(file), shard_num=1)
    writer.add_schema({"input_ids": {"type": "int64", "shape": [-1]}})
    writer.write_raw_data([{"input_ids": np.array(row)} for row in rows])
    writer.commit()


WRITE: dict[str, Callable[[Path, list[list[int]]], None]] = {"tfrecord": write_tfrecord, "mindrecord": write_mindrecord}


def write_records(folder: Path, kind: str = "tfrecord") -> RecordSource:
    """Write two files without schema or manifest, and open them."""
    folder.mkdir()
    rows = sequences()
    WRITE[kind](folder / f"a.{kind}", rows[:100])
    WRITE[kind](folder / f"b.{kind}", rows[100:])
    return open_records(str(folder), replace(load_config().data, dataset_type=kind), "data_dir", "sequences")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> RecordSource:
    return write_records(tmp_path_factory.mktemp("records") / "tfrecord")


def targets(**changes) -> LanguageModelTargets:
    settings = {"vocab_size": VOCABULARY, "special_ids": (0, 1, 2, 3, MASK), "mask_id": MASK, "causal": False,
                "only_predicted": False, "seed": 5}
    return LanguageModelTargets(**{**settings, **changes})


def training(source, **changes) -> TrainingBatches:
    settings = {"batch_size": 8, "total_micro_steps": 18, "buckets": BUCKETS, "seed": 3, "bucket_window": 4,
                "targets": targets()}
    return TrainingBatches(source, **{**settings, **changes})


def batches(source, **changes) -> list[dict[str, np.ndarray]]:
    made = training(source, **changes)
    return [dict(zip(made.columns, columns, strict=True)) for columns in made]


def same(one: list[dict], other: list[dict]) -> bool:
    return len(one) == len(other) and all(
        x.keys() == y.keys() and all(np.array_equal(x[name], y[name]) for name in x)
        for x, y in zip(one, other, strict=True))


def originals(batch: dict[str, np.ndarray]) -> list[tuple[int, ...]]:
    """The rows of a batch as they were before masking."""
    ids, width = batch["input_ids"].copy(), batch["input_ids"].shape[1]
    used = batch["label_weights"] > 0
    ids[np.divmod(batch["positions"][used], width)] = batch["label_ids"][used]
    return [tuple(row[mask > 0].tolist()) for row, mask in zip(ids, batch["input_mask"], strict=True)]


def seen(batch: dict[str, np.ndarray]) -> list[tuple]:
    """Of each row: its tokens as the model sees them, and place, label and two weights of each of its logits."""
    width = batch["input_ids"].shape[1]
    row, place = np.divmod(batch["positions"], width)
    columns = (place, batch["label_ids"], batch["label_weights"] > 0, batch["distill_weights"] > 0)
    return [(*batch["input_ids"][number][batch["input_mask"][number] > 0].tolist(),
             *np.stack(columns)[:, row == number].ravel().tolist()) for number in range(len(batch["input_ids"]))]


# Rows


@pytest.mark.parametrize("kind", ["tfrecord", "mindrecord"])
def test_rows_of_any_length_are_read_as_they_are(tmp_path, kind):
    source = write_records(tmp_path / "records", kind)
    expected = sequences()
    got = [row[mask > 0].tolist() for chunk in read_rows(source)
           for row, mask in zip(chunk.input_ids, chunk.input_mask, strict=True)]
    assert got == expected
    for chunk in read_rows(source):
        assert chunk.input_ids.shape[1] == chunk.lengths.max()
        assert not chunk.input_ids[chunk.input_mask == 0].any() and not chunk.segment_ids.any()
        assert {column.dtype for column in chunk.columns} == {np.dtype(np.int32)}
    shuffled = [row[mask > 0].tolist() for chunk in read_rows(source, 7, 1000)
                for row, mask in zip(chunk.input_ids, chunk.input_mask, strict=True)]
    assert shuffled != expected and sorted(shuffled) == sorted(expected)


def test_both_record_types_give_identical_batches(source, tmp_path):
    assert same(batches(source), batches(write_records(tmp_path / "records", "mindrecord")))


def test_a_limit_reads_the_first_rows(source):
    got = [row[mask > 0].tolist() for chunk in read_rows(source, limit=7)
           for row, mask in zip(chunk.input_ids, chunk.input_mask, strict=True)]
    assert got == sequences()[:7]
    assert sum(len(chunk.input_ids) for chunk in read_rows(source, limit=10_000)) == ROWS


def test_chunks_of_different_widths_are_joined(source):
    chunk = next(read_rows(source))
    short = np.flatnonzero(chunk.lengths <= 10)
    parts = [chunk.rows(short).fit(10), chunk]
    joined = concatenate(parts)
    assert np.array_equal(joined.lengths, np.concatenate([part.lengths for part in parts]))
    assert np.array_equal(joined.input_ids, np.concatenate([chunk.input_ids[short], chunk.input_ids]))
    assert np.array_equal(joined.input_mask, np.concatenate([chunk.input_mask[short], chunk.input_mask]))


def test_longest_row(source, tmp_path):
    assert longest_row(source, 77) == 77  # nobody wrote down how long they are
    (tmp_path / "text.txt").write_text("w1 w2 w3 w4\n" * 20, encoding="utf-8")
    tokenizer = load_tokenizer(write_vocabulary(tmp_path / "vocab"))
    prepare_texts([tmp_path / "text.txt"], tokenizer, tmp_path / "made",
                      SequenceOptions(seq_length=12, min_length=3))
    made = open_records(str(tmp_path / "made"), load_config().data, "data_dir", "sequences")
    assert longest_row(made, 77) == 12
    assert [chunk.input_ids.shape for chunk in read_rows(made)] == [(20, 6)]


def test_a_row_that_is_too_long(source):
    with pytest.raises(UserError, match="a row has .* more than the longest that is taken, 20; raise --seq_length"):
        batches(source, buckets=(10, 20))


# Optimiser steps


def test_columns(source):
    for number, batch in enumerate(batches(source, accumulation=3)):
        assert tuple(batch) == ("step", "input_ids", "input_mask", "segment_ids", "positions", "label_ids",
                                "distill_weights", "label_weights", "token_weights")
        assert int(batch["step"]) == number
        shape = (8, pad_length(int(batch["input_mask"].sum(1).max()), BUCKETS))
        assert {batch[name].shape for name in ("input_ids", "input_mask", "segment_ids", "token_weights")} == {shape}
        assert batch["positions"].shape == batch["label_ids"].shape == (batch["input_mask"].sum(),)
        for name, column in batch.items():
            assert column.dtype == (np.float32 if name.endswith("weights") else np.int32)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("group_by_size", [True, False])
def test_cut_in_any_way_a_step_has_the_same_rows_masks_and_weights(source, causal, group_by_size):
    made = {"targets": targets(causal=causal), "group_by_size": group_by_size}
    whole = batches(source, total_micro_steps=20, **made)
    halves = batches(source, batch_size=4, accumulation=2, total_micro_steps=40, **made)
    ranks = [batches(source, batch_size=2, accumulation=2, ranks=2, rank=rank, total_micro_steps=40, **made)
             for rank in range(2)]
    for left, right in zip(*ranks, strict=True):  # the same shapes on all ranks
        assert left["input_ids"].shape == right["input_ids"].shape and int(left["step"]) == int(right["step"])
    for number, step in enumerate(whole):
        for parts in (halves[2 * number: 2 * number + 2],
                      [rank[micro] for micro in (2 * number, 2 * number + 1) for rank in ranks]):
            assert [row for part in parts for row in seen(part)] == seen(step)
            for name in ("label_weights", "distill_weights", "token_weights"):
                assert np.isclose(sum(part[name].sum(dtype=np.float64) for part in parts) / len(parts), 1, atol=1e-5)
                # A place weighs as much in the mean over the parts as in the whole.
                assert np.isclose(max(part[name].max() for part in parts) / len(parts), step[name].max())


@pytest.mark.parametrize("group_by_size", [True, False])
def test_an_epoch_of_whole_steps_holds_every_row_at_most_once(source, group_by_size):
    changes = {"batch_size": 4, "accumulation": 5, "group_by_size": group_by_size}
    made = training(source, **changes)
    assert made.micro_steps_per_epoch == ROWS // 20 * 5
    every = Counter(map(tuple, sequences()))
    both = batches(source, total_micro_steps=2 * made.micro_steps_per_epoch, **changes)
    epochs = [Counter(row for batch in part for row in originals(batch)) for part in (both[:35], both[35:])]
    for rows in epochs:
        assert sum(rows.values()) == 140 and not rows - every
    assert epochs[0] != epochs[1]


def test_grouping_saves_padding_within_a_step_too(source):
    changes = {"batch_size": 4, "accumulation": 5, "total_micro_steps": 35, "bucket_window": 1}
    grouped, mixed = (sum(batch["input_ids"].size for batch in batches(source, group_by_size=switch, **changes))
                      for switch in (True, False))
    tokens = sum(int(batch["input_mask"].sum()) for batch in batches(source, **changes))
    assert tokens < grouped < 0.85 * mixed


def test_windows_are_bounded(source, monkeypatch):
    changes = {"batch_size": 4, "accumulation": 5}
    narrow, wide = batches(source, bucket_window=2, **changes), batches(source, bucket_window=7, **changes)
    monkeypatch.setattr(training_module, "_WINDOW_ROWS", 59)
    assert same(batches(source, bucket_window=7, **changes), narrow) and not same(narrow, wide)


def test_without_grouping_the_shuffled_order_stays(source):
    seed = int(np.random.SeedSequence((3, 0)).generate_state(1)[0] >> 1)
    shuffled = [tuple(row[mask > 0].tolist()) for chunk in read_rows(source, seed, 100_000)
                for row, mask in zip(chunk.input_ids, chunk.input_mask, strict=True)]
    got = [row for batch in batches(source, group_by_size=False, accumulation=2) for row in originals(batch)]
    assert got == shuffled[:144]


def test_masks_are_drawn_anew_each_epoch(source):
    changes = {"shuffle": False, "batch_size": 15, "total_micro_steps": 20}
    both = batches(source, **changes)
    for first, second in zip(both[:10], both[10:], strict=True):
        assert originals(first) == originals(second)
        assert not np.array_equal(first["input_ids"], second["input_ids"])
    assert same(both, batches(source, **changes))


@pytest.mark.parametrize("start", [1, 3, 9, 17, 18, 19, 25])
def test_a_run_resumes_at_any_micro_step(source, start):
    changes = {"accumulation": 3, "total_micro_steps": 30}
    assert same(batches(source, **changes)[start:], batches(source, start=start, **changes))
    assert len(training(source, start=start, **changes)) == 30 - start


def test_a_sink_gets_one_shape(source):
    for only_predicted in (True, False):
        made = targets(only_predicted=only_predicted, constant_size=True)
        shapes = {tuple(column.shape for column in batch.values())
                  for batch in batches(source, buckets=(LONGEST,), accumulation=2, targets=made)}
        assert len(shapes) == 1


def test_pipeline_gives_the_same_through_mindspore(source):
    made = training(source, accumulation=2)
    names = made.pipeline().get_col_names()
    assert tuple(names) == made.columns
    through = [dict(zip(names, row, strict=True))
               for row in made.pipeline().create_tuple_iterator(num_epochs=1, output_numpy=True)]
    assert same(batches(source, accumulation=2), through)


def test_fewer_rows_than_an_optimiser_step(source):
    with pytest.raises(UserError, match="150 rows, fewer than the 160 of an optimiser step, 10 times one batch of 8 x "
                                        "2.*lower batch_size or gradient_accumulation_steps"):
        batches(source, accumulation=10, ranks=2)
