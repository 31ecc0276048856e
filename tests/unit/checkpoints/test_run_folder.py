# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: killed while it starts over, locked, on a disk that is full; its metrics."""

from __future__ import annotations

import errno
import json
import os
from contextlib import nullcontext
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import src.checkpoints.checkpoint as checkpoint
import src.checkpoints.run_folder as run_folder
import src.common.files
from src.checkpoints.checkpoint import TrainingState, is_whole, save_model
from src.checkpoints.run_folder import RunFolder, check_run_folder
from src.common.errors import UserError
from src.common.files import clear_leftovers, write_text
from src.config import ModelConfig, load_config
from src.train.metrics_log import MetricsLog
from tests.killing import killed_at_each_instant, names_aside
from tests.tiny import HEAD, STUDENT

pytestmark = pytest.mark.small
CONFIG = ModelConfig(STUDENT, HEAD, "SST-2")
OURS, THEIRS = {"data": "ours"}, {"data": "theirs"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(checkpoint, "check_sizes", lambda *_: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(run_folder, "dump_yaml", lambda _: "seed: 1\n")


@cache
def settings():
    return load_config()


def folder(path, inputs, resume: bool = True, **options) -> RunFolder:
    config = settings()
    config = replace(config, checkpoint=replace(config.checkpoint, resume=resume))
    return RunFolder(path, config, ("seed",), inputs, **options)


def trained(path, inputs) -> RunFolder:
    """A run with a checkpoint, a model and a line of metrics."""
    run, weights = folder(path, inputs), {"weights": np.zeros(4, np.float32)}
    with run.open():
        run.metrics.write_text("{}\n")
        run.store.save(3, lambda directory: save_model(directory, CONFIG, weights, training=TrainingState({}, {})))
        save_model(run.model, CONFIG, weights)
    return run


def test_a_run_is_continued_and_another_one_is_refused(tmp_path):
    trained(tmp_path / "run", THEIRS)
    run = folder(tmp_path / "run", THEIRS)
    with run.open():
        assert run.store.load()[0].directory.name == "step-00000003"
        assert run.metrics.exists()
    with pytest.raises(UserError, match="data: 'theirs' there, 'ours' here"):
        folder(tmp_path / "run", OURS)
    run = folder(tmp_path / "run", OURS, resume=False)
    assert run.metrics.exists()  # nothing is changed before it is opened
    with run.open():
        assert run.store.load() is None
        assert not run.metrics.exists()
        assert not run.model.exists()


@pytest.mark.medium
def test_killed_at_every_instant_of_starting_over(tmp_path):
    """What is left is the old run, whole, or nothing of it: never its checkpoints under another run's name."""
    trained(tmp_path / "base", THEIRS)

    def start_over(path):
        with folder(path, OURS, resume=False).open():
            pass

    outcomes = []
    for number, path in killed_at_each_instant(tmp_path / "base", tmp_path / "copies", start_over):
        try:
            run = folder(path, OURS)
        except UserError:
            run = folder(path, THEIRS)
            with run.open():
                assert run.store.load() is not None, number
            assert is_whole(run.model)
            outcomes.append("theirs")
        else:
            with run.open():
                assert run.store.load() is None, number
            assert not run.model.exists()
            outcomes.append("ours")
        assert names_aside(path) == [], number
    assert outcomes == sorted(outcomes, reverse=True)
    assert set(outcomes) == {"theirs", "ours"}


def test_starting_over_forgets_the_runs_that_build_on_it(tmp_path):
    trained(tmp_path / "phase2", THEIRS)
    with folder(tmp_path / "phase1", OURS, depending=(tmp_path / "phase2",)).open():
        assert not (tmp_path / "phase2/run.json").exists()
    trained(tmp_path / "phase2", THEIRS)
    trained(tmp_path / "phase1", OURS)
    with folder(tmp_path / "phase1", OURS, depending=(tmp_path / "phase2",)).open():
        assert (tmp_path / "phase2/run.json").exists()  # continued, not started over


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("read", [".", "model", "checkpoints/step-00000002"])
def test_results_do_not_replace_what_is_read(tmp_path, read, resume):
    """Such as a student that is told to go where its teacher lies; `--resume false` does not allow it either."""
    teacher = tmp_path / "teacher" / read
    teacher.mkdir(parents=True)
    (tmp_path / "teacher/run.json").write_text("{}")
    (tmp_path / "other").symlink_to(tmp_path / "teacher")
    for place in ("teacher", "other"):
        with pytest.raises(UserError, match=f"{place} is where load_teacher_ckpt_path .* lies, which the results"):
            check_run_folder(tmp_path / place, resume, {"load_ckpt_path": None, "load_teacher_ckpt_path": teacher})
    check_run_folder(tmp_path / "student", resume, {"load_teacher_ckpt_path": teacher})


def test_the_student_of_phase_1_may_be_of_the_same_run(tmp_path):
    student = tmp_path / "phase1/model"
    student.mkdir(parents=True)
    (tmp_path / "phase1/run.json").write_text("{}")
    (tmp_path / "model").mkdir()
    check_run_folder(tmp_path, True, {"the student of phase 1": student},
                     ("phase1/run.json", "phase2/run.json"), ("model",))


@pytest.mark.parametrize("name", ["model", "checkpoints", "tensorboard", "config.yaml", "metrics.jsonl"])
def test_what_no_run_of_the_command_has_made_is_kept(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"holds {name}, which no run of this command has made; .*--resume false"):
        check_run_folder(tmp_path, True, {})
    check_run_folder(tmp_path, False, {})
    (tmp_path / "run.json").write_text("{}")
    check_run_folder(tmp_path, True, {})
    with pytest.raises(UserError, match="holds model") if name == "model" else nullcontext():
        check_run_folder(tmp_path, True, {}, ("phase1/run.json", "phase2/run.json"), ("model",))


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with folder(tmp_path / "run", OURS).open(), pytest.raises(UserError, match="another process is training in"):
        with folder(tmp_path / "run", OURS).open():
            pass
    with folder(tmp_path / "run", OURS).open():
        assert names_aside(tmp_path) == []


def test_other_processes_of_a_run_leave_the_folder_alone(tmp_path):
    with folder(tmp_path / "run", OURS, writer=False).open():
        assert not (tmp_path / "run").exists()


def test_a_run_without_a_checkpoint_keeps_no_settings(tmp_path):
    """Such as one whose first checkpoint found the disk full: other settings may follow."""
    with folder(tmp_path / "run", THEIRS).open():
        pass
    with folder(tmp_path / "run", OURS).open():
        assert json.loads((tmp_path / "run/run.json").read_text())["inputs"] == OURS


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number), "run.json")

    monkeypatch.setattr(src.common.files.os, "replace", fail)
    with pytest.raises(UserError, match=f"cannot write run.json: {os.strerror(number)}; .*--save_ckpt_path"):
        with folder(tmp_path / "run", OURS).open():
            pass
    assert names_aside(tmp_path) == []


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="run is a file; give a folder"):
        with folder(tmp_path / "run", OURS).open():
            pass


