# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Studies: which stages run, are skipped or continue; their commands, logs and signals; what all studies keep to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.distil.run import DISTIL
from experiments.embedding.run import EMBEDDING
from experiments.pipeline import driver
from experiments.pipeline.driver import Study
from experiments.pipeline.stages import REPOSITORY, Stage, scaled
from experiments.quickstart.run import QUICKSTART
from experiments.unlabelled.run import UNLABELLED
from src.common.errors import UserError
from src.common.files import alone, write_text
from src.config import load_config
from tests.refusals import refused


class Fake:
    """Three stages a -> b -> c, each of which writes a file; counts its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []
        self.failing = ""
        (root / "source").mkdir(parents=True)
        (root / "source/manifest.json").write_text("{}")

    def stages(self, setting: int = 1) -> list[Stage]:
        return [
            Stage("a", "A", (("a",),), inputs=(self.root / "source",), outputs=(self.root / "a",)),
            Stage("b", "B", (("b", str(setting)),), outputs=(self.root / "b",), results=(self.root / "b/model",),
                  resumable=True),
            Stage("c", "C", (("c",),), outputs=(self.root / "c",), settings={"x": 1}),
        ]

    def __call__(self, stage: Stage, log: Path) -> None:
        self.ran.append(stage.name)
        write_text(log, "running\n")
        for path in stage.outputs:
            (path / "model").mkdir(parents=True, exist_ok=True)
            if stage.name == self.failing:
                raise SystemExit(7)
            (path / "model/manifest.json").write_text(stage.name)

    def run(self, setting: int = 1) -> list[str]:
        self.ran.clear()
        driver.run_stages(self.stages(setting), self.root / "out")
        return list(self.ran)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    made = Fake(tmp_path)
    monkeypatch.setattr(driver, "run_stage", made)
    return made


def test_finished_stages_are_skipped(fake, capsys):
    assert fake.run() == ["a", "b", "c"]
    assert fake.run() == []
    assert capsys.readouterr().out.count("skipped") == 3


def test_a_changed_command_runs_its_stage_and_those_after_it(fake):
    fake.run()
    assert fake.run(setting=2) == ["b", "c"]
    assert fake.run(setting=2) == []


def test_a_changed_input_runs_everything_that_depends_on_it(fake):
    fake.run()
    (fake.root / "source/manifest.json").write_text('{"other": 1}')
    assert fake.run() == ["a", "b", "c"]


def test_a_result_that_is_gone_is_made_again_with_all_after_it(fake):
    fake.run()
    (fake.root / "b/model/manifest.json").unlink()
    fake.failing = "b"
    with pytest.raises(SystemExit):
        fake.run()
    fake.failing = ""
    # c was not reached in the failed call, and is out of date all the same.
    assert fake.run() == ["b", "c"]


def test_only_a_resumable_stage_with_the_same_key_continues(fake, capsys):
    for failing, setting, continues in (("a", 1, False), ("b", 1, True), ("b", 3, False)):
        fake.failing = failing
        with pytest.raises(SystemExit):
            fake.run()
        (fake.root / failing / "checkpoint").write_text("half way")
        fake.failing = ""
        capsys.readouterr()
        assert fake.run(setting)[0] == failing
        assert ("continues after" in capsys.readouterr().out) == continues
        assert (fake.root / failing / "checkpoint").exists() == continues
        (fake.root / failing / "model/manifest.json").unlink()


def test_a_stage_that_writes_nothing_is_an_error(tmp_path):
    stage = Stage("a", "A", ((sys.executable, "-c", ""),), outputs=(tmp_path / "missing",))
    refused("did not write", driver.run_stages, [stage], tmp_path)


def python_stage(tmp_path: Path, code: str, name: str = "work") -> Stage:
    command = (sys.executable, "-c", textwrap.dedent(code))
    return Stage(name, "Work", (command,), outputs=(tmp_path / name,), resumable=True)


def test_output_is_streamed_and_logged_without_the_states_of_progress_bars(tmp_path, capfdbinary):
    code = r"""
        import sys
        print("first")
        for i in range(50):
            print(f"\rstep {i}", end="", file=sys.stderr)
        print(file=sys.stderr)
        print("\x1b[1mlast", end="")
        """
    driver.run_stage(python_stage(tmp_path, code), tmp_path / "log.txt")
    log = (tmp_path / "log.txt").read_text()
    assert log.splitlines()[0].startswith("$ ") and log.splitlines()[-3:] == ["first", "step 49", "\x1b[1mlast"]
    streamed = capfdbinary.readouterr().out
    assert b"step 0" in streamed and b"step 49" in streamed


def test_failure_keeps_the_status_and_names_the_log(tmp_path, capsys):
    for code, status in (("raise SystemExit(5)", 5), ("import os; os.kill(os.getpid(), 9)", 137)):
        with pytest.raises(SystemExit) as raised:
            driver.run_stage(python_stage(tmp_path, code), tmp_path / "log.txt")
        message = capsys.readouterr().err
        assert raised.value.code == status and "stage work failed" in message and "log.txt" in message


def test_commands_at_once_divide_the_processors(tmp_path, monkeypatch):
    code = "import os; print('threads', os.environ.get('OMP_NUM_THREADS'))"
    commands, log = ((sys.executable, "-c", code),) * 2, tmp_path / "log.txt"

    def threads(given: str, at_once: bool) -> set[str]:
        monkeypatch.setenv("OMP_NUM_THREADS", given) if given else monkeypatch.delenv("OMP_NUM_THREADS", False)
        log.unlink(missing_ok=True)
        driver.run_stage(Stage("work", "Work", commands, at_once=at_once), log)
        return set(re.findall("threads (.+)", log.read_text()))

    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)))
    assert threads("", True) == {"3"} and threads("", False) == {"None"} and threads("5", True) == {"5"}


@pytest.mark.parametrize(("at_once", "status"), [(True, 0), (False, 0), (True, 3), (False, 3)])
def test_commands_at_once_are_shown_and_logged_in_their_order(tmp_path, capfd, at_once, status):
    """The first ends only once the second has begun, which is so where they run at once, or gives up on it."""
    first = f"""
        import pathlib, time
        for _ in range({100 if at_once else 2}):
            if pathlib.Path({str(tmp_path / "begun")!r}).exists():
                break
            time.sleep(0.05)
        else:
            print("alone")
        print("one")
        raise SystemExit({status})
        """
    # Where the first fails, the second is still there: nothing may start in its place.
    second = f"import time; open({str(tmp_path / 'begun')!r}, 'w'); print('two'); time.sleep({1.5 if status else 0})"
    codes = first, second, "print('three')"
    stage = Stage("work", "Work", tuple((sys.executable, "-c", textwrap.dedent(code)) for code in codes),
                  at_once=at_once)
    log = tmp_path / "logs/work.txt"
    if status:
        with pytest.raises(SystemExit) as raised:
            driver.run_stage(stage, log)
        assert raised.value.code == status
    else:
        driver.run_stage(stage, log)
    lines = [line for line in log.read_text().splitlines() if line in ("alone", "one", "two", "three")]
    assert lines == {(True, 0): ["one", "two", "three"], (False, 0): ["alone", "one", "two", "three"],
                     (True, 3): ["one", "two"], (False, 3): ["alone", "one"]}[at_once, status]
    assert capfd.readouterr().out == log.read_text() and [path.name for path in log.parent.iterdir()] == [log.name]


TRAINING = """
    import os, sys, time
    from pathlib import Path
    run = Path({run!r})
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = run / "checkpoint"
    start = int(checkpoint.read_text()) if checkpoint.exists() else 0
    print("starts at", start, flush=True)
    for step in range(start, 40):
        with open(run / "steps", "a") as file:
            file.write(f"{{step}}\\n")
        (run / ".next").write_text(str(step + 1))
        os.replace(run / ".next", checkpoint)
        time.sleep(0.02 if start else 0.1)
    (run / "model").mkdir()
