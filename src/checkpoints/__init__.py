# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints as directories, their store, and the folder of a run."""
