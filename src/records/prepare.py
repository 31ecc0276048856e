# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text and task files to folders of records.

Worker processes read, tokenise, pack and serialise pieces of the input; this process writes what they return in the
order of the input. The files therefore depend on the input and the settings alone, not on the number of processes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from src.corpus.masking import Masking, mask_rows
from src.corpus.packing import pack
from src.corpus.text import Chunk, chunks, find_files, fingerprint, read_lines
from src.errors import UserError
from src.files import atomic_folder, sha256_of
from src.records.columns import Column, Kind, corpus_columns, schema, task_columns, write_schema
from src.records.manifest import FileEntry, Manifest, load_manifest, verify, write_manifest
from src.records.parallel import map_ordered
from src.records.writers import DatasetType, Records, RecordWriter, serialize
from src.tasks import Task, TaskExample
from src.tokenization import Tokenizer

EXAMPLES_A_PIECE = 1024
EXAMPLES_A_PROCESS = 8192


@dataclass(frozen=True)
class CorpusOptions:
    """How a corpus becomes records; see `corpus` in default_config.yaml for each setting."""

    seq_length: int = 128
    num_shards: int = 1
    num_workers: int = 1
    dataset_type: DatasetType = "tfrecord"
    masked_lm_prob: float = 0.0
    max_predictions_per_seq: int = 20
    whole_word_mask: bool = False
    dupe_factor: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        _check_common(self)
        if not 0 <= self.masked_lm_prob < 1:
            raise UserError(f"masked_lm_prob is {self.masked_lm_prob}; it must be in [0, 1)")
        if self.max_predictions_per_seq < 1:
            raise UserError(f"max_predictions_per_seq is {self.max_predictions_per_seq}; it must be at least 1")
        if self.dupe_factor < 1:
            raise UserError(f"dupe_factor is {self.dupe_factor}; it must be at least 1")
        if self.dupe_factor > 1 and not self.masked_lm_prob:
            raise UserError(f"dupe_factor is {self.dupe_factor}, but without masked tokens all copies are the same; "
                            "set masked_lm_prob, or leave dupe_factor at 1")

    def columns(self) -> tuple[Column, ...]:
        return corpus_columns(self.seq_length, self.max_predictions_per_seq if self.masked_lm_prob else 0)

    def settings(self) -> dict[str, Any]:
        """What the rows depend on."""
        values = asdict(self)
        del values["num_workers"]
        if not self.masked_lm_prob:
            for name in ("max_predictions_per_seq", "whole_word_mask", "dupe_factor", "seed"):
                del values[name]
        return values


@dataclass(frozen=True)
class TaskOptions:
    """How a task's files become records; see `prepare_task` in default_config.yaml."""

    seq_length: int = 128
    num_shards: int = 1
    num_workers: int = 1
    dataset_type: DatasetType = "tfrecord"

    def __post_init__(self) -> None:
        _check_common(self)

    def settings(self) -> dict[str, Any]:
        """What the rows depend on."""
        values = asdict(self)
        del values["num_workers"]
        return values


def _check_common(options: CorpusOptions | TaskOptions) -> None:
    if options.seq_length < 3:
        raise UserError(f"seq_length is {options.seq_length}; it must be at least 3: [CLS], a token, [SEP]")
    for name in ("num_shards", "num_workers"):
        if getattr(options, name) < 1:
            raise UserError(f"{name} is {getattr(options, name)}; it must be at least 1")
    if options.dataset_type not in ("tfrecord", "mindrecord"):
        raise UserError(f"dataset_type is {options.dataset_type!r}; expected tfrecord or mindrecord")


