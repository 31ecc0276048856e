# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small BERT of random weights, where no pretrained one is at hand.

    python -m experiments.results.small_model --tokenizer VOCABULARY --output_dir MODEL [--embeddings BERT]

writes a checkpoint directory, from which run_finetune.py trains (a task, or with --task mlm a language model). With
--embeddings its embeddings of tokens, places and types are those of a wider BERT of the same vocabulary, in as many
principal components of its token embeddings as the model is wide.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.config import EncoderConfig, ModelConfig

if TYPE_CHECKING:
    from src.checkpoints.checkpoint import LoadedModel

TABLES = tuple(f"encoder.embeddings.{name}_embeddings.embedding_table" for name in ("word", "position", "token_type"))


def size_of(text: str) -> tuple[int, int, int]:
    """Return layers, width and heads of `3x256x8`; raises UserError for what is none."""
    try:
        layers, width, heads = map(int, text.split("x"))
    except ValueError:
        layers, width, heads = 0, 0, 0
    if min(layers, width, heads) < 1 or width % heads:
        raise UserError(f"size {text!r}: expected layers x width x heads, where the heads divide the width: 3x256x8")
    return layers, width, heads


def narrowed(wide: LoadedModel, width: int) -> dict[str, np.ndarray]:
    """Return the embedding tables of a model, float32 (rows, width), in the principal components of its token
    embeddings: tokens, places and types in the same ones, so that their sums are what they were."""
    from src.evaluate.embeddings import principal_directions

    tokens, own = wide.parameters[TABLES[0]], wide.config.encoder.hidden_size
    if width > own:
        raise UserError(f"--embeddings {wide.directory} is {own} wide, and has no {width} principal components; give a "
                        "smaller --size")
    directions, _ = principal_directions(np.cov(tokens.astype(np.float64), rowvar=False))
    centre = {TABLES[0]: tokens.mean(axis=0)}
    return {name: ((wide.parameters[name] - centre.get(name, 0.0)) @ directions[:, :width]).astype(np.float32)
            for name in TABLES if name in wide.parameters}


def main(argv: list[str]) -> None:
    """Write a checkpoint directory of a BERT with random weights."""
    parser = OneLineParser("experiments.results.small_model", __doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with vocab.txt or tokenizer.json")
    parser.add_argument("--output_dir", type=Path, required=True, help="checkpoint directory to write")
    parser.add_argument("--size", default="4x128x4", help="layers x width x heads (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--embeddings", type=Path, help="checkpoint directory of a BERT of the same vocabulary, at "
                        "least as wide, whose embeddings it begins with")
    arguments = parser.parse_args(argv)
    layers, width, heads = size_of(arguments.size)

    import mindspore as ms

    from src.checkpoints.checkpoint import load_model, parameters_of, save_model
    from src.models.heads import build_model
    from src.text.tokenization import load_tokenizer

    tokenizer = load_tokenizer(arguments.tokenizer)
    wide, places = None, 128
    if arguments.embeddings:
        wide = load_model(arguments.embeddings, "--embeddings")
        places = wide.config.require_transformer("--embeddings", "its tables").max_position_embeddings
    if wide and wide.vocab_hash != tokenizer.vocab_hash:
        raise UserError(f"--embeddings {arguments.embeddings} has other tokens than --tokenizer {arguments.tokenizer}")
    encoder = EncoderConfig(num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads,
                            intermediate_size=4 * width, vocab_size=tokenizer.vocab_size,
                            max_position_embeddings=places,
                            type_vocab_size=2, hidden_act="gelu", hidden_dropout_prob=0.1,
                            attention_probs_dropout_prob=0.1, initializer_range=0.02, layer_norm_eps=1e-12)
    ms.set_seed(arguments.seed)
    config = ModelConfig(encoder)
    parameters = parameters_of(build_model(config)) | (narrowed(wide, width) if wide else {})
    save_model(arguments.output_dir, config, parameters, arguments.tokenizer)
    print(f"{arguments.output_dir}: {encoder.num_hidden_layers} layers x {encoder.hidden_size}, "
          f"{encoder.vocab_size} tokens, random weights (seed {arguments.seed})"
          f"{f', embeddings of {arguments.embeddings}' if wide else ''}")


if __name__ == "__main__":
    run(main)
