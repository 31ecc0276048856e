# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A bundle: the folder that holds a model and all that is needed to ask it.

    model.onnx        logits of rows of tokens
    tokenizer.json    of the `tokenizers` library
    bundle.json       what the model is of, how its rows are made and its outputs read, and the sha256 of both files
    README.md         the model card

`export.py --file_format BUNDLE` writes it (src/export/bundle.py).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 2
"""Of bundle.json: a number higher than this one is refused. 2 where pairs have several separators, else 1."""
MODEL, TOKENIZER, DESCRIPTION, CARD = "model.onnx", "tokenizer.json", "bundle.json", "README.md"
KINDS = ("classification", "regression", "tagging", "span", "embedding")
TAKES = {"text": "a single text", "pair": "a pair of texts", "either": "a text or a pair of texts",
         "question": "a pair (question, text)"}
"""What a model is asked with, as bundle.json and as messages call it."""
_LARGEST = 64 << 20
_SHORTEST = {"text": 3, "pair": 5, "either": 5}
"""Tokens of a row: the special ones, and one of each text."""


class ServingError(ValueError):
    """What was given cannot be used; the message is one line that says what, and what to change."""


@dataclass(frozen=True)
class Rows:
    """How texts become rows.

    Attributes:
        takes: a key of TAKES.
        seq_length: most tokens of a row, special ones included.
        doc_stride: tokens from the beginning of one window of a long text to that of the next.
        max_query_length: tokens after which a question is cut.
        by_character: every character is a word that has a tag.
        separators: special tokens between the two texts of a pair; RoBERTa has two.
    """

    takes: str
    seq_length: int
    doc_stride: int
    max_query_length: int
    by_character: bool
    separators: int = 1


@dataclass(frozen=True)
class Answers:
    """How answers are read from the outputs for their starts and ends."""

    has_impossible: bool
    n_best_size: int
    max_answer_length: int
    null_score_threshold: float


@dataclass(frozen=True)
class Special:
    """Ids of special tokens; `unk` is that of `sep` where there is none."""

    cls: int
    sep: int
    pad: int
    unk: int


@dataclass(frozen=True)
class Bundle:
    """What bundle.json says, checked; `metadata` is all of it."""

    folder: Path
    metadata: dict[str, Any]
    task: str
    kind: str
    labels: tuple[str, ...]
    rows: Rows
    answers: Answers
    special: Special
    is_byte_level: bool
    compute_type: str
    embedding_size: int = 0  # of a model that embeds texts

    @property
    def outputs(self) -> int:
        """Logits of a row, or of a token; the width of an embedding."""
        return {"regression": 1, "span": 2, "embedding": self.embedding_size}.get(self.kind, len(self.labels))

    @property
    def size_bytes(self) -> int:
        """Of the files that are needed to ask it."""
        return sum((self.folder / name).stat().st_size for name in (MODEL, TOKENIZER, DESCRIPTION))


def read_bundle(folder: str | Path) -> Bundle:
    """Read and verify a bundle.

    Raises:
        ServingError: no bundle, one of a newer version, or files that are not those that were written.
    """
    if not isinstance(folder, (str, Path)) or not str(folder):
        raise ServingError(f"the bundle is {folder!r:.60}; expected the path of a folder")
    place = Path(folder)
    try:
        metadata = _description(place)
        version = metadata.get("bundle_version")
        if type(version) is not int or version < 1:
            raise ServingError(f"{place / DESCRIPTION} has no bundle_version, so it is not of a bundle; export the "
                               "model again with --file_format BUNDLE")
        if version > VERSION:
            raise ServingError(f"{place} is a bundle of version {version}, and this program reads up to {VERSION}; "
                               "update the folder serving, or export the model with this version")
        for name in (MODEL, TOKENIZER):
            _check_hash(place / name, _Fields(place, metadata).of("files").text(name))
    except OSError as error:
        raise ServingError(f"cannot read {error.filename or place}: {error.strerror}") from error
    return _checked(place, metadata)


def _description(place: Path) -> dict[str, Any]:
    path = place / DESCRIPTION
    if not path.is_file():
        raise ServingError(f"{place} {_fault(place)}")
    if path.stat().st_size > _LARGEST:
        raise ServingError(f"{path} has {path.stat().st_size} bytes; expected a description of at most {_LARGEST}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ServingError(f"{path} is not valid JSON ({' '.join(str(error).split())}); copy or export the bundle "
                           "again") from error
    if not isinstance(values, dict):
        raise ServingError(f"{path} holds a {type(values).__name__}; expected the object that export.py writes")
    return values