@dataclass
class Report:
    """What was done, for the summary.

    Attributes:
        output_dir: the folder.
        skipped: the folder was there already, made with the same settings.
        rows, sentences: records, and lines of text (for a task: examples).
        tokens: without special tokens and padding; `unknown` of them are [UNK].
        places: rows x seq_length; `padding` of them are empty.
        shortened: sentences that were split (corpus), or examples that were cut (task).
        seconds: stage -> processor time over all processes, in seconds; `elapsed` is the wall clock's.
    """

    output_dir: Path
    skipped: bool = False
    rows: int = 0
    sentences: int = 0
    tokens: int = 0
    unknown: int = 0
    places: int = 0
    padding: int = 0
    shortened: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0

    def add(self, piece: Piece) -> None:
        """Count in the result of one piece of work."""
        self.rows += sum(map(len, piece.records))
        for name in ("sentences", "tokens", "unknown", "places", "padding", "shortened"):
            setattr(self, name, getattr(self, name) + getattr(piece, name))
        for stage, seconds in piece.seconds.items():
            self.spend(stage, seconds)

    def spend(self, stage: str, seconds: float) -> None:
        """Add to the time of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def summary(self) -> str:
        """Several lines for the terminal."""
        if self.skipped:
            return f"{self.output_dir}: complete, made with the same settings ({self.rows} rows); nothing to do"
        share = "{:.1%}".format
        stages = ", ".join(f"{stage} {seconds:.1f} s ({self.sentences / seconds:,.0f} sentences/s)"
                           for stage, seconds in self.seconds.items() if seconds)
        return "\n".join((
            f"{self.output_dir}: {self.rows} rows of {self.places // max(self.rows, 1)}, {self.sentences} sentences, "
            f"{self.tokens} tokens, padding {share(self.padding / max(self.places, 1))}, unknown tokens "
            f"{share(self.unknown / max(self.tokens, 1))}, shortened {self.shortened}",
            f"  {self.elapsed:.1f} s, {self.sentences / max(self.elapsed, 1e-9):,.0f} sentences/s; "
            f"processor time by stage: {stages}"))


@dataclass
class Piece:
    """What a worker returns: serialised rows, counts (see `Report`), and seconds of each stage."""

    records: list[Records]
    size: int
    sentences: int
    tokens: int
    unknown: int
    places: int
    padding: int
    shortened: int
    seconds: dict[str, float]


class _Stopwatch:
    """Processor time of this process, stage by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def stage(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


@dataclass
class CorpusJob:
    """Chunk of text -> rows; runs in the workers."""

    tokenizer: Tokenizer
    options: CorpusOptions

    def __call__(self, chunk: Chunk) -> Piece:
        tokenizer, options = self.tokenizer, self.options
        watch = _Stopwatch()
        lines: list[str] = []
        for span in chunk.spans:
            lines += read_lines(span)
            # A file, or what precedes an empty line, ends the document.
            lines.append("")
        watch.stage("read")
        tokens, lengths = tokenizer.encode_flat(lines)
        watch.stage("tokenise")
        blank = np.fromiter((not line for line in lines), bool, len(lines))
        rows = pack(tokens, lengths, blank, options.seq_length, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id)
        watch.stage("pack")
        values = {"input_ids": rows.input_ids, "input_mask": rows.input_mask,
                  "segment_ids": np.zeros(rows.input_ids.shape, np.uint8)}
        records: list[Records] = []
        masking = self._masking()
        generator = np.random.default_rng((options.seed, chunk.index))
        for _ in range(options.dupe_factor if len(rows.lengths) else 0):
            if masking:
                values |= mask_rows(rows, masking, generator)
                watch.stage("mask")
            records.append(serialize(values, options.columns(), options.dataset_type))
            watch.stage("serialise")
        places = rows.input_ids.size * options.dupe_factor
        return Piece(records=records, size=chunk.size, sentences=int(len(lines) - blank.sum()), tokens=len(tokens),
                     unknown=int(np.count_nonzero(tokens == tokenizer.unk_id)), places=places,
                     padding=places - int(rows.lengths.sum()) * options.dupe_factor,
                     shortened=int(np.count_nonzero(lengths > options.seq_length - 2)), seconds=watch.seconds)

    def _masking(self) -> Masking | None:
        options, tokenizer = self.options, self.tokenizer
        if not options.masked_lm_prob:
            return None
        return Masking(options.masked_lm_prob, options.max_predictions_per_seq, options.whole_word_mask,
                       tokenizer.mask_id, tokenizer.vocab_size,
                       tokenizer.continues_word if options.whole_word_mask else None)


@dataclass
class TaskJob:
    """Examples -> rows; runs in the workers."""

    tokenizer: Tokenizer
    options: TaskOptions
    task: Task
    is_labelled: bool

    def __call__(self, examples: list[TaskExample]) -> Piece:
        watch = _Stopwatch()
        features = task_features(examples, self.tokenizer, self.options.seq_length)
        watch.stage("tokenise")
        values = dict(features.values)
        if self.is_labelled:
            labels = [example.label if self.task.is_regression else self.task.label_id(example.label)
                      for example in examples]
            values["label_ids"] = np.array(labels, np.float32 if self.task.is_regression else np.int64)[:, None]
        columns = task_columns(self.options.seq_length, self.task.is_regression, self.is_labelled)
        records = serialize(values, columns, self.options.dataset_type)
        watch.stage("serialise")
        places = values["input_ids"].size
        return Piece(records=[records], size=len(examples), sentences=len(examples), tokens=features.tokens,
                     unknown=features.unknown, places=places, padding=places - int(values["input_mask"].sum()),
                     shortened=features.shortened, seconds=watch.seconds)


@dataclass(frozen=True)
class Features:
    """Model inputs of examples: int arrays (rows, seq_length) by column name, and counts as in `Report`."""

    values: dict[str, np.ndarray]
    tokens: int
    unknown: int
    shortened: int


def task_features(examples: Sequence[TaskExample], tokenizer: Tokenizer, seq_length: int) -> Features:
    """[CLS] a [SEP] or [CLS] a [SEP] b [SEP], segments 0 and 1, cut to `seq_length`, longest text first (BERT)."""
    encoded_a = tokenizer.encode_batch([example.text_a for example in examples])
    is_pair = bool(examples) and examples[0].text_b is not None
    if is_pair and seq_length < 5:
        raise UserError(f"seq_length is {seq_length}; pairs of texts need at least 5")
    encoded_b = tokenizer.encode_batch([example.text_b or "" for example in examples]) if is_pair else None
    flat: list[int] = []
    lengths, first_lengths = [], []
    shortened = 0
    cls_id, sep_id = tokenizer.cls_id, tokenizer.sep_id
    for index, ids_a in enumerate(encoded_a):
        ids_b = encoded_b[index] if encoded_b else []
        keep_a, keep_b = truncated_lengths(len(ids_a), len(ids_b), seq_length - (3 if is_pair else 2))
        shortened += keep_a < len(ids_a) or keep_b < len(ids_b)
        begin = len(flat)
        flat.append(cls_id)
        flat += ids_a[:keep_a]
        flat.append(sep_id)
        first_lengths.append(len(flat) - begin)
        if is_pair:
            flat += ids_b[:keep_b]
            flat.append(sep_id)
        lengths.append(len(flat) - begin)
    position = np.arange(seq_length)
    mask = position < np.array(lengths, np.int64)[:, None]
    input_ids = np.full(mask.shape, tokenizer.pad_id, np.int32)
    tokens = np.array(flat, np.int32)
    input_ids[mask] = tokens
    segments = mask & (position >= np.array(first_lengths, np.int64)[:, None])
    values = {"input_ids": input_ids, "input_mask": mask.astype(np.uint8), "segment_ids": segments.astype(np.uint8)}
    return Features(values, tokens=len(flat) - (3 if is_pair else 2) * len(examples),
                    unknown=int(np.count_nonzero(tokens == tokenizer.unk_id)), shortened=int(shortened))


def truncated_lengths(length_a: int, length_b: int, room: int) -> tuple[int, int]:
    """Lengths after taking tokens from the end of the longer text until both fit into `room`; on a tie from b."""
    if length_a + length_b <= room:
        return length_a, length_b
    half_a, half_b = room - room // 2, room // 2
    if length_b <= half_b:
        return room - length_b, length_b
    if length_a <= half_a:
        return length_a, room - length_a
    return half_a, half_b


def prepare_corpus(inputs: Sequence[str | Path], tokenizer: Tokenizer, output_dir: str | Path, options: CorpusOptions,
                   force: bool = False, progress: bool = False) -> Report:
    """Turn text files into a folder of records.

    Args:
        inputs: files, folders, globs; see `src.corpus.text`.
        tokenizer: stored beside the records.
        output_dir: the folder to make. One that was made with the same settings is left as it is.
        options: see there.
        force: replace a folder of records that was made with other settings.
        progress: show a bar with the remaining time on standard error.

    Raises:
        UserError: see `find_files`, `read_lines`, `_may_write`; or there is no text in the inputs.
    """
    files = find_files(inputs)
    described = [fingerprint(file) for file in files]
    settings = {"inputs": [file.to_dict() for file in described], **options.settings()}
    plan = _Plan(output=Path(output_dir), kind="corpus", columns=options.columns(), tokenizer=tokenizer,
                 options=options, settings=settings, job=CorpusJob(tokenizer, options), work=chunks(files),
                 total=sum(file.bytes for file in described), unit="B")
    return _make_folder(plan, force, progress)


def prepare_task(task: Task, data: str | Path, tokenizer: Tokenizer, output_dir: str | Path, options: TaskOptions,
                 force: bool = False, progress: bool = False) -> list[Report]:
    """Turn all splits of a task that are found into folders of records, `output_dir`/<split>.

    All files are read and checked before the first folder is written.

    Args:
        task: from `get_task`.
        data: folder of the task's files, or one file, which becomes the split "train".
        tokenizer, output_dir, options, force, progress: as for `prepare_corpus`.

    Raises:
        UserError: see `Task.read`, `_may_write`.
    """
    task = task.resolve(data)
    read = {split: list(task.read(data, split)) for split in task.splits_in(data)}
    reports = []
    for split, examples in read.items():
        file = task.file(data, split)
        is_labelled = examples[0].label is not None
        settings = {"inputs": [fingerprint(str(file)).to_dict()], "task_name": task.name, "split": split,
                    "labels": list(task.labels), **options.settings()}
        columns = task_columns(options.seq_length, task.is_regression, is_labelled)
        # Starting a process costs as much as tokenising some thousand examples.
        workers = min(options.num_workers, 1 + len(examples) // EXAMPLES_A_PROCESS)
        plan = _Plan(output=Path(output_dir) / split, kind="task", columns=columns, tokenizer=tokenizer,
                     options=replace(options, num_workers=workers), settings=settings,
                     job=TaskJob(tokenizer, options, task, is_labelled), work=_batches(examples),
                     total=len(examples), unit="rows", task=task, split=split)
        reports.append(_make_folder(plan, force, progress))
    return reports


def _batches(examples: Sequence[TaskExample]) -> Iterable[list[TaskExample]]:
    iterator = iter(examples)
    while piece := list(islice(iterator, EXAMPLES_A_PIECE)):
        yield piece


@dataclass(frozen=True)
class _Plan:
    """One folder of records to make: `job` turns each item of `work` into rows; `total` counts `unit`s of work."""

    output: Path
    kind: Kind
    columns: Sequence[Column]
    tokenizer: Tokenizer
    options: CorpusOptions | TaskOptions
    settings: dict[str, Any]
    job: Callable[[Any], Piece]
    work: Iterable[Any]
    total: int
    unit: str
    task: Task | None = None
    split: str = ""


def _make_folder(plan: _Plan, force: bool, progress: bool) -> Report:
    began = time.perf_counter()
    tokenizer, task = plan.tokenizer, plan.task
    settings = {**plan.settings, "vocab_hash": tokenizer.vocab_hash, "lower_case": tokenizer.lower_case}
    report = Report(plan.output)
    if not _may_write(plan.output, settings, force, report):
        return report
    with atomic_folder(plan.output, replace=force) as folder:
        counts = _write_records(folder, plan, report, progress)
        watch = _Stopwatch()
        tokenizer.save(folder)
        write_schema(folder, plan.columns, report.rows)
        entries = {name: FileEntry(rows, (folder / name).stat().st_size, sha256_of(folder / name))
                   for name, rows in counts.items()}
        write_manifest(folder, Manifest(
            kind=plan.kind, dataset_type=plan.options.dataset_type, rows=report.rows, files=entries,
            columns=schema(plan.columns, 0)["columns"], seq_length=plan.options.seq_length,
            vocab_size=tokenizer.vocab_size, vocab_hash=tokenizer.vocab_hash, lower_case=tokenizer.lower_case,
            task_name=task.name if task else "", labels=task.labels if task else (),
            is_regression=bool(task and task.is_regression), split=plan.split, settings=settings))
        watch.stage("finish")
    report.spend("finish", watch.seconds["finish"])
    report.elapsed = time.perf_counter() - began
    return report


def _may_write(output: Path, settings: dict[str, Any], force: bool, report: Report) -> bool:
    """Whether the folder is to be made; false when it is there already, made with the same settings.

    Raises:
        UserError: the place is taken by something else, or by records that were made with other settings.
    """
    if not output.exists() or output.is_dir() and not any(output.iterdir()):
        return True
    advice = "choose another output_dir, or set --force true to replace it"
    if not output.is_dir() or not (output / "manifest.json").is_file():
        raise UserError(f"{output} exists and is no folder of records made by prepare_data.py; choose another "
                        "output_dir")
    if force:
        return True
    manifest = load_manifest(output)
    # Through JSON, so that tuples and lists compare equal.
    settings = json.loads(json.dumps(settings))
    for name in settings.keys() | manifest.settings.keys():
        given, made = settings.get(name), manifest.settings.get(name)
        if given != made:
            what = "other input files" if name == "inputs" else f"{name} {made!r}, not {given!r}"
            raise UserError(f"{output} exists and was made with {what}; {advice}")
    try:
        verify(output, manifest, contents=False)
    except UserError as error:
        raise UserError(f"{error}; {advice}") from error
    report.skipped, report.rows = True, manifest.rows
    return False


def _write_records(folder: Path, plan: _Plan, report: Report, progress: bool) -> dict[str, int]:
    """Write the shards; return the rows of each file."""
    options = plan.options
    writer = RecordWriter(folder, options.dataset_type, plan.columns, options.num_shards)
    writing = 0.0
    with tqdm(total=plan.total, unit=plan.unit, unit_scale=True, desc=plan.output.name, disable=not progress) as bar:
        for piece in map_ordered(plan.job, plan.work, options.num_workers):
            began = time.thread_time()
            for records in piece.records:
                writer.write(records)
            writing += time.thread_time() - began
            report.add(piece)
            bar.update(piece.size)
        if not report.rows:
            raise UserError("the input holds no text; expected one sentence a line")
        began = time.thread_time()
        counts = writer.close()
        report.spend("write", writing + time.thread_time() - began)
    return counts
