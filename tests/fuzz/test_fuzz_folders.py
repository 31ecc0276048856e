# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of the folders that stages hand on: checkpoints, Hugging Face models, records, stored logits."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.checkpoints.checkpoint import TrainingState, save_model
from src.checkpoints.store import CheckpointStore
from src.common.errors import UserError
from src.common.files import sha256_of
from src.common.typed import build
from src.convert import formats
from src.convert.huggingface import read_directory
from src.convert.options import ReadOptions
from src.convert.tensors import read_torch
from src.evaluate.teacher_logits import DESCRIPTION, VALUES
from src.evaluate.teacher_logits import _load as load_logits
from src.models.heads import build_model
from src.records.columns import check_columns, read_schema
from src.records.manifest import load_manifest, verify
from src.records.prepare import CorpusOptions, TaskOptions, prepare_task, prepare_texts
from src.records.reading import inspect
from src.report.runs import count_parameters
from src.tasks import get_task
from src.text.tokenization import load_tokenizer
from src.train.stage import Progress
from tests.fuzz.mutations import accepts, as_json, change_value, files, fuzz, seeds
from tests.tiny import HEAD, STUDENT, ModelConfig, parameters_of, write_sst2, write_vocabulary

pytestmark = pytest.mark.medium


def write(file: Path, begin: bytes, rest: int) -> None:
    file.unlink()  # a link to the valid one
    file.write_bytes(begin)
    os.truncate(file, len(begin) + rest)


BEGIN = 1 << 16
"""So much of a file is changed. What follows, 50 MB of pages in a MindRecord file, becomes a hole, or is cut off."""


def changed_files(folder: Path, names: list[str]) -> st.SearchStrategy[tuple[str, bytes, int]]:
    """One of the files of a folder, its beginning changed, and the size of the rest; the values of JSON and of the
    header of safetensors and MindRecord too."""
    choices = []
    for name in names:
        content = (folder / name).read_bytes()
        begin, rest = content[:BEGIN], len(content[BEGIN:])
        made = [files(begin)]
        if name.endswith(".json"):
            value = json.loads(content)
            made.append(st.builds(lambda seed, count, value=value: as_json(change_value(value, seed, count)), seeds(),
                                  st.integers(1, 3)))
        if name.endswith((".safetensors", ".mindrecord")):
            made.append(st.builds(lambda seed, count, old=begin: with_changed_header(old, seed, count), seeds(),
                                  st.integers(1, 3)))
        choices.append(st.tuples(st.just(name), st.one_of(made), st.sampled_from((rest, 0))))
    return st.one_of(choices)


def with_changed_header(content: bytes, seed: int, count: int) -> bytes:
    """A file of safetensors or MindRecord: a length of eight bytes, a header in JSON, and more."""
    length = int.from_bytes(content[:8], "little")
    header = as_json(change_value(json.loads(content[8:8 + length]), seed, count))
    return len(header).to_bytes(8, "little") + header + content[8 + length:]


def check_folder(folder: Path, names: list[str], use: Callable[[], Any], few: int, sign: bool = False) -> None:
    """Fuzz one file of a folder at a time; with `sign` its manifest.json is made to fit, so that readers get to it."""
    valid = folder.with_name(f"{folder.name}.valid")
    shutil.copytree(folder, valid, copy_function=os.link)
    manifest = (folder / "manifest.json").read_bytes() if sign else b""

    @fuzz(few)
    @given(change=changed_files(folder, names))
    def check(change: tuple[str, bytes, int]) -> None:
        name, content, rest = change
        write(folder / name, content, rest)
        if sign:
            values = json.loads(manifest)
            values["files"][name] = sha256_of(folder / name)
            (folder / "manifest.json").write_bytes(as_json(values))
        try:
            accepts(use)
        finally:
            (folder / name).unlink()
            os.link(valid / name, folder / name)
            if sign:
                (folder / "manifest.json").write_bytes(manifest)

    assert accepts(use)
    try:
        check()
    finally:
        shutil.rmtree(valid)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A resumable checkpoint of a tiny model."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints" / "step-00000003"
    config = ModelConfig(STUDENT, HEAD, "SST-2")
    write_vocabulary(folder.parent.parent / "vocab")
    state = TrainingState({"moment": np.zeros((2, 3), np.float32), "scale": np.ones(1, np.float32)},
                          asdict(Progress(3, 0.5, 1.5, 0, {"accuracy": 0.5}, 3)))
    save_model(folder, config, parameters_of(build_model(config)), folder.parent.parent / "vocab", state)
    (folder.parent / "latest").write_text(folder.name + "\n")
    return folder


