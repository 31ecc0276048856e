# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Text for training a language model, and text held out to measure it, of one corpus.

    python -m experiments.distil.data --corpus corpus.txt --output_dir text

The corpus has one sentence a line and an empty line between documents. Whole documents are held out: sentences of one
review or article share names and topics, and would make the held-out text easier than new text is.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.common.files import read_text, write_text

HELD_OUT = 0.05
"""Share of the sentences."""


def documents(lines: Iterable[str]) -> list[list[str]]:
    """Return the sentences of each document."""
    return [list(sentences) for is_text, sentences in groupby((line.strip() for line in lines), key=bool) if is_text]


def split_documents(texts: list[list[str]], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Return training and held-out sentences, in the order of the corpus, or raise UserError.

    Documents are drawn at random until a `share` of the sentences is held out. Training sentences that are held out
    too, in another document, are left out.
    """
    if len(texts) < 2:
        raise UserError(f"the corpus has {len(texts)} document(s), expected at least two; put empty lines between "
                        "documents")
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    wanted = sum(map(len, texts)) * share
    chosen: set[int] = set()
    while order and sum(len(texts[index]) for index in chosen) < wanted:
        chosen.add(order.pop(0))
    held_out = [sentence for index in sorted(chosen) for sentence in texts[index]]
    known = {sentence.casefold() for sentence in held_out}
    train = [sentence for index, text in enumerate(texts) if index not in chosen for sentence in text
             if sentence.casefold() not in known]
    if not train:
        raise UserError(f"holding {share:.0%} of {len(texts)} documents out leaves nothing to train on; give more text")
    return train, held_out


def main(argv: list[str]) -> None:
    """Command line: write OUTPUT_DIR/train.txt and OUTPUT_DIR/held_out.txt."""
    parser = OneLineParser("experiments.distil.data", __doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="one sentence a line, empty lines between documents")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder for train.txt and held_out.txt")
    parser.add_argument("--seed", type=int, default=42, help="seed of the choice (default: %(default)s)")
    arguments = parser.parse_args(argv)
    lines = read_text(arguments.corpus).split("\n")
    train, held_out = split_documents(documents(lines), HELD_OUT, arguments.seed)
    for name, sentences in (("train.txt", train), ("held_out.txt", held_out)):
        write_text(arguments.output_dir / name, "".join(f"{sentence}\n" for sentence in sentences))
        print(f"{arguments.output_dir / name}: {len(sentences)} sentences")


if __name__ == "__main__":
    run(main)
