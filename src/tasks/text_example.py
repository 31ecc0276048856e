# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A row of a file of whole texts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextExample:
    """One row of a file: the label is a name, a score (regression), or None in an unlabelled test set."""

    text_a: str
    text_b: str | None
    label: str | float | None
    line: int  # in its file, from 1
    language: str | None = None
    row: int = 0  # in its file, from 0; a header is none
    id: str | None = None  # where the file has a column of ids
