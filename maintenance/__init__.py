# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Upkeep of the repository: pinned versions, platforms."""
