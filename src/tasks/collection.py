# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is searched: the documents of a file of lists (see `candidate_lists`), each once, and those of documents.jsonl.

    SPLIT.jsonl        {"query": "...", "documents": ["...", ...], "relevance": [1, 0, ...]}
    documents.jsonl    {"document": "..."}    beside it, where there are more documents than the lists name
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from src.common.errors import UserError
from src.task_files.json_records import short
from src.task_files.problems import Problems
from src.task_files.tables import read_objects
from src.tasks.candidate_lists import RELEVANCE, Candidates, read_lists
from src.tasks.task import Task

DOCUMENTS, DOCUMENT = "documents.jsonl", "document"


@dataclass
class Collection:
    """Queries, and the documents that are searched for each of them. Documents are read as a stream: in memory are the
    queries, and a fingerprint of each document.

    Attributes:
        relevance: of each query, number of a document -> its relevance, where it is above 0.
        files: the file of lists, and documents.jsonl where there is one.
        number: of documents, which count in the order of their first place in the files.
    """

    files: tuple[Path, ...]
    split: str
    policy: Literal["fail", "skip"]
    queries: list[str] = field(default_factory=list)
    relevance: list[dict[int, float]] = field(default_factory=list)
    number: int = 0

    def documents(self) -> Iterator[str]:
        """Yield each document once, in order."""
        seen: set[bytes] = set()
        for document in self._all():
            key = _key(document)
            if key not in seen:
                seen.add(key)
                yield document

    def _all(self) -> Iterator[str]:
        for example in read_lists(self.files[0], self.split, Problems(self.policy)):
            yield from example.documents
        for file in self.files[1:]:
            yield from _read_documents(file, Problems(self.policy))


def read_collection(task: Task, directory_or_file: str | Path, split: str, problems: Problems) -> Collection:
    """Read the queries of a split, and number its documents.

    Raises:
        UserError: see `read_lists`; a line of documents.jsonl that holds no document; lists without relevance.
    """
    file = task.file(directory_or_file, split)
    beside = file.parent / DOCUMENTS
    found = Collection((file, beside) if beside.is_file() and beside != file else (file,), split, problems.policy)
    numbers: dict[bytes, int] = {}
    for example in read_lists(file, split, problems):
        if example.relevance is None:
            raise UserError(f"{file} has no {RELEVANCE}, which says what is to be found; expected it in each list")
        places = [numbers.setdefault(_key(document), len(numbers)) for document in example.documents]
        found.queries.append(example.query)
        found.relevance.append(_relevant(example, places))
    for document in found.files[1:]:
        for text in _read_documents(document, problems):
            numbers.setdefault(_key(text), len(numbers))
    found.number = len(numbers)
    problems.understood.columns[f"documents in all{f' ({DOCUMENTS} too)' * (len(found.files) - 1)}"] = str(found.number)
    return found


def _relevant(example: Candidates, places: list[int]) -> dict[int, float]:
    """The relevance of documents by their number; the greater one of a document that stands twice in a list."""
    found: dict[int, float] = {}
    for place, value in zip(places, example.relevance or (), strict=True):
        if value > 0:
            found[place] = max(value, found.get(place, 0.0))
    return found


def _read_documents(file: Path, problems: Problems) -> Iterator[str]:
    for line, value in read_objects(file, problems.report):
        document = value.get(DOCUMENT)
        if isinstance(document, str) and document.strip():
            yield document
        else:
            problems.report(f"{file}:{line}: the {DOCUMENT} is {short(document)}; expected "
                            f'{{"{DOCUMENT}": "..."}} with a text that is not empty')


def _key(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
