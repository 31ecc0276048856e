# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text and task files to folders of records.

Worker processes read, tokenise, pack and serialise pieces of the input; this process writes what they return in the
order of the input. The files therefore depend on the input and the settings alone, not on the number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from src.common.errors import UserError
from src.common.files import write_json
from src.common.places import resolved
from src.corpus.formats import select
from src.corpus.sources import pieces
from src.corpus.storage import find_files, is_url
from src.corpus.text import fingerprint
from src.records.columns import Column, task_columns
from src.records.example import encode_examples
from src.records.folder import SOURCE_LINES, check_output, make_folder
from src.records.kept_examples import NAME as EXAMPLES
from src.records.kept_examples import write_examples
from src.records.options import CorpusOptions, SequenceOptions, TaskOptions
from src.records.preparation import RecordsPlan
from src.records.report import Piece, Report
from src.records.source_rows import SourceRows
from src.records.text_jobs import CorpusJob, SequenceJob, TextJob
from src.records.writers import deal
from src.task_files.columnar import files_of, is_table
from src.task_files.problems import Problems
from src.tasks import Task
from src.tasks.class_labels import FILES as DESCRIPTIONS
from src.tasks.features import EncodeOptions
from src.tasks.label_order import LabelModel, resolve_labels
from src.tasks.texts import TextExample
from src.text.tokenization import SEPARATORS, Tokenizer

# Starting worker processes takes as long as preparing some megabytes of text, or some thousand examples.
BYTES_A_PROCESS = 2 << 20
EXAMPLES_A_PROCESS = 8192
DATA_SUFFIXES = (".tsv", ".csv", ".json", ".jsonl", ".txt", ".xls", ".xlsx", ".parquet", ".arrow")
NO_SEQUENCE = ("no sequence is left of {sentences} lines: {dropped_short} are shorter than min_length, "
               "{dropped_unknown} are mostly unknown tokens; expected text with one sequence a line, lower "
               "--min_length or use the tokenizer of this language")


@dataclass
class TaskJob:
    """Numbered examples -> rows; runs in the workers."""

    tokenizer: Tokenizer
    options: TaskOptions
    task: Task
    columns: Sequence[Column]

    def __call__(self, piece: tuple[int, list[Any]]) -> Piece:
        first_index, examples = piece
        options = self.options
        encoding = EncodeOptions(options.seq_length, options.doc_stride, options.max_query_length)
        features = self.task.encode(examples, self.tokenizer, encoding, first_index)
        values = features.values
        dealt = deal(encode_examples({column.name: values[column.name] for column in self.columns}),
                     options.num_shards)
        places = values["input_ids"].size
        counts = {"sentences": len(examples), "tokens": features.tokens, "unknown": features.unknown,
                  "places": places, "padding": places - int(values["input_mask"].sum()),
                  "shortened": features.shortened}
        return Piece(dealt, len(examples), counts)


