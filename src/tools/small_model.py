# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a small language model is trained from where no pretrained one is at hand: text, and a BERT of random weights.

    python -m src.tools.small_model text --input articles.txt --task TNEWS=tnews --output text.txt
    python -m src.tools.small_model random --tokenizer VOCABULARY --output_dir MODEL [--num_hidden_layers 6 ...]

`text` writes one text a line: the lines of the inputs, then the training texts of the tasks, without labels. `random`
writes a checkpoint directory, from which `run_finetune.py --task mlm --load_ckpt_path MODEL` trains.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.config import EncoderConfig, ModelConfig
from src.errors import UserError, run
from src.files import write_text

SIZES = {"num_hidden_layers": 6, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024,
         "max_position_embeddings": 128}
"""Option of `random` -> its default: a BERT that two CPU cores train in minutes."""


def texts_of(example: Any) -> Iterator[str]:
    """Yield the texts of an example: of a sentence or a pair of them, or of tagged words.

    Raises:
        UserError: an example of another kind.
    """
    if hasattr(example, "text_a"):
        yield example.text_a
        if example.text_b:
            yield example.text_b
    elif hasattr(example, "text"):
        yield example.text
    else:
        raise UserError("--task: a task of sentences or of tagged texts is expected, whose examples are texts")


def task_texts(named: str) -> Iterator[str]:
    """Yield the training texts of `NAME=FOLDER`.

    Raises:
        UserError: not of that form, or data that cannot be read.
    """
    from src.tasks import get_task

    name, equals, folder = named.partition("=")
    if not (name and equals and folder):
        raise UserError(f"--task {named}: expected NAME=FOLDER, such as TNEWS=data/tnews")
    task = get_task(name).resolve(folder)
    for example in task.read(folder, "train"):
        yield from texts_of(example)


def write_lines(inputs: list[Path], tasks: list[str], output: Path) -> int:
    """Write the texts, each on a line of its own; returns their number."""
    lines: list[str] = []
    for path in inputs:
        try:
            lines += path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {path} ({error})") from error
    for named in tasks:
        lines += task_texts(named)
    # str.split folds what other programs may take for the end of a line.
    folded = [" ".join(line.split()) for line in lines]
    kept = [line for line in folded if line]
    write_text(output, "".join(f"{line}\n" for line in kept))
    return len(kept)


def write_random(tokenizer: Path, output: Path, sizes: dict[str, int], seed: int) -> ModelConfig:
    """Write a checkpoint directory of a BERT with random weights and the vocabulary `tokenizer`."""
    import mindspore as ms

    from src.models.heads import build_model
    from src.tokenization import load_tokenizer
    from src.train.checkpoint import parameters_of, save_model

    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise UserError(f"--hidden_size {sizes['hidden_size']} is no multiple of --num_attention_heads "
                        f"{sizes['num_attention_heads']}")
    encoder = EncoderConfig(vocab_size=load_tokenizer(tokenizer).vocab_size, hidden_act="gelu", type_vocab_size=2,
                            hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, initializer_range=0.02,
                            layer_norm_eps=1e-12, **sizes)
    ms.set_seed(seed)
    config = ModelConfig(encoder)
    save_model(output, config, parameters_of(build_model(config)), tokenizer)
    return config


def main(argv: list[str]) -> None:
    """Command line: text, random."""
    parser = argparse.ArgumentParser(prog="python -m src.tools.small_model", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    text = commands.add_parser("text", help="collect text")
    text.add_argument("--input", type=Path, action="append", default=[], help="text, one a line; repeatable")
    text.add_argument("--task", action="append", default=[], metavar="NAME=FOLDER", help="a task; repeatable")
    text.add_argument("--output", type=Path, required=True, help="file to write")
    random = commands.add_parser("random", help="make a model of random weights")
    random.add_argument("--tokenizer", type=Path, required=True, help="folder with vocab.txt or tokenizer.json")
    random.add_argument("--output_dir", type=Path, required=True, help="checkpoint directory to write")
    random.add_argument("--seed", type=int, default=42)
    for name, default in SIZES.items():
        random.add_argument(f"--{name}", type=int, default=default, help="(default: %(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.command == "text":
        number = write_lines(arguments.input, arguments.task, arguments.output)
        print(f"{arguments.output}: {number} texts")
        return
    sizes = {name: getattr(arguments, name) for name in SIZES}
    if small := [name for name, size in sizes.items() if size < 1]:
        raise UserError(f"--{small[0]} is {sizes[small[0]]}; it must be at least 1")
    config = write_random(arguments.tokenizer, arguments.output_dir, sizes, arguments.seed)
    print(f"{arguments.output_dir}: {config.encoder.num_hidden_layers} layers x {config.encoder.hidden_size}, "
          f"{config.encoder.vocab_size} tokens, random weights (seed {arguments.seed})")


if __name__ == "__main__":
    run(main)
