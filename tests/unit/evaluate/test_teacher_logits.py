# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Stored teacher logits: as the teacher gives them, found again, computed anew when what they depend on changes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from src.checkpoints.checkpoint import load_model, load_parameters
from src.common.errors import UserError
from src.config import HeadConfig, ModelConfig, load_config
from src.dataset import TeacherLogits, TrainingBatches, open_records, read_rows
from src.dataset.compatibility import check_same_examples
from src.device import Device
from src.distill.batch import COUNTS
from src.distill.cell import DistillationCell
from src.distill.objectives import objective_of
from src.evaluate import teacher_logits
from src.evaluate.teacher_logits import DESCRIPTION, FOLDER, VALUES, stored_logits
from src.models.heads import build_model
from src.records.prepare import TaskOptions, prepare_task
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from tests.refusals import refused
from tests.tiny import CPU, HEAD, STUDENT, save_random, write_sst2, write_vocabulary

pytestmark = pytest.mark.medium
CONFIG = load_config(data__buckets=(16,), evaluate__batch_size=32, logging__progress=False)
BUCKETS = (8, 12, 16)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Vocabulary, files of a task, and a teacher."""
    folder = tmp_path_factory.mktemp("world")
    write_vocabulary(folder / "vocab")
    write_sst2(folder / "tsv", {"train": 96, "dev": 21, "test": 10})
    save_random(folder / "teacher", ModelConfig(replace(STUDENT, num_hidden_layers=1), HEAD, "SST-2"), folder / "vocab")
    return folder


@pytest.fixture
def records(world, tmp_path) -> Path:
    """A folder of training records of its own."""
    return prepare(world, tmp_path / "records")


def prepare(world: Path, output: Path, vocabulary: str = "vocab", **options) -> Path:
    prepare_task(get_task("SST-2"), world / "tsv", load_tokenizer(world / vocabulary), output,
                 TaskOptions(**{"seq_length": 16, **options}))
    return output / "train"


def opened(folder: Path, dataset_type: str = "tfrecord"):
    return open_records(str(folder), replace(CONFIG.data, dataset_type=dataset_type), "train_data_dir", "task", "train")


@pytest.fixture
def filled(monkeypatch) -> list:
    """Fills with random numbers instead of running the teacher; the list grows with every time."""
    calls = []

    def fill(values, **_):
        calls.append(values.shape)
        values[:] = np.random.default_rng(len(calls)).normal(size=values.shape)

    monkeypatch.setattr(teacher_logits, "_fill", fill)
    return calls


def stored(world: Path, folder: Path, run: Path, device: Device = CPU, teacher: str = "teacher") -> TeacherLogits:
    return stored_logits(load_model(world / teacher), opened(folder), device, run, CONFIG.data, 64)


@pytest.mark.parametrize("kind", ["classification", "tagging"])
def test_logits_are_those_of_the_teacher_in_the_graph(world, records, tmp_path, kind):
    """Also where its batches have other rows and another length; padding of tagging says nothing."""
    head = HEAD if kind == "classification" else HeadConfig("tagging", ("O", "B", "I"))
    encoder = replace(STUDENT, num_hidden_layers=1)
    teacher = load_model(save_random(tmp_path / "teacher", ModelConfig(encoder, head, "SST-2"), world / "vocab"))
    config, source = load_config(data__buckets=(12, 16), evaluate__batch_size=40), opened(records)
    values = stored_logits(teacher, source, CPU, tmp_path, config.data, config.evaluate.batch_size).values
    assert values.dtype == np.float32
    assert values.shape == ((96, 2) if kind == "classification" else (96, 16, 3))

    cell = build_model(teacher.config)
    load_parameters(cell, teacher.parameters)
    student = build_model(ModelConfig(encoder, head))
    network = DistillationCell(student, objective_of(config.task_distill.phase2, head), cell)
    batch = next(read_rows(source)).rows(slice(0, 32))
    columns = dict(zip(network.columns[1:], map(Tensor, batch.columns), strict=False))
    logits = network.targets(columns)["logits"].asnumpy()
    given = values[:32]
    if kind == "tagging":
        logits, given = (x[batch.input_mask.astype(bool)] for x in (logits, given))
    assert np.abs(logits - given).max() < 1e-5
    assert np.abs(logits).max() > 0.01


@pytest.fixture(scope="module")
def sources(world, tmp_path_factory):
    """The same rows, in two files, as TFRecord and as MindRecord."""
    return {kind: opened(prepare(world, tmp_path_factory.mktemp(kind), dataset_type=kind, num_shards=2), kind)
            for kind in ("tfrecord", "mindrecord")}


@pytest.mark.parametrize(("dataset_type", "changes"), [
    ("tfrecord", {}), ("mindrecord", {}), ("tfrecord", {"ranks": 2, "rank": 1, "batch_size": 4}),
    ("tfrecord", {"accumulation": 2}), ("tfrecord", {"start": 7}), ("tfrecord", {"shuffle": False})])
def test_each_row_meets_its_own_logits_in_the_same_order(sources, tmp_path, changes, dataset_type):
    source = sources[dataset_type]
    every = np.concatenate([chunk.input_ids for chunk in read_rows(source)])
    of_tokens = TeacherLogits(tmp_path, np.repeat(every[:, :, None], 2, 2).astype(np.float32))
    settings = {"batch_size": 8, "total_micro_steps": 30, "buckets": BUCKETS, "seed": 3, "bucket_window": 3,
                "shuffle_buffer_size": 40, **changes}
    plain = list(TrainingBatches(source, **settings))
    joined = list(TrainingBatches(source, teacher_logits=of_tokens, **settings))
    assert len(plain) == len(joined) > 20
    for one, other in zip(plain, joined, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other[:-1], strict=True))
        assert other[-1].dtype == np.float32
        # The "logits" are the tokens themselves.
        assert np.array_equal(other[-1], np.repeat(other[1][:, :, None], 2, 2))


def test_columns_of_batches_with_logits_go_through_mindspore(world, records):
    source = opened(records)
    logits = TeacherLogits(records, np.arange(192, dtype=np.float32).reshape(96, 2))
    batches = TrainingBatches(source, 8, 2, BUCKETS, shuffle=False, teacher_logits=logits)
    through = list(batches.pipeline().create_dict_iterator(num_epochs=1, output_numpy=True))
    assert list(through[0]) == ["step", "input_ids", "input_mask", "segment_ids", "label_ids", *COUNTS,
                                "teacher_logits"]
    assert np.array_equal(through[1]["teacher_logits"], np.arange(16, 32).reshape(8, 2))


def test_shorter_and_longer_batches(tmp_path):
    logits = TeacherLogits(tmp_path, np.ones((3, 4, 2), np.float32))
    assert logits.of_rows(np.array([2, 0]), 3).shape == (2, 3, 2)
    longer = logits.of_rows(np.array([2, 0]), 6)
    assert longer[:, :, 0].tolist() == [[1, 1, 1, 1, 0, 0]] * 2


def test_computed_once_and_again_when_anything_changes(world, records, tmp_path, filled, capsys):
    first = stored(world, records, tmp_path)
    assert first.path.parent == records / FOLDER
    assert not [path for path in first.path.parent.iterdir() if path != first.path]
    assert np.array_equal(stored(world, records, tmp_path).values, first.values)
    assert len(filled) == 1
    assert "computing 96 rows" in capsys.readouterr().out

    half = stored(world, records, tmp_path, Device("CPU", ms.float16, sink=False))
    other = load_model(world / "teacher")
    save_random(tmp_path / "other", other.config, world / "vocab", seed=4)
    teacher = stored(tmp_path, records, tmp_path, teacher="other")
    rows = stored(world, prepare(world, tmp_path / "others", num_shards=2), tmp_path)
    assert len(filled) == 4
    assert len({logits.path.name for logits in (first, half, teacher, rows)}) == 4
    assert np.array_equal(stored(world, records, tmp_path).values, first.values)  # old ones stay
    assert len(filled) == 4


def test_records_without_a_manifest_are_known_by_their_bytes(world, records, tmp_path, filled):
    (records / "manifest.json").unlink()
    one = stored(world, records, tmp_path)
    lines = (world / "tsv/train.tsv").read_text().splitlines()
    (tmp_path / "tsv").mkdir()
    (tmp_path / "tsv/train.tsv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    prepare_task(get_task("SST-2"), tmp_path / "tsv", load_tokenizer(world / "vocab"), tmp_path / "reverse",
                 TaskOptions(seq_length=16))
    file = next(records.glob("*.tfrecord"))
    reversed_file = next((tmp_path / "reverse/train").glob("*.tfrecord"))
    assert reversed_file.stat().st_size == file.stat().st_size
    file.write_bytes(reversed_file.read_bytes())
    assert stored(world, records, tmp_path).path != one.path
    assert len(filled) == 2


@pytest.mark.parametrize("damage", ["byte", "size", "missing", "description", "empty"])
def test_damaged_logits_are_computed_again(world, records, tmp_path, filled, capsys, damage):
    path = stored(world, records, tmp_path).path
    file = path / VALUES
    if damage == "byte":
        content = bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(content)
    elif damage == "size":
        file.write_bytes(file.read_bytes()[:-4])
    elif damage == "missing":
        file.unlink()
    elif damage == "description":
        (path / DESCRIPTION).write_text(json.dumps({**json.loads((path / DESCRIPTION).read_text()), "teacher": "x"}))
    else:
        (path / DESCRIPTION).write_text("")
    capsys.readouterr()
    again = stored(world, records, tmp_path)
    assert again.path == path
    assert len(filled) == 2
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note:")]
    assert len(notes) == 1
    assert "is damaged" in notes[0]
    assert stored(world, records, tmp_path).values.shape == (96, 2)
    assert len(filled) == 2


def test_a_folder_that_cannot_be_written(world, records, tmp_path, filled, capsys):
    (records / FOLDER).write_text("a file is in the way")
    logits = stored(world, records, tmp_path / "run")
    assert logits.path.parent == tmp_path / "run" / FOLDER
    assert "note: teacher outputs cannot be kept in" in capsys.readouterr().out
    assert stored(world, records, tmp_path / "run").path == logits.path
    assert len(filled) == 1


def test_a_full_disk_is_noticed_before_the_teacher_runs(world, records, tmp_path, filled, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(teacher_logits.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        stored(world, records, tmp_path / "run")
    assert not filled
    assert not list((records / FOLDER).iterdir())


def test_a_second_process_waits_for_the_first(world, records, tmp_path, filled, monkeypatch, capsys):
    fill, started, may_go = teacher_logits._fill, threading.Event(), threading.Event()

    def slow(*arguments, **options):
        started.set()
        assert may_go.wait(20)
        fill(*arguments, **options)

    monkeypatch.setattr(teacher_logits, "_fill", slow)
    found = []
    threads = [threading.Thread(target=lambda: found.append(stored(world, records, tmp_path))) for _ in range(2)]
    threads[0].start()
    assert started.wait(20)
    threads[1].start()
    said = ""
    for _ in range(400):
        said += capsys.readouterr().out
        if "waiting for the process" in said:
            break
        threads[1].join(0.05)
    may_go.set()
    for thread in threads:
        thread.join(20)
    assert "waiting for the process" in said
    assert len(filled) == 1
    assert len(found) == 2
    assert np.array_equal(found[0].values, found[1].values)


def test_logits_that_are_not_finite_are_refused(world, records, tmp_path):
    good = load_model(world / "teacher")
    bad = replace(good, parameters={**good.parameters, "head.classifier.bias": np.full(2, np.nan, np.float32)})
    refused("not finite", stored_logits, bad, opened(records), CPU, tmp_path, CONFIG.data, 64)
    assert not list((records / FOLDER).iterdir())


def test_records_can_be_prepared_again(world, records, tmp_path, filled):
    stored(world, records, tmp_path)
    arguments = (get_task("SST-2"), world / "tsv", load_tokenizer(world / "vocab"), records.parent)
    assert all(report.skipped for report in prepare_task(*arguments, TaskOptions(seq_length=16)))
    assert stored(world, records, tmp_path).values.shape == (96, 2)
    prepare_task(*arguments, TaskOptions(seq_length=12), force=True)
    assert not (records / FOLDER).exists()
    stored(world, records, tmp_path)
    assert len(filled) == 2


def test_another_precision_mode_makes_others(world, records, tmp_path, filled):
    """Ascend computes something else then, of the same compute type."""
    paths = [stored(world, records, tmp_path, replace(CPU, precision_mode=mode)).path
             for mode in ("", "force_fp16", "force_fp32", "force_fp16")]
    assert len(set(paths)) == len(filled) == 3 and paths[1] == paths[3]


def test_same_examples_in_two_vocabularies(world, records, tmp_path):
    words = (world / "vocab/vocab.txt").read_text().split()
    write_vocabulary(tmp_path / "vocab", [*words[:5], *words[:4:-1], "more"])
    other = prepare_task(get_task("SST-2"), world / "tsv", load_tokenizer(tmp_path / "vocab"), tmp_path / "other",
                         TaskOptions(seq_length=14))
    assert len(other) == 3
    own, its = opened(records), opened(tmp_path / "other/train")
    check_same_examples(own, its, HEAD)
    with pytest.raises(UserError, match="two vocabularies cut a text into other tokens, and a tagging head"):
        check_same_examples(own, its, HeadConfig("tagging", ("O", "B")))
    refused(r"no manifest\.json", check_same_examples, own, replace(its, manifest=None), HEAD)
    for changes, what in (({"task_name": "CoLA"}, "task"), ({"split": "dev"}, "split"), ({"rows": 95}, "rows"),
                          ({"labels": ("1", "0")}, "labels"), ({"settings": {"inputs": []}}, "input files")):
        with pytest.raises(UserError, match=f"but their {what}.* differ"):
            check_same_examples(own, replace(its, manifest=replace(its.manifest, **changes)), HEAD)


def test_rows_of_two_vocabularies_stand_in_the_same_order(world, records, tmp_path):
    in_three = prepare(world, tmp_path / "three", num_shards=3)
    with pytest.raises(UserError, match="have 1 and 3 record files; prepare both with the same --num_shards"):
        check_same_examples(opened(records), opened(in_three), HEAD)
    check_same_examples(opened(in_three), opened(prepare(world, tmp_path / "again", num_shards=3)), HEAD)