def resume(run: Path) -> None:
    """What continuing a run and measuring its model read."""
    saved = CheckpointStore(run, 1).load()
    if saved is None:
        raise UserError("no checkpoint")
    model, state = saved
    assert model.vocab_hash is None or model.vocab_hash
    count_parameters(model.directory)
    build(Progress, state.values, "", "state.json")


def test_checkpoint(checkpoint: Path) -> None:
    names = ["config.json", "model.safetensors", "vocab.txt", "training/state.json", "training/state.safetensors"]
    check_folder(checkpoint, names, lambda: resume(checkpoint.parent.parent), 60, sign=True)


def test_checkpoint_that_was_damaged(checkpoint: Path) -> None:
    run = checkpoint.parent.parent
    check_folder(run, ["checkpoints/latest", f"checkpoints/{checkpoint.name}/manifest.json",
                       f"checkpoints/{checkpoint.name}/config.json"], lambda: resume(run), 40)


def test_huggingface_folder(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    formats.convert("mindspore", "hf", str(checkpoint), folder)

    def convert() -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        formats.convert("hf", "mindspore", str(folder), tmp_path / "out")

    check_folder(folder, ["config.json", "model.safetensors", "tokenizer_config.json"], convert, 40)


def test_sharded_huggingface_folder(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    formats.convert("mindspore", "hf", str(checkpoint), folder)
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    length = int.from_bytes((folder / "a.safetensors").read_bytes()[:8], "little")
    header = json.loads((folder / "a.safetensors").read_bytes()[8:8 + length])
    index = {"weight_map": {name: "a.safetensors" for name in header if name != "__metadata__"}}
    (folder / "model.safetensors.index.json").write_bytes(as_json(index))
    check_folder(folder, ["model.safetensors.index.json"], lambda: read_directory(folder, ReadOptions()), 20)


def test_pytorch_file(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for name, is_zip in (("new.bin", True), ("old.bin", False)):
        torch.save({"a": torch.ones(2, 3), "b": torch.zeros(2, dtype=torch.bfloat16)}, tmp_path / name,
                   _use_new_zipfile_serialization=is_zip)
        check_folder(tmp_path, [name], lambda name=name: read_torch(tmp_path / name), 20)


# Records


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """task/train: TFRecord; corpus: MindRecord."""
    folder = tmp_path_factory.mktemp("records")
    tokenizer = load_tokenizer(write_vocabulary(folder / "vocab"))
    write_sst2(folder / "tsv", {"train": 6})
    prepare_task(get_task("SST-2"), folder / "tsv", tokenizer, folder / "task", TaskOptions(seq_length=16))
    (folder / "corpus.txt").write_text("w1 w2 good\nw3 bad\n" * 5)
    prepare_texts([folder / "corpus.txt"], tokenizer, folder / "corpus",
                  CorpusOptions(seq_length=16, dataset_type="mindrecord"))
    return folder


def read_records(folder: Path, dataset_type: str, kind: str) -> None:
    manifest = load_manifest(folder)
    if manifest:
        verify(folder, manifest)
        check_columns(manifest.column_table(), kind, str(folder))
    check_columns(read_schema(folder)[0], kind, str(folder))
    inspect(folder, dataset_type, kind=kind)


def test_records_with_a_manifest(records: Path) -> None:
    check_folder(records / "task/train", ["schema.json", "manifest.json"],
                 lambda: read_records(records / "task/train", "tfrecord", "task"), 60)


@pytest.mark.parametrize(("kind", "dataset_type"), [("task", "tfrecord"), ("corpus", "mindrecord")])
def test_records_of_other_programs(kind: str, dataset_type: str, records: Path, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    shutil.copytree(records / kind / "train" if kind == "task" else records / kind, folder)
    (folder / "manifest.json").unlink()
    names = sorted(path.name for path in folder.iterdir() if dataset_type in path.name)
    check_folder(folder, [*names, "schema.json"], lambda: read_records(folder, dataset_type, kind), 40)


def test_stored_logits(tmp_path: Path) -> None:
    np.save(tmp_path / VALUES, np.ones((3, 2), np.float32))
    description = {"shape": [3, 2], "teacher": "x"}
    size = (tmp_path / VALUES).stat().st_size
    (tmp_path / DESCRIPTION).write_bytes(as_json({**description, "bytes": size}))
    check_folder(tmp_path, [VALUES, DESCRIPTION], lambda: load_logits(tmp_path, description, contents=False), 30)
