# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small BERT of random weights, where no pretrained one is at hand.

    python -m experiments.results.small_model --tokenizer VOCABULARY --output_dir MODEL [--embeddings BERT]

writes a checkpoint directory, from which run_finetune.py trains (a task, or with --task mlm a language model). With
--embeddings it begins as `student.initialization embeddings` does: with those of another BERT of the same vocabulary.
"""

from __future__ import annotations

from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.config import EncoderConfig, ModelConfig


def size_of(text: str) -> tuple[int, int, int]:
    """Return layers, width and heads of `3x256x8`; raises UserError for what is none."""
    try:
        layers, width, heads = map(int, text.split("x"))
    except ValueError:
        layers, width, heads = 0, 0, 0
    if min(layers, width, heads) < 1 or width % heads:
        raise UserError(f"size {text!r}: expected layers x width x heads, where the heads divide the width: 3x256x8")
    return layers, width, heads


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
    from src.distill.initialization import embeddings_from_teacher
    from src.models.heads import build_model
    from src.text.tokenization import load_tokenizer

    tokenizer = load_tokenizer(arguments.tokenizer)
    encoder = EncoderConfig(num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads,
                            intermediate_size=4 * width, max_position_embeddings=128, vocab_size=tokenizer.vocab_size,
                            type_vocab_size=2, hidden_act="gelu", hidden_dropout_prob=0.1,
                            attention_probs_dropout_prob=0.1, initializer_range=0.02, layer_norm_eps=1e-12)
    ms.set_seed(arguments.seed)
    config = ModelConfig(encoder)
    parameters, notes = parameters_of(build_model(config)), ["random weights"]
    if arguments.embeddings:
        other = load_model(arguments.embeddings, "--embeddings")
        if other.vocab_hash != tokenizer.vocab_hash:
            raise UserError(f"--embeddings {other.directory} has other tokens than --tokenizer {arguments.tokenizer}")
        its = other.config.require_transformer("--embeddings", "its embeddings")
        parameters, notes = embeddings_from_teacher(its, other.parameters, encoder, parameters)
    save_model(arguments.output_dir, config, parameters, arguments.tokenizer)
    print(f"{arguments.output_dir}: {layers} layers x {width}, {encoder.vocab_size} tokens (seed {arguments.seed}); "
          f"{'; '.join(notes)}")


if __name__ == "__main__":
    run(main)
