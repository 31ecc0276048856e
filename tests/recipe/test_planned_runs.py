# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""`--dry_run` of the entry points: it checks what the run checks, says what the run would do, and writes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import run_finetune
import run_general_distill
import run_task_distill
from src.checkpoints.checkpoint import load_model
from src.common.errors import UserError, one_line
from tests.tiny import ONE_LAYER, RUN_OPTIONS, STUDENT_OPTIONS, killed_after, save_random

pytestmark = pytest.mark.medium

ASCEND = ("--distribute", "true", "--device_num", "8", "--device_target", "Ascend", "--data_sink_steps", "100")
ENTRIES: dict[str, tuple[Callable[[list[str]], None], tuple[str, ...]]] = {
    "layers": (run_general_distill.main, (
        "--load_teacher_ckpt_path", "W/pretrained", "--data_dir", "W/records/corpus", *STUDENT_OPTIONS)),
    "task": (run_task_distill.main, (
        "--load_teacher_ckpt_path", "W/teacher", "--data_dir", "W/records/task", "--task_name", "SST-2",
        "--eval_interval", "2", *STUDENT_OPTIONS)),
    "files": (run_finetune.main, ("--load_ckpt_path", "W/pretrained", "--data_dir", "W/tsv", "--task_name", "SST-2",
                                  "--seq_length", "16")),
    "mlm": (run_finetune.main, ("--task", "mlm", "--load_ckpt_path", "W/pretrained", "--train_file", "W/corpus.txt",
                                "--line_by_line", "--max_seq_length", "16")),
}


def arguments(name: str, world: Path, run: Path, *options: str) -> list[str]:
    given = (option.replace("W/", f"{world}/") for option in ENTRIES[name][1])
    return [*RUN_OPTIONS, *given, "--save_ckpt_path", str(run), "--batch_size", "4", "--epoch_size", "2", *options]


def files_below(*folders: Path) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*")}


def block(printed: str, stage: str) -> dict[str, str]:
    """The lines of a summary by their name."""
    lines = printed.partition(f"{stage}:\n")[2].splitlines()
    indented = lines[:next((n for n, line in enumerate(lines) if not line.startswith("  ")), len(lines))]
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in indented}