"""

DRIVER = """
    import sys
    sys.path.insert(0, {repository!r})
    from pathlib import Path
    from experiments.pipeline.driver import drive
    from experiments.pipeline.stages import Stage
    from src.common.errors import run

    root = Path({root!r})
    stage = Stage("train", "Train", ((sys.executable, "-c", {code!r}),), outputs=(root / "run",), resumable=True)
    run(lambda argv: drive([stage], root, False))
"""


def start_driver(tmp_path: Path) -> subprocess.Popen:
    code = textwrap.dedent(TRAINING).format(run=str(tmp_path / "run"))
    program = textwrap.dedent(DRIVER).format(repository=str(REPOSITORY), root=str(tmp_path), code=code)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def wait_for_steps(tmp_path: Path, count: int) -> list[str]:
    deadline = time.monotonic() + 20
    steps = tmp_path / "run/steps"
    while time.monotonic() < deadline:
        if steps.exists() and len(found := steps.read_text().splitlines()) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError("the training stage did not start")


@pytest.mark.skipif(sys.platform != "linux", reason="the death of a parent reaches its child on Linux only")
@pytest.mark.medium
def test_killed_quick_start_takes_its_stage_along_and_continues(tmp_path):
    first = start_driver(tmp_path)
    wait_for_steps(tmp_path, 3)
    first.kill()
    first.communicate(timeout=20)
    time.sleep(0.3)
    before = (tmp_path / "run/steps").read_text().splitlines()
    time.sleep(0.5)
    assert (tmp_path / "run/steps").read_text().splitlines() == before, "the stage still runs"
    second = start_driver(tmp_path)
    output, errors = second.communicate(timeout=30)
    assert second.returncode == 0, errors
    steps = [int(step) for step in (tmp_path / "run/steps").read_text().split()]
    assert steps[-1] == 39 and sorted(set(steps)) == list(range(40)) and len(steps) <= 41
    assert "continues after" in output and "starts at 0" not in output
    stamp = json.loads((tmp_path / "stamps/train.json").read_text())
    assert stamp["finished"] and stamp["seconds"] > 0.3
    assert (tmp_path / "logs/train.txt").read_text().count("\nstarts at ") == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_is_passed_on_and_says_how_to_continue(tmp_path, number, status):
    process = start_driver(tmp_path)
    wait_for_steps(tmp_path, 2)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == status
    assert errors.strip().splitlines()[-1].startswith("error: interrupted in stage train; run the same command again")
    assert json.loads((tmp_path / "stamps/train.json").read_text())["finished"] is False


def test_two_quick_starts_do_not_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with alone(tmp_path, tmp_path, "folder"), pytest.raises(UserError, match="another process is writing"):
        driver.drive([], tmp_path, fresh=False)


def test_fresh_keeps_the_downloads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("download", "finetune"):
        (tmp_path / name).mkdir()
    driver.drive([], tmp_path, fresh=True)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [".lock", "download"]


@pytest.fixture(params=[QUICKSTART, DISTIL, EMBEDDING, UNLABELLED], ids=lambda study: study.script)
def study(request):
    return request.param


@pytest.fixture
def stages(study: Study) -> Callable[[float], list[Stage]]:
    """The stages of a study by the share of its training steps."""
    config = load_config(REPOSITORY / study.recipe)
    return lambda share: study.stages(config, share, "CPU")


def test_minutes_scale_the_training_steps_and_nothing_else(study, stages):
    trainings = {"quickstart": ["finetune", "general_distill", "task_distill"],
                 "run_standalone_distil": ["head", "teacher", "distil", "masked_lm_alone"],
                 "run_standalone_embedding": ["students"],
                 "run_standalone_unlabelled": ["general_distill", "teachers", "students"]}
    assert [a.name for a, b in zip(stages(1.0), stages(0.5), strict=True) if a != b] == trainings[study.script]
    first = next(stage for stage in stages(1.0)
                 if stage.name in ("finetune", "teacher", "students", "teachers")).commands[0]
    config = load_config(REPOSITORY / study.recipe)
    section = {"run_standalone_distil": config.mlm, "run_standalone_embedding": config.general_distill}.get(
        study.script, config.finetune)
    assert first[first.index("--train_steps") + 1] == str(section.train_steps)
    assert scaled(3, 0.001) == 1


def test_everything_is_written_below_the_output_folder(study, stages):
    for stage in stages(1.0):
        assert stage.outputs and all(path.is_relative_to(study.output) for path in stage.outputs)
        assert all(any(path.is_relative_to(output) for output in stage.outputs) for path in stage.results)


@pytest.mark.parametrize("minutes", ["0", "-3", "nan"])
def test_minutes_must_be_positive(study, minutes):
    refused("--minutes", study.run, ["--minutes", minutes])


def test_the_drivers_import_no_framework():
    code = ("import sys; import experiments.quickstart.run, experiments.distil.run, experiments.results.run, "
            "experiments.results.page, experiments.embedding.run, experiments.unlabelled.run; "
            "print(*(name for name in ('mindspore', 'tensorflow', 'sklearn', 'matplotlib') if name in sys.modules))")
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
