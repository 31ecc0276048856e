# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student's first weights out of its teacher's: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from src.common.errors import UserError
from src.config import EncoderConfig, ModelConfig
from src.config.model import WORD_EMBEDDINGS
from src.distill.components import components_of

_LAYER = "encoder.layers.{}."
_POSITIONS = "encoder.embeddings.position_embeddings.embedding_table"
_TYPES = "encoder.embeddings.token_type_embeddings.embedding_table"
_AS_THEY_ARE = ("encoder.embeddings.word_embeddings.", "encoder.embeddings.norm.", "encoder.embeddings.projection.",
                "encoder.norm.")
_TRANSFORM = ("head.transform.", "head.norm.")
_MUST_AGREE = ("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "head_size", "layer_heads",
               "layer_units", "embedding_size", "hidden_act", "position_offset", "causal", "pre_norm", "layer_class",
               "layer_types", "local_attention", "global_rope_theta", "local_rope_theta", "classifier_pooling")
"""What the copied weights mean something else without."""


Start = tuple[dict[str, np.ndarray], list[str]]
"""Parameters of the whole student, by the names of src/models, and what the user should know about them."""


def default_layers(student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """Return the teacher layers, from 0, that a student begins with: evenly spread, first and last among them.

    12 -> 6 gives 0, 2, 4, 7, 9, 11, the choice of DistilBERT's authors (Sanh et al., arXiv:1910.01108).

    Raises:
        UserError: the student is deeper than its teacher.
    """
    if student_layers > teacher_layers:
        raise UserError(f"the student has {student_layers} layers, its teacher {teacher_layers}; a student is not "
                        "deeper than its teacher: change num_hidden_layers")
    return tuple(int(layer) for layer in np.round(np.linspace(0, teacher_layers - 1, student_layers)))


def student_from_teacher(teacher: ModelConfig, parameters: Mapping[str, np.ndarray], student: ModelConfig,
                         fresh: Mapping[str, np.ndarray], layers: Sequence[int], fold_token_types: bool = True,
                         copy_transform: bool = True, setting: str = "student_init") -> Start:
    """Return the first weights of a student that begins as a part of its teacher.

    Embeddings, layers, and what both have of final norm, pooler and head are the teacher's; the rest stays `fresh`.

    Args:
        teacher, student: the two models.
        parameters: the teacher's, under the names of src/models.
        fresh: the student's, drawn at random.
        layers: for each student layer the teacher layer it begins as, counted from 0.
        fold_token_types: a student without token types gets the teacher's type 0 added to its positions, so that its
            embeddings of a single segment are the teacher's; otherwise the types are lost.
        copy_transform: copy dense layer and LayerNorm of a masked-LM head, not its bias alone.
        setting: what `layers` came from, for messages.

    Raises:
        UserError: other widths or another kind of encoder, too many positions or too few token types; a layer that the
            teacher has not, or not one for each layer of the student.
    """
    check_start(teacher.encoder, student.encoder, layers, setting)
    copied, type_notes = _tables(teacher.encoder, parameters, student.encoder, fresh, fold_token_types)
    copied |= {name: parameters[name] for name in fresh if name.startswith(_AS_THEY_ARE)}
    copied |= _layers(teacher.encoder, parameters, student.encoder, layers)
    copied |= _pooler_and_head(teacher, parameters, student, copy_transform)
    drawn = sorted({".".join(name.split(".")[:2]) for name in fresh.keys() - copied.keys()})
    its, own = teacher.encoder.layer_norm_eps, student.encoder.layer_norm_eps
    notes = type_notes if its == own else [f"the student's layer_norm_eps is {own}, the teacher's {its}: the copied "
                                           "layers compute slightly different values", *type_notes]
    if drawn:
        notes.append(f"not taken from the teacher, but drawn at random: {', '.join(drawn)}")
    return {name: np.ascontiguousarray(copied.get(name, fresh[name])) for name in fresh}, notes


def embeddings_from_teacher(teacher: EncoderConfig, parameters: Mapping[str, np.ndarray], student: EncoderConfig,
                            fresh: Mapping[str, np.ndarray], fold_token_types: bool = True) -> Start:
    """Return the first weights of a student of any width whose embeddings are its teacher's, and all else is `fresh`.

    A narrower student has the principal components of the teacher's token embeddings, less their mean; positions and
    token types are taken in the same directions, so that what is added up stays what it was, less the rest. The
    arguments are those of `student_from_teacher`.

    Raises:
        UserError: a wider student, too many positions or too few token types, other places of the first position.
    """
    check_embeddings(teacher, student)
    own, its = student.table_width, teacher.table_width
    tables = {name: parameters[name] for name in (WORD_EMBEDDINGS, _POSITIONS, _TYPES) if name in parameters}
    notes = []
    if own < its:
        components = components_of(tables[WORD_EMBEDDINGS], own)
        tables = {name: components.reduce(table, centre=name == WORD_EMBEDDINGS) for name, table in tables.items()}
        notes = [f"its embeddings are {own} principal components of the teacher's {its} dimensions, with "
                 f"{components.share:.1%} of the variance of the tokens"]
    copied, type_notes = _tables(teacher, tables, student, fresh, fold_token_types)
    copied[WORD_EMBEDDINGS] = tables[WORD_EMBEDDINGS]
    what = "its embeddings" if _POSITIONS in copied or _POSITIONS not in fresh else "the embeddings of its tokens"
    return {name: np.ascontiguousarray(copied.get(name, fresh[name])) for name in fresh}, [
        *notes, *type_notes, f"not taken from the teacher, but drawn at random: all but {what}"]


def check_embeddings(teacher: EncoderConfig, student: EncoderConfig) -> None:
    """Check that a student can take over the embeddings of its teacher, in as many components as it is wide; raise
    `UserError`."""
    own, its = student.table_width, teacher.table_width
    if own > its:
        raise UserError(f"the student's embeddings are {own} wide, the teacher's {its}, which have no more components; "
                        f"set hidden_size {its} or less, or student.initialization random")
    if student.position_offset != teacher.position_offset:
        raise UserError(f"student.position_offset is {student.position_offset}, the teacher's "
                        f"{teacher.position_offset}; make them equal, or set student.initialization random")
    _check_rows(teacher, student)


def check_start(teacher: EncoderConfig, student: EncoderConfig, layers: Sequence[int], setting: str) -> None:
    """Check that a student can take over the `layers` of its teacher; raise `UserError`."""
    taken = teacher.with_layers(layers) if layers and not _outside(teacher, layers) else teacher
    differ = [f"student.{name} is {own}, the teacher's {its}" for name in _MUST_AGREE
              if (its := getattr(taken, name)) != (own := getattr(student, name))]
    if differ:
        raise UserError(f"the student cannot start from its teacher: {'; '.join(differ)}; make them equal, or set "
                        "student.initialization random")
    _check_rows(teacher, student)
    if len(layers) != student.num_hidden_layers:
        raise UserError(f"{setting} names {len(layers)} teacher layers, {list(layers)}, for the student's "
                        f"{student.num_hidden_layers}; name one for each, or set num_hidden_layers {len(layers)}")
    check_there(teacher, layers, setting)


def _check_rows(teacher: EncoderConfig, student: EncoderConfig) -> None:
    if student.max_position_embeddings > teacher.max_position_embeddings:
        raise UserError(f"the student's max_position_embeddings is {student.max_position_embeddings}, the teacher has "
                        f"{teacher.max_position_embeddings} positions to start it from; set max_position_embeddings "
                        f"{teacher.max_position_embeddings} or less")
    if 0 < student.type_vocab_size < teacher.type_vocab_size:
        raise UserError(f"the student's type_vocab_size is {student.type_vocab_size}, the teacher has "
                        f"{teacher.type_vocab_size} token types; set type_vocab_size {teacher.type_vocab_size} or "
                        "more, or 0 for none")


def check_there(teacher: EncoderConfig, layers: Sequence[int], setting: str) -> None:
    """Raise `UserError` for a layer that the teacher has not."""
    if outside := _outside(teacher, layers):
        raise UserError(f"{setting} names layer {outside[0]}; the teacher's layers count from 0 to "
                        f"{teacher.num_hidden_layers - 1}")


def _outside(teacher: EncoderConfig, layers: Sequence[int]) -> list[int]:
    return [layer for layer in layers if not 0 <= layer < teacher.num_hidden_layers]


def _layers(teacher: EncoderConfig, parameters: Mapping[str, np.ndarray], student: EncoderConfig,
            layers: Sequence[int]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for own, its in enumerate(layers[:student.stored_layers]):
        prefix = _LAYER.format(teacher.stored_at(its))
        found |= {_LAYER.format(own) + name[len(prefix):]: value for name, value in parameters.items()
                  if name.startswith(prefix)}
    return found


def _tables(teacher: EncoderConfig, parameters: Mapping[str, np.ndarray], student: EncoderConfig,
            fresh: Mapping[str, np.ndarray], fold: bool) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the student's tables of positions and of token types, where both have them, and notes."""
    copied, notes = _token_types(teacher, parameters, student, fresh, fold)
    if _POSITIONS in fresh and _POSITIONS in parameters:
        copied[_POSITIONS] = parameters[_POSITIONS][: student.max_position_embeddings]
        if _TYPES not in fresh and teacher.type_vocab_size and fold:
            copied[_POSITIONS] = copied[_POSITIONS] + parameters[_TYPES][0]
    return copied, notes


def _token_types(teacher: EncoderConfig, parameters: Mapping[str, np.ndarray], student: EncoderConfig,
                 fresh: Mapping[str, np.ndarray], fold: bool) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the student's token-type table, if it has one, and notes."""
    its, own = teacher.type_vocab_size, student.type_vocab_size
    if not own:
        if not its:
            return {}, []
        return {}, ["the student has no token types: " + (
            "the teacher's type 0 is added to its positions" if fold else
            "the teacher's are lost, type 0 as well (fold_token_types false)")]
    table = fresh[_TYPES].copy()
    # Without a type in the teacher, type 0 adds nothing, so that the student begins with the teacher's embeddings.
    table[:max(its, 1)] = parameters[_TYPES] if its else 0.0
    if own <= max(its, 1):
        return {_TYPES: table}, []
    return {_TYPES: table}, [f"token types {max(its, 1)} to {own - 1} are drawn at random: the teacher has {its}"]


def _pooler_and_head(teacher: ModelConfig, parameters: Mapping[str, np.ndarray], student: ModelConfig,
                     copy_transform: bool) -> dict[str, np.ndarray]:
    """Return what both models have of a pooler and a head."""
    prefixes: tuple[str, ...] = ()
    same_pooler = student.encoder.pooler == teacher.encoder.pooler
    if same_pooler and student.encoder.pooler != "none":
        prefixes += ("encoder.pooler.",)
    # A head on the pooled output means nothing on another pooler.
    if student.head == teacher.head and (same_pooler or not student.head.is_pooled):
        prefixes += ("head.",)
    found = {name: value for name, value in parameters.items() if name.startswith(prefixes)} if prefixes else {}
    if student.head.kind == "masked_lm" and not copy_transform:
        found = {name: value for name, value in found.items() if not name.startswith(_TRANSFORM)}
    return found
