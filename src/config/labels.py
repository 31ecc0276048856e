# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Names of classes: whether two lists name the same ones, and how lists are shown and written.

A class is known by its name alone: the place that a name has in a list says nothing of another list.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
import unicodedata
from collections.abc import Sequence

_SHOWN = 24


def order_of(own: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...] | None:
    """Return the place in `own` of each of the `wanted` labels; None where the two do not name the same classes."""
    if len(own) != len(wanted) or set(own) != set(wanted):
        return None
    return tuple(map(list(own).index, wanted))


def spelled_as(own: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...] | None:
    """Return `own`, in its order, in the spelling of `wanted`; None where the two differ in more than spelling."""
    spellings = {spelling_key(label): label for label in wanted}
    keys = [spelling_key(label) for label in own]
    if not len(own) == len(wanted) == len(spellings) == len(set(keys)) or set(keys) != set(spellings):
        return None
    return tuple(spellings[key] for key in keys)


def spelling_key(label: str) -> str:
    """What is left of a label without its case, width, blanks and punctuation; equal for "1" and "1.0"."""
    text = unicodedata.normalize("NFKC", label).casefold().strip()
    try:
        return repr(float(text))
    except ValueError:
        return re.sub(r"[\W_]+", "", text) or text


def are_unnamed(labels: Sequence[str]) -> bool:
    """Whether labels are those of transformers for classes that nobody has named: LABEL_0, LABEL_1, ..."""
    return bool(labels) and all(re.fullmatch(r"LABEL_\d+", label) for label in labels)


def listed(labels: Sequence[str]) -> str:
    """Return labels for a message."""
    more = f", ... ({len(labels)} in all)" if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + more


def as_option(labels: Sequence[str]) -> str:
    """Return labels as they are typed behind an option: A,B,... with what the shell and `names_in` need."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(labels)
    return shlex.quote(line.getvalue())


def names_in(text: str) -> tuple[str, ...]:
    """Read A,B,... where a name with a comma stands in double quotes."""
    rows = list(csv.reader([text], skipinitialspace=True))
    return tuple(name.strip() for name in (rows[0] if rows else ()) if name.strip())
