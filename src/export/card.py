# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The card of an artefact: what goes into it and what comes out, for who has nothing but the file.

    model.onnx                   the artefact
    model.onnx.json              its card
    model.onnx.tokenizer.json    its tokenizer, for the `tokenizers` library: makes, cuts and fills up whole rows

An ONNX file holds the card too, but for what is known only once it has been run: `custom_metadata_map["card"]` of ONNX
Runtime.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import processors

from src import __version__
from src.checkpoints.checkpoint import LoadedModel
from src.checkpoints.places import MANIFEST
from src.common.files import sha256_of
from src.config import ANY_LENGTH, ModelConfig
from src.config.model import INPUTS
from src.text.tokenization import Tokenizer

CARD, TOKENIZER = ".json", ".tokenizer.json"
"""What follows the artefact's name."""

_HOLDS = {"input_ids": "token ids: a special token, the text's tokens, a special token; see tokenizer",
          "input_mask": "1 for tokens, 0 for padding, which stands at the end of a row",
          "segment_ids": "0 up to the end of the first text, 1 for the second one; 0 throughout where two special "
                         "tokens stand between them"}
_MEANS = {"classification": "a logit a class, in the order of labels; their softmax gives probabilities",
          "regression": "the score",
          "tagging": "a logit a label for each token, in the order of labels; the first one of a word decides",
          "span": "for each token, logits of being the answer's first one, and its last one",
          "embedding": "the vector of the text",
         "masked_lm": "a logit for each token of the vocabulary", "causal_lm": "a logit for each next token"}


def card_of(loaded: LoadedModel, file_format: str, dtype: str, shape: Sequence[str | int] = ("batch", "length"),
            tokenizer_file: str = "") -> dict[str, Any]:
    """Return what is known of an artefact before it is run.

    Args:
        file_format: name of the format.
        dtype, shape: of the inputs.
        tokenizer_file: name of the file beside the artefact; "" without one.
    """
    config, longest = loaded.config, loaded.config.max_length
    versions = {"mindspore-distillation": __version__}
    for package in ("mindspore", "onnx", "tokenizers"):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "format": file_format,
        "task_name": config.task_name,
        "head": config.head.kind,
        "inputs": [{"name": name, "dtype": dtype, "shape": list(shape), "holds": _HOLDS[name]} for name in INPUTS],
        "outputs": _outputs(config, list(shape)),
        "labels": list(config.head.labels),
        "max_length": longest if longest < ANY_LENGTH else None,
        "tokenizer": _tokenizer(loaded.tokenizer(), tokenizer_file) if loaded.tokenizer_path else None,
        "source": {"checkpoint": loaded.directory.resolve().name,
                   "manifest_sha256": sha256_of(loaded.directory / MANIFEST)},
        "versions": versions,
    }


def _outputs(config: ModelConfig, shape: list[str | int]) -> list[dict[str, Any]]:
    encoder, head = config.encoder, config.head
    if head.kind != "none":
        sizes = [*(shape[:1] if head.is_of_row else shape), config.output_size]
        return [{"name": "logits", "dtype": "float32", "shape": sizes, "holds": _MEANS[head.kind]}]
    width = encoder.vector_size
    found = [{"name": "last_hidden_state", "dtype": "float32", "shape": [*shape, width], "holds": "a vector a token"}]
    if encoder.pooler != "none":
        found.append({"name": "pooler_output", "dtype": "float32", "shape": [*shape[:1], width],
                      "holds": "a vector a row"})
    return found


def _tokenizer(tokenizer: Tokenizer, file: str) -> dict[str, Any]:
    begin, end = (tokenizer.id_to_token(token_id) for token_id in (tokenizer.cls_id, tokenizer.sep_id))
    special = {role: {"id": token_id, "token": tokenizer.id_to_token(token_id)} for role, token_id in (
        ("cls", tokenizer.cls_id), ("sep", tokenizer.sep_id), ("pad", tokenizer.pad_id), ("mask", tokenizer.mask_id),
        ("unk", tokenizer.unk_id)) if token_id is not None}
    return {"file": file or None, "type": tokenizer.type, "lower_case": tokenizer.lower_case,
            "segmenter": tokenizer.segment or None, "vocab_size": tokenizer.vocab_size,
            "vocab_sha256": tokenizer.vocab_hash, **tokenizer.origin, "special_tokens": special,
            "row": f"{begin} text {end}",
            "row_of_a_pair": f"{begin} text {' '.join([end] * tokenizer.separators)} text {end}",
            "cut": "at max_length, a pair at the end of the longer text; where both are cut and the room is odd, the "
                   "first text keeps one token more, for which the tokenizers library takes the longer text",
            "filled_up": "on the right, to the longest row"}


def whole_rows(tokenizer: Tokenizer, config: ModelConfig) -> tokenizers.Tokenizer:
    """Return a tokenizer of the library that makes the rows which the model was trained on: with special tokens, cut
    to what the model knows, filled up to the longest of a batch; `ids`, `attention_mask` and `type_ids` are its inputs.

    What cuts a text into words before (`segmenter` of the card) it cannot do.
    """
    backend = tokenizers.Tokenizer.from_str(tokenizer.backend.to_str())
    begin, end, fill = (tokenizer.id_to_token(each) for each in (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id))
    second = int(tokenizer.separators == 1)  # its segment
    backend.post_processor = processors.TemplateProcessing(
        single=[begin, "$A", end],
        pair=[f"{begin}:0", "$A:0", *[f"{end}:0"] * tokenizer.separators, f"$B:{second}", f"{end}:{second}"],
        special_tokens=[(begin, tokenizer.cls_id), (end, tokenizer.sep_id)] if begin != end else [
            (begin, tokenizer.cls_id)])
    if config.max_length < ANY_LENGTH:
        backend.enable_truncation(config.max_length)
    backend.enable_padding(pad_id=tokenizer.pad_id, pad_token=fill)
    return backend


def write_tokenizer(loaded: LoadedModel, path: Path) -> str:
    """Write the tokenizer; returns the file's name, "" for a model without one."""
    if loaded.tokenizer_path is None:
        return ""
    path.write_text(whole_rows(loaded.tokenizer(), loaded.config).to_str() + "\n", encoding="utf-8")
    return path.name
