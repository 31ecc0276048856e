# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole texts, single or in pairs, to the rows that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from serving.rows import text_row
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
    """[CLS] a [SEP] or [CLS] a [SEP] b [SEP], cut to `seq_length`, the longer text first; see `text_row`."""
    is_pair = bool(examples) and examples[0].text_b is not None
    special = 2 + (tokenizer.separators if is_pair else 0)
    if is_pair and seq_length < special + 2:
        raise UserError(f"seq_length is {seq_length}; pairs of texts need at least {special + 2}")
    all_a = tokenizer.encode_batch([example.text_a for example in examples])
    all_b = tokenizer.encode_batch([example.text_b or "" for example in examples]) if is_pair else [[]] * len(all_a)
    rows = [text_row(ids_a, ids_b if is_pair else None, seq_length, tokenizer.cls_id, tokenizer.sep_id,
                     tokenizer.separators)
            for ids_a, ids_b in zip(all_a, all_b, strict=True)]
    values = model_inputs([row.ids for row in rows], [row.first for row in rows], seq_length, tokenizer.pad_id)
    tokens = values["input_ids"][values["input_mask"] > 0]
    return Features(values, tokens=len(tokens) - special * len(rows), unknown=tokenizer.count_unknown(tokens),
                    shortened=sum(row.is_cut for row in rows))
