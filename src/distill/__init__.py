# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distillation: losses, layer maps, objectives, and the cell that holds teacher and student."""
