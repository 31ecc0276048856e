# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of other systems: name tables as data, and conversion from folder to folder."""
