# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Answers of a bundle (export.py --file_format BUNDLE) without MindSpore, and without the rest of this repository.

    from serving import Predictor

    Predictor("STUDENT").predict(["A lovely film.", "Dull."])

This folder alone, with requirements-serving.txt, is all that it takes.
"""

from serving.bundle import ServingError
from serving.predictor import Predictor

__all__ = ["Predictor", "ServingError"]
