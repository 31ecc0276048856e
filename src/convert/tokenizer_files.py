# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer beside a converted model: whether it is that model's, and what transformers wants to know of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import normalizers

from src.common.errors import UserError
from src.config import EncoderConfig, ModelConfig
from src.convert.families import family_of
from src.text.tokenization import Tokenizer

ROLES = ("cls", "sep", "pad", "mask", "unk")


def check_tokenizer(tokenizer: Tokenizer, encoder: EncoderConfig, folder: Path) -> list[str]:
    """Return notes for the user.

    Raises:
        UserError: the tokenizer has more tokens than the model has word embeddings, or pads with another token than
            the one that the model's positions are counted from.
    """
    rows = encoder.vocab_size
    if tokenizer.vocab_size > rows:
        raise UserError(f"the tokenizer in {folder} has {tokenizer.vocab_size} tokens and the model {rows} "
                        "word embeddings; the two are not of the same model")
    if encoder.position_offset and tokenizer.pad_id != encoder.position_offset - 1:
        raise UserError(f"the tokenizer in {folder} pads with token {tokenizer.pad_id}, and the model counts its "
                        f"positions from padding token {encoder.position_offset - 1} on (pad_token_id of config.json); "
                        "the two are not of the same model")
    if tokenizer.vocab_size < rows:
        return [f"the model has {rows} word embeddings for the tokenizer's {tokenizer.vocab_size} tokens; "
                "the rest is kept unused"]
    return []


def special_ids(tokenizer: Tokenizer | None, config: ModelConfig) -> dict[str, int | None]:
    """Return pad_token_id, bos_token_id and eos_token_id of config.json.

    BERT's has no begin and end of its own. GPT-2 fills rows with the token that ends them: transformers would take
    that end for padding, so that no padding is named.
    """
    encoder = config.encoder
    if tokenizer is None:
        return {"pad_token_id": None if encoder.causal else max(encoder.position_offset - 1, 0)}
    ids: dict[str, int | None] = {"pad_token_id": tokenizer.pad_id if tokenizer.pad_id != tokenizer.sep_id else None}
    if family_of(config).names_ends:
        ids |= {"bos_token_id": tokenizer.cls_id, "eos_token_id": tokenizer.sep_id}
    return ids


def tokenizer_config(tokenizer: Tokenizer, config: ModelConfig) -> dict[str, Any]:
    """Return the values of tokenizer_config.json, with the class that makes the same ids of a text."""
    ids = {f"{role}_token": getattr(tokenizer, f"{role}_id") for role in ROLES}
    names = {role: tokenizer.id_to_token(token_id) for role, token_id in ids.items() if token_id is not None}
    values: dict[str, Any] = {"model_max_length": config.encoder.max_length}
    normalizer = tokenizer.backend.normalizer
    if tokenizer.is_word_piece and isinstance(normalizer, normalizers.BertNormalizer):
        # transformers sets its normaliser from these three, over what tokenizer.json says.
        return {"tokenizer_class": family_of(config).tokenizer_class,
                "do_lower_case": normalizer.lowercase, "strip_accents": normalizer.strip_accents,
                "tokenize_chinese_chars": normalizer.handle_chinese_chars, **values, **names}
    if tokenizer.is_byte_level and normalizer is None:
        prefix = json.loads(tokenizer.backend.pre_tokenizer.__getstate__())["add_prefix_space"]
        values |= {"add_prefix_space": prefix, "bos_token": names["cls_token"], "eos_token": names["sep_token"]}
        if tokenizer.mask_id is None:
            return {"tokenizer_class": "GPT2Tokenizer", **values, "unk_token": names["cls_token"]}
        return {"tokenizer_class": "RobertaTokenizer", **values, **names}
    return {"tokenizer_class": "PreTrainedTokenizerFast", **values, **names}
