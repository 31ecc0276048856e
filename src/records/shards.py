# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of records by their names: of which type they are, and whether a set of shards is there as a whole.

    wiki.tfrecord   train.tf_record   wiki.tfrecord-00000-of-00002   wiki-00000-of-00002.tfrecord   sst-train.tfrecord
    wiki.mindrecord   wiki.mindrecord0 (what MindSpore's FileWriter makes of several shards)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.common.errors import UserError
from src.records.writers import DatasetType

SUFFIXES: dict[DatasetType, tuple[str, ...]] = {"tfrecord": (".tfrecord", ".tf_record"), "mindrecord": (".mindrecord",)}
_TYPES: dict[DatasetType, re.Pattern[str]] = {
    "tfrecord": re.compile(r"\.tf_?records?(-\d+-of-\d+)?$"),
    "mindrecord": re.compile(r"\.mindrecord(\d*|-\d+-of-\d+)$")}
_OF = re.compile(r"(?P<before>.*?)(?P<index>[-_.]?\d+-of-(?P<number>\d+))(?P<after>(\.[^.]+)?)$")
_NUMBERED = re.compile(r"(?P<before>.*\.mindrecord)(?P<index>\d+)$")


@dataclass(frozen=True)
class Shard:
    """What the name of a file says: number `index` of `number` (None: not told) of a set."""

    name: str
    index: int
    number: int | None


def type_of(name: str) -> DatasetType | None:
    """The type of records in a file of this name."""
    return next((kind for kind, pattern in _TYPES.items() if pattern.search(name)), None)


def split_part(name: str) -> str:
    """The part of a name that may tell a split: train of train.tf_record and sst-train.tfrecord-00000-of-00002."""
    stem = name.split(".")[0]
    found = _OF.match(stem)
    return re.split(r"[-_]", found["before"] if found else stem)[-1]


def shard_of(name: str) -> Shard | None:
    """The place of a file in a set of shards; None where its name does not tell one."""
    if found := _OF.match(name):
        index = int(re.search(r"\d+", found["index"])[0])  # type: ignore[index]
        return Shard(f"{found['before']}{found['after']}", index, int(found["number"]))
    if found := _NUMBERED.match(name):
        return Shard(found["before"], int(found["index"]), None)
    return None


def in_order(files: Sequence[Path]) -> list[Path]:
    """Files by their names, shards by their numbers."""
    def key(file: Path) -> tuple[Path, str, int, str]:
        shard = shard_of(file.name)
        return (file.parent, shard.name if shard else file.name, shard.index if shard else 0, file.name)

    return sorted(files, key=key)


def check_shards(files: Sequence[Path], place: str | Path, is_chosen: bool = False) -> None:
    """Check that of each set of shards all are there, and that a folder holds one set.

    Args:
        is_chosen: by a pattern: of several sets, or a part of one whose others are there.

    Raises:
        UserError: naming the shards that are missing, or the sets.
    """
    sets: dict[tuple[Path, str, int | None], set[int]] = {}
    others = []
    for file in files:
        if shard := shard_of(file.name):
            sets.setdefault((file.parent, shard.name, shard.number), set()).add(shard.index)
        else:
            others.append(file)
    for (folder, name, number), there in sets.items():
        missing = sorted(set(range(max(there) + 1 if number is None else number)) - there)
        if is_chosen:
            found = {shard.index for entry in folder.iterdir() if (shard := shard_of(entry.name))
                     and (shard.name, shard.number) == (name, number)}
            missing = [index for index in missing if index not in found]
        if missing:
            example = next(file.name for file in files if file.parent == folder and (shard := shard_of(file.name))
                           and (shard.name, shard.number) == (name, number))
            raise UserError(f"{place}: of {len(there) + len(missing)} shards of {name}, {len(missing)} "
                            f"{'is' if len(missing) == 1 else 'are'} missing: "
                            f"{', '.join(_renumbered(example, index) for index in missing[:3])}"
                            f"{', ...' if len(missing) > 3 else ''}; copy or make them again")
        if number is not None and max(there) >= number:
            raise UserError(f"{place}: {name} has a shard {max(there)} of {number}, counted from 0; copy or make the "
                            "shards again")
    if not is_chosen and len(sets) + bool(others and sets) > 1:
        named = [f"{name} ({len(there)} shards)" for (_, name, _), there in sets.items()]
        named += [file.name for file in others[:3]]
        raise UserError(f"{place} holds several sets of records: {', '.join(named)}; name those to read by a pattern, "
                        f"such as '{place}/{next(iter(sets))[1]}-*'")


def _renumbered(name: str, index: int) -> str:
    """The name of another shard of a set."""
    pattern = r"\d+(?=-of-\d+)" if _OF.match(name) else r"\d+$"
    return re.sub(pattern, lambda found: str(index).zfill(len(found[0])), name)
