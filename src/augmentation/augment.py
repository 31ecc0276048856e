# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""`prepare_data.py augment`: the training set of a task becomes train_aug.tsv, its rows and copies of them.

    python prepare_data.py augment --task_name MRPC --data_dir glue/MRPC --load_ckpt_path bert_base [--glove_path FILE]
    python prepare_data.py augment --task_name MRPC --data_dir glue/MRPC --method rules

`prepare_data.py task` then reads it as the split train_aug. The model runs in this process. Copies are made in worker
processes, except where a masked language model is asked: they take less than a hundredth of its time then, and work
that runs ahead of the finished parts would be lost with a killed run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from tqdm import tqdm

from src.augmentation.copies import Made, ReplacedCopies, Row
from src.augmentation.parts import Parts
from src.augmentation.rules import RuleCopies, count_tags, distributions
from src.augmentation.words import clean, language_of
from src.checkpoints.places import folder_of
from src.common.errors import UserError
from src.common.files import sha256_of
from src.common.places import check_folder
from src.common.typed import require, require_given
from src.config import AugmentConfig, Config, TaskConfig
from src.parallel.ordered import map_ordered
from src.task_files.columnar import files_of, is_table
from src.task_files.problems import Problems
from src.tasks import task_of
from src.tasks.texts import TextTask
from src.text.tokenization import SPECIAL_TOKENS, load_tokenizer

PART_ROWS = 64
"""Rows of a part: what is computed together, and what a killed run loses at most."""
RULE_COPIES = 20
ROWS_A_PROCESS = 4096
"""Starting a process costs as much as copying some thousand rows."""

Item = TypeVar("Item")
Make = Callable[[Iterable[list[Row]]], Iterator[Made]]
"""Yields the lines of each portion of rows, in order."""


class Source:
    """The training set of a task. All rows are read first, so that a faulty one is found before anything is written."""

    def __init__(self, settings: AugmentConfig, from_task: TaskConfig, seed: int):
        require_given(from_task.task_name, "task_name", "the task's name, such as SST-2")
        require_given(settings.data_dir, "data_dir", "the folder of the task's files")
        task = task_of(from_task, seed)
        is_of_texts = isinstance(task, TextTask) and task.kind != "embedding"
        require(is_of_texts, f"task {task.name} is one of kind {task.kind}; only tasks of whole texts with labels are "
                "augmented: elsewhere a replaced word would change what is asked for")
        self.data, self.bad_rows = Path(settings.data_dir), from_task.bad_rows
        self.task = cast(TextTask, task.resolve(self.data))
        self.file = self.task.file(self.data, "train")
        self.rows = sum(1 for _ in self.read())
        texts = (text for row in self.read() for text in row.texts)
        self.language = language_of(texts) if settings.language == "auto" else settings.language

    @property
    def header(self) -> str:
        """The column names under which the task finds texts and label again."""
        return "\t".join(name for name in (self.task.text_a, self.task.text_b, self.task.label) if name) + "\n"

    def read(self) -> Iterator[Row]:
        """Yield the rows in the order of the file."""
        for number, example in enumerate(self.task.read(self.data, "train", Problems(self.bad_rows))):
            texts = (example.text_a,) if example.text_b is None else (example.text_a, example.text_b)
            if example.label is None:
                raise UserError(f"{self.file}:{example.line}: a row without a label; a training set has labels")
            yield Row(number, tuple(clean(text) for text in texts), str(example.label))


