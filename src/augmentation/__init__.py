# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data augmentation: which words may be replaced, by what, and the copies that come of it."""
