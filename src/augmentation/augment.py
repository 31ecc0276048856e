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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar, cast

from tqdm import tqdm

from src.augmentation.copies import Made, ReplacedCopies, Row
from src.augmentation.parts import Parts, existing_report, open_parts
from src.augmentation.report import summary
from src.augmentation.words import Language, clean, language_of
from src.common.errors import UserError
from src.common.files import sha256_of
from src.config import Config
from src.parallel.ordered import map_ordered
from src.tasks import get_task
from src.tasks.features import Problems
from src.tasks.texts import TextTask

PART_ROWS = 64
"""Rows of a part: what is computed together, and what a killed run loses at most."""
RULE_COPIES = 20
ROWS_A_PROCESS = 4096
"""Starting a process costs as much as copying some thousand rows."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class TrainingSet:
    """The training set.

    Attributes:
        language: of its texts.
        rows: how many there are.
    """

    task: TextTask
    data: Path
    bad_rows: Literal["fail", "skip"]
    language: Language = "english"
    rows: int = 0

    @property
    def file(self) -> Path:
        return self.task.file(self.data, "train")

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
    source = _source(config)
    final = _output(source, settings.output_dir)
    method = _method(config, source)
    described = {"input": sha256_of(source.file), "task_name": source.task.name, "seed": config.seed,
                 "language": source.language, "bad_rows": source.bad_rows, "part_rows": PART_ROWS, **method.settings}
    counts = existing_report(final, described, settings.force)
    if counts is not None:
        print(summary(final, counts, None))
        return
    with open_parts(final, described, settings.force) as parts:
        counts = _make(parts, source, method, config)
        parts.finish(-(-source.rows // PART_ROWS), source.header, dict(counts))
    print(summary(final, counts, time.perf_counter() - began))


def _make(parts: Parts, source: TrainingSet, method: TinyBert | Rules, config: Config) -> Counter:
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

    with tqdm(total=source.rows, unit="rows", desc=parts.final.name, disable=not config.logging.progress,
              bar_format="{l_bar}{bar}| {n:.0f}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]") as bar:
        for index, made in enumerate(method.made(portions(), bar.update)):
            parts.write(missing[index], made.lines, made.counts)
            total.update(made.counts)
    return total


def _source(config: Config) -> TrainingSet:
    settings = config.augment
    if not config.task.task_name:
        raise UserError("--task_name is not set; expected the task's name, such as SST-2")
    if not settings.data_dir:
        raise UserError("--data_dir is not set; expected the folder of the task's files")
    task = get_task(config.task.task_name)
    if not isinstance(task, TextTask):
        raise UserError(f"task {task.name} is a {task.kind} task; only tasks of whole texts are augmented, because a "
                        "replaced word would change the place or the tags of the answer")
    data = Path(settings.data_dir)
    source = TrainingSet(cast(TextTask, task.resolve(data)), data, config.task.bad_rows)
    # All rows are read before anything is written, so that a faulty one is found at once.
    begin = list(islice(source.read(), 1000))
    language = settings.language
    if language == "auto":
        language = language_of(text for row in begin for text in row.texts)
    return TrainingSet(source.task, data, source.bad_rows, language, sum(1 for _ in source.read()))


def _output(source: TrainingSet, output_dir: str) -> Path:
    folder = Path(output_dir) if output_dir else source.data if source.data.is_dir() else source.data.parent
    names = [name for name in source.task.file_names("train_aug") if name.endswith(".tsv")]
    return folder / (names or ["train_aug.tsv"])[0]


def _method(config: Config, source: TrainingSet) -> TinyBert | Rules:
    if config.augment.method == "rules":
        return Rules(config, source)
    return TinyBert(config, source)


class TinyBert:
    """Candidates by a masked language model and by neighbours; see `src.augmentation.candidates`.

    Attributes:
        settings: everything that the augmented file depends on.
    """

    def __init__(self, config: Config, source: TrainingSet):
        from src.augmentation.resources import load_finder

        settings = config.augment
        copies = settings.copies or source.task.copies
        self.finder, described = load_finder(config, source.language)
        self.limit = settings.max_unknown
        self.job = ReplacedCopies(config.seed, copies, settings.replace_probability)
        self.settings = {"method": "tinybert", "copies": copies, "candidates": settings.candidates,
                         "replace_probability": settings.replace_probability, **described}
        has_model = self.finder.model is not None
        self.num_workers = 1 if has_model else _workers(settings.num_workers, source.rows)

    def made(self, rows: Iterable[list[Row]], advance: Callable[[float], None]) -> Iterator[Made]:
        """Yield the lines of each portion of rows, in order; `advance` is told of rows that are being done."""
        counts: list[Counter] = []
        found = map_ordered(self.job, self._with_candidates(rows, counts, advance), self.num_workers)
        for index, made in enumerate(found):
            yield Made(made.lines, made.counts + counts[index])

    def _with_candidates(self, portions: Iterable[list[Row]], counts: list[Counter],
                         advance: Callable[[float], None]) -> Iterator[list[Row]]:
        for rows in portions:
            shown = 0.0

            def progress(share: float, number: int = len(rows)) -> None:
                nonlocal shown
                advance(share * number - shown)
                shown = share * number

            found = self.finder.find([text for row in rows for text in row.texts], progress)
            progress(1.0)
            self._check_unknown(found.unknown, found.tokens)
            words = {f"words: {means}": number for means, number in found.words.items()}
            counts.append(Counter({"tokens": found.tokens, "unknown": found.unknown, **words}))
            yield [row._replace(slots=tuple(found.slots[text] for text in row.texts)) for row in rows]

    def _check_unknown(self, unknown: int, tokens: int) -> None:
        if unknown > self.limit * tokens:
            raise UserError(f"{unknown / tokens:.0%} of the tokens are unknown to {self.finder.tokenizer.source}: it "
                            "is no vocabulary of this language; give the checkpoint of a model that reads it, or raise "
                            "--max_unknown")


class Rules:
    """Masks, words of the same part of speech, n-grams; see `src.augmentation.rules`.

    Attributes:
        settings: everything that the augmented file depends on.
    """

    def __init__(self, config: Config, source: TrainingSet):
        settings = config.augment
        self.config, self.source = config, source
        self.copies = settings.copies or RULE_COPIES
        self.mask_token = self._mask_token()
        self.num_workers = _workers(settings.num_workers, source.rows)
        self.probabilities = {name: getattr(settings, name) for name in (
            "mask_probability", "pos_probability", "ngram_probability")}
        self.settings = {"method": "rules", "copies": self.copies, "mask_token": self.mask_token, **self.probabilities}

    def _mask_token(self) -> str:
        """The mask token of the checkpoint's tokenizer, or BERT's."""
        from src.text.tokenization import SPECIAL_TOKENS, load_tokenizer

        path = self.config.augment.load_ckpt_path
        if not path:
            return SPECIAL_TOKENS["mask"][0]
        tokenizer = load_tokenizer(path)
        return tokenizer.id_to_token(tokenizer.require_mask("method rules"))

    def made(self, rows: Iterable[list[Row]], advance: Callable[[float], None]) -> Iterator[Made]:
        """Yield the lines of each portion of rows, in order; `advance` is told of rows that are done."""
        from src.augmentation.rules import RuleCopies, TagCounts, distributions

        by_tag = distributions(map_ordered(TagCounts(self.source.language), _batches(self.source.read(), PART_ROWS),
                                           self.num_workers))
        job = RuleCopies(self.config.seed, self.copies, self.source.language, self.mask_token, by_tag,
                         **self.probabilities)
        for made in map_ordered(job, rows, self.num_workers):
            advance(made.counts["rows"])
            yield made


def _workers(number: int, rows: int) -> int:
    return min(number, 1 + rows // ROWS_A_PROCESS)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
