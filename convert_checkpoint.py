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
    python convert_checkpoint.py prune IN_DIR OUT_DIR --layers 2 --heads 8 --ffn 768 --records DIR    (prune --help)
    python convert_checkpoint.py prune-vocabulary IN_DIR OUT_DIR --text FILE ... --keep 8000      (--help likewise)
    python convert_checkpoint.py static IN_DIR OUT_DIR --dim 256 --text FILE ...                      (--help likewise)

IN_DIR of `--from hf` may be a name on the Hugging Face hub, such as bert-base-uncased; that of `--from tf` is a folder
of Google's BERT, with bert_config.json and vocab.txt, and `--to tf` writes such a folder.
"""

from __future__ import annotations

from src.versions import run_entry

if __name__ == "__main__":
    run_entry("convert_checkpoint")

import argparse
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from src.common.arguments import OneLineParser
from src.common.paths import path_of
from src.config import EncoderConfig, ModelConfig
from src.convert.extract import ExtractOptions, choices, extract_student
from src.convert.formats import OWN, READERS, WRITERS, Conversion, convert
from src.convert.options import ReadOptions
from src.pruning.prune import PruneOptions, prune_checkpoint
from src.pruning.static import StaticOptions, static_checkpoint
from src.pruning.vocabulary import PruneVocabularyOptions, prune_vocabulary

EXTRACT_HELP = """Cut a student out of its teacher: some of its layers, its embeddings and its head.

    python convert_checkpoint.py extract TEACHER_DIR OUT_DIR --layers 0,2,4,7,9,11
"""

PRUNE_HELP = """Cut out of a model the layers, attention heads and feed-forward units that matter least to its loss.

    python convert_checkpoint.py prune IN_DIR OUT_DIR --layers 2 --heads 8 --ffn 768 --records DIR [--teacher DIR]
"""

PRUNE_VOCABULARY_HELP = """Cut the vocabulary of a model to the tokens that a text uses most, and rewrite its tokenizer.

    python convert_checkpoint.py prune-vocabulary IN_DIR OUT_DIR --text FILE ... --keep 8000
    python convert_checkpoint.py prune-vocabulary IN_DIR OUT_DIR --records DIR --keep 8000
"""

STATIC_HELP = """Make a static student of an embedding model: a table of one vector a token, whose mean embeds a text.

    python convert_checkpoint.py static IN_DIR OUT_DIR --dim 256 --text FILE ...
    python convert_checkpoint.py static IN_DIR OUT_DIR --dim 256 --records DIR
"""

CUTS: dict[str, tuple[str, type, Callable[..., Conversion]]] = {
    "prune": (PRUNE_HELP, PruneOptions, prune_checkpoint),
    "prune-vocabulary": (PRUNE_VOCABULARY_HELP, PruneVocabularyOptions, prune_vocabulary),
    "static": (STATIC_HELP, StaticOptions, static_checkpoint),
}
"""Commands that write a smaller model: name -> its help, its options, and what runs it with IN_DIR, OUT_DIR, options,
format and force."""


def _parser(prog: str, description: str | None, folders: str, options: type,
            choices: Mapping[str, tuple[str, ...]] | None = None) -> OneLineParser:
    """Return a parser with the two folders, an option for each field of a dataclass, and --force."""
    parser = OneLineParser(description=description, prog=f"python convert_checkpoint.py{prog}",
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar=folders, nargs="*", type=path_of,
                        help="model to read, and folder to write, which must be new or empty")
    for each in fields(options):
        given = (choices or {}).get(each.name)
        parser.add_argument(f"--{each.name}", default=each.default, **each.metadata,
                            **({"choices": given} if given else {}))
    parser.add_argument("--force", action="store_true", help="replace the model that OUT_DIR holds")
    return parser


def _format(name: str) -> str:
    """`tensorflow` is `tf` written out."""
    return "tf" if name == "tensorflow" else name


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser; what it refuses raises `UserError`."""
    parser = _parser("", __doc__, "IN_DIR OUT_DIR", ReadOptions)
    parser.add_argument("--from", dest="source_format", type=_format, choices=(*READERS, OWN),
                        help="format of IN_DIR; tensorflow is another name of tf")
    parser.add_argument("--to", dest="target_format", type=_format, choices=tuple(WRITERS),
                        help="format of OUT_DIR")
    parser.add_argument("--pytorch_model_path", type=path_of, dest="input", default=None, metavar="IN_DIR",
                        help="another name of IN_DIR, as convert_torch2tf.py has it; a checkpoint directory here")
    parser.add_argument("--tf_cache_dir", type=path_of, dest="output", default=None, metavar="OUT_DIR",
                        help="another name of OUT_DIR, for --from mindspore --to tf, which it implies")
    return parser