def _fault(place: Path) -> str:
    """What a place without a bundle.json is, and what to give instead."""
    if not place.exists():
        return "does not exist; give the folder that export.py --file_format BUNDLE wrote"
    if place.is_file():
        return "is a file; give the folder of a bundle, which export.py --file_format BUNDLE writes"
    if any((place / name).exists() for name in ("manifest.json", "run.json", "model.safetensors")):
        return f"is a model, and no bundle yet: python export.py --checkpoint {place} --file_format BUNDLE --output DIR"
    return f"holds no {DESCRIPTION}, so it is no bundle; give the folder that export.py --file_format BUNDLE wrote"


def _check_hash(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ServingError(f"{path} is missing; copy or export the bundle again")
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise ServingError(f"{path} is not what was written (truncated or changed: its sha256 differs from "
                           f"{DESCRIPTION}); copy or export the bundle again")


class _Fields:
    """Values of an object of bundle.json, each checked for its type when it is read."""

    def __init__(self, place: Path, values: Any, prefix: str = ""):
        self.place, self.prefix = place, prefix
        self.values = values if isinstance(values, dict) else {}

    def _get(self, name: str, holds: Any, expected: str) -> Any:
        value = self.values.get(name)
        if not holds(value):
            raise ServingError(f"{self.place / DESCRIPTION}: {self.prefix}{name} is {value!r:.60}; expected "
                               f"{expected}; export the model again")
        return value

    def of(self, name: str) -> _Fields:
        return _Fields(self.place, self._get(name, lambda value: isinstance(value, dict), "an object"),
                       f"{self.prefix}{name}.")

    def text(self, name: str, known: Any = None) -> str:
        return self._get(name, lambda value: isinstance(value, str) and (known is None or value in known),
                         "a text" if known is None else f"one of {', '.join(known)}")

    def whole(self, name: str, least: int) -> int:
        return self._get(name, lambda value: type(value) is int and value >= least, f"a whole number from {least}")

    def number(self, name: str) -> float:
        return float(self._get(name, lambda value: type(value) in (int, float), "a number"))

    def flag(self, name: str) -> bool:
        return self._get(name, lambda value: isinstance(value, bool), "true or false")

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._get(name, lambda value: isinstance(value, list) and all(
            isinstance(each, str) for each in value), "a list of texts"))

    def id(self, name: str) -> int:
        return self.of(name).whole("id", 0)


def _checked(place: Path, metadata: dict[str, Any]) -> Bundle:
    top = _Fields(place, metadata)
    kind, labels = top.text("head", KINDS), top.texts("labels")
    if kind in ("classification", "tagging") and len(labels) < 2:
        raise ServingError(f"{place / DESCRIPTION}: labels are {list(labels)}; expected two or more; export the model "
                           "again")
    reads, tokenizer = top.of("rows"), top.of("tokenizer")
    takes, stride = reads.text("takes", TAKES), reads.whole("doc_stride", 1)
    longest_query = reads.whole("max_query_length", 1)
    separators = reads.whole("separators", 1) if "separators" in reads.values else 1
    shortest = _SHORTEST.get(takes, longest_query + 4) + separators - 1
    rows = Rows(takes, reads.whole("seq_length", shortest), stride, longest_query, reads.flag("by_character"),
                separators)
    if metadata.get("max_length") is not None and rows.seq_length > top.whole("max_length", 1):
        raise ServingError(f"{place / DESCRIPTION}: rows.seq_length is {rows.seq_length}, but the model knows "
                           f"{metadata['max_length']} positions; export the model again")
    answers = top.of("answers")
    special = tokenizer.of("special_tokens")
    separator = special.id("sep")
    return Bundle(
        place, metadata, top.text("task_name"), kind, labels, rows,
        Answers(answers.flag("has_impossible"), answers.whole("n_best_size", 1), answers.whole("max_answer_length", 1),
                answers.number("null_score_threshold")),
        Special(special.id("cls"), separator, special.id("pad"),
                special.id("unk") if "unk" in special.values else separator),
        tokenizer.text("type") != "bert", top.text("compute_type"),
        top.whole("embedding_size", 1) if kind == "embedding" else 0)
