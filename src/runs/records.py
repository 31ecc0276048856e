# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The rows that a run is trained on: records of a task, or what is made of the task's own files or of text files."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from src.checkpoints.checkpoint import LoadedModel
from src.checkpoints.places import folder_of
from src.common.errors import UserError
from src.config import Config, DataConfig, MaskedLmConfig, PredictionDistillConfig, TaskLayerDistillConfig
from src.corpus.hold_out import hold_out
from src.corpus.sources import InputOptions
from src.dataset import open_records
from src.device import Device, first_makes
from src.records.manifest import NAME as MANIFEST
from src.records.options import CorpusOptions, SequenceOptions, TaskOptions
from src.records.prepare import prepare_task, prepare_texts
from src.records.reading import RecordSource, has_records
from src.tasks import UNLABELLED_SPLIT, Task, of_unlabelled_file, task_of
from src.tasks.label_order import LabelModel
from src.text.tokenization import Tokenizer, load_tokenizer

AUGMENTED = "train_aug"
PhaseSettings = TaskLayerDistillConfig | PredictionDistillConfig


class TaskRecords:
    """Finds the records of one run, and makes them where there are none.

    `data.train_data_dir` and `data.eval_data_dir` come first. Where they are empty `data.data_dir` is taken: a folder
    of records with the subfolders train and dev, or the task's own files. Of these the first process makes records in
    RUN/records, with the tokenizer and the order of labels of `model`, or without one of section `prepare_task`.

    `needs_labels` says that the files may have no other labels than the model.
    """

    def __init__(self, config: Config, path: Path, model: LoadedModel | None, device: Device,
                 needs_labels: bool = False):
        self.config, self.path, self.model, self.device = config, path, model, device
        self.needs_labels = needs_labels
        self.opened: dict[tuple[str, str], RecordSource] = {}

    def training(self, phase: PhaseSettings | None = None) -> RecordSource:
        """Return the training rows, of a phase of task distillation where one is given.

        Raises:
            UserError: no records are named, augmented ones are asked for and not there, or they cannot be read.
        """
        own, is_augmented = (phase.train_data_dir, phase.aug_train) if phase else ("", False)
        location = own or self.config.data.train_data_dir or self._all_splits(AUGMENTED if is_augmented else "train")
        return self._training(location, "train_data_dir", is_augmented)

    def teacher_training(self, phase: PhaseSettings, place: int = 0, teachers: int = 1) -> RecordSource | None:
        """Return a phase's rows in the vocabulary of the teacher at a place; None where it reads the student's."""
        location = _of_teacher(self.config.teacher.train_data_dir, place, teachers, "train_data_dir")
        return self._training(location, "teacher.train_data_dir", phase.aug_train) if location else None

    def unlabelled(self, location: str, beside: RecordSource) -> RecordSource | None:
        """Return the unlabelled rows of a folder of records, of the folder `unlabelled` in it, or of a file, of which
        records are made as long as the rows `beside`, with their tokenizer; None without a `location`.

        Raises:
            UserError: there are none, or they cannot be read.
        """
        if location and not has_records(location, UNLABELLED_SPLIT):
            location = self._of_texts(location, beside)
        return self._unlabelled(location, "unlabelled_data_dir")

    def teacher_unlabelled(self, place: int = 0, teachers: int = 1) -> RecordSource | None:
        """Return the unlabelled rows in the vocabulary of the teacher at a place; None where it reads the student's."""
        location = _of_teacher(self.config.teacher.unlabelled_data_dir, place, teachers, "unlabelled_data_dir")
        return self._unlabelled(location, "teacher.unlabelled_data_dir")

    def _unlabelled(self, location: str, setting: str) -> RecordSource | None:
        if not location:
            return None
        return self._open(location, setting, UNLABELLED_SPLIT if (Path(location) / UNLABELLED_SPLIT).is_dir() else "")

    def _of_texts(self, location: str, beside: RecordSource) -> str:
        """Make records in RUN/texts of a file of unlabelled rows, or of the one in a folder; return their folder."""
        config = self.config
        task = task_of(config.task, config.seed, beside.manifest.task_name if beside.manifest else "")
        file = task.file(location, UNLABELLED_SPLIT)
        options = replace(TaskOptions.of(config.prepare_task, config.task, config.data),
                          seq_length=beside.columns["input_ids"].shape[0])
        return str(self._made("texts", of_unlabelled_file(task, file), file, beside.tokenizer(), options))

    def held_out(self) -> RecordSource:
        """Return the dev rows."""
        return self._open(self.config.data.eval_data_dir or self._all_splits("dev"), "eval_data_dir", "dev")

    def teacher_held_out(self, place: int = 0, teachers: int = 1) -> RecordSource:
        """Return the dev rows in the vocabulary of the teacher at a place."""
        location = _of_teacher(self.config.teacher.eval_data_dir, place, teachers, "eval_data_dir")
        return self._open(location, "teacher.eval_data_dir", "dev") if location else self.held_out()

    def _training(self, location: str, setting: str, is_augmented: bool) -> RecordSource:
        if is_augmented and location:
            location = _augmented(location)
        return self._open(location, setting, AUGMENTED if Path(location).name == AUGMENTED else "train")

    def _open(self, location: str, setting: str, split: str) -> RecordSource:
        key = (location, split)
        if key not in self.opened:
            self.opened[key] = open_records(location, self.config.data, setting, "task", split,
                                            is_labelled=not setting.endswith("unlabelled_data_dir"))
        return self.opened[key]

    def _all_splits(self, split: str) -> str:
        """Return the folder with the records of all splits: `data_dir`, or what is made of it; "" without one.

        A task's own files must have the `split` that is wanted.
        """
        data_dir = self.config.data.data_dir
        if not data_dir or has_records(data_dir, "train") or has_records(data_dir, "dev"):
            return data_dir
        self._check_file(split)
        return str(self._prepared)

    def _check_file(self, split: str) -> None:
        """Check that `data_dir` has the task's file of a split."""
        data_dir, name = self.config.data.data_dir, self.config.task.task_name
        if not name:
            raise UserError(f"data_dir {data_dir} holds no records, and task_name is empty; give records, or say whose "
                            "files these are: --task_name SST-2, for example")
        task = task_of(self.config.task, self.config.seed)
        if split == AUGMENTED and AUGMENTED not in task.splits_in(data_dir):
            raise UserError(f"aug_train is true, but {data_dir} has no {task.file_names(AUGMENTED)[0]}; make it first: "
                            f"python prepare_data.py augment --task_name {task.name} --data_dir {data_dir}")
        task.file(data_dir, split)
        if task.split_name(split) not in task.splits_in(data_dir):
            raise UserError(f"data_dir {data_dir} is one file, which is read as training rows; give the folder that "
                            f"also has {task.file_names(split)[0]}, or take a part of it: --dev_share 0.1")

    @cached_property
    def _prepared(self) -> Path:
        """RUN/records, made of the files in `data_dir`; records that are there of the same files are kept."""
        config, model = self.config, self.model
        label_model = (LabelModel(model.config.head, f"the model {model.directory}", self.needs_labels)
                       if model else None)
        return self._made("records", task_of(config.task, config.seed), config.data.data_dir, self._tokenizer(),
                          TaskOptions.of(config.prepare_task, config.task, config.data), label_model)

    def _made(self, name: str, task: Task, data: str | Path, tokenizer: Tokenizer, options: TaskOptions,
              label_model: LabelModel | None = None) -> Path:
        """The folder `name` of the run with records of a task's files; a dry run makes them elsewhere."""
        config, folder = self.config, self.path / name
        if self.device.dry_run:
            is_made = all((folder / split / MANIFEST).is_file() for split in task.splits_in(data))
            folder = folder if is_made and config.checkpoint.resume else _aside(folder)

        def make() -> None:
            tokenizer.announce()
            for report in prepare_task(task, data, tokenizer, folder, options, force=not config.checkpoint.resume,
                                       progress=config.logging.progress, label_model=label_model):
                print(report.summary(), flush=True)

        first_makes(make, self.device)
        return folder

    def _tokenizer(self) -> Tokenizer:
        settings = self.config.prepare_task
        lower_case = {"auto": None, "true": True, "false": False}[settings.lower_case]
        if self.model:
            return self.model.tokenizer(lower_case)
        if not settings.tokenizer:
            raise UserError("data_dir holds the task's own files, and there is no model whose tokenizer could read "
                            "them; give one: --prepare_task.tokenizer DIR")
        return load_tokenizer(folder_of(settings.tokenizer), lower_case)


