#!/usr/bin/env python
# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Convert checkpoints between Hugging Face, TensorFlow, MindSpore's model zoo and this repository; cut out students.

    python convert_checkpoint.py --from hf --to mindspore IN_DIR OUT_DIR
    python convert_checkpoint.py --from mindspore --to hf IN_DIR OUT_DIR
    python convert_checkpoint.py --from tf --to mindspore IN_DIR OUT_DIR
    python convert_checkpoint.py --from mindspore --to tf IN_DIR OUT_DIR
    python convert_checkpoint.py --from zoo --to mindspore FILE.ckpt OUT_DIR
    python convert_checkpoint.py extract TEACHER_DIR OUT_DIR [--layers 0,2,4,7,9,11]     (extract --help lists all)

IN_DIR of `--from hf` may be a name on the Hugging Face hub, such as bert-base-uncased; that of `--from tf` is a folder
of Google's BERT, with bert_config.json and vocab.txt, and `--to tf` writes such a folder.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from src.common.arguments import OneLineParser
from src.common.errors import UserError, run
from src.config import ModelConfig
from src.convert.directories import (
    Conversion,
    huggingface_to_mindspore,
    mindspore_to_huggingface,
    tensorflow_to_mindspore,
    zoo_to_mindspore,
)
from src.convert.extract import WRITERS, ExtractOptions, extract_student
from src.convert.google_writer import CHECKPOINT, mindspore_to_tensorflow
from src.convert.options import ReadOptions

READERS = {"hf": huggingface_to_mindspore, "tf": tensorflow_to_mindspore, "zoo": zoo_to_mindspore}
EXTRACT_HELP = """Cut a student out of its teacher: some of its layers, its embeddings and its head.

    python convert_checkpoint.py extract TEACHER_DIR OUT_DIR --layers 0,2,4,7,9,11
"""


def _parser(prog: str, description: str | None) -> OneLineParser:
    return OneLineParser(description=description, prog=prog, formatter_class=argparse.RawDescriptionHelpFormatter)


