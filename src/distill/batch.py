# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The columns of a micro-batch: the names by which the terms of an objective read them, in the order of the data."""

from __future__ import annotations

from src.config.model import INPUTS

STEP = "step"
"""int32 scalar, counts micro-steps from 0; dropout is drawn from it."""
LABELS = "label_ids"
"""Of the kind of the head: int32 (B, 1) classes, (B, S) tags, (B, 2) start and end; float32 (B, 1) scores."""
COUNTS = ("token_count", "pair_count", "label_count")
"""float32 scalars: tokens, pairs of tokens of one row, and tokens with a label, of an optimiser step, divided by its
parts (micro-steps x ranks). The mean over the parts of sums divided by these is the mean over the step."""
ROW_WEIGHTS = "row_weights"
"""Of rows some of which have no label: float32 (B,), what each label of a row weighs in the losses of labels, 0 in rows
without. The mean over the parts of sums that are weighted so is the mean over the labels of an optimiser step."""
TEACHER_LOGITS = "teacher_logits"
"""Of a teacher that has been run before: float32 (B, C) or (B, S, C)."""
PLACES = ("positions", "label_ids", "distill_weights", "label_weights")
"""Of language modelling, (K,): int32 flat places b * S + s, their tokens, and float32 weights of two kinds of terms."""
TOKEN_WEIGHTS = "token_weights"
"""Of language modelling: float32 (B, S)."""


def columns_of(predicts_tokens: bool, has_teacher_logits: bool = False, partly_labelled: bool = False
               ) -> tuple[str, ...]:
    """Return the names of the columns, of language modelling or of a task, in order; `partly_labelled`: of rows some of
    which have no label."""
    if predicts_tokens:
        return STEP, *INPUTS, *PLACES, TOKEN_WEIGHTS
    weights, logits = (ROW_WEIGHTS,) if partly_labelled else (), (TEACHER_LOGITS,) if has_teacher_logits else ()
    return STEP, *INPUTS, LABELS, *COUNTS, *weights, *logits
