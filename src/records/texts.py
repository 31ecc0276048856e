# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What corpora and sequences have in common: pieces of the inputs, their documents, and which of these are new."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from src.corpus.duplicates import document_hash
from src.corpus.sources import Chunk, Document, pieces, read_documents
from src.corpus.storage import find_files
from src.corpus.text import fingerprint
from src.records.columns import Kind
from src.records.folder import make_folder
from src.records.options import CorpusOptions, SequenceOptions
from src.records.preparation import Plan
from src.records.report import Piece, Report, Stopwatch
from src.text.tokenization import Tokenizer

# Starting worker processes takes as long as preparing some megabytes.
BYTES_A_PROCESS = 2 << 20
DUPLICATE = "duplicate"


@dataclass
class Texts:
    """The documents of one piece.

    Attributes:
        index, size: of the piece.
        is_lines: of format `text`, whose lines stay lines.
        dropped, cleaned: as in `src.corpus.sources.Documents`.
        seconds: processor time of each stage so far.
    """

    index: int
    size: int
    is_lines: bool
    documents: list[Document]
    pages: int
    dropped: Counter[str]
    cleaned: dict[str, int]
    seconds: dict[str, float] = field(default_factory=dict)

    def keep(self, is_new: np.ndarray | None) -> None:
        """Leave out the documents where `is_new`, bool (documents,), is false."""
        if is_new is not None and not is_new.all():
            self.dropped[DUPLICATE] += int((~is_new).sum())
            self.documents = [document for document, kept in zip(self.documents, is_new, strict=True) if kept]

    def counts(self) -> dict[str, int]:
        """What `Piece.counts` says of them."""
        return {"pages": self.pages, "documents": len(self.documents)}


@dataclass
class TextJob:
    """Chunk of text -> rows, in two stages, between which duplicates are found; runs in the workers."""

    tokenizer: Tokenizer
    options: CorpusOptions | SequenceOptions

    def __call__(self, chunk: Chunk) -> Piece:
        return self.make(self.read(chunk)[0], None)

    def read(self, chunk: Chunk) -> tuple[Texts, bytes]:
        """Return the documents of a piece, and where duplicates are looked for their hashes, 16 bytes each."""
        watch = Stopwatch()
        found = read_documents(chunk, self.options.reading)
        watch.stage("read")
        hashes = b""
        if self.options.deduplicate == "documents":
            hashes = b"".join(document_hash(chain.from_iterable(document.paragraphs)) for document in found.documents)
            watch.stage("compare")
        return Texts(chunk.index, chunk.size, chunk.source.format == "text", found.documents, found.pages,
                     Counter(found.dropped), dict(found.cleaned), watch.seconds), hashes

    def make(self, texts: Texts, is_new: np.ndarray | None) -> Piece:
        """Return the rows of the documents where `is_new`, or of all."""
        raise NotImplementedError


def prepare_texts(inputs: Sequence[str | Path], job: TextJob, kind: Kind, output_dir: str | Path, force: bool,
                  progress: bool, **wording: Any) -> Report:
    """Turn inputs into a folder of records by a job; see `src.records.prepare.prepare_corpus`."""
    options = job.options
    files = find_files(inputs)
    described = [fingerprint(file) for file in files]
    total = sum(file.bytes for file in described)
    settings = {"inputs": [file.to_dict() for file in described], **options.settings()}
    plan = Plan(output=output_dir, kind=kind, columns=options.columns(), tokenizer=job.tokenizer, options=options,
                settings=settings, job=job, work=pieces(files, options.reading), total=total, unit="B",
                num_workers=min(options.num_workers, 1 + total // BYTES_A_PROCESS), **wording)
    return make_folder(plan, force, progress)


def joined(sentences: Sequence[str]) -> str:
    """A paragraph of its sentences: spaces between them, but not behind Chinese characters and punctuation."""
    parts: list[str] = []
    for sentence in sentences:
        if parts and unicodedata.east_asian_width(parts[-1][-1]) not in "WF":
            parts.append(" ")
        parts.append(sentence)
    return "".join(parts)