def _of_teacher(locations: str, place: int, teachers: int, setting: str) -> str:
    """Return the entry of one of several teachers; the only one has all."""
    parts = [part.strip() for part in locations.split(",")]
    if teachers < 2 or not locations:
        return locations
    if len(parts) != teachers:
        raise UserError(f"teacher.{setting} is {locations}, and there are {teachers} teacher checkpoints; give one "
                        "folder for each, with commas, and nothing for one that reads the student's rows: ,DIR")
    return parts[place]


def _aside(folder: Path) -> Path:
    """Return a folder for the records that a run makes in `folder`; a dry run makes them, and leaves nothing."""
    aside = tempfile.mkdtemp(prefix="records-")
    atexit.register(shutil.rmtree, aside, ignore_errors=True)
    print(f"note: a run makes its records in {folder}, this dry run in {aside}, which is removed", flush=True)
    return Path(aside)


def _augmented(location: str) -> str:
    """Return the folder of augmented records that is beside (`R/train`) or in (`R`) a folder of records."""
    folder = Path(location)
    if folder.name == AUGMENTED:
        return location
    found = (folder if (folder / "train").is_dir() else folder.parent) / AUGMENTED
    if not has_records(found):
        raise UserError(f"aug_train is true, but there are no augmented records {found}; make train_aug.tsv with "
                        "python prepare_data.py augment, then its records with python prepare_data.py task")
    return str(found)


