# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""The model families of transformers: names, settings and model classes of each, as data."""
