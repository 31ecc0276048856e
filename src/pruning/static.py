# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A static student of an embedding model: a table of one vector a token, and no transformer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from src.checkpoints.checkpoint import LoadedModel, load_model
from src.checkpoints.places import folder_of
from src.common.errors import UserError
from src.config import DeviceConfig, HeadConfig, ModelConfig, StaticConfig
from src.config.model import WORD_EMBEDDINGS
from src.convert.formats import OWN, WRITERS, Conversion, check_target, write
from src.convert.options import ReadOptions, option
from src.device import set_up_device
from src.distill.components import components_of
from src.pruning.counted_text import CountedOptions, CountedText, count
from src.pruning.token_vectors import embed_tokens, ordinary_tokens, weights_of_counts, weights_of_ranks

Weighting = Literal["sif", "zipf", "none"]


@dataclass(frozen=True)
class StaticOptions(CountedOptions):
    """How the table is made."""

    dim: int = option(256, "width of a vector, at most the teacher's (default: %(default)s)", type=int, metavar="N")
    weighting: Literal["auto"] | Weighting = option(
        "auto", "sif weights each token by 1 / (1 + 1e4 p), p its share of --text or --records; zipf takes p from its "
                "rank, the order of the ids; none leaves it out; auto is sif with text or records, zipf without "
                "(default: %(default)s)", choices=("auto", *get_args(Weighting)))


def static_checkpoint(source: str, target: Path, options: StaticOptions, target_format: str = OWN, force: bool = False
                      ) -> Conversion:
    """Write the static student of the embedding model `source`: for each token the teacher's embedding of it alone,
    reduced by PCA (less the mean) and weighted; zeros for special tokens, so that a text is the mean of the others.

    Raises:
        UserError: not an embedding model of ours, or a static one; a width that cannot be; text that is missing, not
            read or without a token; records of another vocabulary. Nothing is written then.
    """
    check_target(target, folder_of(source), force)
    if target_format != OWN and StaticConfig.kind not in WRITERS[target_format].takes:
        raise UserError(f"--to {target_format} writes {WRITERS[target_format].title}, which has no place for a static "
                        "model; leave it out, or give --to hf")
    weighting = _weighting(options)
    teacher = load_model(source, "IN_DIR")
    _check_teacher(teacher, source)
    tokenizer = teacher.tokenizer()
    tokens = ordinary_tokens(tokenizer)
    tokens = tokens[tokens < teacher.config.encoder.vocab_size]
    _check_dim(options.dim, teacher, len(tokens))
    counted = count(options, teacher) if weighting == "sif" else None
    weights, weighed = _weigh(weighting, tokens, counted)
    device = set_up_device(DeviceConfig(compute_type="float32"), 0)
    print(f"teacher: {teacher.config.encoder.size}, embeddings of {teacher.config.output_size}; {len(tokens)} tokens, "
          f"{teacher.config.encoder.vocab_size - len(tokens)} special or unused ones get zeros", flush=True)
    vectors = embed_tokens(teacher, tokens, device)
    components = components_of(vectors, options.dim)
    table = np.zeros((teacher.config.encoder.vocab_size, options.dim), np.float32)
    table[tokens] = components.reduce(vectors) * weights[:, None].astype(np.float32)
    config = ModelConfig(StaticConfig(len(table), options.dim), HeadConfig("embedding", normalize=True))
    student = LoadedModel(teacher.directory, config, {WORD_EMBEDDINGS: table}, teacher.tokenizer_path)
    config, notes = write(student, target, target_format, ReadOptions())
    return config, [f"PCA: {options.dim} of {teacher.config.output_size} directions hold {components.share:.1%} of the "
                    "variance",
                    f"weights: {weighed}",
                    f"parameters: {teacher.parameter_count / 1e6:.2f} M before, {table.size / 1e6:.2f} M after", *notes]


def _weighting(options: StaticOptions) -> Weighting:
    """Return the weighting that is asked for, after checking what it is counted on."""
    given = bool(options.text) + bool(options.records)
    if given == 2:
        raise UserError("both --text and --records are given; expected one of the two, whose tokens are counted")
    weighting: Weighting = ("sif" if given else "zipf") if options.weighting == "auto" else options.weighting
    if weighting == "sif" and not given:
        raise UserError("--weighting sif weights tokens by how often a text holds them, and none is given; give --text "
                        "FILE ... or --records DIR, or --weighting zipf, which takes the order of the vocabulary")
    if weighting != "sif" and given:
        raise UserError(f"--weighting {weighting} counts no tokens, but --{'text' if options.text else 'records'} is "
                        "given; leave one of the two out")
    return weighting


def _check_teacher(teacher: LoadedModel, source: str) -> None:
    head, encoder = teacher.config.head, teacher.config.encoder
    if encoder.kind == StaticConfig.kind:
        raise UserError(f"{source} is {encoder.title} already; give the transformer that it was made of")
    if head.kind != "embedding":
        raise UserError(f"{source} has {head.title}, but a static model is made of a teacher's embeddings; convert a "
                        "sentence-transformers folder, or another encoder with --pooling mean")


def _check_dim(dim: int, teacher: LoadedModel, tokens: int) -> None:
    width = teacher.config.output_size
    if not 1 <= dim <= min(width, tokens):
        most = f"{width} of the teacher's embeddings" if width <= tokens else f"{tokens} tokens of its vocabulary"
        raise UserError(f"--dim is {dim}; expected a number from 1 to the {most}")


def _weigh(weighting: Weighting, tokens: np.ndarray, counted: CountedText | None) -> tuple[np.ndarray, str]:
    """The weight of each token, float64 (tokens,), and how they came about."""
    if counted is not None:
        counts = counted.total[tokens]
        if not counts.any():
            raise UserError(f"{counted.name} hold no token but special ones; give text in the language of the model")
        return weights_of_counts(counts), (f"sif, of {counts.sum():,} tokens in {counted.name}, which hold "
                                           f"{np.count_nonzero(counts)} of {len(tokens)}")
    if weighting == "zipf":
        return weights_of_ranks(len(tokens)), "zipf, of the order of the ids"
    return np.ones(len(tokens)), "none"
