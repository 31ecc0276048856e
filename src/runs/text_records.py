# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The records of a run that is given text files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.config import DataConfig, MaskedLmConfig
from src.corpus.hold_out import hold_out
from src.corpus.sources import InputOptions
from src.dataset import open_records
from src.device import Device, first_makes
from src.records.options import CorpusOptions, SequenceOptions
from src.records.prepare import prepare_texts
from src.records.reading import RecordSource
from src.text.tokenization import Tokenizer


def records_of_text(settings: MaskedLmConfig, data: DataConfig, tokenizer: Tokenizer, folder: Path, device: Device,
                    progress: bool = False) -> tuple[RecordSource, RecordSource | None]:
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