def _format(name: str) -> str:
    """`tensorflow` is `tf` written out."""
    return "tf" if name == "tensorflow" else name


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of layers such as 0,2,4") from error


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser; what it refuses raises `UserError`."""
    parser = _parser("python convert_checkpoint.py", __doc__)
    parser.add_argument("folders", metavar="IN_DIR OUT_DIR", nargs="*",
                        help="model to read, and folder to write, which must be new or empty")
    parser.add_argument("--from", dest="source_format", type=_format, choices=(*READERS, "mindspore"),
                        help="format of IN_DIR; tensorflow is another name of tf")
    parser.add_argument("--to", dest="target_format", type=_format, choices=("mindspore", "hf", "tf"),
                        help="format of OUT_DIR")
    parser.add_argument("--head", choices=("keep", "drop"), default="keep",
                        help="keep the head, or take the encoder alone (default: %(default)s)")
    parser.add_argument("--labels", default="", metavar="A,B,...",
                        help="names of the classes in the order of the logits (default: id2label of config.json)")
    parser.add_argument("--task_name", default="", help="task the head was trained for, recorded in the checkpoint")
    parser.add_argument("--pooled_activation", choices=("auto", "none", "relu"), default="auto",
                        help="what stands between pooler and classifier; auto is relu for checkpoints of TinyBERT's "
                             "authors, else none (default: %(default)s)")
    parser.add_argument("--pooler", choices=("keep", "require", "random"), default=ReadOptions().pooler,
                        help="where there is no pooler, as in language models: keep it so, refuse, or draw a random "
                             "one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of that draw (default: %(default)s)")
    parser.add_argument("--config", type=Path, default=None, metavar="FILE",
                        help="config file in the form of Google's bert_config.json, where none is beside the weights")
    parser.add_argument("--force", action="store_true", help="replace the model that OUT_DIR holds")
    parser.add_argument("--pytorch_model_path", dest="input", default=None, metavar="IN_DIR",
                        help="another name of IN_DIR, as convert_torch2tf.py has it; a checkpoint directory here")
    parser.add_argument("--tf_cache_dir", dest="output", default=None, metavar="OUT_DIR",
                        help="another name of OUT_DIR, for --from mindspore --to tf, which it implies")
    parser.add_argument("--model_name", default=None, metavar="NAME",
                        help="--to tf: the checkpoint is called NAME.ckpt (default: bert_model)")
    return parser


def build_extract_parser() -> argparse.ArgumentParser:
    """Return the parser of `extract`."""
    default = ExtractOptions()
    parser = _parser("python convert_checkpoint.py extract", EXTRACT_HELP)
    parser.add_argument("folders", metavar="TEACHER_DIR OUT_DIR", nargs="*",
                        help="checkpoint directory of the teacher, and folder to write, which must be new or empty")
    parser.add_argument("--layers", type=_numbers, default=default.layers, metavar="0,2,...",
                        help="teacher layers, counted from 0, one for each student layer (default: evenly spread, "
                             "first and last among them: 0,2,4,7,9,11 of 12)")
    parser.add_argument("--num_layers", type=int, default=default.num_layers, metavar="N",
                        help="number of student layers (default: half of the teacher's)")
    parser.add_argument("--family", choices=("auto", "distilbert", "same"), default=default.family,
                        help="distilbert: no token types, no pooler; same: as the teacher; auto: distilbert of a BERT "
                             "unless --type_vocab_size asks for token types, else same (default: %(default)s)")
    parser.add_argument("--type_vocab_size", type=int, default=None, metavar="N",
                        help="number of token types (default: what the family says); those beyond the teacher's are "
                             "drawn at random")
    parser.add_argument("--vocab_transform", type=_truth, nargs="?", const=True, default=default.vocab_transform,
                        metavar="true|false",
                        help="copy dense layer and LayerNorm of the masked-LM head (default: true)")
    parser.add_argument("--fold_token_types", type=_truth, nargs="?", const=True, default=default.fold_token_types,
                        metavar="true|false", help="add the teacher's token type 0 to the positions of a student "
                                                   "without token types (default: true)")
    parser.add_argument("--head", choices=("keep", "drop"), default=default.head,
                        help="take the teacher's head, or the encoder alone (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed,
                        help="seed of what the teacher has not (default: %(default)s)")
    parser.add_argument("--to", dest="target_format", type=_format, choices=tuple(WRITERS), default="mindspore",
                        help="format of OUT_DIR (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace the model that OUT_DIR holds")
    parser.add_argument("--model_type", choices=("bert", "roberta", "gpt2"), default=default.model_type,
                        help="as extract.py has it: refuse a teacher of another family")
    parser.add_argument("--model_name", dest="input", default=None, metavar="TEACHER_DIR",
                        help="another name of TEACHER_DIR, as extract.py has it")
    parser.add_argument("--dump_checkpoint", dest="output", default=None, metavar="OUT_DIR",
                        help="another name of OUT_DIR, as extract.py has it; a directory here")
    return parser


def _folders(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[str, Path]:
    """Return input and output, each given by its place or by its other name, once."""
    words = list(arguments.folders)
    folders = []
    for place in ("input", "output"):
        other = getattr(arguments, place)
        if other is None and not words:
            parser.error(f"the {place} is missing")
        folders.append(words.pop(0) if other is None else other)
    if words:
        parser.error(f"unexpected {words[0]!r} beside {folders[0]} and {folders[1]}")
    return folders[0], Path(folders[1])


def convert(arguments: argparse.Namespace) -> Conversion:
    """Run the conversion that the command line asks for."""
    parser = build_parser()
    source, target = _folders(arguments, parser)
    implied = (("mindspore", "tf") if arguments.output is not None else (None, None))
    formats = (arguments.source_format or implied[0], arguments.target_format or implied[1])
    if None in formats:
        parser.error("--from and --to are required")
    options = ReadOptions(
        head=arguments.head, labels=tuple(label.strip() for label in arguments.labels.split(",") if label.strip()),
        task_name=arguments.task_name, pooled_activation=arguments.pooled_activation, pooler=arguments.pooler,
        seed=arguments.seed, config_path=arguments.config)
    if arguments.model_name is not None and formats[1] != "tf":
        raise UserError("--model_name applies to --to tf, where it names the checkpoint")
    if formats[0] in READERS and formats[1] == "mindspore":
        if formats[0] == "hf" and arguments.config is not None:
            raise UserError("--config does not apply to --from hf, whose folders hold config.json")
        return READERS[formats[0]](source, target, options, arguments.force)
    if formats == ("mindspore", "hf"):
        if options != ReadOptions():
            raise UserError("only --force applies to --from mindspore: such a checkpoint is written as it is")
        return mindspore_to_huggingface(source, target, arguments.force)
    if formats == ("mindspore", "tf"):
        if replace(options, pooler=ReadOptions().pooler, seed=0) != ReadOptions():
            raise UserError("only --force, --pooler, --seed and --model_name apply to --from mindspore --to tf: such a "
                            "checkpoint is written as it is")
        return mindspore_to_tensorflow(source, target, options, arguments.force, _checkpoint(arguments.model_name))
    raise UserError(f"--from {formats[0]} --to {formats[1]} is no conversion; expected --to mindspore from one of "
                    f"{', '.join(READERS)}, or --from mindspore to hf or tf: convert in two steps; see {parser.prog} "
                    "--help")


def _checkpoint(name: str | None) -> str:
    """Return the file name of a TensorFlow checkpoint, as convert_torch2tf.py makes it of a model's name."""
    if name is None:
        return CHECKPOINT
    if not name or "/" in name:
        raise UserError(f"--model_name is {name!r}; expected a file's name, such as bert_model")
    return name.replace("-", "_").removesuffix(".ckpt") + ".ckpt"


def extract(arguments: argparse.Namespace) -> Conversion:
    """Run the extraction that the command line asks for."""
    source, target = _folders(arguments, build_extract_parser())
    options = ExtractOptions(
        layers=arguments.layers, num_layers=arguments.num_layers, family=arguments.family,
        type_vocab_size=arguments.type_vocab_size, vocab_transform=arguments.vocab_transform,
        fold_token_types=arguments.fold_token_types, head=arguments.head, model_type=arguments.model_type,
        seed=arguments.seed)
    return extract_student(source, target, options, arguments.target_format, arguments.force)


def describe(config: ModelConfig) -> str:
    """Return the size of a model and its head, for the last line."""
    encoder, head = config.encoder, config.head
    described = f"labels {', '.join(head.labels)}" if head.labels else {
        "none": "no head", "masked_lm": "masked-LM head", "causal_lm": "causal-LM head"}.get(
        head.kind, f"{head.kind} head")
    return f"{encoder.num_hidden_layers} layers x {encoder.hidden_size}, {described}"


def main(argv: list[str]) -> None:
    """Entry point."""
    if argv[:1] == ["extract"]:
        conversion = extract(build_extract_parser().parse_intermixed_args(argv[1:]))
    else:
        conversion = convert(build_parser().parse_intermixed_args(argv))
    for note in conversion.notes:
        print(f"note: {note}")
    print(f"wrote {conversion.target}: {describe(conversion.config)}")


if __name__ == "__main__":
    run(main)
