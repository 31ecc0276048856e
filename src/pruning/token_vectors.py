# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""One vector a token: the teacher's embedding of each token alone, and the tokens' weights.

The steps are those of model2vec (https://github.com/MinishLab/model2vec): embed, reduce by PCA (distill/components.py),
then weight.
"""

from __future__ import annotations

import re

import numpy as np
from mindspore import Tensor
from tqdm import tqdm

from src.checkpoints.checkpoint import LoadedModel, cell_of
from src.common.errors import UserError
from src.device import Device
from src.text.tokenization import Tokenizer

BATCH = 512
"""Tokens that the teacher embeds at once."""
RARITY = 1e4
"""What a token's share of a text is multiplied with in its weight: 1 / a of Arora et al., whose a is 1e-4."""
_UNUSED = re.compile(r"\[unused\d+\]")


def ordinary_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Return the ids that texts are made of, int64 in rising order: all but special tokens and BERT's [unusedN]."""
    added = tokenizer.backend.get_added_tokens_decoder()
    special = {*tokenizer.special_ids, *(token_id for token_id, token in added.items() if token.special)}
    return np.array([token_id for token_id, token in enumerate(tokenizer.tokens)
                     if token and token_id not in special and not _UNUSED.fullmatch(token)], np.int64)


def embed_tokens(teacher: LoadedModel, tokens: np.ndarray, device: Device) -> np.ndarray:
    """Return the teacher's embedding of [CLS] token [SEP] for each of `tokens`, float32 (tokens, width).

    Args:
        teacher: a model with an embedding head.
        tokens: int64 (tokens,), ids.

    Raises:
        UserError: an embedding is not finite.
    """
    cell, tokenizer = cell_of(teacher, device.compute_type), teacher.tokenizer()
    vectors = np.zeros((len(tokens), teacher.config.output_size), np.float32)
    size = min(BATCH, len(tokens))
    ids = np.empty((size, 3), np.int32)
    ids[:, 0], ids[:, 2] = tokenizer.cls_id, tokenizer.sep_id
    mask, segments = Tensor(np.ones_like(ids)), Tensor(np.zeros_like(ids))
    with tqdm(total=len(tokens), unit="tokens", desc="teacher") as progress:
        for begin in range(0, len(tokens), size):
            own = tokens[begin:begin + size]
            ids[:, 1] = np.resize(own, size)  # one shape, which is compiled once: what fills it up is not read
            vectors[begin:begin + size] = cell(Tensor(ids), mask, segments).asnumpy()[:len(own)]
            progress.update(len(own))
    if not np.isfinite(vectors).all():
        raise UserError(f"{teacher.directory} gives embeddings that are not finite; use another teacher")
    return vectors


def weights_of_counts(counts: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + 1e4 p) for each token, of its share p of all tokens (Arora et al., 2017, "A simple but
    tough-to-beat baseline for sentence embeddings", equation 3); float64 (tokens,).

    Args:
        counts: (tokens,), of which one at least is above 0.
    """
    return 1.0 / (1.0 + RARITY * counts / counts.sum())


def weights_of_ranks(number: int) -> np.ndarray:
    """Return the same for tokens in falling order of their frequency, whose shares follow Zipf's law: p of the
    r-th one is in proportion to 1 / r."""
    return weights_of_counts(1.0 / np.arange(1, number + 1))