def build_extract_parser() -> argparse.ArgumentParser:
    """Return the parser of `extract`."""
    parser = _parser(" extract", EXTRACT_HELP, "TEACHER_DIR OUT_DIR", ExtractOptions, choices())
    parser.add_argument("--to", dest="target_format", type=_format, choices=tuple(WRITERS), default=OWN,
                        help="format of OUT_DIR (default: %(default)s)")
    parser.add_argument("--model_name", type=path_of, dest="input", default=None, metavar="TEACHER_DIR",
                        help="another name of TEACHER_DIR, as extract.py has it")
    parser.add_argument("--dump_checkpoint", type=path_of, dest="output", default=None, metavar="OUT_DIR",
                        help="another name of OUT_DIR, as extract.py has it; a directory here")
    return parser


def build_cut_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of one of CUTS."""
    description, options, _ = CUTS[name]
    parser = _parser(f" {name}", description, "IN_DIR OUT_DIR", options)
    parser.add_argument("--to", dest="target_format", type=_format, choices=tuple(WRITERS), default=OWN,
                        help="format of OUT_DIR (default: %(default)s)")
    parser.set_defaults(input=None, output=None)
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


def convert_folder(arguments: argparse.Namespace) -> tuple[Path, Conversion]:
    """Run the conversion that the command line asks for."""
    parser = build_parser()
    source, target = _folders(arguments, parser)
    implied = (OWN, "tf") if arguments.output is not None else (None, None)
    formats = (arguments.source_format or implied[0], arguments.target_format or implied[1])
    if None in formats:
        parser.error("--from and --to are required")
    return target, convert(*formats, source, target, _options(ReadOptions, arguments), arguments.force)


def extract(arguments: argparse.Namespace) -> tuple[Path, Conversion]:
    """Run the extraction that the command line asks for."""
    source, target = _folders(arguments, build_extract_parser())
    return target, extract_student(source, target, _options(ExtractOptions, arguments), arguments.target_format,
                                   arguments.force)


def cut(name: str, arguments: argparse.Namespace) -> tuple[Path, Conversion]:
    """Run one of CUTS, as the command line asks for it."""
    _, options, run = CUTS[name]
    source, target = _folders(arguments, build_cut_parser(name))
    return target, run(source, target, _options(options, arguments), arguments.target_format, arguments.force)


def _options(kind: type, arguments: argparse.Namespace) -> Any:
    """Return the options of a dataclass, from the arguments of its fields' names."""
    return kind(**{field.name: getattr(arguments, field.name) for field in fields(kind)})


def describe(config: ModelConfig) -> str:
    """Return the size of a model and its head, for the last line."""
    encoder, head = config.encoder, config.head
    described = f"labels {', '.join(head.labels)}" if head.labels else {
        "none": "no head", "masked_lm": "masked-LM head", "causal_lm": "causal-LM head"}.get(
        head.kind, f"{head.kind} head")
    size = f"{encoder.num_hidden_layers} layers x {encoder.hidden_size}" if isinstance(
        encoder, EncoderConfig) else encoder.size
    return f"{size}, {described}"


def main(argv: list[str]) -> None:
    """Entry point."""
    if argv[:1] == ["extract"]:
        target, (config, notes) = extract(build_extract_parser().parse_intermixed_args(argv[1:]))
    elif argv and argv[0] in CUTS:
        target, (config, notes) = cut(argv[0], build_cut_parser(argv[0]).parse_intermixed_args(argv[1:]))
    else:
        target, (config, notes) = convert_folder(build_parser().parse_intermixed_args(argv))
    for note in notes:
        print(f"note: {note}")
    print(f"wrote {target}: {describe(config)}")
