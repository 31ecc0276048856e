# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records of own data: what was understood is printed and stored, one file is divided, and the settings reach it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_vocabulary import write_vocabulary

import prepare_data
from src.checkpoints.checkpoint import load_model
from src.config import DataConfig, ModelConfig, TaskConfig
from src.evaluate.tasks import open_rows
from src.records.manifest import load_manifest
from tests.refusals import refused
from tests.tiny import HEAD, TEACHER, save_random
from tests.tiny import write_vocabulary as write_tiny_vocabulary

ROWS = [f"{number},the {number} good,{('不好', '好')[number % 2]}" for number in range(40)]


def prepare(folder: Path, *options: str) -> None:
    vocabulary = write_vocabulary(folder / "vocab.txt")
    prepare_data.main(["task", "--task_name", "tsv", "--data_dir", str(folder / "data"), "--tokenizer", str(vocabulary),
                       "--output_dir", str(folder / "records"), "--seq_length", "16", "--max_unknown", "1",
                       "--logging.progress", "false", *options])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    text = "\n".join(["编号,正文,类", *ROWS[:20], "20,no label,", *ROWS[20:]]) + "\n"
    (tmp_path / "data/train.csv").write_bytes(text.encode("gb18030"))
    return tmp_path


def test_what_was_understood_is_printed_and_stored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data/other.csv").write_text("x", encoding="utf-8")
    refused("--encoding gb18030", prepare, folder)
    named = ("--encoding", "gb18030", "--label_column", "类")
    refused("train.csv:22: the label is empty", prepare, folder, *named)
    assert not (folder / "records").exists()
    options = (*named, "--bad_rows", "skip", "--dev_share", "0.2", "--seed", "7")
    prepare(folder, *options)
    printed = capsys.readouterr().out
    for line in ("read train.csv (CSV, separated by commas, gb18030): text = 正文, label = 类; not used: 编号",
                 "classes: 不好 16, 好 16", "classes: 不好 4, 好 4", "left out: 1 faulty rows", "other.csv"):
        assert line in printed, printed
    manifests = {split: load_manifest(folder / "records" / split) for split in ("train", "dev")}
    dev = manifests["dev"]
    assert dev and dev.understood["classes"] == {"不好": 4, "好": 4} and dev.labels == ("不好", "好")
    assert (dev.settings["dev_share"], dev.settings["seed"], dev.settings["label_column"]) == (0.2, 7, "类")
    lines = {split: json.loads((folder / "records" / split / "source_lines.json").read_text())["lines"]
             for split in manifests}
    assert sorted(lines["train"] + lines["dev"]) == [line for line in range(2, 43) if line != 22]
    prepare(folder, *options)
    assert "nothing to do\n  read train.csv" in capsys.readouterr().out
    refused("made with seed 7, not 8", prepare, folder, *options[:-1], "8")
    whole = (*named, "--bad_rows", "skip", "--force")
    refused("records/dev holds rows that an earlier call took out of the training rows", prepare, folder, *whole)
    shutil.rmtree(folder / "records/dev")
    prepare(folder, *whole)
    assert not (folder / "records/train/source_lines.json").exists()


def test_manifests_without_it_are_read(folder: Path) -> None:
    (folder / "data/train.csv").write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    prepare(folder)
    file = folder / "records/train/manifest.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    assert not {"encoding", "text_column", "dev_share", "seed"} & set(values["settings"])
    del values["understood"]
    file.write_text(json.dumps(values), encoding="utf-8")
    manifest = load_manifest(file.parent)
    assert manifest and manifest.understood == {}


@pytest.mark.medium
def test_files_are_evaluated_with_the_same_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.csv"
    file.write_text("what,which\n" + "".join(f"good w{n},{n % 2}\n" for n in range(20)), encoding="utf-8")
    loaded = load_model(save_random(tmp_path / "model", ModelConfig(TEACHER, HEAD, "tsv"),
                                    write_tiny_vocabulary(tmp_path / "vocab")), "checkpoint")
    settings = TaskConfig(text_column="what", label_column="which", dev_share=0.2)
    rows = open_rows(str(file), "dev", loaded, DataConfig(seq_length=16), settings, 3)
    assert sum(len(chunk.input_ids) for chunk in rows.chunks()) == 4
    assert "text = what, label = which" in capsys.readouterr().out
