# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The checkpoints of a run: killed at every instant of a save, damaged, on disks that are full or fail."""

from __future__ import annotations

import errno
import os
import shutil

import numpy as np
import pytest

import src.checkpoints.checkpoint as checkpoint
import src.common.files
from src.checkpoints.checkpoint import TrainingState, is_whole, save_model
from src.checkpoints.store import CheckpointStore
from src.common.files import write_text
from src.config import ModelConfig
from tests.killing import killed_at_each_instant, names_aside
from tests.refusals import refused
from tests.tiny import HEAD, STUDENT

pytestmark = pytest.mark.small
CONFIG = ModelConfig(STUDENT, HEAD, "SST-2")


@pytest.fixture(autouse=True)
def few_parameters_and_no_waiting(monkeypatch):
    """Checkpoints here hold one small array, which is no whole model; and a process that ends needs no fsync."""
    monkeypatch.setattr(checkpoint, "check_sizes", lambda *_: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def save(store: CheckpointStore, step: int, value: float = 0.0):
    state = TrainingState({"moments": np.full(4, step + value, np.float32)}, {"micro_steps": step})
    return store.save(step, lambda directory: save_model(
        directory, CONFIG, {"weights": np.full(8, step + value, np.float32)}, training=state))


def loaded(store: CheckpointStore) -> tuple[int, float]:
    """Step and value of the checkpoint that would be continued; model and state belong to each other."""
    model, state = store.load()
    step, value = state.values["micro_steps"], float(model.parameters["weights"][0])
    assert state.tensors["moments"][0] == value
    return step, value - step


def steps(store: CheckpointStore) -> list[int]:
    return sorted(int(path.name.split("-")[1]) for path in store.folder.glob("step-*"))


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-3])


def test_it_keeps_the_newest_and_points_at_it(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    assert store.load() is None
    assert store.newest() is None
    for step in (5, 10, 15):
        save(store, step)
    assert steps(store) == [10, 15]
    assert (store.folder / "latest").read_text() == "step-00000015\n"
    assert loaded(store) == (15, 0)
    assert store.newest() == store.folder / "step-00000015"


@pytest.mark.parametrize(("step", "value"), [(2, 0.0), (1, 0.5)])
@pytest.mark.medium
def test_killed_at_every_instant_of_a_save(tmp_path, step, value):
    """Of the next step, and, as after a return to it, of the same step again, when it is the only one."""
    save(CheckpointStore(tmp_path / "base", 1), 1)
    found = []
    for number, run in killed_at_each_instant(tmp_path / "base", tmp_path / "copies",
                                              lambda run: save(CheckpointStore(run, 1), step, value)):
        store = CheckpointStore(run, 1)
        store.clear()
        assert names_aside(run) == [], number
        found.append(loaded(store))
        save(store, 3)
        assert steps(store) == [3]
    assert found == sorted(found)  # the old one up to some instant, the new one from there on
    assert set(found) == {(1, 0), (step, value)}


def test_killed_before_the_new_one_was_read_again(tmp_path):
    """Between the two renames and the check: what is damaged there gives way to the one before."""
    store = CheckpointStore(tmp_path, 1)
    save(store, 1)
    shutil.copytree(store.folder / "step-00000001", store.folder / ".step-00000001.old")
    flip(store.folder / "step-00000001/model.safetensors")
    store.clear()
    assert loaded(store) == (1, 0)
    assert names_aside(tmp_path) == []


@pytest.mark.parametrize("damage", [flip, truncate, os.remove])
@pytest.mark.parametrize("name", ["model.safetensors", "training/state.safetensors", "training/state.json",
                                  "manifest.json"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, capsys, damage, name):
    store = CheckpointStore(tmp_path, 3)
    for step in (1, 2, 3):
        save(store, step)
    damage(store.folder / "step-00000003" / name)
    assert loaded(store) == (2, 0)
    out = capsys.readouterr().out
    assert out.startswith("note: ")
    assert "step-00000003" in out
    assert out.endswith("going back to step-00000002\n")
    assert out.count("\n") == 1
    save(store, 4)
    assert steps(store) == [2, 3, 4]


@pytest.mark.parametrize("content", [b"step-00000099\n", b"", b"step-" + 5000 * b"9", b"../../elsewhere",
                                     b"\xff\xfe", None])
def test_a_wrong_pointer(tmp_path, capsys, content):
    store = CheckpointStore(tmp_path, 2)
    for step in (1, 2):
        save(store, step)
    (store.folder / "latest").unlink()
    if content is not None:
        (store.folder / "latest").write_bytes(content)
    assert loaded(store) == (2, 0)
    assert ("note: " in capsys.readouterr().out) == (content is not None)


def test_the_pointer_may_name_an_older_one(tmp_path):
    store = CheckpointStore(tmp_path, 3)
    for step in (1, 2, 3):
        save(store, step)
    write_text(store.folder / "latest", "step-00000001\n")
    assert loaded(store) == (1, 0)
    save(store, 2, value=0.5)  # what came after the one that was continued is another future
    assert steps(store) == [1, 2]
    assert loaded(store) == (2, 0.5)


def test_no_good_checkpoint_is_one_line(tmp_path):
    store = CheckpointStore(tmp_path, 2)
    for step in (1, 2):
        flip(save(store, step) / "model.safetensors")
    refused("no checkpoint that can be read: .*step-00000002.*1 more.*--resume false", store.load)
    shutil.rmtree(store.folder / "step-00000001")
    shutil.rmtree(store.folder / "step-00000002")
    refused("step-00000002 does not exist", store.load)


def failing(number: int):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))
    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("place", ["save_file", "sync", "rename", "open"])
