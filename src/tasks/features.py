# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What passes between a task and a model: settings of the encoding, model inputs, and what the model answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class EncodeOptions:
    """How examples become rows; see `task` in default_config.yaml.

    Attributes:
        seq_length: length of the rows, special tokens included.
        doc_stride: tokens from the beginning of one window of a long text to that of the next.
        max_query_length: tokens after which a question is cut.
    """

    seq_length: int
    doc_stride: int = 128
    max_query_length: int = 64


@dataclass(frozen=True)
class DecodeOptions:
    """How the outputs for an answer's start and end become answers; see `task` in default_config.yaml."""

    n_best_size: int = 20
    max_answer_length: int = 30
    null_score_threshold: float = 0.0


@dataclass(frozen=True)
class Features:
    """Rows of examples.

    Attributes:
        values: columns by name, (rows, width) each: input_ids int32, input_mask and segment_ids uint8, label_ids
            where the examples are labelled, and the task's `extra_columns`, int.
        tokens: without special tokens and padding; `unknown` of them are [UNK].
        shortened: examples that were cut, or cut into several rows.
    """

    values: dict[str, np.ndarray]
    tokens: int
    unknown: int
    shortened: int


@dataclass(frozen=True)
class Outputs:
    """What a model says of rows, in their order.

    Attributes:
        logits: float32 (rows, num_labels), or (rows, seq_length, num_labels) of tagging and span.
        values: label_ids (where there are labels) and the task's `extra_columns`, (rows, width) each.
        examples: the examples that the rows were made of, for tasks that keep them (`Task.kept_example`).
    """

    logits: np.ndarray
    values: dict[str, np.ndarray]
    examples: Sequence[Any] = ()
