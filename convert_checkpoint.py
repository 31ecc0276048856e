#!/usr/bin/env python
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Convert checkpoints between Hugging Face and this repository, or from TensorFlow and MindSpore's model zoo.

    python convert_checkpoint.py --from hf --to mindspore IN_DIR OUT_DIR
    python convert_checkpoint.py --from mindspore --to hf IN_DIR OUT_DIR
    python convert_checkpoint.py --from tensorflow --to mindspore IN_DIR OUT_DIR
    python convert_checkpoint.py --from zoo --to mindspore FILE.ckpt OUT_DIR

IN_DIR of `--from hf` may be a name on the Hugging Face hub, such as bert-base-uncased; that of `--from tensorflow` is
a folder of Google's BERT, with bert_config.json and vocab.txt.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from src.convert.directories import (
    Conversion,
    huggingface_to_mindspore,
    mindspore_to_huggingface,
    tensorflow_to_mindspore,
    zoo_to_mindspore,
)
from src.convert.options import ReadOptions
from src.errors import UserError, run

READERS = {"hf": huggingface_to_mindspore, "tensorflow": tensorflow_to_mindspore, "zoo": zoo_to_mindspore}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see python convert_checkpoint.py --help")


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser; what it refuses raises `UserError`."""
    parser = _Parser(prog="python convert_checkpoint.py", description=__doc__, allow_abbrev=False,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="IN_DIR", help="model to read")
    parser.add_argument("output", metavar="OUT_DIR", type=Path, help="folder to write; must be new or empty")
    parser.add_argument("--from", dest="source_format", choices=(*READERS, "mindspore"), required=True)
    parser.add_argument("--to", dest="target_format", choices=("mindspore", "hf"), required=True)
    parser.add_argument("--head", choices=("keep", "drop"), default="keep",
                        help="keep the classification head, or take the encoder alone (default: %(default)s)")
    parser.add_argument("--labels", default="", metavar="A,B,...",
                        help="names of the classes in the order of the logits (default: id2label of config.json)")
    parser.add_argument("--task_name", default="", help="task the head was trained for, recorded in the checkpoint")
    parser.add_argument("--pooled_activation", choices=("auto", "none", "relu"), default="auto",
                        help="what stands between pooler and classifier; auto is relu for checkpoints of TinyBERT's "
                             "authors, else none (default: %(default)s)")
    parser.add_argument("--pooler", choices=("require", "random"), default="require",
                        help="random: draw the pooler that masked-LM checkpoints lack (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of that draw (default: %(default)s)")
    parser.add_argument("--config", type=Path, default=None, metavar="FILE",
                        help="config file in the form of Google's bert_config.json, where none is beside the weights")
    parser.add_argument("--force", action="store_true", help="replace the model that OUT_DIR holds")
    return parser


def convert(arguments: argparse.Namespace) -> Conversion:
    """Run the conversion that the command line asks for."""
    labels = tuple(label.strip() for label in arguments.labels.split(",") if label.strip())
    formats = (arguments.source_format, arguments.target_format)
    options = ReadOptions(arguments.head, labels, arguments.task_name, arguments.pooled_activation, arguments.pooler,
                          arguments.seed, arguments.config)
    if formats[0] in READERS and formats[1] == "mindspore":
        if formats[0] == "hf" and arguments.config is not None:
            raise UserError("--config does not apply to --from hf, whose folders hold config.json")
        return READERS[formats[0]](arguments.input, arguments.output, options, arguments.force)
    if formats == ("mindspore", "hf"):
        if options != ReadOptions():
            raise UserError("only --force applies to --from mindspore: such a checkpoint is written as it is")
        return mindspore_to_huggingface(arguments.input, arguments.output, arguments.force)
    raise UserError(f"--from {formats[0]} --to {formats[1]} is no conversion; expected --from mindspore --to hf, or "
                    f"--to mindspore from one of {', '.join(READERS)}")


def main(argv: list[str]) -> None:
    """Entry point."""
    conversion = convert(build_parser().parse_args(argv))
    for note in conversion.notes:
        print(f"note: {note}")
    encoder, head = conversion.config.encoder, conversion.config.head
    described = {"none": "no head", "regression": "regression head",
                 "classification": f"labels {', '.join(head.labels)}"}[head.kind]
    print(f"wrote {conversion.target}: {encoder.num_hidden_layers} layers x {encoder.hidden_size}, {described}")


if __name__ == "__main__":
    run(main)
