# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""Records: their columns (`columns`), making (`prepare`, `sequences`), reading (`reading`), and their manifest."""