@pytest.mark.parametrize(("name", "stages"), [
    ("layers", ["general_distill"]), ("task", ["task_distill_phase1", "task_distill_phase2"]),
    ("files", ["finetune"]), ("mlm", ["mlm"]),
])
@pytest.mark.parametrize("devices", [(), ASCEND], ids=["CPU", "8 Ascend"])
def test_says_what_the_run_would_do(name: str, stages: list[str], devices: tuple[str, ...], world: Path,
                                    run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files_below(world, run_folder.parent)
    ENTRIES[name][0](arguments(name, world, run_folder, *devices, "--dry_run"))
    assert files_below(world, run_folder.parent) == before
    printed = capsys.readouterr().out
    for stage in stages:
        said = block(printed, stage)
        assert len(said) == 15 and str(run_folder / "model") in printed
        if devices:
            assert said["batch"] == "32 rows a step = 4 x 8 Ascend devices x 1 accumulated"
            assert said["precision"].startswith("float16") and " micro-steps a call" in said["precision"]
            assert said["lengths"] == "all padded to 16" and "FLOP a device; --tflops N" in said["time"]
        else:
            assert said["batch"] == "4 rows a step = 4 x 1 CPU device x 1 accumulated"
            assert said["precision"] == "float32" and said["lengths"].startswith("padded to 8 (")
            assert " s a step (measured just now: " in said["time"]


def test_the_run_says_the_same_and_how_far_it_is(world: Path, run_folder: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    argv = arguments("layers", world, run_folder, *ONE_LAYER, "--train_steps", "3", "--save_checkpoint_step", "1")
    run_general_distill.main([*argv, "--dry_run"])
    planned = block(capsys.readouterr().out, "general_distill")
    measured = {name: planned.pop(name) for name in ("time", "memory", "disk")}
    assert set(measured) == {"time", "memory", "disk"}
    with killed_after(2):
        run_general_distill.main(argv)
    printed = capsys.readouterr().out
    said = block(printed, "general_distill")
    assert {name: said[name] for name in planned} == planned and set(said) - set(planned) == {"memory", "disk"}
    assert printed.index("general_distill:\n") < printed.index("general_distill epoch: 1, step: 1/3")
    run_general_distill.main([*argv, "--dry_run"])
    continued = block(capsys.readouterr().out, "general_distill")
    assert continued["steps"].endswith("; 2 of them are done") or continued["steps"].endswith("; 1 of them are done")
    assert "s a step so far" in continued["stop"]
    run_general_distill.main(argv)
    assert block(capsys.readouterr().out, "general_distill")["steps"] == continued["steps"]
    run_general_distill.main([*argv, "--dry_run"])
    assert "all are done" in block(capsys.readouterr().out, "general_distill")["steps"]


def broken(name: str, world: Path, folder: Path) -> tuple[str, ...]:
    """Options that a run cannot be started with."""
    corpus = shutil.copytree(world / "records/corpus", folder / "corpus")
    schema = folder / "schema.json"
    record = next(corpus.glob("*.tfrecord"))
    if name == "truncated records":
        record.write_bytes(record.read_bytes()[:-9])
    described = json.loads((corpus / "schema.json").read_text())
    described["columns"]["input_ids"]["shape"] = [99]
    schema.write_text(json.dumps(described))
    (folder / "file").touch()
    return {"missing records": ("--data_dir", str(folder / "none")),
            "truncated records": ("--data_dir", str(corpus)),
            "another schema": ("--schema_dir", str(schema)),
            "missing teacher": ("--load_teacher_ckpt_path", str(folder / "teacher")),
            "other vocabulary": ("--student.vocab_size", "11"),
            "other heads": ("--student.num_attention_heads", "2"),
            "large batch": ("--batch_size", "4000"),
            "a file as folder": ("--save_ckpt_path", str(folder / "file"))}[name]


@pytest.mark.parametrize("name", ["missing records", "truncated records", "another schema", "missing teacher",
                                  "other vocabulary", "other heads", "large batch", "a file as folder"])
def test_refuses_what_the_run_refuses(name: str, world: Path, tmp_path: Path) -> None:
    argv = arguments("layers", world, tmp_path / "run", *broken(name, world, tmp_path))
    messages = []
    for options in ((), ("--dry_run",)):
        with pytest.raises(UserError) as raised:
            run_general_distill.main([*argv, *options])
        messages.append(one_line(raised.value))
    assert messages[0] == messages[1] and not (tmp_path / "run").exists()


def test_rows_are_counted_for_all_devices(world: Path, run_folder: Path) -> None:
    with pytest.raises(UserError, match="fewer than the 32000 of an optimiser step, 1 times one batch of 4000 x 8 dev"):
        run_general_distill.main(arguments("layers", world, run_folder, *ASCEND, "--dry_run", "--batch_size", "4000"))


@pytest.mark.parametrize("name", ["task", "mlm"])
def test_is_for_training(name: str, world: Path, run_folder: Path) -> None:
    if name == "task":
        shutil.copytree(world / "teacher", run_folder / "model")
    with pytest.raises(UserError, match="dry_run is for training, and do_train is false"):
        ENTRIES[name][0](arguments(name, world, run_folder, "--dry_run", "--do_train", "false"))


def test_a_table_may_have_more_rows_than_there_are_tokens(world: Path, run_folder: Path, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    """ModernBERT's teachers have: a new student of theirs, and what phase 2 begins from, read the same records."""
    teacher = load_model(world / "teacher")
    encoder = replace(teacher.config.encoder, vocab_size=teacher.config.encoder.vocab_size + 7)
    save_random(tmp_path / "large", replace(teacher.config, encoder=encoder), teacher.tokenizer_path)
    run_task_distill.main(arguments("task", world, run_folder, "--load_teacher_ckpt_path", str(tmp_path / "large"),
                                    "--student.vocab_size", "teacher", "--dry_run"))
    assert "task_distill_phase2:" in capsys.readouterr().out
