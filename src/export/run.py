# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exporting: write aside, run again, compare on the same batches, quantize and verify, and only then put in place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mindspore as ms
import numpy as np

from src.checkpoints.checkpoint import LoadedModel, load_model
from src.checkpoints.places import folder_of
from src.common.errors import UserError, nearest
from src.common.files import LOCK, alone, atomic_folder, put_file, read_json, remove, sha256_of, sync, write_json
from src.common.places import check_file, is_replaceable, resolved
from src.config import ANY_LENGTH, EncoderConfig, ExportConfig, TaskConfig
from src.config.reads import IN_COMPUTE_TYPE
from src.convert.formats import check_target
from src.export import bundle
from src.export.artefacts import FORMATS, Batch, CannotRun, Compiled, Format, Runner, run_cell
from src.export.ascend import choose_gears
from src.export.card import CARD, TOKENIZER, card_of, write_tokenizer

if TYPE_CHECKING:
    from src.evaluate.by_row import ByRow
    from src.export.quantization import Quantized

RowsOf = Callable[[LoadedModel, str, str, str], "ByRow"]
"""(model, place, setting that names it, split) -> its rows one by one; src/evaluate/by_row.py."""

_TASK = TaskConfig()
COMPARED_LENGTH = 128
"""Longest sequence that a BiLSTM is compared on, unless the settings say otherwise."""
LONGEST_COMPARED = 1024
"""The same of a transformer: attention to the 8,192 tokens that a ModernBERT takes would need gigabytes."""


@dataclass(frozen=True)
class Difference:
    """Largest absolute difference over all outputs of one batch."""

    batch_size: int
    length: int
    value: float


@dataclass(frozen=True)
class Exported:
    """What stands where, its size in bytes, the differences per shape (none where it could not be run again), what the
    user should know about how it was written, its card (None of a folder, which describes itself), and what it lost
    where it was quantized (`differences` are those of the float32 file before)."""

    path: Path
    size: int
    differences: tuple[Difference, ...]
    not_run: str = ""
    notes: tuple[str, ...] = ()
    card: Path | None = None
    quantized: Quantized | None = None


def export_model(settings: ExportConfig, compute_type: ms.Type = ms.float32, rows_of: RowsOf | None = None,
                 task: TaskConfig = _TASK, buckets: Sequence[int] = (), buckets_given: bool = True) -> Exported:
    """Export a checkpoint.

    Args:
        compute_type: of the matrix products in a MINDIR, AIR or ASCEND graph.
        rows_of: opens the rows that a quantized file is verified on.
        task: how a bundle cuts texts and finds answers.
        buckets: lengths of the gears of an ASCEND folder, in rising order; none for the longest alone.
        buckets_given: whether the user has chosen them.

    Raises:
        UserError: the checkpoint, the output path or the format cannot be used, or the artefact does not compute what
            the model does. Nothing is left behind then.
    """
    name = settings.file_format
    if name not in FORMATS:
        raise UserError(f"file_format is {name!r}; expected one of {', '.join(FORMATS)}{nearest(name, FORMATS)}")
    written_as = FORMATS[name]
    loaded = load_model(settings.checkpoint, "checkpoint")
    described = written_as.describe(loaded, settings, task)
    _check_optimizable(settings, written_as, loaded)
    quantize = _quantizer(settings, written_as, loaded, rows_of)
    compared = written_as.prepare(loaded)
    longest = _longest(settings, loaded)
    gears = choose_gears(settings.batches, buckets, longest, buckets_given, settings.seq_length > 0
                         ) if written_as.is_geared else []
    longest = max((gear.tokens for gear in gears), default=longest)
    target = _target(settings, written_as)
    differences, not_run = [], ""
    with _aside(target, not written_as.suffix) as written:
        artefact = written_as.artefact(written)
        card: dict[str, Any] = {}
        if written_as.suffix or written_as.graph:
            artefact.parent.mkdir(parents=True, exist_ok=True)
            tokenizer = write_tokenizer(loaded, written / bundle.TOKENIZER if written_as.graph else
                                        artefact.with_name(artefact.name + TOKENIZER))
            shape = (settings.batch_size, longest) if written_as.is_fixed else ("batch", "length")
            card = {**card_of(loaded, name, written_as.dtype, shape, tokenizer), **described}
            card |= {"compute_type": str(compute_type).lower(), **written_as.facts}
            card |= {"optimized": True} if settings.optimize else {}
            card |= {"compute_type": settings.quantize} if quantize else {}
        notes = written_as.write(loaded, artefact, Compiled(
            compute_type, settings.batch_size, longest, settings.optimize, card, tuple(gears), settings.max_difference))
        if compute_type != ms.float32 and name not in IN_COMPUTE_TYPE:
            notes += [f"{name} is written in float32; compute_type {str(compute_type).lower()} is of "
                      f"{', '.join(IN_COMPUTE_TYPE)}"]
        try:
            runner = written_as.run(artefact, loaded.config)
        except CannotRun as error:
            not_run = str(error)
        else:
            differences = compare(run_cell(compared), runner, loaded.config.encoder, longest, settings.max_difference)
        quantized = quantize(artefact) if quantize else None
        if card:
            card |= {"quantized": quantized.card()} if quantized else {}
            card = _whole(card, artefact, differences, not_run)
        if written_as.graph:
            notes += written_as.close(written, card)
        size = _settle(written)
        if written_as.suffix:
            write_json(written.with_name(written.name + CARD), card)
    return Exported(target, size, tuple(differences), not_run, tuple(notes),
                    target.with_name(target.name + CARD) if written_as.suffix else None, quantized)


