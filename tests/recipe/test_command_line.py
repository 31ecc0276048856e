# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a user sees when something is wrong: one line, status 2, no traceback, nothing half-written."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys

import pytest

from tests.refusals import refused
from tests.tiny import RUN_OPTIONS, STUDENT_OPTIONS

pytestmark = pytest.mark.large


def call(repository, *words):
    return subprocess.run([sys.executable, *map(str, words)], cwd=repository, capture_output=True, text=True,
                          timeout=300)


def complaint(result) -> str:
    """The last line of standard error; there is no traceback."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def general(world, run):
    return ("run_general_distill.py", "--load_teacher_ckpt_path", world / "pretrained", "--data_dir",
            world / "records/corpus", "--save_ckpt_path", run, "--batch_size", "8", "--train_steps", "2",
            *STUDENT_OPTIONS, *RUN_OPTIONS)


@pytest.mark.parametrize(("words", "message"), [
    (("run_finetune.py", "--bach_size", "3"), "did you mean 'batch_size'"),
    (("prepare_data.py",), "corpus"),
])
def test_one_line_and_status_2(repository, words, message):
    assert message in complaint(call(repository, *words))


@pytest.mark.parametrize(("entry", "words", "message"), [
    ("run_task_distill", ("--load_teacher_ckpt_path", "/does/not/exist"), "does not exist"),
    ("run_general_distill", ("--seeds", "1,2"), "is for fine-tuning and task distillation, whose metrics"),
    ("eval", (), "checkpoint is empty"),
    ("eval", ("--predictions_path", "configs"), "predictions_path configs is a folder; give the name of a file"),
    ("export", ("--checkpoint", "/does/not/exist", "--output", "x"), "does not exist"),
    ("convert_checkpoint", ("--from", "hf", "--to", "tf", "a", "b"), "convert in two steps"),
])
def test_refused_by_the_entry_points(repository, monkeypatch, entry, words, message):
    monkeypatch.chdir(repository)
    refused(message, importlib.import_module(entry).main, list(words))


@pytest.mark.parametrize("entry", ["run_finetune", "run_general_distill", "run_task_distill", "run_compress", "eval",
                                   "export"])
def test_help(entry, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(entry).main(["--help"])
    assert not ended.value.code
    assert "--seq_length" in capsys.readouterr().out


def test_damaged_records(repository, world, tmp_path):
    records = tmp_path / "corpus"
    shutil.copytree(world / "records/corpus", records)
    path = next(records.glob("*.tfrecord"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    words = [str(word) for word in general(world, tmp_path / "run")]
    words[words.index("--data_dir") + 1] = str(records)
    assert path.name in complaint(call(repository, *words))
    assert not (tmp_path / "run/model").exists()


def test_a_full_disk_leaves_nothing_half_written(repository, world, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        message = complaint(call(repository, *general(world, small / "run")))
        assert "No space left" in message
        assert list((small / "run").glob("**/*.partial")) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(repository, world, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "Permission denied" in complaint(call(repository, *general(world, tmp_path / "closed/run")))


def test_a_signal_leaves_a_checkpoint(repository, world, tmp_path):
    """SIGTERM; of Ctrl-C see test_crashes.py."""
    words = [str(word) for word in general(world, tmp_path / "run")]
    words[words.index("--train_steps") + 1] = "100000"
    words += ["--epoch_size", "100000"]
    with subprocess.Popen([sys.executable, *words], cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        for line in process.stdout:
            if "step: 5/" in line:
                process.terminate()
                break
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors
    assert "run the same command again to continue" in errors
    assert "Traceback" not in errors
    assert int((tmp_path / "run/checkpoints/latest").read_text().split("-")[1]) >= 5
