# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training: the loop, its step cell and optimiser, what it logs and saves."""