def prepare_texts(inputs: Sequence[str | Path], tokenizer: Tokenizer, output_dir: str | Path,
                  options: CorpusOptions | SequenceOptions, force: bool = False, progress: bool = False) -> Report:
    """Turn text files into a folder of records: rows of one length, or sequences with token_counts.json beside them.

    A preparation that was killed is continued by the same call; see `make_folder`.

    Args:
        inputs: files, folders, globs, URLs of these; see `src.corpus.storage` and `src.corpus.sources`. What lies
            beside texts in a folder is left out; see `src.corpus.foreign`.
        output_dir: the folder to make, or its URL. One that was made with the same settings is left as it is.

    Raises:
        UserError: the inputs cannot be read or hold no text, the place is taken, or the tokenizer cannot mask tokens
            as it should.
    """
    check_output(output_dir)
    job: TextJob
    if isinstance(options, SequenceOptions):
        job = SequenceJob(tokenizer, options)
        special: dict[str, Any] = {"kind": "sequences", "empty": NO_SEQUENCE}
    else:
        job = CorpusJob(tokenizer, options)
        special = {"kind": "corpus", "max_unknown": options.max_unknown}
        if options.masked_lm_prob:
            tokenizer.require_mask("masked_lm_prob")
            if options.whole_word_mask and not tokenizer.is_word_piece:
                raise UserError(f"whole_word_mask needs a WordPiece vocabulary, which {tokenizer.source} is not; leave "
                                "it false")
    found = find_files(inputs)
    if not is_url(output_dir):  # records that an earlier preparation made below a folder of texts
        place = resolved(output_dir)
        outside = {file: named for file, named in found.items() if named or is_url(file)
                   or not resolved(file, "input").is_relative_to(place)}
        if not outside:
            raise UserError(f"output_dir {output_dir} holds the input; choose another folder, which may lie in it")
        found = outside
    files, left_out = select(found, options.reading.input_format, options.reading.text_field)
    described = [fingerprint(file.path) for file in files]
    total = sum(file["bytes"] for file in described)
    report = make_folder(RecordsPlan(
        output=output_dir, columns=options.columns(), tokenizer=tokenizer, options=options,
        settings={"inputs": described, **options.settings()}, job=job,
        work=pieces(files, options.reading), total=total, unit="B",
        num_workers=min(options.num_workers, 1 + total // BYTES_A_PROCESS), left_out=left_out, **special),
        force, progress)
    report.left_out = left_out
    return report


@dataclass(frozen=True)
class Split:
    """One split of a task, read and checked once from its first example to its last."""

    task: Task
    data: str | Path
    name: str
    bad_rows: Literal["fail", "skip"]
    examples: int
    is_labelled: bool
    has_pairs: bool
    problems: Problems
    source_rows: SourceRows  # of whole texts; of other tasks none

    def read(self) -> Iterator[Any]:
        """Yield its examples again."""
        return self.task.read(self.data, self.name, Problems(self.bad_rows))

    def pieces(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield the examples by some at a time, with the number of the first."""
        examples, first = self.read(), 0
        while piece := list(islice(examples, self.task.examples_a_piece)):
            yield first, piece
            first += len(piece)


def check_split(task: Task, data: str | Path, name: str, bad_rows: Literal["fail", "skip"]) -> Split:
    """Read a split of a task in a stream.

    Raises:
        UserError: see `Task.read`; every row of it is faulty.
    """
    problems, source_rows = Problems(bad_rows), SourceRows()
    number, largest, is_labelled, has_pairs = 0, 0, False, False
    for example in task.read(data, name, problems):
        if not number:
            is_labelled = task.is_labelled([example])
            has_pairs = task.takes in ("pair", "question") or getattr(example, "text_b", None) is not None
        if isinstance(example, TextExample):
            source_rows.add(example)
        largest = max(largest, task.size_of(example))
        number += 1
    if not number:
        raise UserError(f"{task.file(data, name)} has no example that can be used: {problems.summary()}")
    return Split(task.of_split(name, largest), data, name, bad_rows, number, is_labelled, has_pairs, problems,
                 source_rows)


def prepare_task(task: Task, data: str | Path, tokenizer: Tokenizer, output_dir: str | Path, options: TaskOptions,
                 force: bool = False, progress: bool = False, label_model: LabelModel | None = None) -> list[Report]:
    """Turn all splits of a task that are found into folders of records, `output_dir`/<split>.

    All files are read and checked before the first folder is written.

    Args:
        data: folder of the task's files, or one file, which becomes the split "train".
        label_model: the model whose order of labels the records have.

    Raises:
        UserError: see `resolve_labels`, `Task.read`, `make_folder`.
    """
    check_output(output_dir)
    if task.keeps_lists and options.num_shards > 1:
        raise UserError(f"num_shards is {options.num_shards}, which would part rows that "
                        "belong together; leave it at 1")
    task = resolve_labels(task, data, label_model)
    splits = [check_split(task, data, name, options.bad_rows) for name in task.splits_in(data)]
    _check_others(output_dir, [split.name for split in splits])
    if unread := _unread(data, [Path(task.file(data, split.name)) for split in splits]):
        splits[0].problems.understood.notes.append(f"not read in {data}: {', '.join(unread)}")
    folder = str(output_dir).rstrip("/") if is_url(output_dir) else output_dir
    return [_prepare_split(split, tokenizer, f"{folder}/{split.name}", options, force, progress) for split in splits]


def _check_others(output: str | Path, made: Sequence[str]) -> None:
    """Raise `UserError` for a split that an earlier call took out of the training rows, and that would stay beside a
    training split that has these rows again."""
    for folder in sorted(Path(output).iterdir()) if not is_url(output) and Path(output).is_dir() else ():
        if folder.name not in made and (folder / SOURCE_LINES).is_file():
            raise UserError(f"{folder} holds rows that an earlier call took out of the training rows (dev_share), "
                            f"which would be in {made[0]} too now; give --dev_share again, remove {folder}, or choose "
                            "another output_dir")


def _unread(data: str | Path, read: Sequence[Path]) -> list[str]:
    """Files of a folder that may hold a split and are none's, of another name than the task knows."""
    if not Path(data).is_dir() or Path(data) in read:
        return []
    known = {file for table in read for file in (table, table.with_name(f"{table.name}.json"), *files_of(table))}
    known |= {Path(data) / name for name in (*DESCRIPTIONS, "dataset_dict.json")}
    return sorted(file.name for file in Path(data).iterdir() if file not in known and (
        file.suffix.lower() in DATA_SUFFIXES or file.is_dir() and is_table(file)))


def _prepare_split(split: Split, tokenizer: Tokenizer, output: str | Path, options: TaskOptions, force: bool,
                   progress: bool) -> Report:
    task = split.task
    inputs = files_of(Path(task.file(split.data, split.name)))
    settings = {"inputs": [fingerprint(str(file)) for file in inputs], "task_name": task.name,
                "split": split.name, "labels": list(task.labels), **options.settings(), **task.how_read(split.name)}
    if not task.extra_columns:
        # Rows of whole texts have no windows.
        for name in ("doc_stride", "max_query_length", "bad_rows"):
            del settings[name]
    if split.has_pairs and tokenizer.separators > 1:
        settings[SEPARATORS] = tokenizer.separators
    columns = task_columns(options.seq_length, task.is_regression, split.is_labelled,
                           task.label_width(options.seq_length), task.extra_columns)

    def write_beside(folder: Path) -> Sequence[str]:
        if task.kept_example:
            write_examples(folder, split.read())
            return (EXAMPLES,)
        made = split.source_rows.write(folder)
        if "dev_share" in settings:
            write_json(folder / SOURCE_LINES, {"file": settings["inputs"][0]["name"],
                                               "lines": [example.line for example in split.read()]})
            made += (SOURCE_LINES,)
        return made

    report = make_folder(RecordsPlan(
        output=output, kind="task", columns=columns, tokenizer=tokenizer, options=options, settings=settings,
        job=TaskJob(tokenizer, options, task, columns), work=split.pieces(), total=split.examples, unit="rows",
        num_workers=min(options.num_workers, 1 + split.examples // EXAMPLES_A_PROCESS),
        task=task, split=split.name, max_unknown=options.max_unknown,
        beside=write_beside, understood=split.problems.understood.plain()), force, progress)
    report.problems = split.problems.summary()
    report.understood = split.problems.understood.lines()
    return report
