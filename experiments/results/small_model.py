# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small BERT of random weights, where no pretrained one is at hand.

    python -m experiments.results.small_model --tokenizer VOCABULARY --output_dir MODEL [--num_hidden_layers 4 ...]

writes a checkpoint directory, from which run_finetune.py trains (a task, or with --task mlm a language model).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.config import EncoderConfig, ModelConfig

SIZES = {"num_hidden_layers": 4, "hidden_size": 128, "num_attention_heads": 4, "intermediate_size": 512,
         "max_position_embeddings": 128}
"""Option -> its default: a BERT that two CPU cores train in minutes."""


def write_random(tokenizer: Path, output: Path, sizes: dict[str, Any], seed: int) -> EncoderConfig:
    """Write a checkpoint directory of a BERT with random weights and the vocabulary `tokenizer`."""
    import mindspore as ms

    from src.checkpoints.checkpoint import parameters_of, save_model
    from src.models.heads import build_model
    from src.text.tokenization import load_tokenizer

    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise UserError(f"--hidden_size {sizes['hidden_size']} is no multiple of --num_attention_heads "
                        f"{sizes['num_attention_heads']}")
    encoder = EncoderConfig(vocab_size=load_tokenizer(tokenizer).vocab_size, hidden_act="gelu", type_vocab_size=2,
                            hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, initializer_range=0.02,
                            layer_norm_eps=1e-12, **sizes)
    ms.set_seed(seed)
    config = ModelConfig(encoder)
    save_model(output, config, parameters_of(build_model(config)), tokenizer)
    return encoder


def main(argv: list[str]) -> None:
    """Command line."""
    parser = OneLineParser("experiments.results.small_model", __doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with vocab.txt or tokenizer.json")
    parser.add_argument("--output_dir", type=Path, required=True, help="checkpoint directory to write")
    parser.add_argument("--seed", type=int, default=42)
    for name, default in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=default, help="(default: %(default)s)")
    arguments = parser.parse_args(argv)
    sizes = {name: getattr(arguments, name) for name in SIZES}
    if small := [name for name, size in sizes.items() if size < 1]:
        raise UserError(f"--{small[0]} is {sizes[small[0]]}; it must be at least 1")
    encoder = write_random(arguments.tokenizer, arguments.output_dir, sizes, arguments.seed)
    print(f"{arguments.output_dir}: {encoder.num_hidden_layers} layers x {encoder.hidden_size}, "
          f"{encoder.vocab_size} tokens, random weights (seed {arguments.seed})")


if __name__ == "__main__":
    run(main)
