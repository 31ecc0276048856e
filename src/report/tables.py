# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tables of the reports: for a terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def align(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows, the first of them headings, for a terminal: first column left, others right aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
             for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown, with the same alignment."""
    header = ["| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 1)]
    return "\n".join(header + ["| " + " | ".join(row) + " |" for row in rows])