def _check_optimizable(settings: ExportConfig, written_as: Format, loaded: LoadedModel) -> None:
    if settings.optimize and not written_as.is_onnx:
        raise UserError(f"optimize is of ONNX Runtime's operators, but file_format is {settings.file_format}; give "
                        "--file_format ONNX, or leave --optimize out")
    if settings.optimize:
        loaded.config.require_transformer(loaded.directory, "--optimize")


def _quantizer(settings: ExportConfig, written_as: Format, loaded: LoadedModel, rows_of: RowsOf | None
               ) -> Callable[[Path], Quantized] | None:
    """What quantizes a file and verifies it, once all that it needs has been opened; None where that is not wanted."""
    if settings.quantize == "none":
        return None
    # What it needs takes seconds to load.
    from src.export.quantization import check_quantizable, quantize_verified

    check_quantizable(settings, written_as, loaded)
    assert rows_of is not None, "a quantized file is verified on rows"
    calibration: ByRow | tuple[()] = ()
    place, setting = settings.eval_data_dir, "eval_data_dir"
    if settings.quantize == "int8-static":
        calibration = rows_of(loaded, settings.calibration_data_dir, "calibration_data_dir", "train")
        if not place:
            place, setting = settings.calibration_data_dir, "calibration_data_dir"
            print("note: eval_data_dir is not given; the rows of calibration_data_dir verify the file too")
    rows = rows_of(loaded, place, setting, "dev")
    return lambda written: quantize_verified(written, settings, loaded, rows, calibration)


def _whole(card: dict[str, Any], artefact: Path, differences: Sequence[Difference], not_run: str) -> dict[str, Any]:
    """Return the card of an artefact with what is known now that it has been run."""
    run_again: dict[str, Any] = {"not_run": not_run} if not_run else {
        "max_abs_difference": max(each.value for each in differences),
        "batches": [[each.batch_size, each.length] for each in differences]}
    return {**card, "file": artefact.name, "bytes": artefact.stat().st_size, "sha256": sha256_of(artefact),
            "compared_with_the_checkpoint": run_again}


@contextmanager
def _aside(target: Path, is_folder: bool) -> Iterator[Path]:
    """Give a path of the same name to write; what is there appears at `target` when the block ends without an error."""
    if is_folder:
        with atomic_folder(target) as folder:
            written = folder / "model"
            yield written
            for path in written.iterdir():
                path.rename(folder / path.name)
            written.rmdir()
        return
    place = resolved(target)
    folder = place.parent / f".{place.name}.partial"
    if not is_replaceable(place) and place.is_file():
        folder = Path(tempfile.gettempdir()) / f"export-{os.getpid()}"
    with alone(folder, target, "output"):
        try:
            for left in folder.iterdir():
                if left.name != LOCK:
                    remove(left)
            yield folder / target.name
            resolved(target.with_name(target.name + TOKENIZER)).unlink(missing_ok=True)  # an earlier model's
            # The artefact last: where it is there, so is its card.
            for end in (TOKENIZER, CARD, ""):
                if (path := folder / f"{target.name}{end}").exists():
                    put_file(path, target.with_name(path.name))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _longest(settings: ExportConfig, loaded: LoadedModel) -> int:
    limit = loaded.config.encoder.max_length
    if settings.seq_length > limit:
        raise UserError(f"seq_length is {settings.seq_length}, but the model knows {limit} positions")
    return settings.seq_length or (min(limit, LONGEST_COMPARED) if limit < ANY_LENGTH else COMPARED_LENGTH)


