# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""XLM-R (Conneau et al., arXiv:1911.02116): RoBERTa in every tensor, of another vocabulary."""

from __future__ import annotations

from dataclasses import replace

from src.convert.families.family import Family
from src.convert.families.roberta import ROBERTA

XLM_ROBERTA: Family = replace(
    ROBERTA,
    model_type="xlm-roberta",
    forms={kind: replace(form, architecture=f"XLM{form.architecture}") for kind, form in ROBERTA.forms.items()},
)
