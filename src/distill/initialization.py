# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student's first weights out of its teacher's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from src.distill.layer_map import Pairs

_LAYER = "encoder.layers.{}."


def student_from_teacher(teacher: Mapping[str, np.ndarray], pairs: Pairs) -> dict[str, np.ndarray]:
    """Return the encoder parameters of a student that begins as a part of its teacher.

    Embeddings and pooler are the teacher's; student layer j is the teacher layer that the layer map pairs it with
    (Sanh et al., arXiv:1910.01108, section 3: one layer out of two). Heads are left out.

    Args:
        teacher: parameters under the names of src/models.
        pairs: (student, teacher), 1 is the first layer; 0, the embeddings, is copied anyway.
    """
    student = {name: value for name, value in teacher.items()
               if name.startswith(("encoder.embeddings.", "encoder.pooler."))}
    for own, its in pairs:
        if own == 0:
            continue
        prefix = _LAYER.format(its - 1)
        for name, value in teacher.items():
            if name.startswith(prefix):
                student[_LAYER.format(own - 1) + name[len(prefix):]] = value
    return student
