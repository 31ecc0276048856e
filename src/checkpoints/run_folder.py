# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of one training run, and whether this command may continue what lies there."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

from src.checkpoints.checkpoint import LoadedModel, is_whole
from src.checkpoints.store import CheckpointStore
from src.common.errors import UserError
from src.common.files import clear_folder, clear_leftovers, sync, write_json, write_text
from src.common.places import check_folder, resolved
from src.common.typed import leaves
from src.common.untrusted import parse_json
from src.config import Config, dump_yaml, load_config
from src.config.entry_points import current

# What may differ between the two halves of one run. Not data.enable_data_sink: with it batches have one length, and so
# an epoch another order.
_FREE = ("logging", "checkpoint", "device.device_id", "device.compile_cache", "device.max_device_memory",
         "device.memory_optimize_level", "device.hccl_connect_timeout", "device.tflops", "device.check_memory",
         "data.verify_records", "data.data_sink_steps",
         "task_distill.phase2.cache_teacher_logits",
         # How files become records: the run is tied to the records.
         "task.text_column", "task.text_columns", "task.text_b_column", "task.label_column", "task.encoding",
         "task.dev_share")

# What may be raised with `checkpoint.extend`.
_LENGTHS = ("train_steps", "epoch_size")

RESULTS = ("model", "checkpoints", "tensorboard")
"""What starting over removes from the folder of a run."""
FILES = ("config.yaml", "metrics.jsonl")
"""What it writes anew there."""


def check_run_folder(path: Path, resume: bool, reads: Mapping[str, LoadedModel | Path | None],
                     described: tuple[str, ...] = ("run.json",), removed: tuple[str, ...] = RESULTS + FILES,
                     extend: str = "") -> None:
    """Check that a run takes neither what it reads nor what another command has made for its own results.

    Nothing is written. On several processes it is the first one's to check.

    Args:
        reads: checkpoints that the run reads, by setting.
        described: the files in the folder that say what the run computes; none there: the folder is not this command's.
        removed: what the run would remove or replace in a folder that is not its own.
        extend: `checkpoint.extend`, which needs a run that is there.

    Raises:
        UserError: naming the folder that would be lost, that cannot be written, or that holds no run to extend.
    """
    check_folder(path, "--save_ckpt_path")
    for setting, model in reads.items():
        folder = model.directory if isinstance(model, LoadedModel) else model
        if folder is None:
            continue
        of_run = [path.resolve(), *((path / name).resolve() for name in RESULTS)]
        if folder.resolve() == of_run[0] or any(folder.resolve().is_relative_to(place) for place in of_run[1:]):
            raise UserError(f"save_ckpt_path {path} is where {setting} {folder} lies, which the results would replace; "
                            "choose another --save_ckpt_path")
    if not resume or any((path / name).exists() for name in described):
        return
    if extend:
        raise UserError(f"extend is {extend}, but save_ckpt_path {path} holds no run that could be made longer; leave "
                        "it out, or give that run's --save_ckpt_path")
    for name in removed:
        if (path / name).exists():
            raise UserError(f"save_ckpt_path {path} holds {name}, which no run of this command has made; choose "
                            "another --save_ckpt_path, or replace it with --resume false")


