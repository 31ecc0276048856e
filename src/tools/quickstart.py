# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The quick start: from a pretrained teacher to an exported, measured student.

    bash scripts/quickstart.sh [--minutes N] [--fresh] [--device_target CPU]

Each stage is one or more commands of this repository, printed before it runs, in a process of its own; what it prints
is passed through and kept in output/quickstart/logs/STAGE.txt. This module only decides which stages have to run:

* a finished stage has a stamp with the hash of its commands, settings and inputs; when all of these are as they were,
  and its results are still there, the stage is skipped. A change runs that stage and all stages after it again;
* an interrupted training stage is called again with the same folder and continues from its last checkpoint.

Neither MindSpore nor TensorFlow is imported here, so that a run with nothing to do ends at once.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import pty
import selectors
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from src.config import Config, load_config
from src.errors import UserError, fail, run
from src.typed import to_plain
from src.untrusted import parse_json

REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUT = Path("output/quickstart")
RECIPE = Path("configs/quickstart.yaml")
DEFAULT_MINUTES = 7.0  # what training with the recipe's train_steps takes on two slow cores
GRACE_SECONDS = 60.0  # how long an interrupted stage may take to leave
CONTINUE = "run the same command again to continue"


# --- what a stage is --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """One step of the quick start.

    Attributes:
        name: name of its log and stamp, and its key under `seconds` in results.json.
        title: what it does, for the console.
        commands: command lines, run one after the other; the first that fails ends the stage.
        inputs: files and folders that it reads (apart from the results of earlier stages, which are covered by these
            stages' own stamps).
        outputs: files and folders that it makes. They are removed before it starts from the beginning.
        results: those outputs (or parts of them) that later stages read; a finished stage runs again when one of them
            is gone or changed. Empty: all outputs.
        resumable: whether its commands, called again, continue what an interrupted call left in `outputs`.
        settings: further values that it depends on.
    """

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    inputs: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()
    resumable: bool = False
    settings: Any = None


def digest(path: Path) -> str:
    """Return a hash that changes when a file or folder does, without reading large files.

    A folder that has a manifest.json (records, checkpoints: it holds the sha256 of every file) is represented by it,
    together with the names and sizes of all files; a folder without one by names and sizes; a file below 16 MB by its
    content, a larger one by its size. A path that does not exist has the hash "missing".
    """
    if path.is_file():
        return _file_digest(path)
    if not path.is_dir():
        return "missing"
    entries = []
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        entry = [file.relative_to(path).as_posix(), file.stat().st_size]
        entries.append([*entry, _file_digest(file)] if file.name == "manifest.json" else entry)
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    size = path.stat().st_size
    content = path.read_bytes() if size < 1 << 24 else str(size).encode()
    return hashlib.sha256(content).hexdigest()


# --- which stages have to run -----------------------------------------------------------------------------------------


class Ledger:
    """The stamps of a run: one JSON file a stage under `directory`.

    {"key", "finished": bool, "started": s since 1970, "seconds": float, "commands": [str], "results": {path: digest}}.
    A stamp with `finished` false is written before the stage starts; it tells the next run what was interrupted.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _path(self, stage: Stage) -> Path:
        return self.directory / f"{stage.name}.json"

    def read(self, stage: Stage) -> dict[str, Any]:
        """Return the stage's stamp, or an empty one; an unreadable stamp (a crash of the machine) counts as none."""
        try:
            stamp = parse_json(self._path(stage).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write(self, stage: Stage, stamp: dict[str, Any]) -> None:
        """Replace the stage's stamp."""
        self.directory.mkdir(parents=True, exist_ok=True)
        aside = self._path(stage).with_suffix(".part")
        aside.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
        os.replace(aside, self._path(stage))

    def forget(self, stage: Stage) -> None:
        """Remove the stage's stamp."""
        self._path(stage).unlink(missing_ok=True)

    @staticmethod
    def results(stage: Stage) -> dict[str, str]:
        """Return the digests of the stage's results."""
        return {str(path): digest(path) for path in stage.results or stage.outputs}

    def finished(self, stage: Stage, key: str) -> bool:
        """Tell whether the stage is done with this key and its results are as it left them."""
        stamp = self.read(stage)
        return bool(stamp.get("finished")) and stamp.get("key") == key and stamp.get("results") == self.results(stage)


def key_of(stage: Stage, previous: str) -> str:
    """Hash what the stage depends on; `previous` is the key of the stage before it, so that keys chain."""
    described = {
        "commands": [shown(command) for command in stage.commands],
        "settings": stage.settings,
        "inputs": {str(path): digest(path) for path in stage.inputs},
        "previous": previous,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def run_stages(stages: Sequence[Stage], output: Path, runner: Callable[[Stage, Path, bool], None]) -> dict[str, float]:
    """Run what is not finished; returns the seconds of each stage, the time of its interrupted calls included.

    Args:
        runner: called as `runner(stage, log, append)`; raises when the stage fails.
    """
    ledger = Ledger(output / "stamps")
    previous, rerun, seconds = "", False, {}
    for number, stage in enumerate(stages, start=1):
        heading = f"[{number}/{len(stages)}] {stage.title}"
        # The key is taken now, after the stages before this one have written its inputs.
        key = key_of(stage, previous)
        previous = key
        stamp = ledger.read(stage)
        if not rerun and ledger.finished(stage, key):
            seconds[stage.name] = stamp["seconds"]
            print(f"{heading}: finished before ({stamp['seconds']:.0f} s), skipped", flush=True)
            continue
        # What comes after this stage is out of date now, even if this call should end before it gets there.
        rerun = True
        for later in stages[number:]:
            ledger.forget(later)
        log = output / "logs" / f"{stage.name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        resumes = stage.resumable and stamp.get("key") == key and stamp.get("finished") is False
        spent = _seconds_before(stamp, log) if resumes else 0.0
        if not resumes:
            for path in stage.outputs:
                remove(path)
        print(f"\n{heading}" + (f": continues after {spent:.0f} s" if resumes else ""), flush=True)
        stamp = {"key": key, "finished": False, "started": time.time(), "seconds": round(spent, 2),
                 "commands": [shown(command) for command in stage.commands], "results": {}}
        ledger.write(stage, stamp)
        runner(stage, log, resumes)
        seconds[stage.name] = round(spent + time.time() - stamp["started"], 2)
        results = ledger.results(stage)
        if missing := [path for path, found in results.items() if found == "missing"]:
            raise UserError(f"stage {stage.name} ended without an error but did not write {missing[0]}; see {log}")
        ledger.write(stage, {**stamp, "finished": True, "seconds": seconds[stage.name], "results": results})
    return seconds


def _seconds_before(stamp: dict[str, Any], log: Path) -> float:
    """Return how long the interrupted calls of a stage ran; one that was killed, up to the last line of its log."""
    last = log.stat().st_mtime if log.exists() else stamp["started"]
    return stamp["seconds"] + max(0.0, last - stamp["started"])


def remove(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# --- how a stage runs -------------------------------------------------------------------------------------------------


class StageFailed(Exception):
    """A command of a stage failed or was interrupted; carries the exit status and the line to print."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class LogWriter:
    r"""Writes a console stream to a file without the intermediate states of progress bars.

    A progress bar draws itself again and again after a carriage return; of such a line the log keeps the last state.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.pending = b""

    def feed(self, data: bytes) -> None:
        """Add a piece of the stream."""
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            self.file.write(self._last_state(line) + b"\n")
        # A long-running bar has no newline: keep the newest state only.
        if len(self.pending) > 1 << 16:
            self.pending = self._last_state(self.pending) + b"\r"
        self.file.flush()

    def close(self) -> None:
        """Write what has no newline yet."""
        if line := self._last_state(self.pending):
            self.file.write(line + b"\n")
        self.file.flush()

    @staticmethod
    def _last_state(line: bytes) -> bytes:
        states = [state for state in line.split(b"\r") if state.strip()]
        return states[-1] if states else b""


def shown(command: Sequence[str]) -> str:
    """Return the command line as a user would type it in the repository's folder."""
    words = list(command)
    if words[0] == sys.executable:
        local = Path(os.path.abspath(sys.executable))
        words[0] = str(local.relative_to(REPOSITORY)) if local.is_relative_to(REPOSITORY) else "python"
    return shlex.join(words)


def run_stage(stage: Stage, log: Path, append: bool) -> None:
    """Run the commands of a stage, streaming their output to the console and to `log`.

    Raises:
        StageFailed: a command ended with another status than 0, or the run was interrupted.
    """
    with log.open("ab" if append else "wb") as file:
        for command in stage.commands:
            line = f"$ {shown(command)}"
            print(line, flush=True)
            file.write(line.encode() + b"\n")
            status, interrupted = stream(command, file)
            if interrupted:
                raise StageFailed(128 + interrupted, f"interrupted in stage {stage.name}; {CONTINUE} (log: {log})")
            if status != 0:
                # A negative status is the signal that ended the process; shells report it as 128 + signal.
                code = status if status > 0 else 128 - status
                raise StageFailed(code, f"stage {stage.name} failed with status {code}; its log is {log}; {CONTINUE}")


def stream(command: Sequence[str], log: BinaryIO) -> tuple[int, int]:
    """Run one command; returns its status and the signal that this process was asked to stop with (0: none).

    The child gets a terminal when this process has one, so that progress bars look as they do in a direct call. It
    lives in a session of its own: Ctrl-C reaches this process, which passes it on and waits for the child to leave.
    """
    terminal = sys.stdout.isatty()
    reader, writer = pty.openpty() if terminal else os.pipe()
    if terminal:
        columns, lines = shutil.get_terminal_size()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    # Libraries' start-up notices; a user who wants them sets the variables.
    environment.setdefault("GLOG_v", "3")
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=writer,
                                   stderr=writer, start_new_session=True, preexec_fn=_die_with_parent)
    finally:
        os.close(writer)
    sink = LogWriter(log)
    with _passed_on(process) as received:
        for data in _read_until_exit(process, reader):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            sink.feed(data)
        status = process.wait()
    os.close(reader)
    sink.close()
    return status, received[0] if received else 0


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies: a killed quick start must not leave a stage behind."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _read_until_exit(process: subprocess.Popen, reader: int) -> Iterator[bytes]:
    """Yield output until it ends or the process has left (its own helpers may hold the pipe open longer)."""
    os.set_blocking(reader, False)
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while True:
            left = process.poll() is not None
            if not selector.select(timeout=0.0 if left else 0.2):
                if left:
                    return
                continue
            try:
                data = os.read(reader, 1 << 16)
            except OSError:  # EIO: the other end of a terminal is closed
                return
            if not data:
                return
            yield data


@contextmanager
def _passed_on(process: subprocess.Popen) -> Iterator[list[int]]:
    """Pass SIGINT and SIGTERM on to the process's group; a second one, or no exit in time, kills it."""
    received: list[int] = []

    def send(number: int) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass  # it has just left

    def handle(number: int, _frame: object) -> None:
        if number == signal.SIGALRM:
            send(signal.SIGKILL)
            return
        received.append(number)
        send(number if len(received) == 1 else signal.SIGKILL)
        signal.alarm(int(GRACE_SECONDS))

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield received
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def locked(path: Path, name: str = "quick start") -> Iterator[None]:
    """Hold the lock of a run called `name`; the system releases it with the process.

    Raises:
        UserError: another run holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another {name} is running in {path.parent.resolve()}; wait for it or stop it "
                            "first") from error
        yield


def drive(stages: Callable[[], list[Stage]], output: Path, fresh: bool, name: str = "quick start") -> None:
    """Run what is not finished of `stages` under the lock of `output`; leaves the process when a stage fails.

    Args:
        stages: returns the stages, once the current folder is the repository's.
        fresh: remove what is in `output` first, except for its downloads.
        name: what the run is called.
    """
    os.chdir(REPOSITORY)
    with locked(output / ".lock", name):
        if fresh:
            for path in sorted(output.iterdir()):
                if path.name not in ("download", ".lock"):
                    remove(path)
        try:
            run_stages(stages(), output, run_stage)
        except StageFailed as error:
            fail(f"error: {error}", error.status)


# --- the stages of the quick start ------------------------------------------------------------------------------------


def scaled(steps: int, minutes: float, default_minutes: float = DEFAULT_MINUTES) -> int:
    """Scale the recipe's `train_steps` to a training budget; at least one step."""
    return max(1, round(steps * minutes / default_minutes))


def quickstart_stages(config: Config, minutes: float, device_target: str, output: Path = OUTPUT) -> list[Stage]:
    """Return the stages in order. Paths are relative to the repository's folder, where the commands run."""
    python = sys.executable
    data, records = output / "data", output / "records"
    minilm, pretrained = output / "download" / "minilm", output / "pretrained"
    finetune, general, task = output / "finetune", output / "general_distill", output / "task_distill"
    teacher, student, before = finetune / "model", task / "model", output / "general_distill_probe"
    tfidf, evaluation, export = output / "tfidf", output / "evaluation", output / "export"
    recipe = ("--config_path", str(RECIPE))
    device = ("--device_target", device_target)

    def tool(name: str, *arguments: object) -> tuple[str, ...]:
        return (python, "-m", f"src.tools.{name}", *map(str, arguments))

    def script(name: str, *arguments: object) -> tuple[str, ...]:
        return (python, name, *map(str, arguments))

    def evaluate(checkpoint: Path, name: str) -> tuple[str, ...]:
        return script("eval.py", *recipe, "--checkpoint", checkpoint, "--data_dir", records / "task", "--split", "test",
                      "--predictions_path", evaluation / f"{name}.jsonl", "--metrics_path", evaluation / f"{name}.json",
                      *device)

    def export_to(file_format: str, name: str) -> tuple[str, ...]:
        return script("export.py", *recipe, "--checkpoint", student, "--file_format", file_format,
                      "--output", export / name, *device)

    phase1, phase2 = config.task_distill.phase1, config.task_distill.phase2
    models = ("--model", f"teacher={teacher}", "--model", f"student={student}",
              "--model", f"student_before_task_distillation={before}", "--tfidf", tfidf)
    # The recipe and the defaults, without their comments.
    settings = to_plain(config)
    return [
        Stage("fetch", "Fetch the teacher and the text, make the task", (
            tool("quickstart_data", "--download_dir", output / "download", "--data_dir", data, "--seed", config.seed),
        ), outputs=(data,)),
        Stage("convert", "Convert the teacher from Hugging Face to MindSpore", (
            script("convert_checkpoint.py", "--from", "hf", "--to", "mindspore", minilm, pretrained),
        ), inputs=(minilm,), outputs=(pretrained,)),
        Stage("records", "Prepare records of the corpus and of the task", (
            script("prepare_data.py", "corpus", *recipe, "--input", data / "corpus.txt", "--tokenizer", pretrained,
                   "--output_dir", records / "corpus"),
            script("prepare_data.py", "task", *recipe, "--data_dir", data / "task", "--tokenizer", pretrained,
                   "--output_dir", records / "task"),
        ), inputs=(data,), outputs=(records,), settings=settings),
        Stage("finetune", "Fine-tune the teacher on the task", (
            script("run_finetune.py", *recipe, "--load_ckpt_path", pretrained,
                   "--train_data_dir", records / "task/train", "--eval_data_dir", records / "task/dev",
                   "--train_steps", scaled(config.finetune.train_steps, minutes),
                   "--save_ckpt_path", finetune, *device),
        ), outputs=(finetune,), results=(teacher,), resumable=True, settings=settings),
        Stage("general_distill", "General distillation: pretrained teacher -> student, on unlabelled text", (
            script("run_general_distill.py", *recipe, "--load_teacher_ckpt_path", pretrained,
                   "--data_dir", records / "corpus", "--schema_dir", records / "corpus/schema.json",
                   "--train_steps", scaled(config.general_distill.train_steps, minutes),
                   "--save_ckpt_path", general, *device),
        ), outputs=(general,), results=(general / "model",), resumable=True, settings=settings),
        Stage("task_distill", "Task distillation: fine-tuned teacher -> student, layers, then predictions", (
            script("run_task_distill.py", *recipe, "--load_teacher_ckpt_path", teacher,
                   "--load_gd_ckpt_path", general / "model", "--train_data_dir", records / "task/train",
                   "--eval_data_dir", records / "task/dev",
                   "--task_distill.phase1.train_steps", scaled(phase1.train_steps, minutes),
                   "--task_distill.phase2.train_steps", scaled(phase2.train_steps, minutes),
                   "--save_ckpt_path", task, *device),
        ), outputs=(task,), results=(student,), resumable=True, settings=settings),
        Stage("baselines", "Fit the two comparisons: TF-IDF, and the student before task distillation", (
            tool("baseline", "tfidf", "--data_dir", data / "task", "--output", tfidf, "--seed", config.seed),
            tool("baseline", "probe", "--checkpoint", general / "model", "--data_dir", data / "task",
                 "--seq_length", config.data.seq_length, "--output", before, *device),
        ), outputs=(tfidf, before)),
        Stage("evaluate", "Evaluate on the test split", (
            evaluate(teacher, "teacher"), evaluate(student, "student"),
            evaluate(before, "student_before_task_distillation"),
            tool("baseline", "predict", "--model", tfidf, "--data_dir", data / "task", "--split", "test",
                 "--predictions_path", evaluation / "tfidf_logistic_regression.jsonl"),
        ), outputs=(evaluation,)),
        Stage("benchmark", "Measure latency and throughput", (
            tool("benchmark_model", *models, "--text", data / "task/test.tsv", "--seq_length", 64,
                 "--output", output / "benchmark.json", *device),
        ), outputs=(output / "benchmark.json",)),
        Stage("export", "Export the student and run every artefact again", (
            export_to("MINDIR", "student.mindir"), export_to("ONNX", "student.onnx"), export_to("HF", "huggingface"),
        ), outputs=(export,)),
        Stage("report", "Write the report", (
            tool("report", "--run_dir", output, "--seed", config.seed),
        ), outputs=(output / "results.json", output / "report.md")),
    ]


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the driver's few options; settings of the stages live in configs/quickstart.yaml."""
    parser = argparse.ArgumentParser(
        prog="bash scripts/quickstart.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Distil a 6-layer teacher into a 3-layer student on movie reviews and measure both.",
        epilog=f"Settings of the stages are in {RECIPE}; results are written to {OUTPUT}.")
    add_run_options(parser, DEFAULT_MINUTES)
    return check_minutes(parser.parse_args(argv), DEFAULT_MINUTES)


def add_run_options(parser: argparse.ArgumentParser, default_minutes: float) -> None:
    """Add --minutes, --fresh and --device_target."""
    parser.add_argument("--minutes", type=float, default=default_minutes,
                        help="training budget on two slow CPU cores; scales the number of training steps "
                             "(default: %(default)g)")
    parser.add_argument("--fresh", action="store_true",
                        help="start over: remove everything but the downloads, whose hashes are checked")
    parser.add_argument("--device_target", choices=("auto", "Ascend", "GPU", "CPU"), default="auto",
                        help="auto takes Ascend, else GPU, else CPU (default: %(default)s)")


def check_minutes(arguments: argparse.Namespace, default_minutes: float) -> argparse.Namespace:
    """Return the arguments.

    Raises:
        UserError: a budget that is not positive.
    """
    if not 0 < arguments.minutes <= 100_000:
        raise UserError(f"--minutes is {arguments.minutes:g}; expected a number above 0, such as {default_minutes:g}")
    return arguments


def main(argv: list[str]) -> None:
    """Run what is not finished, then print the table."""
    from src.tools.report import print_summary  # light: the plots are only imported where they are drawn

    arguments = parse_arguments(argv)
    began = time.monotonic()
    drive(lambda: quickstart_stages(load_config(RECIPE), arguments.minutes, arguments.device_target), OUTPUT,
          arguments.fresh)
    print_summary(OUTPUT)
    print(f"This call took {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    run(main)
