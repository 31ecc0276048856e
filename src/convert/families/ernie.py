# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""ERNIE 1 to 3 (Sun et al., arXiv:1907.12412): BERT in every tensor, with a table of task types (use_task_id).

Texts are of task type 0 unless a caller says otherwise: it is added to the positions, which computes the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.common.errors import UserError
from src.convert.families import bert
from src.convert.families.family import Family
from src.convert.name_map import PYTORCH, ReadResult

_TASKS, _POSITIONS = (f"encoder.embeddings.{name}_embeddings.embedding_table" for name in ("task_type", "position"))


def fold_task_types(values: Mapping[str, Any], result: ReadResult, source: Path) -> list[str]:
    """Add task type 0 to the positions of what was read; returns a note."""
    table, origin = result.parameters.pop(_TASKS, None), result.origin.pop(_TASKS, "")
    if not values.get("use_task_id"):  # transformers does not read the table either
        result.dropped.extend([origin] if origin else [])
        return []
    positions = result.parameters.get(_POSITIONS)
    if table is None or positions is None or positions.ndim != 2 or table.shape[1:] != positions.shape[1:]:
        found = "none" if table is None else f"one of shape {table.shape}"
        raise UserError(f"{source}: use_task_id is true, and the checkpoint holds {found} as task_type_embeddings; "
                        "expected a table as wide as the positions")
    result.parameters[_POSITIONS] = positions.astype("float32") + table[0].astype("float32")
    return [f"type 0 of {origin} is added to the positions, which computes the same for texts of that type; the others "
            "are left out"]


ERNIE: Family = replace(
    bert.BERT,
    model_type="ernie",
    prefix="ernie.",
    encoder=(*bert.BERT.encoder, *PYTORCH.rules({
        "embeddings.task_type_embeddings": "encoder.embeddings.task_type_embeddings"})),
    forms={kind: replace(form, architecture=form.architecture.replace("Bert", "Ernie"))
           for kind, form in bert.BERT.forms.items()},
    also={"ErnieForPreTraining": "masked_lm", "ErnieForNextSentencePrediction": "none"},
    dropped=("embeddings.position_ids", "cls.*"),
    constants=bert.BERT.constants | {"use_task_id": False},
    after_read=fold_task_types,
    relu_sign="",
)
