# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which student layer learns from which teacher layer."""

from __future__ import annotations

from src.common.errors import UserError
from src.config import LayerMap

Pairs = tuple[tuple[int, int], ...]


def resolve_layer_map(layer_map: LayerMap, student_layers: int, teacher_layers: int) -> Pairs:
    """Return the (student, teacher) pairs of hidden states; 0 is the embedding output.

    The same pairs, without those of the embeddings, match attention scores and initialise a student from its
    teacher.

    Args:
        layer_map: `uniform`: j <-> j * teacher_layers / student_layers (TinyBERT); `first`: j <-> j; `last`: the
            teacher's last layers; or explicit pairs.
        student_layers, teacher_layers: depths.

    Raises:
        UserError: an unknown name, a depth that does not divide, a pair outside the depths, a repeated student layer.
    """
    if student_layers > teacher_layers and isinstance(layer_map, str):
        raise UserError(f"the student has {student_layers} layers, its teacher {teacher_layers}; a student is not "
                        "deeper than its teacher: change student.num_hidden_layers")
    if layer_map == "uniform":
        if teacher_layers % student_layers:
            raise UserError(f"student.num_hidden_layers {student_layers} does not divide the teacher's {teacher_layers}"
                            " layers, so layer_map uniform leaves upper layers out; give the pairs, for example "
                            f"--student.layer_map '{_example(student_layers, teacher_layers)}'")
        step = teacher_layers // student_layers
        return tuple((j, j * step) for j in range(student_layers + 1))
    if layer_map == "first":
        return tuple((j, j) for j in range(student_layers + 1))
    if layer_map == "last":
        skipped = teacher_layers - student_layers
        return ((0, 0), *((j, j + skipped) for j in range(1, student_layers + 1)))
    if isinstance(layer_map, str):
        raise UserError(f"student.layer_map is {layer_map!r}; expected uniform, first, last or pairs such as "
                        "[[0,0],[1,3]]")
    return _checked_pairs(layer_map, student_layers, teacher_layers)


def _checked_pairs(layer_map: tuple[tuple[int, ...], ...], student_layers: int, teacher_layers: int) -> Pairs:
    for pair in layer_map:
        if len(pair) != 2:
            raise UserError(f"student.layer_map holds {list(pair)}; expected pairs [student layer, teacher layer]")
        student, teacher = pair
        if not (0 <= student <= student_layers and 0 <= teacher <= teacher_layers):
            raise UserError(f"student.layer_map holds [{student}, {teacher}]; layers run from 0 (embeddings) to "
                            f"{student_layers} in the student and {teacher_layers} in the teacher")
        if (student == 0) != (teacher == 0):
            raise UserError(f"student.layer_map holds [{student}, {teacher}]; embeddings (0) match embeddings only")
    students = [student for student, _ in layer_map]
    if not layer_map or len(set(students)) != len(students):
        raise UserError(f"student.layer_map {[list(pair) for pair in layer_map]} must name each student layer at most "
                        "once, and at least one")
    return tuple(sorted((student, teacher) for student, teacher in layer_map))


def _example(student_layers: int, teacher_layers: int) -> str:
    pairs = [[j, round(j * teacher_layers / student_layers)] for j in range(student_layers + 1)]
    return str(pairs).replace(" ", "")
