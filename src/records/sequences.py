# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text files to sequences of different lengths, for distilling language models (Sanh et al., arXiv:1910.01108).

One line is one sequence, [CLS] ids [SEP]; what is too long is split, what is too short or mostly unknown tokens is
left out (`src.corpus.sequences`). The tokens are counted before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.corpus.ragged import Ragged
from src.corpus.sequences import add_special_tokens, mostly_unknown, split_long, truncate
from src.corpus.storage import find_files
from src.corpus.text import Chunk, chunks, fingerprint, read_lines
from src.records.folder import Plan, make_folder
from src.records.options import SequenceOptions
from src.records.report import Piece, Report, Stopwatch
from src.records.writers import serialize
from src.tokenization import Tokenizer

EMPTY = ("no sequence is left of {sentences} lines: {dropped_short} are shorter than min_length, {dropped_unknown} are "
         "mostly unknown tokens; expected text with one sequence a line, lower --min_length or use the tokenizer of "
         "this language")


@dataclass
class SequenceJob:
    """Chunk of text -> sequences; runs in the workers."""

    tokenizer: Tokenizer
    options: SequenceOptions

    def __call__(self, chunk: Chunk) -> Piece:
        tokenizer, options = self.tokenizer, self.options
        watch = Stopwatch()
        lines = [line for span in chunk.spans for line in read_lines(span) if line]
        watch.stage("read")
        tokens, lengths = tokenizer.encode_flat(lines)
        watch.stage("tokenise")
        counts = {"sentences": len(lines), "tokens": len(tokens), "unknown": tokenizer.count_unknown(tokens),
                  "shortened": int(np.count_nonzero(lengths > options.seq_length - 2))}
        sequences = add_special_tokens(Ragged(tokens, lengths), tokenizer.cls_id, tokenizer.sep_id)
        token_counts = np.bincount(sequences.values)
        token_ids = np.flatnonzero(token_counts)
        if options.too_long == "split":
            sequences = split_long(sequences, options.seq_length, tokenizer.cls_id, tokenizer.sep_id)
        else:
            shortened = truncate(Ragged(tokens, lengths), options.seq_length - 2)
            sequences = add_special_tokens(shortened, tokenizer.cls_id, tokenizer.sep_id)
        sequences, dropped = self._filter(sequences)
        counts |= dropped | {"places": len(sequences.values)}
        watch.stage("cut")
        records = [serialize({"input_ids": sequences}, options.columns(), options.dataset_type)] if sequences else []
        watch.stage("serialise")
        return Piece(records, chunk.size, counts, watch.seconds, token_ids, token_counts[token_ids])

    def _filter(self, sequences: Ragged) -> tuple[Ragged, dict[str, int]]:
        """Leave out sequences that are too short, then those that are mostly unknown tokens."""
        dropped = {}
        is_short = sequences.lengths < self.options.min_length
        dropped["dropped_short"] = int(is_short.sum())
        sequences = sequences.keep(~is_short)
        if self.tokenizer.unk_id is not None:
            is_unknown = mostly_unknown(sequences, self.tokenizer.unk_id, self.options.max_unknown)
            dropped["dropped_unknown"] = int(is_unknown.sum())
            sequences = sequences.keep(~is_unknown)
        return sequences, dropped


def prepare_sequences(inputs: Sequence[str | Path], tokenizer: Tokenizer, output_dir: str | Path,
                      options: SequenceOptions, force: bool = False, progress: bool = False) -> Report:
    """Turn text files into a folder of sequences of different lengths, with token_counts.json beside them.

    Args:
        inputs: files, folders, globs, URLs of these; see `src.corpus.storage` and `src.corpus.text`.
            Lines are stripped, empty ones skipped.
        tokenizer: stored beside the records.
        output_dir: the folder to make. One that was made with the same settings is left as it is.
        options: see there.
        force: replace a folder of records that was made with other settings.
        progress: show a bar with the remaining time on standard error.

    Raises:
        UserError: see `find_files`, `read_lines`, `make_folder`; or no sequence is left.
    """
    files = find_files(inputs)
    described = [fingerprint(file) for file in files]
    settings = {"inputs": [file.to_dict() for file in described], **options.settings()}
    plan = Plan(output=Path(output_dir), kind="sequences", columns=options.columns(), tokenizer=tokenizer,
                options=options, settings=settings, job=SequenceJob(tokenizer, options), work=chunks(files),
                total=sum(file.bytes for file in described), unit="B", empty=EMPTY)
    return make_folder(plan, force, progress)
