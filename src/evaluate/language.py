# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""How well a language model predicts held-out text: perplexity and top-1 accuracy of masked, or of next, tokens.

Masked tokens are drawn uniformly (settings of section `mlm`), from a seed and the place of the row in the data alone:
models that are compared see the same masks, whatever the batch size, and whatever they were trained with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from src.checkpoints.checkpoint import LoadedModel, load_parameters
from src.common.errors import UserError
from src.common.files import read_text
from src.config import DataConfig, EncoderConfig, LanguageModelConfig, ModelConfig
from src.corpus.sequences import Ragged, add_special_tokens, truncate
from src.dataset import (
    Batch,
    LanguageModelTargets,
    language_evaluation_batches,
    longest_row,
    open_records,
    read_rows,
    resolve_buckets,
)
from src.dataset.compatibility import check_data
from src.device import Device
from src.models.heads import TransformerModel, build_model
from src.records.reading import RecordSource, has_records
from src.records.token_counts import load_token_counts
from src.text.tokenization import Tokenizer

_PLACES = 64
"""Numbers of predicted places are rounded up to a multiple of it: one compilation each."""
_LINES = 1024


def training_targets(settings: LanguageModelConfig, rows: RecordSource, encoder: EncoderConfig, seed: int,
                     device: Device, token_counts: str = "", only_predicted: bool = True) -> LanguageModelTargets:
    """Return what a training on `rows` predicts.

    Args:
        rows: records whose folder holds the tokenizer and, where tokens are smoothed by their counts, these.
        device: a device that sinks batches needs the same number of places in each.
        token_counts: file of counts; "" takes the one beside the records.
        only_predicted: the teacher's predictions count at predicted places only.

    Raises:
        UserError: no tokenizer, no mask token, counts that are missing or of another vocabulary.
    """
    tokenizer = rows.tokenizer()
    counts = None
    if not encoder.causal and settings.mlm_smoothing > 0:
        counts = load_token_counts(token_counts or rows.files[0].parent, encoder.vocab_size, tokenizer.vocab_hash)
    return LanguageModelTargets.from_settings(
        settings, **_vocabulary(tokenizer, encoder), only_predicted=only_predicted, token_counts=counts,
        seed=seed, constant_size=device.sink)


def _vocabulary(tokenizer: Tokenizer, encoder: Any) -> dict[str, Any]:
    return {"vocab_size": encoder.vocab_size, "special_ids": tokenizer.special_ids, "mask_id": tokenizer.mask_id,
            "causal": encoder.causal}


