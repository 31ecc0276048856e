# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A smaller checkpoint out of a checkpoint."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, cell_of, load_model
from src.checkpoints.places import folder_of
from src.common.errors import UserError
from src.config import DeviceConfig, EncoderConfig, ModelConfig
from src.convert.extract import FLAG
from src.convert.formats import OWN, WRITERS, Conversion, check_target, write
from src.convert.options import ReadOptions, option
from src.device import set_up_device
from src.models.gates import add_gates
from src.models.heads import arrays_of
from src.pruning.cut import Kept, Layers, check_sizes, choose, cut
from src.pruning.importance import Sample, measure, open_rows
from src.records.writers import DatasetType
from src.report.tables import align

MOST_DIFFERENCE = 1e-5
"""Largest difference of an output of the cut model from the masked one's, times the largest output where above 1."""


def _layers(text: str) -> Layers:
    """`2` keeps two layers; `0,3` these, `3,` this one."""
    try:
        numbers = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is neither a number of layers, such as 2, nor a list such as 0,3") from error
    return numbers if "," in text else _positive(text)


def _positive(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


@dataclass(frozen=True)
class PruneOptions:
    """What is kept, and what tells how important a part is."""

    layers: Layers = option(0, "layers to keep: how many, chosen by importance (2), or which, counted from 0 (0,3; of "
                               "one 3,) (default: all)", type=_layers, metavar="N|A,B,...")
    heads: int = option(0, "attention heads that each layer keeps (default: all)", type=_positive, metavar="N")
    ffn: int = option(0, "feed-forward units that each layer keeps (default: all)", type=_positive, metavar="N")
    across_layers: bool = option(False, "rank the heads, and the units, of all layers together: --heads and --ffn are "
                                        "then means over the layers, which differ (default: false)", **FLAG)
    records: str = option("", "records that importance is measured on, of the model's task or of text", metavar="DIR")
    teacher: str = option("", "teacher, whose distillation loss is measured (default: the loss of the labels, or of "
                              "the tokens of a language model)", metavar="DIR")
    batches: int = option(16, "batches that importance is measured on (default: %(default)s)", type=_positive,
                          metavar="N")
    batch_size: int = option(32, "rows of a batch (default: %(default)s)", type=_positive, metavar="N")
    seed: int = option(0, "seed of the draw of these rows (default: %(default)s)", type=int)
    dataset_type: DatasetType = option("tfrecord", "format of the records (default: %(default)s)",
                               choices=("tfrecord", "mindrecord"))


def prune_checkpoint(source: str, target: Path, options: PruneOptions, target_format: str = OWN, force: bool = False
                     ) -> Conversion:
    """Write the model that is left of the checkpoint directory `source`, and print what was understood and kept.

    Raises:
        UserError: a BiLSTM, nothing to cut, more to keep than there is, no records to choose by, records or a teacher
            that do not fit, or a format that has no place for the result. Nothing is written then.
    """
    check_target(target, folder_of(source), force)
    model = load_model(source, "IN_DIR")
    encoder = model.config.require_transformer(source, "pruning")
    needs_records = _check(options, encoder, target_format)
    teacher = load_model(options.teacher, "teacher") if options.teacher and needs_records else None
    device = set_up_device(DeviceConfig(compute_type="float32"), options.seed)
    importances = None
    if needs_records:
        rows = open_rows(options.records, model, options.dataset_type, teacher is not None)
        measured = measure(model, rows, teacher, device, Sample(options.batches, options.batch_size, options.seed))
        importances = measured.importances
        print(f"importance: {measured.described}", flush=True)
    kept = choose(encoder, importances, options.layers, options.heads, options.ffn, options.across_layers)
    pruned, difference = cut_and_compare(model, kept)
    config, notes = write(pruned, target, target_format, ReadOptions())
    print(table(model, pruned, kept))
    print(f"the whole model with all else masked differs by at most {difference:.1e}", flush=True)
    return config, notes


def _check(options: PruneOptions, encoder: EncoderConfig, target_format: str) -> bool:
    """Check the options against a model; return whether importance has to be measured.

    Raises:
        UserError: see `prune_checkpoint`.
    """
    check_sizes(encoder, options.layers, options.heads, options.ffn)
    if encoder.share_layers and (options.layers or options.across_layers):
        raise UserError(f"all {encoder.num_hidden_layers} layers of the model are one, whose heads and units are cut "
                        "together: leave --layers and --across_layers out; fewer layers, which run the one less often, "
                        "are made by convert_checkpoint.py extract --num_layers")
    by_number = isinstance(options.layers, int)
    kept = range(options.layers or encoder.num_hidden_layers) if isinstance(options.layers, int) else options.layers
    units = [options.ffn or encoder.units_of(index) for index in kept]
    heads = [options.heads or encoder.heads_of(index) for index in kept]
    fewer = any(options.ffn and own < encoder.units_of(index) for own, index in zip(units, kept, strict=True)) or any(
        options.heads and own < encoder.heads_of(index) for own, index in zip(heads, kept, strict=True))
    fewer_layers = len(kept) < encoder.num_hidden_layers
    if not fewer and not fewer_layers:
        raise UserError("nothing would be cut; say what to keep with --layers, --heads or --ffn, fewer than the "
                        f"model's {encoder.num_hidden_layers} layers, {encoder.num_attention_heads} heads and "
                        f"{encoder.intermediate_size} units a layer")
    if options.across_layers and not fewer:
        raise UserError("--across_layers ranks heads or units, of which none are cut; give --heads or --ffn, or leave "
                        "it out")
    needs_records = fewer or (by_number and fewer_layers)
    for name in ("records", "teacher"):
        if getattr(options, name) and not needs_records:
            raise UserError(f"--{name} is for measuring importance, which the layers named by --layers do not need; "
                            "leave it out")
    if needs_records and not options.records:
        raise UserError("--records is not set; what is kept is chosen by importance, measured on a folder of records: "
                        "--records DIR")
    left = encoder.of_layers(heads, units)
    if target_format != OWN and (left.pruned or options.across_layers):
        why = left.pruned or "--across_layers"
        raise UserError(f"--to {target_format} writes {WRITERS[target_format].title}, which has no settings for pruned "
                        f"heads or layers that differ ({why}); write a checkpoint directory and export ONNX or MINDIR, "
                        "or cut layers and --ffn alone")
    return needs_records


def cut_and_compare(model: LoadedModel, kept: Kept) -> tuple[LoadedModel, float]:
    """Return what is kept of a model, and the largest difference of its outputs from those of the whole model in which
    all else is masked, on rows drawn at random.

    Raises:
        UserError: they differ by more than MOST_DIFFERENCE.
    """
    config, parameters = cut(model.config, model.parameters, kept)
    pruned = replace(model, config=config, parameters=parameters)
    cell = cell_of(model)
    add_gates(cell).leave(kept.layers, kept.heads, kept.units)
    inputs = _random_rows(config)
    pairs = list(zip(arrays_of(cell, *inputs), arrays_of(cell_of(pruned), *inputs), strict=True))
    difference = max(float(np.abs(one - other).max()) for one, other in pairs)
    if not difference <= MOST_DIFFERENCE * max(1.0, *(float(np.abs(one).max()) for one, _ in pairs)):
        raise UserError(f"the cut model and the masked one differ by {difference:.1e}, more than rounding does; the "
                        "checkpoint holds values too large for float32 to add up, and is not cut")
    return pruned, difference


def _random_rows(config: ModelConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """input_ids, input_mask, segment_ids: int32 (4, S), rows of different lengths."""
    length = min(16, config.encoder.max_length)
    mask = (np.arange(length) < np.linspace(max(1, length // 2), length, 4).astype(int)[:, None]).astype(np.int32)
    ids = np.random.default_rng(0).integers(0, config.encoder.vocab_size, mask.shape).astype(np.int32) * mask
    return ids, mask, np.zeros_like(mask)


def table(model: LoadedModel, pruned: LoadedModel, kept: Kept) -> str:
    """Return what is kept of each layer, and the parameters before and after, for a terminal."""
    encoder = model.config.encoder
    assert isinstance(encoder, EncoderConfig)
    rows = [("layer", "of IN_DIR", "heads", "units", "heads kept")]
    for own, (its, heads, units) in enumerate(zip(kept.layers, kept.heads, kept.units, strict=True)):
        names = ",".join(map(str, heads)) if len(heads) < encoder.heads_of(its) else "all"
        rows.append((str(own), str(its), f"{len(heads)} of {encoder.heads_of(its)}",
                     f"{len(units)} of {encoder.units_of(its)}", names))
    before, after = model.parameter_count, pruned.parameter_count
    tables = sum(value.size for name, value in pruned.parameters.items() if "_embeddings." in name)
    return (f"{align(rows)}\nparameters: {before:,} before, {after:,} after ({after / before:.1%}), of these "
            f"{tables:,} of embedding tables")