def _target(settings: ExportConfig, written_as: Format) -> Path:
    if not settings.output:
        what = "file" if written_as.suffix else "folder"
        raise UserError(f"output is empty; give the {what} to write: --output PATH")
    target = Path(settings.output)
    if written_as.suffix and (target.is_dir() or settings.output.endswith(os.sep)):
        raise UserError(f"the output {settings.output} is a folder; give the name of a file")
    if not written_as.suffix:
        check_target(target, folder_of(settings.checkpoint))
        return target
    of = next((each.name for each in FORMATS.values() if each.suffix and each.suffix == target.suffix.lower()), "")
    if of and of != written_as.name:
        raise UserError(f"the output {settings.output} is named like {of}, and file_format is {written_as.name}; "
                        f"set --file_format {of}, or rename the output")
    # model.MINDIR becomes model.mindir, the only spelling that MindSpore reads.
    file = target.with_suffix(written_as.suffix) if of else target.with_name(target.name + written_as.suffix)
    _check_own(check_file(file, "the output"))
    return file


def _check_own(file: Path) -> None:
    """Refuse to replace an artefact, or what lies in the place of its card, that has not been exported here."""
    card = file.with_name(file.name + CARD)
    try:
        is_own = "compared_with_the_checkpoint" in read_json(card)
    except UserError:
        is_own = False
    if not is_own and (there := next((each for each in (file, card) if each.is_file()), None)):
        raise UserError(f"the output {there} is there already, and the card {card.name} of an export is not beside it: "
                        "it is not replaced; choose another output, or remove it")


def _settle(path: Path) -> int:
    """Make the files readable as any other (MindSpore restricts its own), sync them, return their size in bytes."""
    umask = os.umask(0)
    os.umask(umask)
    size = 0
    for file in [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file()):
        file.chmod((0o777 if file.suffix == ".sh" else 0o666) & ~umask)
        sync(file)
        size += file.stat().st_size
    return size


def batches(config: EncoderConfig, longest: int, seed: int = 0) -> Iterator[Batch]:
    """Yield random batches: one row, several rows, the longest length, a single token, padded rows.

    The first row of each batch is full, the others end anywhere. Half of the tokens of a row are of the second segment
    where the model has one. What fills a row up stands at no real token: transformers numbers RoBERTa's positions, and
    finds the last token of GPT-2's rows, by it.
    """
    padding = max(config.position_offset - 1, 0)
    generator = np.random.default_rng(seed)
    shapes = [(1, longest), (2, longest), (7, max(1, longest // 4)), (4, max(1, longest // 7)), (1, 1)]
    for batch_size, length in dict.fromkeys(shapes):
        real = generator.integers(1, length + 1, (batch_size, 1))
        real[0] = length
        places = np.arange(length)[None, :]
        mask = (places < real).astype(np.int64)
        ids = generator.integers(0, config.vocab_size - 1, (batch_size, length), dtype=np.int64)
        ids = np.where(mask == 1, ids + (ids >= padding), padding)
        segments = ((places >= real // 2) & (mask == 1)).astype(np.int64)
        yield {"input_ids": ids, "input_mask": mask, "segment_ids": segments}


def compare(reference: Runner, artefact: Runner, config: EncoderConfig, longest: int, limit: float) -> list[Difference]:
    """Run both on every batch; what has a value for each token is compared at the real ones.

    Raises:
        UserError: an output is missing, of another shape, not finite, or further off than `limit`.
    """
    differences = []
    for batch in batches(config, longest):
        batch_size, length = batch["input_ids"].shape
        expected, found = reference(batch), artefact(batch)
        shapes = [output.shape for output in expected], [output.shape for output in found]
        if shapes[0] != shapes[1]:
            raise UserError(f"the artefact returns shapes {shapes[1]} for {batch_size} x {length} tokens, the model "
                            f"{shapes[0]}; nothing was written")
        value = max(_difference(a, b, batch["input_mask"]) for a, b in zip(expected, found, strict=True))
        # Also true of NaN, which compares as false.
        if not value <= limit:
            raise UserError(f"the artefact's outputs differ from the model's by {value:.2e} for {batch_size} x "
                            f"{length} tokens, more than max_difference {limit:.0e}; nothing was written")
        differences.append(Difference(batch_size, length, value))
    return differences


def _difference(expected: np.ndarray, found: np.ndarray, mask: np.ndarray) -> float:
    difference = np.abs(expected - found)
    return float((difference[mask == 1] if difference.ndim == 3 else difference).max())
