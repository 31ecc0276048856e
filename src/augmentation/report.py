# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What an augmentation did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def summary(path: Path, counts: Mapping[str, int], seconds: float | None) -> str:
    """Lines for the user.

    Args:
        path: the file.
        counts: rows, copies, duplicates, tokens, unknown, `words: MEANS`, `replaced: MEANS`, n-grams.
        seconds: that it took; None: it was there already.
    """
    rows, copies = counts.get("rows", 0), counts.get("copies", 0)
    lines = [f"{path}: {rows + copies:,} rows: {rows:,} as they were and {copies:,} copies; "
             f"{counts.get('duplicates', 0):,} copies dropped that were there already"]
    if words := _listed(counts, "words: "):
        lines.append(f"candidates: {words}")
    lines.append(f"replaced: {_listed(counts, 'replaced: ') or 'no word'}"
                 + (f"; {counts['n-grams']:,} copies cut to n-grams" if counts.get("n-grams") else ""))
    if counts.get("tokens"):
        lines.append(f"unknown to the vocabulary: {counts.get('unknown', 0) / counts['tokens']:.2%} of "
                     f"{counts['tokens']:,} tokens")
    lines.append("it was there already, made with the same settings" if seconds is None else f"{seconds:.1f} s")
    return "\n".join((lines[0], *(f"  {line}" for line in lines[1:])))


def _listed(counts: Mapping[str, int], prefix: str) -> str:
    found = sorted(((number, name.removeprefix(prefix)) for name, number in counts.items() if name.startswith(prefix)),
                   reverse=True)
    return ", ".join(f"{number:,} words by {name}" if name != "no candidate" else f"{number:,} words have none"
                     for number, name in found)