class RunFolder:
    """`config.yaml`, `metrics.jsonl`, `tensorboard/`, `checkpoints/` and `model/` of one run.

    Nothing is written before `open`.

    Args:
        config: all settings.
        sections: those that decide what the run computes, such as "task_distill.phase1". A run is continued only where
            these and the `inputs`, hashes by name, are the same.
        writer: False on all ranks but the first, which then leave the folder alone.
        model: where the result goes, the last student or the best one on dev; default: `model/` in the folder.
        depending: folders of runs that build on this one's result: starting over here forgets them.
        parts: names of what else the run makes in its folder: it has begun where one is there, and starting over
            removes them.

    `extension` is how the run that lies there is made longer, as `checkpoint.extend` says; "" where it has this length.

    Raises:
        UserError: the folder holds a run with other settings or inputs and `checkpoint.resume` is true, or one of
            another length that is not to be extended.
    """

    def __init__(self, path: Path, config: Config, sections: tuple[str, ...], inputs: Mapping[str, str],
                 writer: bool = True, model: Path | None = None, depending: tuple[Path, ...] = (),
                 parts: tuple[str, ...] = ()):
        self.path = Path(path)
        self.model = model or self.path / "model"
        self.config, self.writer, self.depending = config, writer, depending
        self.parts = tuple(self.path / part for part in parts)
        chosen = {section: attrgetter(section)(config) for section in sections}
        self.decides = {"settings": _deciding(chosen), "inputs": dict(inputs)}
        self.store = CheckpointStore(self.path, config.checkpoint.max_ckpt_num)
        # Where nothing has been trained yet, such as after a first checkpoint on a full disk, nothing is to be kept.
        is_begun = (self.model.exists() or any((self.path / "checkpoints").glob("*step-*"))
                    or any(part.exists() for part in self.parts))
        self.continues = writer and config.checkpoint.resume and self.described.exists() and is_begun
        self.extension = self._extension() if self.continues else ""

    @property
    def described(self) -> Path:
        """What the run computes; as long as it is there, the checkpoints are this run's."""
        return self.path / "run.json"

    def _extension(self) -> str:
        """Check that what lies there is this run, or one that is made longer; return how."""
        changed = _changes(self.described, self.decides)
        lengths = [name for name in changed if name.startswith("settings.") and name.rpartition(".")[2] in _LENGTHS]
        if not changed:
            return ""
        if len(lengths) < len(changed):
            listed = [f"{name.partition('.')[2]}: {there!r} there, {here!r} here"
                      for name, (there, here) in changed.items()]
            more = f", and {len(listed) - 3} more" if len(listed) > 3 else ""
            raise UserError(f"{self.path} holds a run with other settings ({'; '.join(listed[:3])}{more}); choose "
                            "another --save_ckpt_path, or start over there with --resume false")
        said = ", ".join(f"{name.partition('.')[2]} {changed[name][0]} there, {changed[name][1]} here"
                         for name in lengths)
        built_on = next((run for run in self.depending if (run / "run.json").exists()), None)
        if built_on is not None:
            raise UserError(f"{self.path} holds a run of another length ({said}), on whose result {built_on} was "
                            "trained: only that one can be made longer, by its own settings; or choose another "
                            "--save_ckpt_path")
        if not self.config.checkpoint.extend:
            raise UserError(f"{self.path} holds a run of another length ({said}); make it longer with --extend "
                            "continue (optimiser kept, schedule of the new length) or restart (a fresh optimiser "
                            "and warm-up over the steps that are added), choose another --save_ckpt_path, or start "
                            "over there with --resume false")
        return self.config.checkpoint.extend

    def note_length(self) -> None:
        """Write down that the run has the length of the settings, once there is a checkpoint of it."""
        if self.extension and self.writer:
            write_json(self.described, self.decides)
        self.extension = ""

    @property
    def metrics(self) -> Path:
        """JSON lines, one a logged step or evaluation."""
        return self.path / "metrics.jsonl"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep other processes out while the block runs; begin by clearing what killed ones left, or by starting over.

        Raises:
            UserError: another process is training there, or the place cannot be written.
        """
        if not self.writer:
            yield
            return
        with self._for_writing():
            check_folder(self.path, "--save_ckpt_path").mkdir(parents=True, exist_ok=True)
            lock = _lock(self.path)
        try:
            with self._for_writing():
                if self.continues:
                    self.store.clear()
                    clear_leftovers(self.path, self.metrics.name, "config.yaml", self.described.name)
                    clear_leftovers(self.model.parent, self.model.name, is_whole=is_whole)
                else:
                    self._start_over()
                write_text(self.path / "config.yaml", dump_yaml(self.config))
            yield
        finally:
            os.close(lock)

    def check_place(self) -> None:
        """Raise the `UserError` that `open` would raise, without writing anything."""
        check_folder(self.path, "--save_ckpt_path")
        if self.path.is_dir():
            os.close(_lock(self.path))

    @contextmanager
    def _for_writing(self) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError) as error:
            raise UserError(f"save_ckpt_path {error.filename or self.path} is a file; give a folder") from error
        except OSError as error:
            raise UserError(f"cannot write {error.filename or self.path}: {error.strerror}; free some space there, or "
                            "choose another --save_ckpt_path") from error

    def _start_over(self) -> None:
        """Remove an earlier run, and say what this one is.

        run.json goes first and comes last: wherever this is cut off, the next command starts over again.
        """
        for run in (self.path, *self.depending):
            resolved(run / "run.json").unlink(missing_ok=True)
            if run.is_dir():
                sync(run)
        clear_leftovers(self.path)
        clear_leftovers(self.model.parent, self.model.name)
        for folder in (self.path / "checkpoints", self.path / "tensorboard", self.path / "compile_cache", self.model,
                       *self.parts):
            clear_folder(folder)
        resolved(self.metrics).unlink(missing_ok=True)
        write_json(self.described, self.decides)


def _lock(folder: Path) -> int:
    """Lock a folder for this process, without a file that a killed one would leave; return what holds the lock."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            os.close(descriptor)
            raise UserError(f"another process is training in {folder}; wait for it or stop it, or choose another "
                            "--save_ckpt_path") from None
        # Some network file systems lock no folders: two runs in one are the user's to avoid there.
    return descriptor


def _deciding(settings: Any) -> dict[str, Any]:
    """The settings that decide what a run computes, by their full names."""
    return {path: value for path, value in leaves(settings)
            if not any(path == free or path.startswith(f"{free}.") for free in _FREE)}


def _changes(described: Path, record: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What a run.json has otherwise than `record`: kind.name -> the values there and here."""
    try:
        there = parse_json(described.read_text(encoding="utf-8"))
        there["settings"] = dict(current(name, value) for name, value in there["settings"].items())
        # A setting of its sections that the run did not know yet was what it is by default.
        known = {name.rpartition(".")[0] for name in there["settings"]}
        there["settings"] = {name: value for name, value in _deciding(load_config()).items()
                             if name.rpartition(".")[0] in known and name in record["settings"]} | there["settings"]
        pairs = [(kind, name) for kind in ("settings", "inputs") for name in {**there[kind], **record[kind]}]
        # What is still left to the teacher has not been read: it stood as a number in runs of version 0.2.
        return {f"{kind}.{name}": (there[kind].get(name), record[kind].get(name)) for kind, name in pairs
                if record[kind].get(name) not in (there[kind].get(name), "teacher")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{described} cannot be read ({error}); choose another --save_ckpt_path, or start over with "
                        "--resume false") from error
