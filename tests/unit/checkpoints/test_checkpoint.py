# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint directories: strict, verified, atomic."""

from __future__ import annotations

import numpy as np
import pytest

from src.checkpoints.checkpoint import (
    LoadedModel,
    TrainingState,
    cell_on_encoder_of,
    load_model,
    load_parameters,
    load_training_state,
    parameters_of,
    save_model,
)
from src.common.errors import UserError
from src.common.files import write_json
from src.config import ModelConfig
from src.models.heads import build_model
from src.records.manifest import load_manifest
from tests.refusals import refused
from tests.tiny import CPU, HEAD, STUDENT, save_random, write_vocabulary

CONFIG = ModelConfig(STUDENT, HEAD, "SST-2")


@pytest.fixture
def checkpoint(tmp_path):
    return save_random(tmp_path / "model", CONFIG, write_vocabulary(tmp_path / "vocab"))


def test_round_trip(checkpoint, tmp_path):
    loaded = load_model(checkpoint)
    assert loaded.config == CONFIG
    assert loaded.vocab_hash
    again = save_model(tmp_path / "again", loaded.config, loaded.parameters, loaded.tokenizer_path)
    for name in ("model.safetensors", "config.json", "vocab.txt", "manifest.json"):
        assert (again / name).read_bytes() == (checkpoint / name).read_bytes()


def test_training_state(tmp_path):
    state = TrainingState({"global_step": np.array([7], np.int32), "loss_scale": np.array(2.0, np.float32)},
                          {"micro_steps": 14, "best_metric": None})
    save_model(tmp_path / "c", CONFIG, parameters_of(build_model(CONFIG)), training=state)
    loaded = load_training_state(tmp_path / "c")
    assert loaded.values == state.values
    assert all(np.array_equal(loaded.tensors[name], value) for name, value in state.tensors.items())
    with pytest.raises(UserError, match="no training state"):
        save_model(tmp_path / "m", CONFIG, parameters_of(build_model(CONFIG)))
        load_training_state(tmp_path / "m")


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


def remove_weights(folder):
    (folder / "model.safetensors").unlink()


def empty_manifest(folder):
    (folder / "manifest.json").write_text("")


def make_foreign(folder):
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(("damage", "message"), [
    (truncate, "not what was written"), (flip_a_bit, "not what was written"), (remove_weights, "is missing"),
    (empty_manifest, "is not valid JSON"), (make_foreign, "looks like a Hugging Face directory; convert it first"),
])
def test_damage_is_noticed(checkpoint, damage, message):
    damage(checkpoint)
    refused(message, load_model, checkpoint)


def test_records_are_no_checkpoint_and_a_checkpoint_is_no_records(checkpoint, tmp_path):
    """Such as when the two arguments are in each other's place; neither is damaged."""
    refused("is a checkpoint directory; expected a folder of records", load_manifest, checkpoint)
    write_json(tmp_path / "records/manifest.json", {"format": 1, "files": {}, "columns": {}})
    refused("no manifest.json; expected a checkpoint directory .*, or the folder of a run", load_model, tmp_path.parent)
    with pytest.raises(UserError, match="teacher .*records is a folder of records; expected a checkpoint directory"):
        load_model(tmp_path / "records", "teacher")


@pytest.mark.parametrize(("place", "message"), [
    ("", "checkpoint is empty"), ("nowhere", "does not exist"), ("file.ckpt", "convert it first"),
    ("folder", "no manifest"), (".", "no manifest"),
])
def test_wrong_places(tmp_path, monkeypatch, place, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.ckpt").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    refused(message, load_model, place)


def test_loading_is_strict():
    model = build_model(CONFIG)
    before = parameters_of(model)
    missing = {name: value for name, value in before.items() if "pooler" not in name}
    refused("2 missing: encoder.pooler.bias", load_parameters, model, missing)
    refused("1 not in the model: extra", load_parameters, model, {**before, "extra": np.zeros(2)})
    with pytest.raises(UserError, match="missing"):  # a common prefix is not stripped
        load_parameters(model, {f"student.{name}": value for name, value in before.items()})
    with pytest.raises(UserError, match=r"head.classifier.bias has shape \(3,\); the model needs \(2,\)"):
        load_parameters(model, {**before, "encoder.pooler.bias": before["encoder.pooler.bias"] + 1,
                                "head.classifier.bias": np.zeros(3, np.float32)})
    assert all(np.array_equal(before[name], value) for name, value in parameters_of(model).items())


def test_a_head_is_not_loaded_with_the_encoder(tmp_path):
    stored = {name: value + 1 for name, value in parameters_of(build_model(CONFIG)).items()}
    found = parameters_of(cell_on_encoder_of(LoadedModel(tmp_path, CONFIG, stored, None), CONFIG, CPU))
    same = {name for name, value in found.items() if np.array_equal(value, stored[name])}
    assert same == {name for name in stored if name.startswith("encoder.")}


def test_an_interrupted_write_leaves_the_old_one(checkpoint, monkeypatch):
    before = (checkpoint / "model.safetensors").read_bytes()
    import src.checkpoints.checkpoint as module
    monkeypatch.setattr(module, "write_json", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        save_model(checkpoint, CONFIG, {"a": np.zeros(3, np.float32)})
    monkeypatch.undo()
    assert (checkpoint / "model.safetensors").read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir() if path.name.startswith(".")] == []
    assert load_model(checkpoint).config == CONFIG