def augment(config: Config) -> None:
    """Augment the training set of a task and print what came of it.

    Raises:
        UserError: a task without texts, faulty data, a checkpoint that does not fit; a file that is there already and
            was made otherwise; or parts of it by a stopped run with other settings.
    """
    began = time.perf_counter()
    settings = config.augment
    if settings.output_dir:
        check_folder(settings.output_dir, "output_dir")
    source = Source(settings, config.task, config.seed)
    final = _output(source, settings.output_dir)
    described, make = (rules if settings.method == "rules" else tinybert)(config, source)
    described |= {"input": _digest(files_of(source.file)), "task_name": source.task.name, "seed": config.seed,
                  "language": source.language, "bad_rows": source.bad_rows, "part_rows": PART_ROWS,
                  **source.task.how_read("train")}
    parts = Parts(final, described)
    existing = parts.existing_report(settings.force)
    if existing is not None:
        print(_summary(final, existing, None))
        return
    with parts.opened(settings.force):
        counts = _make_missing(parts, source, make, config.logging.progress)
        parts.finish(-(-source.rows // PART_ROWS), source.header, counts)
    print(_summary(final, counts, time.perf_counter() - began))


def _make_missing(parts: Parts, source: Source, make: Make, shows_progress: bool) -> Counter:
    """Make the parts that are not there yet; return the counts of all."""
    total: Counter = Counter()
    missing: list[int] = []

    def portions() -> Iterator[list[Row]]:
        for number, rows in enumerate(_batches(source.read(), PART_ROWS)):
            made = parts.counts(number)
            if made is None:
                missing.append(number)
                yield rows
            else:
                total.update(made)
                bar.update(len(rows))

    with tqdm(total=source.rows, unit="rows", desc=parts.final.name, disable=not shows_progress) as bar:
        for index, made in enumerate(make(portions())):
            parts.write(missing[index], made.lines, made.counts)
            total.update(made.counts)
            bar.update(made.counts["rows"])
    return total


def _digest(files: list[Path]) -> str | list[str]:
    """What tells whether the input is still the same: a file's SHA-256, or those of its parts."""
    digests = [sha256_of(file) for file in files]
    return digests[0] if len(digests) == 1 else digests


def _output(source: Source, output_dir: str) -> Path:
    folder = Path(output_dir) if output_dir else source.data.parent if is_table(source.data) else source.data
    names = [name for name in source.task.file_names("train_aug") if name.endswith(".tsv")]
    return folder / (names or ["train_aug.tsv"])[0]


def tinybert(config: Config, source: Source) -> tuple[dict[str, Any], Make]:
    """What the file depends on, and how it is made: candidates by a masked language model and by neighbours; see
    `src.augmentation.candidates`."""
    from src.augmentation.resources import load_finder

    settings = config.augment
    copies = settings.copies or source.task.copies
    finder, described = load_finder(config, source.language)
    job = ReplacedCopies(config.seed, copies, settings.replace_probability)
    counts: list[Counter] = []

    def with_candidates(portions: Iterable[list[Row]]) -> Iterator[list[Row]]:
        for rows in portions:
            slots, found = finder.find([text for row in rows for text in row.texts])
            require(found["unknown"] <= settings.max_unknown * found["tokens"],
                    f"{found['unknown'] / max(found['tokens'], 1):.0%} of the tokens are unknown to "
                    f"{finder.tokenizer.source}: it is no vocabulary of this language; give the checkpoint of a model "
                    "that reads it, or raise --max_unknown")
            counts.append(found)
            yield [row._replace(slots=tuple(slots[text] for text in row.texts)) for row in rows]

    def make(portions: Iterable[list[Row]]) -> Iterator[Made]:
        num_workers = 1 if finder.model is not None else _workers(settings.num_workers, source.rows)
        for index, made in enumerate(map_ordered(job, with_candidates(portions), num_workers)):
            yield Made(made.lines, made.counts + counts[index])

    return {"method": "tinybert", "copies": copies, "candidates": settings.candidates,
            "replace_probability": settings.replace_probability, **described}, make


def rules(config: Config, source: Source) -> tuple[dict[str, Any], Make]:
    """What the file depends on, and how it is made: masks, words of the same part of speech, n-grams; see
    `src.augmentation.rules`."""
    settings = config.augment
    copies = settings.copies or RULE_COPIES
    mask_token = SPECIAL_TOKENS["mask"][0]
    if settings.load_ckpt_path:
        tokenizer = load_tokenizer(folder_of(settings.load_ckpt_path))
        mask_token = tokenizer.id_to_token(tokenizer.require_mask("method rules"))
    num_workers = _workers(settings.num_workers, source.rows)
    probabilities = {name: getattr(settings, name) for name in (
        "mask_probability", "pos_probability", "ngram_probability")}

    def make(portions: Iterable[list[Row]]) -> Iterator[Made]:
        by_tag = distributions(map_ordered(partial(count_tags, language=source.language),
                                           _batches(source.read(), PART_ROWS), num_workers))
        job = RuleCopies(config.seed, copies, source.language, mask_token, by_tag, **probabilities)
        return map_ordered(job, portions, num_workers)

    return {"method": "rules", "copies": copies, "mask_token": mask_token, **probabilities}, make


def _workers(number: int, rows: int) -> int:
    return min(number, 1 + rows // ROWS_A_PROCESS)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def _summary(path: Path, counts: Mapping[str, int], seconds: float | None) -> str:
    """Lines for the user; without `seconds` the file was there already."""
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