class TokenScores(nn.Cell):
    """Log-probabilities of the right tokens, and hits."""

    def __init__(self, model: TransformerModel):
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, input_ids: Tensor, input_mask: Tensor, segment_ids: Tensor, positions: Tensor,
                  label_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p (K,) of `label_ids` (K,) at `positions` (K,), and whether they are the most likely (K,)."""
        logits = self.model(input_ids, input_mask, segment_ids, None, positions)  # (K, V)
        chosen = ops.gather_elements(ops.log_softmax(logits, -1), 1, label_ids.expand_dims(1)).reshape((-1,))
        return chosen, ops.equal(ops.argmax(logits, -1).astype(ms.int32), label_ids)


class LanguageEvaluation:
    """Perplexity and accuracy of a language model's parameters on held-out rows.

    `chunks` opens the rows anew, the first so many of them, or with 0 all; `targets` says which tokens are predicted.
    """

    def __init__(self, model: ModelConfig, chunks: Callable[[int], Iterable[Batch]], targets: LanguageModelTargets,
                 batch_size: int, buckets: tuple[int, ...], device: Device):
        self.model, self.chunks, self.targets, self.device = model, chunks, targets, device
        self.batch_size, self.buckets = batch_size, buckets
        self.scores: TokenScores | None = None

    def __call__(self, parameters: Mapping[str, np.ndarray], rows: int = 0) -> dict[str, float]:
        """Return `perplexity` = exp(mean of -log p), `accuracy`, and `tokens`, the number of predicted tokens, of the
        first `rows` of the records, or with 0 of all.

        Raises:
            UserError: nothing is predicted in the rows.
        """
        if self.scores is None:
            self.scores = TokenScores(build_model(self.model, self.device.compute_type))
        load_parameters(self.scores.model, parameters)
        likelihood = hits = tokens = 0.0
        for _, batch, places in language_evaluation_batches(self.chunks(rows), self.targets, self.batch_size,
                                                            self.buckets):
            scores, right = self.scores(*map(Tensor, (batch.input_ids, batch.input_mask, batch.segment_ids,
                                                      places.positions, places.label_ids)))
            weights = places.label_weights.astype(np.float64)
            likelihood += float(scores.asnumpy() @ weights)
            hits += float(right.asnumpy() @ weights)
            tokens += float(weights.sum())
        if not tokens:
            raise UserError("the held-out text has no token to predict; give more text")
        loss = -likelihood / tokens
        return {"perplexity": math.exp(min(loss, 700.0)), "accuracy": hits / tokens, "tokens": tokens}


def evaluation_of_records(model: ModelConfig, rows: RecordSource, settings: LanguageModelConfig, data: DataConfig,
                          batch_size: int, seed: int, device: Device) -> LanguageEvaluation:
    """Return the evaluation on records of sequences; the settings and the seed say which tokens are predicted."""
    return LanguageEvaluation(model, lambda limit: read_rows(rows, limit=limit),
                              _targets(settings, rows.tokenizer(), model.encoder, seed), batch_size,
                              resolve_buckets(data.buckets, longest_row(rows, data.seq_length)), device)


def evaluation_of(loaded: LoadedModel, location: str, settings: LanguageModelConfig, data: DataConfig, batch_size: int,
                  seed: int, device: Device) -> LanguageEvaluation:
    """Return the evaluation of a checkpoint on records, or on a text file with a sequence a line.

    Raises:
        UserError: no data, or it does not fit the model.
    """
    if not location:
        raise UserError("data_dir is empty; give a text file with one sequence a line, or a folder of records: "
                        "--data_dir PATH")
    if has_records(location):
        rows = open_records(location, data, "data_dir", "sequences")
        check_data(loaded.config, loaded, rows, "checkpoint")
        return evaluation_of_records(loaded.config, rows, settings, data, batch_size, seed, device)
    tokenizer, longest = loaded.tokenizer(), data.seq_length
    loaded.check_length(longest)
    return LanguageEvaluation(loaded.config, lambda _: _read_text(Path(location), tokenizer, longest),
                              _targets(settings, tokenizer, loaded.config.encoder, seed), batch_size,
                              resolve_buckets(data.buckets, longest), device)


def _targets(settings: LanguageModelConfig, tokenizer: Tokenizer, encoder: Any, seed: int) -> LanguageModelTargets:
    return LanguageModelTargets.from_settings(settings, **_vocabulary(tokenizer, encoder), only_predicted=True,
                                              seed=seed, round_to=_PLACES)


def _read_text(file: Path, tokenizer: Tokenizer, longest: int) -> Iterator[Batch]:
    """The lines that hold text as rows, cut to `longest` tokens."""
    lines = [line for line in map(str.strip, read_text(file).split("\n")) if line]
    for start in range(0, len(lines), _LINES):
        yield _rows_of(Ragged(*tokenizer.encode_flat(lines[start:start + _LINES])), tokenizer, longest)


def _rows_of(texts: Ragged, tokenizer: Tokenizer, longest: int) -> Batch:
    rows = add_special_tokens(truncate(texts, longest - 2), tokenizer.cls_id, tokenizer.sep_id)
    mask = np.arange(rows.lengths.max()) < rows.lengths[:, None]
    input_ids = np.full(mask.shape, tokenizer.pad_id, np.int32)
    input_ids[mask] = rows.values
    return Batch(input_ids, mask.astype(np.int32), np.zeros_like(input_ids), np.zeros((len(rows), 1), np.int32))
