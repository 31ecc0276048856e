# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""A student that learns its teacher's embeddings: its head, and where the teacher's embeddings come from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from src.common.errors import UserError
from src.config import EncoderConfig, GeneralDistillConfig, HeadConfig, ModelConfig
from src.dataset import TeacherLogits, micro_steps_per_epoch
from src.distill.components import components_of
from src.distill.objectives import Objective, embeds
from src.distill.terms import LOGITS
from src.records.reading import RecordSource
from src.train.stage import total_micro_steps

SAMPLE = 20_000
"""Most embeddings that principal components are fitted on, evenly spread over the rows."""


def student_head(teacher: ModelConfig, encoder: EncoderConfig, settings: GeneralDistillConfig) -> HeadConfig:
    """Return the head of a student that learns its teacher's embeddings: the teacher's, with a dense layer to its width
    where the student's differs, unless the teacher's are reduced. A student that learns layers alone has none.

    Raises:
        UserError: the teacher embeds no texts, its embeddings cannot be reduced to the student's width, or a batch has
            nothing to compare.
    """
    if not embeds(settings):
        if settings.reduce_embeddings:
            raise UserError("reduce_embeddings is true, but no term compares embeddings; name one, such as --terms "
                            "embedding_mse=1, or leave it out")
        return HeadConfig()
    head, width = teacher.head, teacher.output_size
    if head.kind != "embedding":
        raise UserError(f"terms {', '.join(settings.terms)} compare embeddings, but the teacher has {head.title}; "
                        "convert it with --pooling, or a folder of sentence-transformers, or leave these terms out")
    if settings.terms.get("similarity_kl", 0.0) > 0 and settings.batch_size < 2:
        raise UserError("similarity_kl compares a text with the others of its batch, and batch_size is 1; raise it")
    head = replace(head, max_seq_length=0 if head.max_seq_length >= encoder.max_length else head.max_seq_length)
    if settings.reduce_embeddings:
        if encoder.vector_size >= width:
            raise UserError(f"reduce_embeddings is true, but the student's {encoder.vector_size} numbers a text are no "
                            f"fewer than the teacher's {width}; leave it out, or set a smaller student.hidden_size")
        return replace(head, dense_size=0, dense_activation="none")
    return replace(head, dense_size=width if head.dense_size or encoder.vector_size != width else 0)


def stores_embeddings(settings: GeneralDistillConfig, objective: Objective, rows: RecordSource, ranks: int) -> bool:
    """Whether the teacher's embeddings are taken from where they are stored: by default when a row is seen again, or
    when they are reduced.

    Raises:
        UserError: they must be stored, and are not, or a term compares more than embeddings.
    """
    choice, reduces = settings.cache_embeddings, settings.reduce_embeddings
    if set(objective.teacher_outputs) != {LOGITS}:
        if choice == "true" or reduces:
            asked = "cache_embeddings" if choice == "true" else "reduce_embeddings"
            raise UserError(f"{asked} is true, but the terms read the teacher's "
                            f"{', '.join(objective.teacher_outputs)}, of which only embeddings can be stored; leave it "
                            "out, or leave the other terms out (attention_weight 0, hidden_weight 0)")
        return False
    if choice == "false" and reduces:
        raise UserError("reduce_embeddings is true, which takes stored embeddings, but cache_embeddings is false; "
                        "leave one of the two out")
    if choice != "auto" or reduces:
        return choice == "true" or reduces
    epoch = micro_steps_per_epoch(rows, settings.batch_size, ranks, settings.gradient_accumulation_steps)
    return total_micro_steps(settings, rows, ranks) > epoch


@dataclass(frozen=True, eq=False)
class ReducedEmbeddings(TeacherLogits):
    """Stored embeddings that are reduced as they are read; `components` float32 (width, narrower)."""

    components: np.ndarray
    normalize: bool

    def of_rows(self, index: np.ndarray, length: int) -> np.ndarray:
        reduced = super().of_rows(index, length) @ self.components
        if self.normalize:
            reduced /= np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-12)
        return reduced


def reduced(stored: TeacherLogits, width: int, normalize: bool) -> ReducedEmbeddings:
    """Reduce stored embeddings to their first principal components, as sentence-transformers does: fitted on a sample
    with its mean taken off, applied without, so that cosines stay near what they were.

    Args:
        normalize: whether what is reduced is divided by its norm, as the teacher's embeddings are.
    """
    values = stored.values
    sample = values[np.linspace(0, len(values) - 1, min(SAMPLE, len(values))).astype(np.int64)]
    directions = components_of(sample, width).directions
    return ReducedEmbeddings(stored.path, values, np.ascontiguousarray(directions, np.float32), normalize)
