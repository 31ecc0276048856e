# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text files to sequences of different lengths, for distilling language models (Sanh et al., arXiv:1910.01108).

One line (of other formats than plain text one paragraph) is one sequence, [CLS] ids [SEP]; what is too long is split,
what is too short or mostly unknown tokens is left out (`src.corpus.sequences`). The tokens are counted before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from src.corpus.ragged import Ragged
from src.corpus.sequences import add_special_tokens, mostly_unknown, split_long, truncate
from src.records.options import SequenceOptions
from src.records.report import Piece, Report, Stopwatch
from src.records.texts import TextJob, Texts, joined, prepare_texts
from src.records.writers import serialize
from src.text.tokenization import Tokenizer

EMPTY = ("no sequence is left of {sentences} lines: {dropped_short} are shorter than min_length, {dropped_unknown} are "
         "mostly unknown tokens; expected text with one sequence a line, lower --min_length or use the tokenizer of "
         "this language")


class SequenceJob(TextJob):
    """Chunk of text -> sequences; runs in the workers."""

    options: SequenceOptions

    def make(self, texts: Texts, is_new: np.ndarray | None) -> Piece:
        tokenizer, options = self.tokenizer, self.options
        watch = Stopwatch(texts.seconds)
        texts.keep(is_new)
        paragraphs = (paragraph for document in texts.documents for paragraph in document.paragraphs)
        lines = [line for paragraph in paragraphs for line in (paragraph if texts.is_lines else (joined(paragraph),))]
        tokens, lengths = tokenizer.encode_flat(lines)
        watch.stage("tokenise")
        counts = {"sentences": len(lines), "tokens": len(tokens), "unknown": tokenizer.count_unknown(tokens),
                  "shortened": int(np.count_nonzero(lengths > options.seq_length - 2)), **texts.counts()}
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
        records = [serialize({"input_ids": sequences}, options.columns())] if sequences else []
        watch.stage("serialise")
        return Piece(records, texts.size, counts, watch.seconds, token_ids, token_counts[token_ids],
                     texts.dropped, texts.cleaned)

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
        inputs: files, folders, globs, URLs of these; see `src.corpus.storage` and `src.corpus.sources`.
            Lines are stripped, empty ones skipped.
        tokenizer: stored beside the records.
        output_dir: the folder to make. One that was made with the same settings is left as it is.
        options: see there.
        force: replace a folder of records that was made with other settings.
        progress: show a bar with the remaining time on standard error.

    Raises:
        UserError: see `find_files`, `pieces`, `read_documents`, `make_folder`; or no sequence is left.
    """
    return prepare_texts(inputs, SequenceJob(tokenizer, options), "sequences", output_dir, force, progress, empty=EMPTY)
