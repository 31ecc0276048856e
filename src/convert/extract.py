# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student cut out of its teacher, as a checkpoint to start distillation from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import mindspore as ms

from src.checkpoints.checkpoint import LoadedModel, load_model, parameters_of, save_model
from src.common.errors import UserError
from src.config import HeadConfig, ModelConfig
from src.convert.directories import Conversion, check_target, write_huggingface
from src.convert.google_writer import write_tensorflow
from src.convert.options import ReadOptions
from src.distill.initialization import default_layers, student_from_teacher
from src.models.heads import build_model


@dataclass(frozen=True)
class ExtractOptions:
    """Which part of a teacher becomes the student.

    Attributes:
        layers: teacher layers, from 0; () spreads them evenly, first and last among them.
        num_layers: how many; 0 takes the number of `layers`, or else half of the teacher's.
        family: `distilbert` (no token types, no pooler), `same` (as the teacher), or `auto`: distilbert of a BERT,
            unless token types are asked for, else same.
        type_vocab_size: number of token types; None is what the family says.
        vocab_transform: copy dense layer and LayerNorm of a masked-LM head, not its bias alone.
        fold_token_types: add the teacher's type 0 to the positions of a student without token types.
        head: `keep` the teacher's head, or `drop` it.
        model_type: family that the teacher must be of: bert, roberta or gpt2; "" takes any.
        seed: of what the teacher has not.
    """

    layers: tuple[int, ...] = ()
    num_layers: int = 0
    family: str = "auto"
    type_vocab_size: int | None = None
    vocab_transform: bool = True
    fold_token_types: bool = True
    head: str = "keep"
    model_type: str = ""
    seed: int = 0


def extract_student(source: str, target: Path, options: ExtractOptions, target_format: str = "mindspore",
                    force: bool = False) -> Conversion:
    """Write the student that `options` cut out of the checkpoint directory `source`.

    Raises:
        UserError: not one of our checkpoint directories, or layers and a family that the teacher does not give.
    """
    check_target(target, source, force)
    if not Path(source).exists():
        raise UserError(f"the teacher {source} does not exist; expected a checkpoint directory. A model of the Hugging "
                        f"Face hub is converted first: python convert_checkpoint.py --from hf --to mindspore {source} "
                        "TEACHER_DIR")
    teacher = load_model(source, "TEACHER_DIR")
    teacher.config.require_transformer(source, "a student that is cut out of its teacher")
    student, notes = cut(teacher, options)
    return Conversion(student.config, target, tuple(notes + WRITERS[target_format](student, target)))


def cut(teacher: LoadedModel, options: ExtractOptions) -> tuple[LoadedModel, list[str]]:
    """Return the student, and notes for the user."""
    layers = _layers(teacher.config, options)
    config = student_config(teacher.config, len(layers), options)
    ms.set_seed(options.seed)
    start = student_from_teacher(teacher.config, teacher.parameters, config, parameters_of(build_model(config)), layers,
                                 options.fold_token_types, options.vocab_transform, "--layers")
    notes = [f"the student's layers are the teacher's {', '.join(map(str, layers))}, counted from 0", *start.notes]
    return LoadedModel(teacher.directory, config, start.parameters, teacher.tokenizer_path), notes


def student_config(teacher: ModelConfig, layers: int, options: ExtractOptions) -> ModelConfig:
    """Return the student's configuration: the teacher's with fewer layers, in the family asked for.

    Raises:
        UserError: a family that does not come from this teacher, or cannot carry its head.
    """
    family = family_of(teacher)
    if options.model_type and options.model_type != family:
        raise UserError(f"--model_type is {options.model_type}, but the teacher is a {family}; leave the option out")
    wanted = options.family
    if wanted == "auto":  # a DistilBERT has no token types: asking for some asks for a BERT
        wanted = "distilbert" if family == "bert" and not options.type_vocab_size else "same"
    encoder = replace(teacher.encoder, num_hidden_layers=layers)
    if wanted == "distilbert":
        if family not in ("bert", "distilbert"):
            raise UserError(f"--family distilbert is cut out of a BERT, and the teacher is a {family}; use --family "
                            "same")
        encoder = replace(encoder, type_vocab_size=0, pooler="none")
    if options.type_vocab_size is not None:
        if family == "gpt2" and options.type_vocab_size:
            raise UserError("a GPT-2 has no token types; leave --type_vocab_size out")
        encoder = replace(encoder, type_vocab_size=options.type_vocab_size)
    head = teacher.head if options.head == "keep" else HeadConfig()
    if head.is_pooled and encoder.pooler != teacher.encoder.pooler:
        raise UserError(f"the teacher's {head.kind} head reads its pooler, which a distilbert has not; pass --head "
                        "drop, or --family same")
    return ModelConfig(encoder, head, teacher.task_name if options.head == "keep" else "")


def family_of(config: ModelConfig) -> str:
    """Return gpt2, roberta, distilbert or bert, as the configuration's settings tell."""
    encoder = config.encoder
    if encoder.causal:
        return "gpt2"
    if encoder.position_offset:
        return "roberta"
    return "bert" if encoder.type_vocab_size else "distilbert"


def _layers(teacher: ModelConfig, options: ExtractOptions) -> tuple[int, ...]:
    depth = teacher.encoder.num_hidden_layers
    if options.num_layers < 0:
        raise UserError(f"--num_layers is {options.num_layers}; it must be at least 1")
    if options.layers and options.num_layers not in (0, len(options.layers)):
        raise UserError(f"--layers names {len(options.layers)} layers, {list(options.layers)}, and --num_layers is "
                        f"{options.num_layers}; leave one of them out")
    return options.layers or default_layers(options.num_layers or (depth + 1) // 2, depth)


def _write_own(student: LoadedModel, target: Path) -> list[str]:
    save_model(target, student.config, student.parameters, student.tokenizer_path)
    return []


def _write_tensorflow(student: LoadedModel, target: Path) -> list[str]:
    return write_tensorflow(student, target, ReadOptions())


WRITERS: dict[str, Callable[[LoadedModel, Path], list[str]]] = {
    "mindspore": _write_own, "hf": write_huggingface, "tf": _write_tensorflow}
