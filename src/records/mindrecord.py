# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""TFRecord shards to MindRecord files, by MindSpore.

A MindRecord file is written in one go and cannot be continued. Rows are therefore made as TFRecord shards, which can,
and each shard becomes a MindRecord file at the end; after an interruption the shards that are left do.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from src.common.files import sync
from src.records.columns import VARIABLE, Column
from src.records.writers import named_errors

BATCH = 1024
FILL = -1  # no token has this id
DESCRIPTION = "distillation records"


def convert_shards(shards: Mapping[str, int], columns: Sequence[Column], source: Path, scratch: Path, target: Path,
                   done: Callable[[int], None]) -> dict[str, int]:
    """Turn TFRecord shards into MindRecord files of the same rows; files that are there already are left.

    Args:
        shards: name -> rows, in the folder `source`.
        scratch: folder to write into; a file is moved to `target` when it is complete and on the disk.
        done: called with each number of rows that are written; what it raises ends the work.

    Returns:
        Name -> rows of the files, with their index files as 0.
    """
    counts: dict[str, int] = {}
    for shard, rows in shards.items():
        name = f"{Path(shard).stem}.mindrecord"
        counts |= {name: rows, f"{name}.db": 0}
        if (target / name).is_file():
            done(rows)
            continue
        scratch.mkdir(parents=True, exist_ok=True)
        with named_errors(target / name):
            _convert(source / shard, rows, columns, scratch / name, done)
            # The file comes last: where it is, its index is too.
            for file in (f"{name}.db", name):
                sync(scratch / file)
                os.replace(scratch / file, target / file)
    return counts


def _convert(shard: Path, number: int, columns: Sequence[Column], file: Path, done: Callable[[int], None]) -> None:
    from mindspore.mindrecord import FileWriter

    # The index keeps the file's name, though not its folder.
    writer = FileWriter(str(file), shard_num=1)
    writer.add_schema({column.name: {"type": column.dtype, "shape": list(column.shape)} for column in columns},
                      DESCRIPTION)
    for rows in _batches(shard, number, columns):
        writer.write_raw_data(rows)
        done(len(rows))
    writer.commit()


def _batches(shard: Path, number: int, columns: Sequence[Column]) -> Iterator[list[dict[str, np.ndarray]]]:
    """Yield the `number` rows of a shard by some at a time, each name -> array."""
    import mindspore
    from mindspore import dataset

    names = [column.name for column in columns]
    ragged = [column.name for column in columns if column.shape == VARIABLE]
    schema = dataset.Schema()
    for column in columns:
        schema.add_column(column.name, getattr(mindspore, column.dtype),
                          None if column.name in ragged else list(column.shape))
    # The reader takes a path for a pattern.
    reader = dataset.TFRecordDataset(glob.escape(str(shard)), schema, names, shuffle=False, num_parallel_workers=1)
    # Right behind the reader `padded_batch` does not find its column.
    reader = reader.take(number)
    # In batches: row by row the iterator takes five times as long.
    if ragged:
        reader = reader.padded_batch(BATCH, num_parallel_workers=1, pad_info={name: ([None], FILL) for name in ragged})
    else:
        reader = reader.batch(BATCH, num_parallel_workers=1)
    for values in reader.create_tuple_iterator(num_epochs=1, output_numpy=True):
        rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        yield [row | {name: row[name][row[name] != FILL] for name in ragged} for row in rows] if ragged else rows
