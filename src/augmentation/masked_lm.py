# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A masked language model that answers many questions "what may stand here?", batched by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from mindspore import Tensor

from serving.rows import text_row
from src.checkpoints.checkpoint import LoadedModel, cell_of
from src.dataset import resolve_buckets
from src.device import Device
from src.tasks.task import model_inputs, stack
from src.text.tokenization import Tokenizer

LENGTHS = (16, 32, 48, 64, 80, 96, 128, 192, 256, 384)
"""Lengths that queries are padded to, one compilation each."""
_FULL_LENGTH = 128
"""Batches of longer rows have fewer of them, so that memory does not grow with the square of the length."""


@dataclass(frozen=True, slots=True)
class Query:
    """[CLS] sentence with masks [SEP] sentence [SEP]."""

    input_ids: list[int]
    first_length: int  # tokens of segment 0
    places: tuple[int, ...]  # where the masks are


def make_query(sentence: Sequence[int], masked: Sequence[int], tokenizer: Tokenizer, longest: int) -> Query:
    """Mask some tokens of a sentence, which stands beside its masked form.

    Of a sentence that does not fit in `longest` tokens twice, both forms are the same window, in whose middle the masks
    are: `masked`, places in rising order, must be close together there.
    """
    room = (longest - 2 - tokenizer.separators) // 2
    middle = (masked[0] + masked[-1]) // 2
    begin = max(0, min(middle - room // 2, len(sentence) - room))
    window = list(sentence[begin:begin + room])
    hidden = list(window)
    for place in masked:
        hidden[place - begin] = tokenizer.mask_id or 0  # a masked language model has one
    row = text_row(hidden, window, longest, tokenizer.cls_id, tokenizer.sep_id, tokenizer.separators)
    return Query(row.ids, row.first, tuple(place - begin + 1 for place in masked))


class MaskedLanguageModel:
    """The model of a checkpoint with a masked-LM head, and its tokenizer.

    A step takes `batch_size` rows, fewer where they are longer than 128 tokens; logits are computed at `most_places` of
    each row.
    """

    def __init__(self, loaded: LoadedModel, tokenizer: Tokenizer, device: Device, batch_size: int, longest: int,
                 most_places: int):
        self.model = cell_of(loaded, device.compute_type)
        self.pad_id = tokenizer.pad_id
        self.batch_size, self.most_places = batch_size, most_places
        self.buckets = resolve_buckets(LENGTHS, longest)

    def logits(self, queries: Sequence[Query]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of each query and its logits, float32 (places, vocabulary), by rising length."""
        order = sorted(range(len(queries)), key=lambda number: len(queries[number].input_ids))
        first = 0
        while first < len(order):
            # Neighbours in length fill every batch but the last, each padded to the length that its longest needs.
            part = order[first:first + self.batch_size]
            part = part[:self._shape(queries[part[-1]])[0]]
            rows, length = self._shape(queries[part[-1]])
            yield from zip(part, self._run([queries[number] for number in part], rows, length), strict=True)
            first += len(part)

    def _shape(self, longest: Query) -> tuple[int, int]:
        """Rows and tokens of a batch whose longest row is given."""
        length = self.buckets[int(np.searchsorted(self.buckets, len(longest.input_ids)))]
        return max(1, self.batch_size * _FULL_LENGTH // max(length, _FULL_LENGTH)), length

    def _run(self, queries: Sequence[Query], rows: int, length: int) -> list[np.ndarray]:
        """Logits of each query. A batch always has `rows` rows, which asks for one compilation only."""
        # What fills the batch up has a token to attend to, or its attention would have nothing to be normalised by.
        filled = [*queries, *[Query([self.pad_id], 1, ())] * (rows - len(queries))]
        values = model_inputs([query.input_ids for query in filled], [query.first_length for query in filled], length,
                              self.pad_id)
        places = stack([query.places for query in filled], self.most_places, 0)
        flat = (places + np.arange(rows, dtype=np.int32)[:, None] * length).reshape(-1)
        inputs = [Tensor(column.astype(np.int32)) for column in values.values()]
        logits = self.model(*inputs, None, Tensor(flat)).asnumpy()
        logits = logits.reshape(rows, self.most_places, -1)
        return [logits[row, :len(query.places)] for row, query in enumerate(queries)]