def test_text_is_the_old_or_the_new_at_every_instant(tmp_path):
    (tmp_path / "base").mkdir()
    write_text(tmp_path / "base/run.json", "old")
    found = []
    for _, path in killed_at_each_instant(tmp_path / "base", tmp_path / "copies", lambda path: [
            write_text(path / "run.json", text) for text in ("old", "old", "new")]):
        found.append((path / "run.json").read_text())
        clear_leftovers(path, "run.json")
        assert [entry.name for entry in path.iterdir()] == ["run.json"]
    assert set(found) == {"old", "new"}


def test_metrics_are_cut_to_the_step_that_is_continued(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, None, "phase1", writer=True)
    for step in (1, 2, 3):
        log.write(step, {"loss": float(step)})
    log.write(2, {"rewind": 1})
    log.close()
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"stage": "other", "step": 9}\n{"stage": "phase1", "step": 4, "lo')
    log = MetricsLog(path, None, "phase1", writer=True, step=2, rewinds=0)
    log.write(3, {"loss": 3.5})
    log.sync()
    log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["stage"], line["step"], line.get("loss")) for line in lines] == [
        ("phase1", 1, 1.0), ("phase1", 2, 2.0), ("other", 9, None), ("phase1", 3, 3.5)]
    MetricsLog(path, None, "phase1", writer=False).write(1, {})
    assert len(path.read_text().splitlines()) == 4


def test_tensorboard_gets_each_number(tmp_path):
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    log = MetricsLog(tmp_path / "metrics.jsonl", tmp_path / "tensorboard", "gd", writer=True, step=4)
    log.write(5, {"loss": 0.5, "terms": {"hidden": 0.25}})
    log.close()
    content, events = next((tmp_path / "tensorboard").iterdir()).read_bytes(), []
    while content:
        size = int.from_bytes(content[:8], "little")
        events.append(Event.FromString(content[12:12 + size]))
        content = content[16 + size:]
    values = [event.summary.value[0] for event in events if event.summary.value]
    points = {value.tag: value.simple_value for value in values}
    assert points == {"gd/loss": 0.5, "gd/terms/hidden": 0.25}
    # What an earlier start has shown of later steps is taken back.
    assert [event.step for event in events if event.session_log.status == SessionLog.START] == [5]


def test_a_full_disk_ends_the_log_with_the_systems_error(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path / "metrics.jsonl", None, "gd", writer=True)
    log.write(1, {"loss": 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            log.write(2, {"loss": 2.0})
    log.close()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
