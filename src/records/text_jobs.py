# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pieces of text to rows, in the workers: rows of one length, or sequences of different lengths."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress

import numpy as np

from src.corpus.articles import Paragraphs
from src.corpus.duplicates import document_hash
from src.corpus.masking import Masking, mask_rows
from src.corpus.packing import pack
from src.corpus.sequences import Ragged, add_special_tokens, mostly_unknown, split_long, truncate
from src.corpus.sources import Chunk, Documents, read_documents
from src.records.example import encode_examples
from src.records.options import CorpusOptions, SequenceOptions
from src.records.report import CLEANED, DROPPED, Piece
from src.records.writers import deal
from src.text.tokenization import Tokenizer


@dataclass
class Texts:
    """The documents of one piece.

    Attributes:
        index, size: of the piece.
        is_lines: of format `text`, whose lines stay lines.
        found: the documents, and what was left out.
    """

    index: int
    size: int
    is_lines: bool
    found: Documents

    def kept(self, is_new: np.ndarray | None) -> tuple[list[Paragraphs], dict[str, int]]:
        """Return the documents where `is_new`, bool (documents,), or all; and the counts of them."""
        documents, dropped = self.found.documents, Counter(self.found.dropped)
        if is_new is not None and not is_new.all():
            dropped["duplicate"] = int((~is_new).sum())
            documents = list(compress(documents, is_new))
        counts = {"pages": self.found.pages, "documents": len(documents)}
        counts |= {DROPPED + reason: number for reason, number in dropped.items()}
        return documents, counts | {CLEANED + what: number for what, number in self.found.cleaned.items()}


@dataclass
class TextJob:
    """Chunk of text -> rows, in two stages, between which duplicates are found."""

    tokenizer: Tokenizer
    options: CorpusOptions | SequenceOptions

    def __call__(self, chunk: Chunk) -> Piece:
        return self.make(self.read(chunk)[0], None)

    def read(self, chunk: Chunk) -> tuple[Texts, bytes]:
        """Return the documents of a piece, and where duplicates are looked for their hashes, 16 bytes each."""
        found = read_documents(chunk, self.options.reading)
        hashes = b""
        if self.options.deduplicate == "documents":
            hashes = b"".join(document_hash(chain.from_iterable(document)) for document in found.documents)
        return Texts(chunk.index, chunk.size, chunk.source.format == "text", found), hashes

    def make(self, texts: Texts, is_new: np.ndarray | None) -> Piece:
        """Return the rows of the documents where `is_new`, or of all."""
        raise NotImplementedError


class CorpusJob(TextJob):
    """Rows of one length, which are filled with sentences, or have one each, and may have masked tokens."""

    options: CorpusOptions

    def make(self, texts: Texts, is_new: np.ndarray | None) -> Piece:
        tokenizer, options = self.tokenizer, self.options
        documents, counts = texts.kept(is_new)
        lines: list[str] = []
        for document in documents:
            for paragraph in document:
                lines += paragraph
            # An empty line ends the document.
            lines.append("")
        tokens, lengths = tokenizer.encode_flat(lines)
        shortened = int(np.count_nonzero(lengths > options.seq_length - 2))
        blank = np.fromiter((not line for line in lines), bool, len(lines))
        ends = blank
        if options.one_text_a_row:
            whole = truncate(Ragged(tokens, lengths), options.seq_length - 2)
            tokens, lengths, ends = whole.values, whole.lengths, np.ones(len(lines), bool)
        rows = pack(tokens, lengths, ends, options.seq_length, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id)
        columns = {"input_ids": rows.input_ids, "input_mask": rows.input_mask,
                   "segment_ids": np.zeros(rows.input_ids.shape, np.uint8)}
        messages: list[bytes] = []
        masking = None
        if options.masked_lm_prob:
            masking = Masking(options.masked_lm_prob, options.max_predictions_per_seq, options.whole_word_mask,
                              tokenizer.require_mask("masked_lm_prob"), tokenizer.vocab_size,
                              tokenizer.continues_word if options.whole_word_mask else None)
        generator = np.random.default_rng((options.seed, texts.index))
        for _ in range(options.dupe_factor if len(rows.lengths) else 0):
            if masking:
                columns |= mask_rows(rows, masking, generator)
            messages += encode_examples({column.name: columns[column.name] for column in options.columns()})
        places = rows.input_ids.size * options.dupe_factor
        counts |= {"sentences": int(len(lines) - blank.sum()), "tokens": len(tokens),
                   "unknown": tokenizer.count_unknown(tokens), "places": places,
                   "padding": places - int(rows.lengths.sum()) * options.dupe_factor, "shortened": shortened}
        return Piece(deal(messages, options.num_shards), texts.size, counts)


class SequenceJob(TextJob):
    """Sequences of different lengths, for distilling language models (Sanh et al., arXiv:1910.01108).

    One line (of other formats than plain text one paragraph) is one sequence, [CLS] ids [SEP]; what is too long is
    split, what is too short or mostly unknown tokens is left out. The tokens are counted before that.
    """

    options: SequenceOptions

    def make(self, texts: Texts, is_new: np.ndarray | None) -> Piece:
        tokenizer, options = self.tokenizer, self.options
        documents, counts = texts.kept(is_new)
        paragraphs = (paragraph for document in documents for paragraph in document)
        lines = [line for paragraph in paragraphs for line in (paragraph if texts.is_lines else (joined(paragraph),))]
        tokens, lengths = tokenizer.encode_flat(lines)
        counts |= {"sentences": len(lines), "tokens": len(tokens), "unknown": tokenizer.count_unknown(tokens),
                   "shortened": int(np.count_nonzero(lengths > options.seq_length - 2))}
        sequences = add_special_tokens(Ragged(tokens, lengths), tokenizer.cls_id, tokenizer.sep_id)
        token_counts = np.bincount(sequences.values)
        token_ids = np.flatnonzero(token_counts)
        if options.too_long == "split":
            sequences = split_long(sequences, options.seq_length, tokenizer.cls_id, tokenizer.sep_id)
        else:
            shortened = truncate(Ragged(tokens, lengths), options.seq_length - 2)
            sequences = add_special_tokens(shortened, tokenizer.cls_id, tokenizer.sep_id)
        is_short = sequences.lengths < options.min_length
        counts["dropped_short"] = int(is_short.sum())
        sequences = sequences.keep(~is_short)
        if tokenizer.unk_id is not None:
            is_unknown = mostly_unknown(sequences, tokenizer.unk_id, options.max_unknown)
            counts["dropped_unknown"] = int(is_unknown.sum())
            sequences = sequences.keep(~is_unknown)
        counts["places"] = len(sequences.values)
        dealt = deal(encode_examples({"input_ids": sequences}), options.num_shards)
        return Piece(dealt, texts.size, counts, token_ids, token_counts[token_ids])


def joined(sentences: Sequence[str]) -> str:
    """A paragraph of its sentences: spaces between them, but not behind Chinese characters and punctuation."""
    parts: list[str] = []
    for sentence in sentences:
        if parts and unicodedata.east_asian_width(parts[-1][-1]) not in "WF":
            parts.append(" ")
        parts.append(sentence)
    return "".join(parts)