def records_of_text(settings: MaskedLmConfig, data: DataConfig, tokenizer: Tokenizer, folder: Path, device: Device,
                    progress: bool) -> tuple[RecordSource, RecordSource | None]:
    """Make the records of masked-LM training, of section `mlm`, in `folder`, where they are not there yet.

    With line_by_line each line is a sequence, cut to seq_length; else lines are packed into rows of seq_length. Of
    several processes the first one makes the records.

    Returns:
        training rows, and held-out rows where the model is evaluated: of `validation_file`, or
        `validation_split_percentage` of the lines of `train_file`.

    Raises:
        UserError: no text, or records of other text or settings in the folder.
    """
    if not settings.train_file:
        raise UserError("train_file is empty; give text files with one sequence a line: --train_file FILE[,FILE]")

    if device.dry_run:
        folder = _aside(folder)
    common: dict[str, Any] = {"seq_length": data.seq_length, "num_workers": settings.num_workers,
                              "reading": InputOptions(input_format="text")}
    options = (SequenceOptions(**common, min_length=3, max_unknown=1.01, too_long="truncate")
               if settings.line_by_line else CorpusOptions(**common))

    def make_one(files: tuple[str, ...], part: str) -> None:
        # What lies there is made anew when text or settings have changed.
        report = prepare_texts(files, tokenizer, folder / part, options, force=True, progress=progress)
        print(report.summary(), flush=True)

    def make() -> None:
        train, held_out = settings.train_file, settings.validation_file
        if settings.do_eval and not held_out:
            parts = hold_out(train, settings.validation_split_percentage, folder / "text")
            train, held_out = (str(parts[0]),), (str(parts[1]),)
        make_one(train, "train")
        if settings.do_eval:
            make_one(held_out, "validation")

    def opened(part: str) -> RecordSource:
        return open_records(str(folder / part), replace(data, dataset_type="tfrecord", schema_dir=""), "train_file",
                            "sequences" if settings.line_by_line else "corpus")

    first_makes(make, device)
    return opened("train"), opened("validation") if settings.do_eval else None
