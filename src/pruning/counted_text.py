# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How often a text, or the rows of records, hold each token of a vocabulary."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from src.checkpoints.checkpoint import LoadedModel
from src.common.errors import UserError
from src.convert.options import option
from src.corpus.formats import InputFormat, select
from src.corpus.sources import InputOptions, pieces, read_documents
from src.corpus.storage import find_files
from src.dataset import read_columns, read_rows
from src.dataset.compatibility import check_data
from src.records.manifest import NAME as MANIFEST
from src.records.reading import RecordSource, inspect
from src.records.shards import type_of
from src.records.writers import DatasetType
from src.text.tokenization import Tokenizer

HELD_OUT = 20
"""One text in so many is not counted: on these the share of unknown tokens is measured."""
_TEXTS_AT_ONCE = 8192


@dataclass(frozen=True)
class CountedOptions:
    """What is given to count tokens in."""

    text: tuple[str, ...] = option((), "files, folders or globs of text, as prepare_data.py corpus reads them, whose "
                                       "tokens are counted", nargs="+", metavar="FILE")
    input_format: Literal["auto"] | InputFormat = option(
        "auto", "of --text: auto tells texts from tables and other files, text takes each line of any file (default: "
                "%(default)s)", choices=("auto", *get_args(InputFormat)))
    text_field: str = option("text", "field of --text in JSON lines (default: %(default)s)", metavar="NAME")
    records: str = option("", "records in the place of --text, made with the vocabulary of IN_DIR: their ids are "
                              "counted", metavar="DIR")


@dataclass(frozen=True)
class CountedText:
    """What tokens have been counted in.

    Attributes:
        counts: int64 (vocab_size,), of what is not held out.
        total: the same of all.
        texts: gives the texts again, some at a time, each with the number of unknown tokens that it is known to have
            beside what can be read in it (records do not tell what an unknown token was).
        name: of the text, for messages.
        every: of so many texts the last one is held out; 1: there are too few, all are counted and measured.
    """

    counts: np.ndarray
    total: np.ndarray
    texts: Callable[[], Iterator[list[tuple[str, int]]]]
    name: str
    every: int

    def is_held_out(self, number: int) -> bool:
        """Whether a text, counted from 0, is held out."""
        return number % self.every == self.every - 1


def count(options: CountedOptions, loaded: LoadedModel) -> CountedText:
    """Count the tokens of the records or the text that options name, in a model's vocabulary; raises `UserError` as the
    two functions below do."""
    if options.records:
        return count_records(options.records, loaded)
    return count_files(options.text, loaded.tokenizer(), loaded.config.encoder.vocab_size, InputOptions(
        input_format=options.input_format, text_field=options.text_field))


def count_files(names: Sequence[str], tokenizer: Tokenizer, rows: int, options: InputOptions) -> CountedText:
    """Count the tokens of text files, folders or globs: of each line, or sentence of a page.

    Args:
        rows: of the embedding table.
        options: how the files are read.

    Raises:
        UserError: nothing there, not UTF-8, or no text.
    """
    sources, left_out = select(find_files(names), options.input_format, options.text_field)
    for reason, files in left_out.items():
        print(f"note: left out: {', '.join(files[:3])}{', ...' if len(files) > 3 else ''} ({reason})", flush=True)

    def texts() -> Iterator[list[tuple[str, int]]]:
        for chunk in pieces(sources, options):
            lines = [(line, 0) for document in read_documents(chunk, options).documents
                     for line in chain.from_iterable(document)]
            for begin in range(0, len(lines), _TEXTS_AT_ONCE):
                yield lines[begin:begin + _TEXTS_AT_ONCE]

    name = f"{len(sources)} file{'s' if len(sources) != 1 else ''} of text"
    ids_of = (tokenizer.encode_batch([text for text, _ in some]) for some in texts())
    return _count((np.array(ids, np.int64) for some in ids_of for ids in some), texts, name, rows)


def _count(rows: Iterator[np.ndarray], texts: Callable[[], Iterator[list[tuple[str, int]]]], name: str, size: int
            ) -> CountedText:
    """Count the tokens of the rows that are not held out."""
    counts, number = np.zeros((2, size), np.int64), 0
    for ids in rows:
        np.add.at(counts[int(number % HELD_OUT == HELD_OUT - 1)], ids, 1)
        number += 1
    if not counts.any():
        raise UserError(f"{name} hold{'s' if number == 1 else ''} no token to count; give text in the language of the "
                        "model")
    few, total = number < HELD_OUT, counts.sum(0)
    return CountedText(total.copy() if few else counts[0], total, texts, name, 1 if few else HELD_OUT)


def count_records(location: str, loaded: LoadedModel) -> CountedText:
    """Count the ids of the rows of records; what they say is their text.

    Args:
        location: a folder of records, or of records by split, of which `train` is taken.

    Raises:
        UserError: no records, or those of another vocabulary than the model's.
    """
    tokenizer = loaded.tokenizer()
    folder = Path(location)
    split = "" if (folder / MANIFEST).is_file() else "train"
    place = folder / split if (folder / split).is_dir() else folder
    names = sorted(os.listdir(place)) if place.is_dir() else [place.name]
    kind: DatasetType = next((found for name in names if (found := type_of(name))), "tfrecord")
    source = inspect(location, kind, split=split, is_labelled=False)
    check_data(loaded.config, loaded, source, "IN_DIR")
    special = np.array(tokenizer.special_ids)

    def ids_of() -> Iterator[np.ndarray]:
        for chunk in read_rows(source):
            for ids, mask in zip(chunk.input_ids, chunk.input_mask, strict=True):
                yield _checked(ids[mask != 0].astype(np.int64), loaded, source)

    def texts() -> Iterator[list[tuple[str, int]]]:
        rows = ids_of()
        while some := list(islice(rows, _TEXTS_AT_ONCE)):
            yield [(tokenizer.decode(ids[~np.isin(ids, special)].tolist()), tokenizer.count_unknown(ids))
                   for ids in some]

    hidden = read_columns(source, ["masked_lm_ids"])["masked_lm_ids"] if "masked_lm_ids" in source.columns else None
    corpus = _count(ids_of(), texts, f"the records {location}", loaded.config.encoder.vocab_size)
    if hidden is not None:  # what stands behind [MASK]; the rest of the column is [PAD]
        for counts in (corpus.counts, corpus.total):
            np.add.at(counts, hidden.reshape(-1), 1)
    return corpus


def _checked(ids: np.ndarray, loaded: LoadedModel, source: RecordSource) -> np.ndarray:
    if ids.size and not 0 <= ids.min() <= ids.max() < loaded.config.encoder.vocab_size:
        raise UserError(f"{source.files[0].parent} holds the token id {ids.max()}, but the vocabulary of "
                        f"{loaded.directory} has {loaded.config.encoder.vocab_size} tokens; give records that were "
                        "made with it")
    return ids
