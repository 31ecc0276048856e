# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Knowledge distillation of BERT for MindSpore."""

__version__ = "0.2.0"
