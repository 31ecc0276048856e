# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Setting lines of a text aside for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from src.common.errors import UserError
from src.common.files import atomic_folder


def hold_out(files: Sequence[str | Path], percentage: int, folder: Path) -> tuple[Path, Path]:
    """Copy text files, read one after the other, into `folder`/train.txt and `folder`/validation.txt.

    Every line whose number, from 0, is a multiple of round(100 / percentage) goes to the validation text, so that it
    samples all of the text. The files are read as streams; empty lines are left out.

    Args:
        files: UTF-8 text, one sequence a line.
        percentage: share that is held out, 1 to 50.
        folder: to make, or to replace.

    Raises:
        UserError: a file that cannot be read, or too few lines for two texts.
    """
    every = round(100 / percentage)
    number = 0
    with atomic_folder(folder, replace=True) as aside:
        with open(aside / "train.txt", "wb") as train, open(aside / "validation.txt", "wb") as validation:
            for file in files:
                for line in _lines(Path(file)):
                    (train if number % every else validation).write(line)
                    number += 1
        if number < 2:
            raise UserError(f"{', '.join(map(str, files))}: {number} line(s) of text; expected one sequence a line, at "
                            "least two to hold one out")
    return folder / "train.txt", folder / "validation.txt"


def _lines(file: Path) -> Iterator[bytes]:
    """The lines that hold more than white space, each ended by one newline."""
    try:
        with open(file, "rb") as stream:
            for line in stream:
                if line.strip():
                    yield line.rstrip(b"\r\n") + b"\n"
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
