# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Cells: the one transformer encoder, its heads, dropout, and loading of weights."""
