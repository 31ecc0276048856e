# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The quick start: a student of an English teacher in ten minutes."""
