# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student cut out of its teacher, as a checkpoint to start distillation from."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass, replace
from pathlib import Path

import mindspore as ms

from src.checkpoints.checkpoint import LoadedModel, load_model, parameters_of
from src.checkpoints.places import folder_of
from src.common.errors import UserError
from src.config import HeadConfig, ModelConfig
from src.convert.families import FAMILIES
from src.convert.formats import Conversion, check_target, write
from src.convert.options import ReadOptions, option
from src.distill.initialization import check_there, default_layers, student_from_teacher
from src.models.heads import build_model


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no list of layers such as 0,2,4") from error


FLAG = {"type": _truth, "nargs": "?", "const": True, "metavar": "true|false"}


@dataclass(frozen=True)
class ExtractOptions:
    """Which part of a teacher becomes the student."""

    layers: tuple[int, ...] = option((), "teacher layers, counted from 0, one for each student layer (default: evenly "
                                         "spread, first and last among them: 0,2,4,7,9,11 of 12)",
                                     type=_numbers, metavar="0,2,...")
    num_layers: int = option(0, "number of student layers (default: half of the teacher's)", type=int, metavar="N")
    family: str = option("auto", "distilbert: no token types, no pooler; same: as the teacher; auto: distilbert of a "
                                 "BERT unless --type_vocab_size asks for token types, else same (default: "
                                 "%(default)s)")
    type_vocab_size: int | None = option(None, "number of token types (default: what the family says); those beyond "
                                               "the teacher's are drawn at random", type=int, metavar="N")
    vocab_transform: bool = option(True, "copy dense layer and LayerNorm of the masked-LM head (default: true)", **FLAG)
    fold_token_types: bool = option(True, "add the teacher's token type 0 to the positions of a student without token "
                                          "types (default: true)", **FLAG)
    head: str = option("keep", "take the teacher's head, or the encoder alone (default: %(default)s)",
                       choices=("keep", "drop"))
    seed: int = option(0, "seed of what the teacher has not (default: %(default)s)", type=int)
    model_type: str = option("", "as extract.py has it: refuse a teacher of another family")


def choices() -> dict[str, tuple[str, ...]]:
    """Return what the options take that depend on the families that are known."""
    return {"family": ("auto", "same", *(name for name, each in FAMILIES.items() if each.cut_from)),
            "model_type": tuple(FAMILIES)}


def extract_student(source: str, target: Path, options: ExtractOptions, target_format: str = "mindspore",
                    force: bool = False) -> Conversion:
    """Write the student that `options` cut out of the checkpoint directory `source`.

    Raises:
        UserError: not one of our checkpoint directories, or layers and a family that the teacher does not give.
    """
    check_target(target, folder_of(source), force)
    if not Path(source).exists():
        raise UserError(f"the teacher {source} does not exist; expected a checkpoint directory. A model of the Hugging "
                        f"Face hub is converted first: python convert_checkpoint.py --from hf --to mindspore {source} "
                        "TEACHER_DIR")
    teacher = load_model(source, "TEACHER_DIR")
    teacher.config.require_transformer(source, "a student that is cut out of its teacher")
    student, notes = cut(teacher, options)
    config, more = write(student, target, target_format, ReadOptions())
    return config, notes + more


def cut(teacher: LoadedModel, options: ExtractOptions) -> tuple[LoadedModel, list[str]]:
    """Return the student, and notes for the user."""
    layers = _layers(teacher.config, options)
    config = student_config(teacher.config, layers, options)
    ms.set_seed(options.seed)
    parameters, notes = student_from_teacher(
        teacher.config, teacher.parameters, config, parameters_of(build_model(config)), layers,
        options.fold_token_types, options.vocab_transform, "--layers")
    notes = [f"the student's layers are the teacher's {', '.join(map(str, layers))}, counted from 0", *notes]
    return LoadedModel(teacher.directory, config, parameters, teacher.tokenizer_path), notes


def student_config(teacher: ModelConfig, layers: tuple[int, ...], options: ExtractOptions) -> ModelConfig:
    """Return the student's configuration: the teacher's with these of its layers, in the family asked for.

    Raises:
        UserError: a layer that the teacher has not, a family that does not come from it, or cannot carry its head.
    """
    encoder = teacher.require_transformer("the teacher", "a student that is cut out of it")
    check_there(encoder, layers, "--layers")
    encoder = encoder.with_layers(layers)
    family, types = teacher.family, options.type_vocab_size
    if options.model_type and options.model_type != family:
        raise UserError(f"--model_type is {options.model_type}, but the teacher is a {family}; leave the option out")
    wanted = options.family
    if wanted == "auto":  # a DistilBERT has no token types: asking for some asks for a BERT
        wanted = next((each.model_type for each in FAMILIES.values() if family in each.cut_from and not types), "same")
    if wanted != "same":
        sources = (*FAMILIES[wanted].cut_from, wanted)
        if family not in sources:
            raise UserError(f"--family {wanted} is cut out of a {' or '.join(sources)}, and the teacher is a {family}; "
                            "use --family same")
        family, fixed = wanted, FAMILIES[wanted].fixed
        encoder = replace(encoder, type_vocab_size=fixed.get("type_vocab_size", encoder.type_vocab_size), pooler="none")
    if types is not None:
        if types and encoder.causal:
            raise UserError(f"a {family} has no token types; leave --type_vocab_size out")
        family = family if types == encoder.type_vocab_size else ""  # with others it may be another one's
        encoder = replace(encoder, type_vocab_size=types)
    head = teacher.head if options.head == "keep" else HeadConfig()
    if head.is_pooled and encoder.pooler != teacher.encoder.pooler:
        raise UserError(f"the teacher's {head.kind} head reads its pooler, which the student has not; pass --head "
                        "drop, or --family same")
    return ModelConfig(encoder, head, teacher.task_name if options.head == "keep" else "", family)


def _layers(teacher: ModelConfig, options: ExtractOptions) -> tuple[int, ...]:
    depth = teacher.encoder.num_hidden_layers
    if options.num_layers < 0:
        raise UserError(f"--num_layers is {options.num_layers}; it must be at least 1")
    if options.layers and options.num_layers not in (0, len(options.layers)):
        raise UserError(f"--layers names {len(options.layers)} layers, {list(options.layers)}, and --num_layers is "
                        f"{options.num_layers}; leave one of them out")
    return options.layers or default_layers(options.num_layers or (depth + 1) // 2, depth)
