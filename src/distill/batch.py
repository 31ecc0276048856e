# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the data pipeline owes the objectives: the columns that a batch ends in."""

from __future__ import annotations

COLUMNS = ("positions", "label_ids", "distill_weights", "label_weights", "token_weights")
"""Of language modelling; what they hold is said in src/dataset/language_model.py."""
