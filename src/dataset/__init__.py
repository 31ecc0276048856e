# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The only reader of records, for training and evaluation alike: rows -> optimiser steps -> this rank's micro-batches.

    rows             what a batch is, and the lengths that it is padded to
    reading          rows in MindSpore's own readers, of one length or of any
    language_model   which tokens are predicted, and what stands in their place
    unlabelled       labelled and unlabelled rows as one set
    training         the micro-batches of a run
    evaluation       every row once
"""

from src.dataset.evaluation import EvaluationBatch, LanguageBatch, evaluation_batches, language_evaluation_batches
from src.dataset.language_model import LanguageModelTargets
from src.dataset.reading import identity_of, longest_row, open_records, read_columns, read_rows
from src.dataset.rows import Batch, concatenate, pad_length, resolve_buckets
from src.dataset.training import JoinedLogits, TeacherLogits, TrainingBatches, micro_steps_per_epoch
from src.dataset.unlabelled import PartlyLabelled, read_training_rows, with_unlabelled

__all__ = ["Batch", "EvaluationBatch", "JoinedLogits", "LanguageBatch", "LanguageModelTargets", "PartlyLabelled",
           "TeacherLogits", "TrainingBatches", "concatenate", "evaluation_batches", "identity_of",
           "language_evaluation_batches", "longest_row", "micro_steps_per_epoch", "open_records", "pad_length",
           "read_columns", "read_rows", "read_training_rows", "resolve_buckets", "with_unlabelled"]
