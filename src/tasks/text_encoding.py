# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole texts, single or in pairs, to the rows that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from src.common.errors import UserError
from src.tasks.features import Features
from src.tasks.task import model_inputs
from src.text.tokenization import Tokenizer


class Texts(Protocol):
    """An example: one text, or two."""

    @property
    def text_a(self) -> str: ...

    @property
    def text_b(self) -> str | None: ...


def encode_texts(examples: Sequence[Texts], tokenizer: Tokenizer, seq_length: int) -> Features:
    """[CLS] a [SEP] or [CLS] a [SEP] b [SEP], segments 0 and 1, cut to `seq_length`, longest text first (BERT)."""
    is_pair = bool(examples) and examples[0].text_b is not None
    if is_pair and seq_length < 5:
        raise UserError(f"seq_length is {seq_length}; pairs of texts need at least 5")
    special = 3 if is_pair else 2
    all_a = tokenizer.encode_batch([example.text_a for example in examples])
    all_b = tokenizer.encode_batch([example.text_b or "" for example in examples]) if is_pair else [[]] * len(all_a)
    rows, first_lengths, shortened = [], [], 0
    for ids_a, ids_b in zip(all_a, all_b, strict=True):
        keep_a, keep_b = truncated_lengths(len(ids_a), len(ids_b), seq_length - special)
        shortened += keep_a < len(ids_a) or keep_b < len(ids_b)
        first = [tokenizer.cls_id, *ids_a[:keep_a], tokenizer.sep_id]
        first_lengths.append(len(first))
        rows.append([*first, *ids_b[:keep_b], tokenizer.sep_id] if is_pair else first)
    values = model_inputs(rows, first_lengths, seq_length, tokenizer.pad_id)
    tokens = values["input_ids"][values["input_mask"] > 0]
    return Features(values, tokens=len(tokens) - special * len(rows), unknown=tokenizer.count_unknown(tokens),
                    shortened=shortened)


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