def test_a_disk_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch, place, number):
    store = CheckpointStore(tmp_path, 1)
    save(store, 1)
    with monkeypatch.context() as patch:
        if place == "rename":
            patch.setattr(src.common.files.Path, "rename", failing(number))
        elif place == "open":  # `latest` and the manifest are written with it
            patch.setattr(src.common.files, "write_text", failing(number))
            patch.setattr(checkpoint, "write_json", failing(number))
        else:
            patch.setattr(checkpoint if place == "save_file" else src.common.files, place, failing(number))
        with pytest.raises(OSError, match=os.strerror(number)):
            save(store, 2)
    assert loaded(store) == (1, 0)
    store.clear()
    assert names_aside(tmp_path) == []
    save(store, 2)
    assert loaded(store) == (2, 0)


@pytest.mark.parametrize("step", [1, 2])
def test_what_cannot_be_read_again_does_not_replace_anything(tmp_path, monkeypatch, step):
    """A disk that gives back something else than was written, also where the step has a checkpoint already."""
    store = CheckpointStore(tmp_path, 1)
    save(store, 1)
    move = src.common.files._move

    def damaged(partial, *rest):
        flip(partial / "model.safetensors")
        move(partial, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(src.common.files, "_move", damaged)
        with pytest.raises(OSError, match="what was written cannot be read again"):
            save(store, step, value=0.5)
    assert loaded(store) == (1, 0)
    assert steps(store) == [1]
    assert names_aside(tmp_path) == []


@pytest.mark.medium
def test_a_model_is_replaced_by_a_whole_one_at_every_instant(tmp_path):
    """The best student: the old one or the new one, and a reader puts it in its place."""
    (tmp_path / "base").mkdir()
    save_model(tmp_path / "base/model", CONFIG, {"weights": np.zeros(4, np.float32)})
    found = []
    for _, run in killed_at_each_instant(tmp_path / "base", tmp_path / "copies", lambda run: save_model(
            run / "model", CONFIG, {"weights": np.ones(4, np.float32)})):
        found.append(checkpoint.load_model(run / "model").parameters["weights"][0])
        assert is_whole(run / "model")
    assert found == sorted(found)
    assert set(found) == {0, 1}
